package keys

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// fixture is what testdata/format2 holds beside the folder keys: what a reader
// of docs/formats/keystore.md must come to.
type fixture struct {
	Root      string   `json:"root"`      // id of the root key
	VKeys     []string `json:"vkeys"`     // of the log example.org/log, the oldest first
	Index     string   `json:"index"`     // of the row agent, robot
	Subject   string   `json:"subject"`   // pseudonym of robot
	KeyID     string   `json:"key_id"`    // of its key
	Erased    string   `json:"erased"`    // pseudonym of the subject that was erased
	Sealed    []byte   `json:"sealed"`    // "part" under the first version of audit; record p
	Destroyed []string `json:"destroyed"` // ids of destroyed keys
}

// TestFormat2Fixture opens a stored gateway of format 2. UPDATE=1 makes it
// anew, which changes the format's vectors and is never done for a format that
// was released.
func TestFormat2Fixture(t *testing.T) {
	stored := filepath.Join("testdata", "format2")
	if os.Getenv("UPDATE") != "" {
		makeFixture(t, stored)
	}
	var want fixture
	if err := json.Unmarshal(read(t, stored, "expect.json"), &want); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(stored)); err != nil {
		t.Fatal(err)
	}
	private(t, dir)
	_, err := Open(dir) // gives it the keys of purposes that came later
	if err != nil {
		t.Fatal(err)
	}
	before := snapshotFolder(t, dir)
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if snapshotFolder(t, dir) != before {
		t.Error("opening it changed it")
	}
	if plain, err := r.OpenAudit(Identity{Record: "p"}, want.Sealed); err != nil || string(plain) != "part" {
		t.Errorf("a value opens to %q (%v)", plain, err)
	}
	got := expected(t, r)
	got.Sealed = want.Sealed
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("it holds\n%s, want\n%s", a, b)
	}
}

// expected reads from r what a fixture tells.
func expected(t *testing.T, r *Ring) fixture {
	t.Helper()
	f := fixture{Root: r.root.id(), VKeys: r.LogVKeys("example.org/log"), Index: r.Index("agent", "robot")}
	s, ok := r.FindSubject("robot")
	if !ok {
		t.Fatal("no subject robot")
	}
	f.Subject, f.KeyID = s.Pseudonym, s.KeyID()
	for _, tomb := range r.Destroyed() {
		f.Destroyed = append(f.Destroyed, tomb.KeyID)
		f.Erased = tomb.Pseudonym
	}
	return f
}

func makeFixture(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := createAt(dir, epoch)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := r.SealAudit(Identity{Record: "p"}, []byte("part"))
	if err != nil {
		t.Fatal(err)
	}
	makeSubject(t, r, "robot")
	gone := makeSubject(t, r, "gone")
	rotate(t, r, string(Audit))
	rotate(t, r, string(LogSigning))
	if _, err := r.condemn(gone.KeyID(), epoch); err != nil {
		t.Fatal(err)
	}
	if err := r.Bury(gone.KeyID()); err != nil {
		t.Fatal(err)
	}
	f := expected(t, r)
	f.Sealed = sealed
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "expect.json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
