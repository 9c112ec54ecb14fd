package verify_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// FuzzCheckpoint: what is taken was signed by the log, and says so again.
func FuzzCheckpoint(f *testing.F) {
	l := samplelog.New("calls/2026", 3)
	f.Add(l.Checkpoint(3))
	f.Add(l.Checkpoint(3, samplelog.NewWitness("w", 5)))
	f.Add([]byte("a\n1\nb\n"))
	k := keys(f, l.VKey())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := verify.ParseCheckpoint(b, k, nil)
		if err != nil {
			return
		}
		if c.Origin != l.Origin() || !bytes.HasPrefix(b, l.Checkpoint(int(c.Size))[:40]) {
			t.Errorf("took %q as %+v", b, c)
		}
	})
}

// FuzzSigned lets the signer sign anything: what a broken or hostile gateway
// signs is still read within bounds.
func FuzzSigned(f *testing.F) {
	f.Add("x\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	f.Add("x\n99999999999999999999\n\n")
	l := samplelog.New("calls/2026", 3)
	k := keys(f, l.VKey())
	f.Fuzz(func(t *testing.T, body string) {
		signed, err := note.Sign(&note.Note{Text: l.Origin() + "\n" + body}, l.Key)
		if err != nil {
			return
		}
		files := l.FS()
		files["checkpoint"] = &fstest.MapFile{Data: signed}
		if _, err := verify.Log(files, verify.LogOptions{Keys: k}); err == nil && !bytes.Equal(signed, l.Checkpoint(3)) {
			c, err := verify.ParseCheckpoint(signed, k, nil)
			if err != nil || c.Size != 3 {
				t.Errorf("%q passes", signed)
			}
		}
	})
}

// FuzzLeaf: no other bytes than the leaf's pass with its hash, whatever they are.
func FuzzLeaf(f *testing.F) {
	for _, kind := range []string{"call.decided", "admin.changed"} {
		f.Add(samplelog.NewEntry("calls/2026", kind, 1).Leaf)
	}
	f.Add([]byte(`{"h":"","kind":"\u0000"}`))
	f.Fuzz(func(t *testing.T, leaf []byte) {
		if len(leaf) > 65_535 {
			return
		}
		l := samplelog.New("calls/2026", 1)
		l.Entries[0].Leaf = leaf
		files := l.FS()
		_, err := verify.Log(files, verify.LogOptions{Keys: keys(t, l.VKey()), TilesOnly: true})
		var b *verify.Broken
		if err != nil && !errors.As(err, &b) {
			t.Errorf("%q: %v", leaf, err)
		}
		if err == nil && (len(leaf) > 400 || bytes.ContainsAny(leaf, " \n\t") && !bytes.ContainsAny(leaf, `"`)) {
			t.Errorf("%q passes", leaf)
		}
	})
}

// FuzzLines: entries.jsonl passes as it is and in no other form.
func FuzzLines(f *testing.F) {
	l := samplelog.New("calls/2026", 3)
	files := l.FS()
	good := files["entries.jsonl"].Data
	f.Add(good)
	f.Add([]byte(`{"index":0}`))
	k := keys(f, l.VKey())
	f.Fuzz(func(t *testing.T, lines []byte) {
		files := with(files, "entries.jsonl", func([]byte) []byte { return append([]byte{}, lines...) })
		r, err := verify.Log(files, verify.LogOptions{Keys: k})
		if err == nil && r.Gone == 0 && !bytes.Equal(lines, good) {
			t.Errorf("%q passes", lines)
		}
	})
}

func FuzzProof(f *testing.F) {
	l := samplelog.New("calls/2026", 9)
	f.Add(l.Proof(4))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\n"))
	k := keys(f, l.VKey())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := verify.Proof(b, verify.ProofOptions{Keys: k})
		if err == nil && (r.Index >= 9 || r.Leaf != string(l.Entries[r.Index].Leaf)) {
			t.Errorf("%q proves %+v", b, r)
		}
	})
}

func FuzzReceipt(f *testing.F) {
	_, receipt := sampleReceipt()
	f.Add(receipt)
	f.Add(answered(receipt))
	f.Add([]byte(`{"error":{"data":{"_meta":{"dev.ostiary/receipt":1}}}}`))
	k := keys(f, samplelog.ReceiptSigner().VKey())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := verify.Receipt(b, verify.ReceiptOptions{Keys: k})
		if err == nil && r.Index != 3 {
			t.Errorf("%q states %+v", b, r)
		}
	})
}

// FuzzStrip: what is left is JSON and holds no receipt.
func FuzzStrip(f *testing.F) {
	f.Add([]byte(`{"result":{"_meta":{"b":2 , "dev.ostiary/receipt" : {"x":[1]} , "c":3}}}`))
	f.Add([]byte(`{"error":{"code":1,"data":{"_meta":{"dev.ostiary/receipt":1},"a":1}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, rest, err := verify.Strip(b)
		if err != nil {
			return
		}
		if _, _, err := verify.Strip(rest); err == nil {
			t.Errorf("%q becomes %q, which has another", b, rest)
		}
	})
}

func FuzzPolicy(f *testing.F) {
	_, lines := witnesses(3)
	f.Add([]byte(lines + "group g 2 a b c\nquorum g\n"))
	f.Add([]byte("quorum none"))
	l := samplelog.New("calls/2026", 3)
	k := keys(f, l.VKey())
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := verify.ParsePolicy(b)
		if err != nil {
			return
		}
		// The checkpoint has no witness, so only a policy without a quorum takes it.
		if _, err := verify.ParseCheckpoint(l.Checkpoint(3), k, p); err == nil && !bytes.Contains(b, []byte("none")) {
			t.Errorf("%q takes a checkpoint without witnesses", b)
		}
	})
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(samplelog.New("control", 0).VKey()))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := verify.ParseKeys(b)
		if err == nil && !bytes.Contains(b, []byte(k[0].String())) {
			t.Errorf("%q is read as %s", b, k[0])
		}
	})
}

func FuzzEvidence(f *testing.F) {
	_, files := packFiles()
	f.Add(zipped(f, files))
	f.Add([]byte("PK\x05\x06" + string(make([]byte, 18))))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := evidence(t, b)
		if err == nil && (len(r.Logs) != 1 || r.Logs[0].Size != 9) {
			t.Errorf("a pack of %d bytes shows %+v", len(b), r)
		}
	})
}
