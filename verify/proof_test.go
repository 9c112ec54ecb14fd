package verify_test

import (
	"bytes"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

func TestProof(t *testing.T) {
	l := samplelog.New("calls/2026", 300)
	o := verify.ProofOptions{Keys: keys(t, l.VKey())}
	for _, i := range []int{0, 1, 128, 255, 256, 299} {
		o.Leaf, o.Line = nil, nil
		p := l.Proof(i)
		if r, err := verify.Proof(p, o); err != nil || r.Index != uint64(i) || r.Size != 300 || r.Leaf != string(l.Entries[i].Leaf) {
			t.Errorf("entry %d: %+v, %v", i, r, err)
		}
		o.Leaf, o.Line = l.Entries[i].Leaf, l.Line(i)
		if r, err := verify.Proof(p, o); err != nil || !r.Readable {
			t.Errorf("entry %d with its line: %+v, %v", i, r, err)
		}
		o.Line = l.Line((i + 1) % 300)
		_, err := verify.Proof(p, o)
		wantBroken(t, err, int64(i))
		o.Leaf, o.Line = l.Entries[(i+2)%300].Leaf, nil
		_, err = verify.Proof(p, o)
		wantBroken(t, err, int64(i))
	}
}

// TestEveryByteOfAProof changes each byte of a proof.
func TestEveryByteOfAProof(t *testing.T) {
	l := samplelog.New("calls/2026", 9)
	w := samplelog.NewWitness("witness.example/w1", 1795910300)
	policy, err := verify.ParsePolicy([]byte("witness w " + w.VKey() + "\nquorum w\n"))
	if err != nil {
		t.Fatal(err)
	}
	o := verify.ProofOptions{Keys: keys(t, l.VKey()), Policy: policy}
	good := l.Proof(4, w)
	if r, err := verify.Proof(good, o); err != nil || len(r.Witnesses) != 1 || r.Witnesses[0].Time.Unix() != 1795910300 {
		t.Fatalf("got %+v, %v", r, err)
	}
	for i := range good {
		for _, bit := range []byte{0x01, 0x20} {
			bad := bytes.Clone(good)
			bad[i] ^= bit
			_, err := verify.Proof(bad, o)
			var b *verify.Broken
			if !errors.As(err, &b) {
				t.Errorf("byte %d (%q to %q): %v", i, good[i], bad[i], err)
			}
		}
		if _, err := verify.Proof(good[:i], o); err == nil {
			t.Errorf("a proof cut to %d bytes passes", i)
		}
	}
}

func TestProofRefuses(t *testing.T) {
	l := samplelog.New("calls/2026", 9)
	good := string(l.Proof(4))
	replace := func(old, new string) string {
		out := bytes.Replace([]byte(good), []byte(old), []byte(new), 1)
		if string(out) == good {
			t.Fatalf("%q is not in the proof", old)
		}
		return string(out)
	}
	for name, text := range map[string]string{
		"empty":                 "",
		"another version":       replace("proof@v1", "proof@v2"),
		"an index with zeros":   replace("index 4", "index 04"),
		"a negative index":      replace("index 4", "index -4"),
		"an index beyond":       replace("index 4", "index 9"),
		"another index":         replace("index 4", "index 5"),
		"a huge index":          replace("index 4", "index 18446744073709551615"),
		"a hash of another log": replace("index 4\n", "index 4\n"+tlog.Hash{}.String()+"\n"),
		"no end of hashes":      "c2sp.org/tlog-proof@v1\nindex 4\n" + tlog.Hash{}.String() + "\n",
		"windows line ends":     replace("index 4\n", "index 4\r\n"),
		"two extra lines":       replace("index 4", "extra YQ==\nindex 4"),
		"an odd extra line":     replace("extra ", "extra ="),
	} {
		if _, err := verify.Proof([]byte(text), verify.ProofOptions{Keys: keys(t, l.VKey())}); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	without := replace("extra ", "extra")
	without = without[:len("c2sp.org/tlog-proof@v1\n")] + without[bytes.Index([]byte(without), []byte("index ")):]
	if _, err := verify.Proof([]byte(without), verify.ProofOptions{Keys: keys(t, l.VKey())}); err == nil {
		t.Error("a proof of nothing passes")
	}
	if _, err := verify.Proof([]byte(without), verify.ProofOptions{Keys: keys(t, l.VKey()), Leaf: l.Entries[4].Leaf}); err != nil {
		t.Errorf("a proof without its leaf, which is given: %v", err)
	}
}
