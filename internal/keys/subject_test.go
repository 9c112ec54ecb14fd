package keys

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func makeSubject(t testing.TB, r *Ring, name string) Subject {
	t.Helper()
	s, err := r.Subject(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func reopen(t testing.TB, r *Ring) *Ring {
	t.Helper()
	again, err := Open(filepath.Dir(r.folder))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func TestSubjectSurvives(t *testing.T) {
	r := newTestRing(t)
	id := Identity{Tenant: DefaultTenant, Kind: "subject", Record: "note", Column: "text", Version: "1"}
	made := makeSubject(t, r, "robot")
	sealed, err := made.Seal(id, []byte("hers"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(made.Pseudonym, "s-") || len(made.Pseudonym) != 28 || made.Name() != "robot" {
		t.Errorf("made %q, named %q", made.Pseudonym, made.Name())
	}
	if again := makeSubject(t, r, "robot"); again.Pseudonym != made.Pseudonym {
		t.Error("asked twice, there are two")
	}
	if other := makeSubject(t, r, "other"); other.Pseudonym == made.Pseudonym {
		t.Error("two names have one pseudonym")
	}
	again := reopen(t, r)
	for what, find := range map[string]func() (Subject, bool){
		"name":      func() (Subject, bool) { return again.FindSubject("robot") },
		"pseudonym": func() (Subject, bool) { return again.SubjectOf(made.Pseudonym) },
	} {
		s, ok := find()
		if !ok || s.Pseudonym != made.Pseudonym || s.Name() != "robot" {
			t.Fatalf("not found by %s", what)
		}
		if plain, err := s.Open(id, sealed); err != nil || string(plain) != "hers" {
			t.Errorf("by %s, a value opens to %q (%v)", what, plain, err)
		}
	}
	for _, name := range []string{"nobody", "Robot", "robot ", ""} {
		if _, ok := again.FindSubject(name); ok {
			t.Errorf("%q is somebody", name)
		}
	}
	if again.SubjectCount() != 2 {
		t.Errorf("there are %d", again.SubjectCount())
	}
}

func TestSubjectNames(t *testing.T) {
	r := newTestRing(t)
	for _, name := range []string{"", strings.Repeat("x", maxSubject+1)} {
		if _, err := r.Subject(name); !errors.Is(err, ErrSubject) {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
	makeSubject(t, r, strings.Repeat("\x00", maxSubject))
	reopen(t, r)
}

// TestNoNameInTheFile: the file of subjects holds no name, in no spelling that
// a search would find.
func TestNoNameInTheFile(t *testing.T) {
	r := newTestRing(t)
	makeSubject(t, r, "canary-of-a-name")
	if bytes.Contains(read(t, r.folder, subjectFile), []byte("canary")) {
		t.Error("a name stands in clear")
	}
	if text := fmt.Sprintf("%v %+v %#v", makeSubject(t, r, "canary-of-a-name"), makeSubject(t, r, "canary-of-a-name"), makeSubject(t, r, "canary-of-a-name")); strings.Contains(text, "canary") {
		t.Errorf("printed: %s", text)
	}
}

// TestG09SubjectsFileEdited: a line that is changed, dropped, moved, doubled or
// taken from another place is seen at start.
func TestG09SubjectsFileEdited(t *testing.T) {
	r := newTestRing(t)
	for _, name := range []string{"a", "b", "c"} {
		makeSubject(t, r, name)
	}
	path := filepath.Join(r.folder, subjectFile)
	good := read(t, path)
	lines := bytes.SplitAfter(good, []byte("\n"))
	join := func(at ...int) []byte {
		var out []byte
		for _, i := range at {
			out = append(out, lines[i]...)
		}
		return out
	}
	other := newTestRing(t)
	makeSubject(t, other, "a")
	for what, bad := range map[string][]byte{
		"empty": {}, "no head": join(1, 2, 3), "dropped": join(0, 1, 3), "moved": join(0, 2, 1, 3), "doubled": join(0, 1, 1, 2, 3),
		"stranger": append(join(0, 1), bytes.SplitAfter(read(t, other.folder, subjectFile), []byte("\n"))[1]...),
		"changed":  bytes.Replace(good, []byte(`"pseudonym":"s-`), []byte(`"pseudonym":"x-`), 1),
		"foreign":  read(t, other.folder, subjectFile),
	} {
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(filepath.Dir(r.folder)); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	newer := bytes.Replace(good, []byte(subjectFormat), []byte("ostiary-subjects/9"), 1)
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Dir(r.folder)); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer format: %v", err)
	}
}

// TestUnfinishedLine: a line that a crash cut was never acknowledged; it goes,
// and the next one takes its place.
func TestUnfinishedLine(t *testing.T) {
	r := newTestRing(t)
	kept := makeSubject(t, r, "kept")
	path := filepath.Join(r.folder, subjectFile)
	whole := read(t, path)
	makeSubject(t, r, "lost")
	longer := read(t, path)
	for n := len(whole) + 1; n < len(longer); n += 7 {
		if err := os.WriteFile(path, longer[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		again := reopen(t, r)
		if !bytes.Equal(read(t, path), whole) {
			t.Fatal("the rest of the line stays")
		}
		if _, ok := again.FindSubject("lost"); ok {
			t.Fatal("half a line is a subject")
		}
		makeSubject(t, again, "next")
		if s, ok := reopen(t, r).SubjectOf(kept.Pseudonym); !ok || s.Name() != "kept" {
			t.Fatal("the others are lost")
		}
	}
}

// TestSubjectWriteFails: a subject that could not be written is not handed out,
// and the file is as before.
func TestSubjectWriteFails(t *testing.T) {
	r := newTestRing(t)
	path := filepath.Join(r.folder, subjectFile)
	if err := os.Rename(path, path+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Subject("robot"); err == nil {
		t.Fatal("made without a file")
	}
	if _, ok := r.FindSubject("robot"); ok {
		t.Error("found, though it was not made")
	}
	if err := os.Rename(path+"-away", path); err != nil {
		t.Fatal(err)
	}
	made := makeSubject(t, r, "robot")
	if s, ok := reopen(t, r).FindSubject("robot"); !ok || s.Pseudonym != made.Pseudonym {
		t.Error("does not survive")
	}
}

func TestSubjectAtOnce(t *testing.T) {
	r := newTestRing(t)
	var all sync.WaitGroup
	seen := make([]string, 32)
	for i := range seen {
		all.Go(func() {
			s, err := r.Subject(fmt.Sprintf("agent-%d", i%4))
			if err == nil {
				seen[i] = s.Pseudonym
			}
			r.FindSubject("agent-0")
			r.SubjectOf(s.Pseudonym)
		})
	}
	all.Wait()
	for i, p := range seen {
		if p == "" || p != seen[i%4] {
			t.Errorf("caller %d got %q, another one of the same name %q", i, p, seen[i%4])
		}
	}
	if r.SubjectCount() != 4 {
		t.Errorf("there are %d", r.SubjectCount())
	}
}

func BenchmarkFindSubject(b *testing.B) {
	r := newTestRing(b)
	makeSubject(b, r, "robot")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.FindSubject("robot"); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkNewSubject(b *testing.B) {
	r := newTestRing(b)
	n := 0
	for b.Loop() {
		n++
		makeSubject(b, r, fmt.Sprintf("agent-%d", n))
	}
}

// BenchmarkOpenSubjects opens a file of 100,000 subjects.
func BenchmarkOpenSubjects(b *testing.B) {
	r := newTestRing(b)
	st := r.state.Load()
	var all []*subjectEntry
	for i := range 100_000 {
		e, err := newEntry(fmt.Sprintf("agent-%d", i), st.current(Subjects), epoch)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, e)
	}
	if _, err := writeJournal(r.subjects.path, st.current(Subjects), all); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if n := reopen(b, r).SubjectCount(); n != len(all) {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(len(read(&testing.T{}, r.subjects.path)))/float64(len(all)), "B/subject")
}

// TestGrown: what is kept elsewhere to see old files never gets smaller, and
// does when an old file is put back or lines are cut off.
func TestGrown(t *testing.T) {
	r := newTestRing(t)
	type grown struct{ generation, subjects uint64 }
	of := func(r *Ring) grown { g, s := r.Grown(); return grown{g, s} }
	last := of(r)
	later := func(what string, more grown) {
		t.Helper()
		want := grown{last.generation + more.generation, last.subjects + more.subjects}
		if got := of(r); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
		if got := of(reopen(t, r)); got != of(r) {
			t.Errorf("%s, opened again: %v, was %v", what, got, of(r))
		}
		last = of(r)
	}
	gone := makeSubject(t, r, "gone")
	later("a subject", grown{0, 1})
	store, file := filepath.Join(r.folder, keystoreFile), filepath.Join(r.folder, subjectFile)
	oldStore, oldFile := read(t, store), read(t, file)
	if _, err := r.Condemn(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	later("an order", grown{1, 0})
	if err := r.Spare(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	later("taken back", grown{1, 0})
	if _, err := r.Condemn(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := r.Bury(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	later("an erasure", grown{2, 0})
	makeSubject(t, r, "next")
	makeSubject(t, r, "last")
	later("two more", grown{0, 2})

	newStore, newFile := read(t, store), read(t, file)
	put := func(what string, store, file []byte, less func(now grown) bool) {
		t.Helper()
		for name, data := range map[string][]byte{keystoreFile: store, subjectFile: file} {
			if err := os.WriteFile(filepath.Join(r.folder, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if now := of(reopen(t, r)); !less(now) {
			t.Errorf("%s: %v is not less than %v", what, now, last)
		}
	}
	put("the folder", oldStore, oldFile, func(n grown) bool { return n.generation < last.generation && n.subjects < last.subjects })
	put("the keystore", oldStore, newFile, func(n grown) bool { return n.generation < last.generation })
	put("the subjects", newStore, oldFile, func(n grown) bool { return n.subjects < last.subjects })
	put("a line cut off", newStore, newFile[:bytes.LastIndexByte(newFile[:len(newFile)-1], '\n')+1],
		func(n grown) bool { return n.subjects == last.subjects-1 })
}
