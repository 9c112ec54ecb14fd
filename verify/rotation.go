package verify

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// rotationHead opens the text that both keys of a hand-over sign. No checkpoint
// and no receipt begins like it.
const rotationHead = "ostiary-key-rotation/1"

// maxRotations bounds the file of hand-overs.
const maxRotations = 1 << 20

// rotation is one hand-over from a signing key to the next
// (docs/formats/keystore.md).
type rotation struct {
	Purpose     string    `json:"purpose"`
	Version     uint32    `json:"version"`
	At          time.Time `json:"at"`
	OldPublic   []byte    `json:"old_public"`
	NewPublic   []byte    `json:"new_public"`
	Compromised bool      `json:"compromised"`
	OldSig      []byte    `json:"old_sig"`
	NewSig      []byte    `json:"new_sig"`
}

// genuine checks both signatures: that of the old key, so that nobody else
// names its successor, and that of the new one, so that nobody claims the key of
// a stranger.
func (r rotation) genuine() bool {
	text := fmt.Appendf(nil, "%s\n%s\n%d\n%d\n%t\n%s\n%s\n", rotationHead, r.Purpose, r.Version, r.At.Unix(), r.Compromised,
		encode64(r.OldPublic), encode64(r.NewPublic))
	return len(r.OldPublic) == ed25519.PublicKeySize && len(r.NewPublic) == ed25519.PublicKeySize &&
		ed25519.Verify(r.OldPublic, text, r.OldSig) && ed25519.Verify(r.NewPublic, text, r.NewSig)
}

// Follow returns keys and their successors for a purpose ("log-signing" or
// "receipt-signing"), by a file of hand-overs, one JSON object a line, the oldest
// first. It goes forward only, from keys that the caller trusts. A hand-over
// because the old key was compromised is not followed: whoever stole that key
// could have signed it, so the new key has to come from its owner.
func Follow(keys []Key, purpose string, file []byte) ([]Key, error) {
	if len(file) > maxRotations {
		return nil, broken(NoIndex, "the file of hand-overs is too long")
	}
	keys = slices.Clone(keys)
	for line := range bytes.Lines(file) {
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		var r rotation
		if err := d.Decode(&r); err != nil {
			return nil, broken(NoIndex, "the file of hand-overs has a line that is none")
		}
		if r.Purpose != purpose {
			continue
		}
		if !r.genuine() {
			return nil, broken(NoIndex, "the hand-over to version %d of the key is not signed by both keys", r.Version)
		}
		if r.Compromised {
			continue
		}
		for _, k := range keys {
			if !bytes.Equal(k.public, r.OldPublic) {
				continue
			}
			next := Key{name: k.name, alg: algEd25519, public: r.NewPublic}
			next.hash = keyHash(next.name, next.raw())
			if !slices.ContainsFunc(keys, func(o Key) bool { return o.String() == next.String() }) {
				keys = append(keys, next)
			}
			if len(keys) > maxKeys {
				return nil, broken(NoIndex, "the file of hand-overs leads to too many keys")
			}
		}
	}
	return keys, nil
}
