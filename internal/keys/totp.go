package keys

import (
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6238's default, the only one that authenticator apps agree on
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// TOTP of RFC 6238 as every authenticator app has it: HMAC-SHA-1, six digits,
// 30 seconds. What is weak in SHA-1 (collisions) does not matter in HMAC.
const (
	totpEvery = 30
	totpSeed  = 20 // bytes, as RFC 4226 recommends
)

// ErrTOTP says that the strict mode of FIPS 140-3 has no HMAC-SHA-1.
var ErrTOTP = errors.New("one-time codes are not available in strict FIPS mode; use a passkey")

// NewTOTP makes a seed.
func NewTOTP() []byte {
	seed := make([]byte, totpSeed)
	fillRandom(seed)
	return seed
}

// TOTPText is a seed as people type it.
func TOTPText(seed []byte) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(seed)
}

// MatchTOTP returns the step of a code: the present one, or one before or after
// it, and later than after, so that no code counts twice (TestCodeCountsOnce).
func MatchTOTP(seed []byte, code string, now time.Time, after int64) (step int64, ok bool) {
	if len(seed) != totpSeed || len(code) != 6 || fips140.Enforced() {
		return 0, false
	}
	at := now.Unix() / totpEvery
	for _, s := range [...]int64{at - 1, at, at + 1} {
		if EqualHash([]byte(totp(seed, s)), []byte(code)) && s > after {
			step, ok = s, true
		}
	}
	return step, ok
}

// HasTOTP returns why codes are not available; nil: they are.
func HasTOTP() error {
	if fips140.Enforced() {
		return ErrTOTP
	}
	return nil
}

func totp(seed []byte, step int64) string {
	mac := hmac.New(sha1.New, seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}
