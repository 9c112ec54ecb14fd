package keys

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// transformVectors are what docs/formats/transforms.md promises to whoever reads
// values with the key in hand.
type transformVectors struct {
	Key     string // of the purpose pseudonyms, hexadecimal
	ID      string // its id, which the associated data of AES-SIV holds
	Version uint32
	Cases   []struct {
		Scope, Type, Value string
		Hash, SIV, FF1     string // FF1 is "" where it refuses
		Seed               uint64
		Days               int
	}
}

// TestTransformVectors pins the derivations. UPDATE=1 writes the outcomes anew,
// which is never done for a format that was released.
func TestTransformVectors(t *testing.T) {
	file := filepath.Join("testdata", "transforms.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v transformVectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	r, err := Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &dek{}
	copy(d.key[:], unhex(t, v.Key))
	copy(d.id[:], unhex(t, v.ID))
	s := r.state.Load().clone()
	s.keys[Pseudonyms] = []*version{{number: v.Version, key: d, state: s.keys[Pseudonyms][0].state}}
	r.state.Store(s)
	tr := r.Transforms()
	for i := range v.Cases {
		c := &v.Cases[i]
		got := *c
		got.Hash, got.Seed, got.Days = tr.Hash(c.Scope, c.Type, c.Value), tr.Surrogate(c.Scope, c.Type, c.Value), tr.Shift(c.Scope, c.Value)
		if got.SIV, err = tr.SIV(c.Scope, c.Type, c.Value); err != nil {
			t.Fatal(err)
		}
		got.FF1, _ = tr.FF1(c.Scope, c.Type, c.Value) // "" is a refusal
		if os.Getenv("UPDATE") != "" {
			*c = got
		}
		if got != *c {
			t.Errorf("%s of %s: %+v, want %+v", c.Type, c.Scope, got, *c)
		}
	}
	if os.Getenv("UPDATE") == "" {
		return
	}
	if text, err = json.MarshalIndent(v, "", "  "); err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
