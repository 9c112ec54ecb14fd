package verify

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The algorithms of keys (https://c2sp.org/signed-note). A key has one: it is
// in the key, never in what is signed, so that no signature can choose another.
const (
	algEd25519     = 0x01 // signs notes: checkpoints and receipts
	algCosignature = 0x04 // signs checkpoints as a witness, with a time
)

// Key is a public key with its name. The zero Key verifies nothing.
type Key struct {
	name   string
	hash   uint32
	alg    byte
	public ed25519.PublicKey
}

// maxKeys bounds how many keys one file may hold.
const maxKeys = 256

// ParseKey reads a key in the one-line form name+hash+base64 of signed notes
// (a "vkey"): that of a log or of receipts.
func ParseKey(line string) (Key, error) { return parseKey(line, algEd25519) }

// ParseKeys reads a file of keys, one a line; empty lines and lines that begin
// with # are skipped. A file without a key is an error.
func ParseKeys(file []byte) ([]Key, error) {
	var keys []Key
	for line := range strings.Lines(string(file)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, err := ParseKey(line)
		if err != nil {
			return nil, err
		}
		if keys = append(keys, k); len(keys) > maxKeys {
			return nil, errors.New("too many keys in one file")
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key in the file")
	}
	return keys, nil
}

func parseKey(line string, alg byte) (Key, error) {
	name, rest, _ := strings.Cut(line, "+")
	hex, b64, _ := strings.Cut(rest, "+")
	hash, err := strconv.ParseUint(hex, 16, 32)
	if err != nil || len(hex) != 8 || strings.ToLower(hex) != hex || !validName(name) {
		return Key{}, errors.New("no public key: want name+hash+base64")
	}
	raw, err := decode64(b64)
	if err != nil || len(raw) == 0 {
		return Key{}, errors.New("no public key: its last part is not base64")
	}
	if raw[0] != alg {
		return Key{}, fmt.Errorf("the public key has the algorithm %#02x, want %#02x", raw[0], alg)
	}
	if len(raw) != 1+ed25519.PublicKeySize {
		return Key{}, errors.New("the public key has a wrong length")
	}
	k := Key{name: name, hash: uint32(hash), alg: alg, public: raw[1:]}
	if k.hash != keyHash(name, raw) {
		return Key{}, errors.New("the public key and its hash do not belong together")
	}
	return k, nil
}

// keyHash is what ties a key to its name.
func keyHash(name string, raw []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), raw...))
	return binary.BigEndian.Uint32(sum[:])
}

// validName reports whether a name can stand in a signature line.
func validName(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.Contains(name, "+") &&
		strings.IndexFunc(name, func(r rune) bool { return unicode.IsSpace(r) || r < ' ' }) < 0
}

// Name returns the key's name: for a log its origin.
func (k Key) Name() string { return k.name }

// KeyHash returns the hash by which signatures refer to the key.
func (k Key) KeyHash() uint32 { return k.hash }

// ID returns name and hash in one, as receipts name their key.
func (k Key) ID() string { return fmt.Sprintf("%s+%08x", k.name, k.hash) }

// String returns the key in its one-line form.
func (k Key) String() string {
	return k.ID() + "+" + encode64(k.raw())
}

// raw is the algorithm and the key.
func (k Key) raw() []byte { return append([]byte{k.alg}, k.public...) }

// Verify reports whether sig is the key's signature of msg. A cosignature is
// checked with the time in it.
func (k Key) Verify(msg, sig []byte) bool {
	if len(k.public) != ed25519.PublicKeySize {
		return false
	}
	if k.alg == algCosignature {
		if len(sig) != 8+ed25519.SignatureSize {
			return false
		}
		time := binary.BigEndian.Uint64(sig)
		if time > 1<<63-1 {
			return false
		}
		msg = append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", time), msg...)
		sig = sig[8:]
	}
	return len(sig) == ed25519.SignatureSize && ed25519.Verify(k.public, msg, sig)
}

// decode64 decodes standard base64 in its one spelling: padded, no line
// breaks, no stray bits at the end. Else one signed statement would have many
// spellings (TestBase64HasOneSpelling).
func decode64(s string) ([]byte, error) { return decodeStrict(base64.StdEncoding, s) }

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func decodeStrict(e *base64.Encoding, s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	return e.Strict().DecodeString(s)
}

// decode32 decodes 32 bytes.
func decode32(s string) (h [32]byte, err error) {
	b, err := decode64(s)
	if err == nil && len(b) != len(h) {
		err = errors.New("not 32 bytes")
	}
	copy(h[:], b)
	return h, err
}
