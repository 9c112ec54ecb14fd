package keys

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"
)

// rotationHead opens the text of a hand-over. No checkpoint starts like it:
// theirs starts with an origin.
const rotationHead = "ostiary-key-rotation/1"

// Rotation is the hand-over from one signing key to the next: both signed the
// same text, which names both, so that whoever trusts the old one can follow
// and nobody can claim a stranger's key (hostile case G11). It is public.
type Rotation struct {
	Purpose     string    `json:"purpose"`
	Version     uint32    `json:"version"` // of the new key
	At          time.Time `json:"at"`      // whole seconds, UTC
	OldPublic   []byte    `json:"old_public"`
	NewPublic   []byte    `json:"new_public"`
	Compromised bool      `json:"compromised"` // the old key must no longer be trusted
	OldSig      []byte    `json:"old_sig"`
	NewSig      []byte    `json:"new_sig"`
}

// text is what both keys sign.
func (t Rotation) text() []byte {
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, "%s\n%s\n%d\n%d\n%t\n%s\n%s\n", rotationHead, t.Purpose, t.Version, t.At.Unix(), t.Compromised,
		b64(t.OldPublic), b64(t.NewPublic))
}

// newRotation signs the hand-over.
func newRotation(p Purpose, version uint32, old, next ed25519.PrivateKey, how RotateOptions) Rotation {
	t := Rotation{Purpose: string(p), Version: version, At: how.now.UTC().Truncate(time.Second), Compromised: how.Compromised,
		OldPublic: publicBytes(old), NewPublic: publicBytes(next)}
	t.OldSig, t.NewSig = ed25519.Sign(old, t.text()), ed25519.Sign(next, t.text())
	return t
}

// ErrRotation says that a hand-over was not signed by both keys.
var ErrRotation = errors.New("the hand-over of a signing key is not genuine")

// Verify checks both signatures.
func (t Rotation) Verify() error {
	if len(t.OldPublic) != ed25519.PublicKeySize || len(t.NewPublic) != ed25519.PublicKeySize ||
		!ed25519.Verify(t.OldPublic, t.text(), t.OldSig) || !ed25519.Verify(t.NewPublic, t.text(), t.NewSig) {
		return ErrRotation
	}
	return nil
}

// Rotations returns every hand-over of signing keys, the oldest first.
func (r *Ring) Rotations() []Rotation { return slices.Clone(r.state.Load().rotations) }

func lastRotation(all []Rotation, p Purpose) *Rotation {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Purpose == string(p) {
			return &all[i]
		}
	}
	return nil
}

// ed25519Of returns the signing key whose seed is d.
func ed25519Of(d *dek) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(d.key[:]) }
