package verify

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxCheckpoint bounds a checkpoint with all its signatures.
const maxCheckpoint = 64 << 10

// maxSize is the largest log that is read: no log of ours comes near, and
// arithmetic on sizes cannot overflow below it.
const maxSize = 1 << 48

// Witness is a cosignature that was verified.
type Witness struct {
	Name string    `json:"name"`
	Time time.Time `json:"time"` // when the witness says that it saw the checkpoint
}

// Checkpoint is a checkpoint whose signature was verified.
type Checkpoint struct {
	Origin    string
	Size      uint64
	Root      tlog.Hash
	Signers   []Key     // the keys of the log that signed
	Witnesses []Witness // those of the policy that signed
}

// ParseCheckpoint verifies a signed checkpoint: one of keys with the name of
// its origin must have signed it, and the witnesses that the policy demands (nil:
// none). Signatures by others are ignored, as signed notes have it.
func ParseCheckpoint(signed []byte, keys []Key, p *Policy) (Checkpoint, error) {
	if len(signed) > maxCheckpoint {
		return Checkpoint{}, errors.New("the checkpoint is too long")
	}
	n, err := note.Open(signed, known{keys, p})
	if err != nil {
		return Checkpoint{}, noteError(signed, keys, err)
	}
	c, err := parseBody(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	for _, sig := range n.Sigs {
		// x/mod takes other spellings of the same signature too; see decode64.
		if _, err := decode64(sig.Base64); err != nil {
			return Checkpoint{}, fmt.Errorf("the checkpoint's signature by %s is not spelled as base64 is", sig.Name)
		}
		for _, k := range keys {
			if k.name == sig.Name && k.hash == sig.Hash && k.name == c.Origin {
				c.Signers = append(c.Signers, k)
			}
		}
	}
	if len(c.Signers) == 0 {
		return Checkpoint{}, fmt.Errorf("the checkpoint of %s is not signed by that log's key", c.Origin)
	}
	if p == nil {
		return c, nil
	}
	if c.Witnesses, err = p.check(c, n.Sigs); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

// noteError says in our words what note.Open found.
func noteError(signed []byte, keys []Key, err error) error {
	var bad *note.InvalidSignatureError
	var unknown *note.UnverifiedNoteError
	switch {
	case errors.As(err, &bad):
		return fmt.Errorf("the checkpoint's signature by %s is wrong", bad.Name)
	case errors.As(err, &unknown):
		origin, _, _ := strings.Cut(string(signed), "\n")
		var names []string
		for _, k := range keys {
			names = append(names, k.ID())
		}
		return fmt.Errorf("the checkpoint is of %s and has no signature by %s", origin, strings.Join(names, " or "))
	}
	return fmt.Errorf("the checkpoint is malformed: %w", err)
}

// parseBody reads the signed text of a checkpoint.
func parseBody(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return Checkpoint{}, errors.New("the checkpoint lacks origin, size or root")
	}
	for i, l := range lines[:len(lines)-1] {
		if l == "" {
			return Checkpoint{}, fmt.Errorf("line %d of the checkpoint is empty", i+1)
		}
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] || size > maxSize {
		return Checkpoint{}, errors.New("the checkpoint's size is no number that a log can have")
	}
	root, err := decode32(lines[2])
	if err != nil {
		return Checkpoint{}, errors.New("the checkpoint's root is no hash")
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// known finds the keys of the log and of the witnesses for note.Open.
type known struct {
	keys   []Key
	policy *Policy
}

func (v known) Verifier(name string, hash uint32) (note.Verifier, error) {
	for _, k := range v.keys {
		if k.name == name && k.hash == hash {
			return k, nil
		}
	}
	if v.policy != nil {
		for _, w := range v.policy.witnesses {
			if w.key.name == name && w.key.hash == hash {
				return w.key, nil
			}
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// cosignedAt returns the time in a cosignature: after the four bytes of the
// key's hash.
func cosignedAt(sig note.Signature) time.Time {
	raw, err := decode64(sig.Base64)
	if err != nil || len(raw) < 12 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(raw[4:])), 0).UTC()
}
