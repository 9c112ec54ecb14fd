package verify_test

import (
	"bytes"
	"slices"
	"testing"
	"testing/fstest"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// TestG11Rotation follows the key of a log forward over two hand-overs.
func TestG11Rotation(t *testing.T) {
	l := samplelog.New("calls/2026", 5)
	first := l.Key
	second, third := samplelog.NewSigner(l.Origin(), "second"), samplelog.NewSigner(l.Origin(), "third")
	chain := slices.Concat(
		samplelog.Rotation(samplelog.ReceiptSigner(), samplelog.NewSigner("x", "y"), "receipt-signing", false),
		samplelog.Rotation(first, second, "log-signing", false), samplelog.Rotation(second, third, "log-signing", false))
	old := l.Checkpoint(3)
	l.Key = third
	files := l.FS()
	verifies := func(key samplelog.Signer, rotations, old []byte) error {
		if rotations != nil {
			files["rotations.jsonl"] = &fstest.MapFile{Data: rotations, Mode: 0o600}
		}
		defer delete(files, "rotations.jsonl")
		_, err := verify.Log(files, verify.LogOptions{Keys: keys(t, key.VKey()), Old: old})
		return err
	}
	for _, k := range []samplelog.Signer{first, second, third} {
		if err := verifies(k, chain, nil); err != nil {
			t.Errorf("from %s: %v", k.VKey(), err)
		}
	}
	if err := verifies(first, chain, old); err != nil {
		t.Errorf("with a checkpoint of the first key: %v", err)
	}

	lines := bytes.SplitAfter(chain, []byte("\n"))
	stranger := samplelog.NewSigner(l.Origin(), "stranger")
	for name, rotations := range map[string][]byte{
		"no hand-over":             nil,
		"a gap":                    lines[2],
		"the wrong order":          slices.Concat(lines[2], lines[1]),
		"another purpose":          slices.Concat(samplelog.Rotation(first, second, "receipt-signing", false), lines[2]),
		"a compromised key":        slices.Concat(samplelog.Rotation(first, second, "log-signing", true), lines[2]),
		"a stranger's":             samplelog.Rotation(stranger, third, "log-signing", false),
		"a purpose changed":        bytes.Replace(samplelog.Rotation(first, third, "receipt-signing", false), []byte("receipt-"), []byte("log-"), 1),
		"compromise hidden":        bytes.Replace(samplelog.Rotation(first, third, "log-signing", true), []byte("true"), []byte("false"), 1),
		"a line that is none":      append(slices.Clone(chain), "x\n"...),
		"a member that is unknown": bytes.Replace(chain, []byte(`{"at"`), []byte(`{"a":1,"at"`), 1),
	} {
		if err := verifies(first, rotations, nil); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := verifies(third, chain, old); err == nil {
		t.Error("the last key leads back to the first")
	}
}

// TestEveryByteOfARotation changes each byte of a hand-over.
func TestEveryByteOfARotation(t *testing.T) {
	l := samplelog.New("calls/2026", 1)
	next := samplelog.NewSigner(l.Origin(), "second")
	good := samplelog.Rotation(l.Key, next, "log-signing", false)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		k, err := verify.Follow(keys(t, l.VKey()), "log-signing", bad)
		if err == nil && len(k) == 2 && k[1].String() != next.VKey() {
			t.Errorf("byte %d (%q): leads to %s", i, good[i], k[1])
		}
	}
}

func FuzzRotations(f *testing.F) {
	l := samplelog.New("calls/2026", 1)
	next := samplelog.NewSigner(l.Origin(), "second")
	f.Add(samplelog.Rotation(l.Key, next, "log-signing", false))
	k := keys(f, l.VKey())
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := verify.Follow(k, "log-signing", b)
		for _, k := range all {
			if err == nil && k.String() != l.VKey() && k.String() != next.VKey() {
				t.Errorf("%q leads to %s", b, k)
			}
		}
	})
}
