package keys

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
)

// Passwords are kept as PBKDF2-HMAC-SHA-256 (SP 800-132), which the strict mode
// of FIPS 140-3 has; argon2id it has not. The rounds are those that OWASP asks
// for (2026), and grow with the text: an older hash names its own.
const (
	passwordRounds = 600_000
	maxRounds      = 10_000_000
	passwordSalt   = 16
)

// MaxPassword bounds a password, in bytes, so that hashing one costs the same.
const MaxPassword = 256

// ErrPassword says that a password is no password.
var ErrPassword = errors.New("a password has 1 to 256 bytes")

// HashPassword returns what a password is checked against.
func HashPassword(password string) (string, error) {
	if password == "" || len(password) > MaxPassword {
		return "", ErrPassword
	}
	salt := make([]byte, passwordSalt)
	fillRandom(salt)
	sum, err := pbkdf2.Key(sha256.New, password, salt, passwordRounds, sha256.Size)
	if err != nil {
		return "", err
	}
	enc := base64.RawStdEncoding
	return "pbkdf2-sha256$" + strconv.Itoa(passwordRounds) + "$" + enc.EncodeToString(salt) + "$" + enc.EncodeToString(sum), nil
}

// nobodysPassword is the hash of a password that nobody knows: the same work
// is done for a name that does not exist (TestX01SameAnswerForUnknownName).
const nobodysPassword = "pbkdf2-sha256$600000$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// MatchPassword reports whether a password is the one of a hash. It takes as
// long for a missing or broken hash.
func MatchPassword(hash, password string) bool {
	rounds, salt, want, ok := readPassword(hash)
	if !ok {
		rounds, salt, want, _ = readPassword(nobodysPassword)
	}
	if len(password) > MaxPassword {
		password, ok = "", false
	}
	got, err := pbkdf2.Key(sha256.New, password, salt, rounds, len(want))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1 && ok && password != ""
}

func readPassword(hash string) (rounds int, salt, sum []byte, ok bool) {
	part := strings.Split(hash, "$")
	if len(part) != 4 || part[0] != "pbkdf2-sha256" {
		return 0, nil, nil, false
	}
	rounds, err := strconv.Atoi(part[1])
	if err != nil || rounds < passwordRounds || rounds > maxRounds {
		return 0, nil, nil, false
	}
	enc := base64.RawStdEncoding.Strict()
	salt, err1 := enc.DecodeString(part[2])
	sum, err2 := enc.DecodeString(part[3])
	return rounds, salt, sum, err1 == nil && err2 == nil && len(salt) == passwordSalt && len(sum) == sha256.Size
}
