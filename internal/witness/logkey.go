package witness

import (
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// logKey is the verifier key of a log.
type logKey struct {
	note.Verifier
	key string // the public key
}

// parseLogKey reads a verifier key of a log: Ed25519, whose name is the origin.
func parseLogKey(vkey string) (logKey, error) {
	v, err := note.NewVerifier(vkey)
	if err != nil || len(v.Name()) > maxOrigin {
		return logKey{}, errors.New("not a verifier key of a log (ORIGIN+HASH+KEY, type 1)")
	}
	_, rest, _ := strings.Cut(vkey, "+")
	_, key, _ := strings.Cut(rest, "+") // base64 may hold a plus sign too
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		return logKey{}, errors.New("not a verifier key of a log (ORIGIN+HASH+KEY, type 1)")
	}
	return logKey{v, string(raw)}, nil
}

// decodeSignature returns the signature of a note's line without the key's hash.
func decodeSignature(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) < 4 {
		return nil, errors.New("not a signature")
	}
	return raw[4:], nil
}
