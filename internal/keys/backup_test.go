package keys

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestFilesOpenElsewhere(t *testing.T) {
	dir := t.TempDir()
	ring, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := ring.Subject("alice")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ring.Files()
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if text := fmt.Sprintf("%v %#v", f, f); strings.Contains(text, string(f.Data)) {
			t.Error("a key file prints its bytes")
		}
	}
	// What comes after is not in them.
	if _, err := ring.Subject("bob"); err != nil {
		t.Fatal(err)
	}
	there := t.TempDir()
	if err := Place(there, files); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(dir + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(there+"/ca.pem", ca, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := Open(there)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := again.FindSubject("alice"); !ok || s.Pseudonym != subject.Pseudonym {
		t.Error("a subject is lost")
	}
	if _, ok := again.FindSubject("bob"); ok {
		t.Error("a later subject is there")
	}
	if err := Place(there, files); !errors.Is(err, ErrExists) {
		t.Errorf("over keys: %v", err)
	}
}

func TestPlaceRefusesPaths(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`, "/x", ".hidden", "c:x"} {
		dir := t.TempDir()
		if err := Place(dir, []KeyFile{{"keystore", []byte("x")}, {name, []byte("x")}}); !errors.Is(err, ErrDamaged) {
			t.Errorf("%q: %v", name, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%q left %v, %v", name, left, err)
		}
	}
}
