package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// algEd25519 is the algorithm byte of signed notes (C2SP signed-note).
const algEd25519 = 1

// Signer signs notes in one name. It has the methods of note.Signer in
// golang.org/x/mod/sumdb/note and is safe for concurrent use.
type Signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

// newSigner makes the signer of name whose seed is d.
func newSigner(d *dek, name string) Signer {
	key := ed25519.NewKeyFromSeed(d.key[:])
	return Signer{name: name, hash: noteHash(name, publicBytes(key)), key: key}
}

// Name returns the key's name: the origin of a log.
func (s Signer) Name() string { return s.name }

// KeyHash returns the key's hash, which depends on its name.
func (s Signer) KeyHash() uint32 { return s.hash }

// Sign returns the Ed25519 signature of msg.
func (s Signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// Public returns the public key, 32 bytes.
func (s Signer) Public() []byte { return publicBytes(s.key) }

// VKey returns the verifier key in the form of signed notes:
// name+hash+base64(01 || public key).
func (s Signer) VKey() string { return vkey(s.name, publicBytes(s.key)) }

func vkey(name string, public []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, noteHash(name, public),
		base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, public...)))
}

// String keeps the key out of anything that prints a signer.
func (s Signer) String() string { return "[signer " + s.name + "]" }

// GoString keeps the key out of %#v.
func (s Signer) GoString() string { return s.String() }

func publicBytes(key ed25519.PrivateKey) []byte {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		panic("keys: an Ed25519 key without public half")
	}
	return public
}

// noteHash is the first four bytes of SHA-256(name || "\n" || 01 || key).
func noteHash(name string, public []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n', algEd25519})
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// LogSigner returns the signer of the checkpoints of the log origin.
func (r *Ring) LogSigner(origin string) Signer {
	return newSigner(r.state.Load().current(LogSigning), origin)
}

// LogVKey returns the verifier key of the checkpoints of the log origin.
func (r *Ring) LogVKey(origin string) string { return r.LogSigner(origin).VKey() }

// LogSigners returns who signs the next checkpoint of origin: the current key
// and, after a rotation, also the one before it, until HandedOver. Whoever
// trusts the old key so meets the new one under a checkpoint that he accepts.
// A key that was compromised signs nothing any more.
func (r *Ring) LogSigners(origin string) []Signer {
	s := r.state.Load()
	list := []Signer{newSigner(s.current(LogSigning), origin)}
	if _, done := r.handover.Load(origin); done || len(s.rotations) == 0 {
		return list
	}
	versions := s.keys[LogSigning]
	last := lastRotation(s.rotations, LogSigning)
	if len(versions) < 2 || last == nil || last.Compromised || versions[len(versions)-2].state != Old {
		return list
	}
	return append(list, newSigner(versions[len(versions)-2].key, origin))
}

// HandedOver says that a checkpoint of origin that all LogSigners signed is on
// stable storage.
func (r *Ring) HandedOver(origin string) { r.handover.Store(origin, true) }

// LogVKeys returns the verifier key of every version that signed checkpoints
// of the log origin, the oldest first; the public half of a destroyed key
// stays in its rotation.
func (r *Ring) LogVKeys(origin string) []string { return r.vkeys(LogSigning, origin) }

// ReceiptSigner returns the signer of receipts in the name of the gateway.
func (r *Ring) ReceiptSigner(name string) Signer {
	return newSigner(r.state.Load().current(ReceiptSigning), name)
}

// ReceiptVKey returns the verifier key of receipts in the name of the gateway.
func (r *Ring) ReceiptVKey(name string) string { return r.ReceiptSigner(name).VKey() }

// ReceiptVKeys is LogVKeys for receipts.
func (r *Ring) ReceiptVKeys(name string) []string { return r.vkeys(ReceiptSigning, name) }

func (r *Ring) vkeys(p Purpose, name string) []string {
	s := r.state.Load()
	var out []string
	for _, t := range s.rotations {
		if t.Purpose == string(p) {
			out = append(out, vkey(name, t.OldPublic))
		}
	}
	return append(out, newSigner(s.current(p), name).VKey())
}

// SealAudit seals a payload part of the record.
func (r *Ring) SealAudit(id Identity, plain []byte) ([]byte, error) { return r.Seal(Audit, id, plain) }

// OpenAudit opens what SealAudit sealed, also under an older version of the
// key. ErrGone says that the key was destroyed, ErrSeal anything else.
func (r *Ring) OpenAudit(id Identity, sealed []byte) ([]byte, error) {
	plain, err := r.Open(Audit, id, sealed)
	if err != nil && len(sealed) >= Overhead && r.state.Load().tombstone(hex.EncodeToString(sealed[len(magic):saltAt])) >= 0 {
		return nil, ErrGone
	}
	return plain, err
}
