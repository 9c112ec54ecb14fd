package export_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/test/samplelog"
	"ostiary.dev/ostiary/verify"
)

// source is a sample log as a Source.
type source struct {
	l      *samplelog.Log
	stored []tlog.Hash
	size   int // of the checkpoint
	broken error
}

func newSource(name string, n int) *source {
	l := samplelog.New(name, n)
	return &source{l: l, stored: l.Hashes(), size: n}
}

func (s *source) Log() string    { return s.l.Name }
func (s *source) Origin() string { return s.l.Origin() }
func (s *source) VKey() string   { return s.l.VKey() }

func (s *source) Checkpoint(context.Context) ([]byte, uint64, error) {
	return s.l.Checkpoint(s.size), uint64(s.size), nil
}

func (s *source) Entries(_ context.Context, from, to uint64, fn func(export.Entry) error) error {
	for i := from; i < to; i++ {
		e := s.l.Entries[i]
		if err := fn(export.Entry{Index: i, Leaf: e.Leaf, Part: e.Part, Key: e.Key}); err != nil {
			return err
		}
	}
	return s.broken
}

func (s *source) Hashes(_ context.Context, at []int64) ([]tlog.Hash, error) {
	return samplelog.Reader(s.stored).ReadHashes(at)
}

// TestDirectory writes logs and compares each file with that of the sample,
// which has another author, and lets the verifier read them.
func TestDirectory(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 700} {
		dir := filepath.Join(t.TempDir(), "out")
		s := []*source{newSource("control", 3), newSource("calls/2026", n)}
		if n > 4 {
			s[1].l.Entries[4].Part = nil
		}
		var last uint64
		w, err := export.Directory(t.Context(), dir, []export.Source{s[0], s[1]}, export.Options{
			Progress: func(_ string, done, _ uint64) { last = done },
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(w) != 2 || w[1].Size != uint64(n) || w[1].Folder != "calls-2026" || w[1].Origin != s[1].Origin() {
			t.Errorf("%d entries: wrote %+v", n, w)
		}
		if n > 4 && (w[1].Readable != uint64(n-1) || last != uint64(n)) {
			t.Errorf("%d entries: %d readable, progress to %d", n, w[1].Readable, last)
		}
		got, want := files(t, filepath.Join(dir, "calls-2026")), map[string]string{}
		for path, f := range s[1].l.FS() {
			want[path] = string(f.Data)
		}
		if !maps.Equal(got, want) {
			t.Errorf("%d entries: the files differ: %v, want %v", n, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		}
		key, err := verify.ParseKey(s[1].VKey())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Log(os.DirFS(filepath.Join(dir, "calls-2026")), verify.LogOptions{Keys: []verify.Key{key}}); err != nil {
			t.Errorf("%d entries: %v", n, err)
		}
		if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 1 {
			t.Errorf("beside the folder is %v, %v", left, err)
		}
	}
}

// files reads every file below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDirectoryIsWholeOrNot has writers that fail: nothing stays.
func TestDirectoryIsWholeOrNot(t *testing.T) {
	failing := newSource("calls/2026", 300)
	failing.broken = errors.New("the connection ended")
	noHash := newSource("calls/2026", 300)
	noHash.stored = noHash.stored[:10]
	odd := newSource("calls/2026", 3)
	odd.l.Entries[1].Part = []byte("{\n}")
	for name, s := range map[string]*source{"a source that fails": failing, "missing hashes": noHash, "a part of two lines": odd} {
		top := t.TempDir()
		if _, err := export.Directory(t.Context(), filepath.Join(top, "out"), []export.Source{newSource("control", 2), s}, export.Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if left, err := os.ReadDir(top); err != nil || len(left) != 0 {
			t.Errorf("%s: %v stays, %v", name, left, err)
		}
	}
}

func TestDirectoryRefusesAFullFolder(t *testing.T) {
	dir := t.TempDir()
	s := []export.Source{newSource("control", 2)}
	if _, err := export.Directory(t.Context(), dir, s, export.Options{}); err != nil {
		t.Fatalf("an empty folder: %v", err)
	}
	before := files(t, dir)
	if _, err := export.Directory(t.Context(), dir, s, export.Options{}); !errors.Is(err, export.ErrNotEmpty) {
		t.Errorf("a full folder: %v", err)
	}
	if !maps.Equal(before, files(t, dir)) {
		t.Error("the full folder was changed")
	}
	if _, err := export.Directory(t.Context(), filepath.Join(dir, "control", "checkpoint"), s, export.Options{}); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// TestDirectoryRefusesNames has a source that would lead out of the folder.
func TestDirectoryRefusesNames(t *testing.T) {
	for _, name := range []string{"..", "../../etc", "calls/../..", "/etc", "a b", "", "calls/", "C:", "calls/2026/x", "Control"} {
		s := newSource("control", 1)
		s.l.Name = name
		if _, err := export.Directory(t.Context(), filepath.Join(t.TempDir(), "out"), []export.Source{s}, export.Options{}); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
}

// TestDirectoryOfABrokenLog exports what the log holds also when that is wrong,
// so that the verifier can name the entry.
func TestDirectoryOfABrokenLog(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	s := newSource("calls/2026", 300)
	s.l.Entries[123] = samplelog.NewEntry("calls/2026", "call.decided", 9999) // the hashes are those of before
	note := samplelog.New("calls/2026", 300).Checkpoint(300)
	if _, err := export.Directory(t.Context(), dir, []export.Source{signedBefore{s, note}}, export.Options{}); err != nil {
		t.Fatal(err)
	}
	key, err := verify.ParseKey(s.VKey())
	if err != nil {
		t.Fatal(err)
	}
	_, err = verify.Log(os.DirFS(filepath.Join(dir, "calls-2026")), verify.LogOptions{Keys: []verify.Key{key}})
	var b *verify.Broken
	if !errors.As(err, &b) || b.Index != 123 {
		t.Errorf("got %v, want entry 123", err)
	}
}

// signedBefore is a source with the checkpoint of a better time.
type signedBefore struct {
	*source
	note []byte
}

func (s signedBefore) Checkpoint(context.Context) ([]byte, uint64, error) {
	return s.note, uint64(s.size), nil
}

func TestProof(t *testing.T) {
	s := newSource("calls/2026", 300)
	key, err := verify.ParseKey(s.VKey())
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []uint64{0, 1, 150, 255, 256, 299} {
		p, err := export.Proof(t.Context(), s, i)
		if err != nil {
			t.Fatal(err)
		}
		if want := s.l.Proof(int(i)); !bytes.Equal(p, want) {
			t.Errorf("entry %d: got\n%s\nwant\n%s", i, p, want)
		}
		r, err := verify.Proof(p, verify.ProofOptions{Keys: []verify.Key{key}, Line: s.l.Line(int(i))})
		if err != nil || r.Index != i || !r.Readable {
			t.Errorf("entry %d: %+v, %v", i, r, err)
		}
	}
	s.size = 200
	if _, err := export.Proof(t.Context(), s, 200); !errors.Is(err, export.ErrBehind) {
		t.Errorf("an entry after the checkpoint: %v", err)
	}
}

// TestLineOfOddEntries has entries that no log of ours holds: what cannot be a
// line is refused, what can be is written for the verifier to judge.
func TestLineOfOddEntries(t *testing.T) {
	e := samplelog.NewEntry("control", "admin.changed", 1)
	for _, part := range []string{"", "x", "[]", "{}{}", "{\r}", `{"a":1`} {
		if line, err := export.AppendLine(nil, export.Entry{Leaf: e.Leaf, Part: []byte(part)}); err == nil {
			t.Errorf("the part %q became %s", part, line)
		}
	}
	line, err := export.AppendLine(nil, export.Entry{Index: 7, Leaf: []byte("no JSON"), Part: nil})
	if want := `{"index":7,"leaf":"bm8gSlNPTg==","part":null}` + "\n"; err != nil || string(line) != want {
		t.Errorf("got %s, %v", line, err)
	}
}

func ExampleFolder() {
	fmt.Println(export.Folder("calls/2026"))
	// Output: calls-2026
}
