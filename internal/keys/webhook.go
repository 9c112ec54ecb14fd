package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// WebhookMAC signs a message to an operator's webhook: HMAC-SHA256 under their
// secret, over the time in seconds, a dot and the body, lower-case hex. The time
// is inside, so that a message cannot be sent again later as a new one (G17).
func WebhookMAC(secret []byte, at int64, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write(strconv.AppendInt(nil, at, 10))
	mac.Write([]byte{'.'})
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
