package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
)

// indexBytes of an HMAC are an index: 160 bits, so that no two names of one
// gateway meet.
const indexBytes = 20

// Index returns the blind index of a row: 32 characters that are the same for
// the same kind and name, and say nothing to whoever lacks the key.
func (r *Ring) Index(kind, name string) string {
	return blind(r.state.Load().current(RowIndex), kind, name)
}

// blind is the HMAC of kind and name, length before each, in base32.
func blind(d *dek, kind, name string) string {
	mac := hmac.New(sha256.New, d.key[:])
	var text []byte
	for _, part := range [...]string{"index/v1", kind, name} {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part)))
		text = append(text, part...)
	}
	mac.Write(text)
	return base32.NewEncoding(tokenAlphabet).WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil)[:indexBytes])
}
