package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// algCosignature is the algorithm byte of Ed25519 cosignatures (C2SP
// tlog-cosignature).
const algCosignature = 4

// ErrVKey says that a text is not a verifier key of the kind asked for.
var ErrVKey = errors.New("not a verifier key of a witness (NAME+HASH+KEY, type 4)")

// Cosigner is the key of a witness: it signs checkpoints of other logs, with
// the time, and never the same bytes as a log key does. It prints as a marker.
type Cosigner struct {
	Cosignature
	key ed25519.PrivateKey
}

// Cosignature verifies the cosignatures of one witness. It has the methods of
// note.Verifier in golang.org/x/mod/sumdb/note.
type Cosignature struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

// NewCosigner makes the key of a witness. The name stands in every signature
// and is best a URL without scheme.
func NewCosigner(name string) (*Cosigner, error) {
	seed := make([]byte, ed25519.SeedSize)
	fillRandom(seed)
	return OpenCosigner(name, seed)
}

// OpenCosigner returns the cosigner of a name and a seed of 32 bytes.
func OpenCosigner(name string, seed []byte) (*Cosigner, error) {
	if !noteName(name) || len(seed) != ed25519.SeedSize {
		return nil, errors.New("a witness needs a name without spaces and plus signs, and a seed of 32 bytes")
	}
	key := ed25519.NewKeyFromSeed(seed)
	return &Cosigner{cosignature(name, publicBytes(key)), key}, nil
}

// Seed returns the secret seed, for whoever seals it.
func (c *Cosigner) Seed() []byte { return c.key.Seed() }

// String keeps the key out of anything that prints a cosigner.
func (c *Cosigner) String() string { return "[cosigner " + c.name + "]" }

// GoString keeps the key out of %#v.
func (c *Cosigner) GoString() string { return c.String() }

// Cosign returns the signature line for the checkpoint text (the note's text,
// without signatures), made at t.
func (c *Cosigner) Cosign(text string, t time.Time) string {
	at := uint64(t.Unix())
	sig := binary.BigEndian.AppendUint32(nil, c.hash)
	sig = binary.BigEndian.AppendUint64(sig, at)
	sig = append(sig, ed25519.Sign(c.key, cosigned(at, []byte(text)))...)
	return "— " + c.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// ParseCosignature reads the verifier key of a witness.
func ParseCosignature(vkey string) (Cosignature, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	hash, key, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil || !noteName(name) || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algCosignature {
		return Cosignature{}, ErrVKey
	}
	c := cosignature(name, raw[1:])
	if fmt.Sprintf("%08x", c.hash) != hash {
		return Cosignature{}, ErrVKey
	}
	return c, nil
}

func cosignature(name string, public []byte) Cosignature {
	h := sha256.Sum256(append([]byte(name+"\n"+string(rune(algCosignature))), public...))
	return Cosignature{name: name, hash: binary.BigEndian.Uint32(h[:]), key: public}
}

// Name returns the name of the witness.
func (c Cosignature) Name() string { return c.name }

// KeyHash returns the hash of name and key.
func (c Cosignature) KeyHash() uint32 { return c.hash }

// Public returns the public key, which is what makes two witnesses the same.
func (c Cosignature) Public() []byte { return c.key }

// VKey returns the verifier key in text form.
func (c Cosignature) VKey() string {
	return fmt.Sprintf("%s+%08x+%s", c.name, c.hash, base64.StdEncoding.EncodeToString(append([]byte{algCosignature}, c.key...)))
}

// Verify reports whether sig, time and signature, is a cosignature of the
// checkpoint text msg.
func (c Cosignature) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at <= math.MaxInt64 && ed25519.Verify(c.key, cosigned(at, msg), sig[8:])
}

// CosignedAt returns the time in a cosignature that Verify accepted.
func CosignedAt(sig []byte) time.Time {
	if len(sig) < 8 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(sig)&math.MaxInt64), 0).UTC()
}

// cosigned is what an Ed25519 cosignature signs: its first line keeps it apart
// from every other signature.
func cosigned(at uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(at, 10)+"\n"), text...)
}

// noteName reports whether name can be a key's name in a signed note.
func noteName(name string) bool {
	return name != "" && utf8.ValidString(name) && strings.IndexFunc(name, unicode.IsSpace) < 0 && !strings.Contains(name, "+")
}
