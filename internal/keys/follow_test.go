package keys

import (
	"errors"
	"testing"
)

// TestRefresh: a ring that reads beside the process that changes the keys knows
// new subjects, new keys and erasures after a refresh, and changes nothing.
func TestRefresh(t *testing.T) {
	dir := t.TempDir()
	owner, err := Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	first, err := owner.Subject("robot")
	if err != nil {
		t.Fatal(err)
	}
	follower, err := OpenWith(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Refresh(); err == nil {
		t.Error("the ring that changes the keys refreshes itself")
	}
	if _, err := owner.Subject("late"); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.Rotate(string(HandleSeal), RotateOptions{}); err != nil {
		t.Fatal(err)
	}
	id := Identity{Tenant: DefaultTenant, Kind: "k", Record: "r", Column: "c", Version: "1"}
	sealed, err := owner.Seal(HandleSeal, id, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := follower.Open(HandleSeal, id, sealed); err == nil {
		t.Error("a key that was never read opens")
	}
	if _, ok := follower.FindSubject("late"); ok {
		t.Error("a subject that was never read is known")
	}
	if err := follower.Refresh(); err != nil {
		t.Fatal(err)
	}
	if plain, err := follower.Open(HandleSeal, id, sealed); err != nil || string(plain) != "x" {
		t.Errorf("after a refresh: %q, %v", plain, err)
	}
	if _, ok := follower.FindSubject("late"); !ok {
		t.Error("after a refresh the new subject is unknown")
	}
	if _, err := owner.Condemn(first.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := owner.Bury(first.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := follower.Refresh(); err != nil {
		t.Fatal(err)
	}
	if _, ok := follower.SubjectOf(first.Pseudonym); ok {
		t.Error("an erased subject is known")
	}
	if _, err := follower.Subject("new"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a follower made a subject: %v", err)
	}
}
