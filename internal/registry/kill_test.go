package registry

import "testing"

func TestKillIDs(t *testing.T) {
	for _, bad := range [][2]string{{"tool", "files"}, {"tool", "files/"}, {"tool", "/x"}, {"tool", "Files/x"}, {"server", "a/b"}, {"server", ""},
		{"client", "tenant/default"}, {"client", "A"}, {"tenant", "other"}, {"tenant", ""}, {"", "x"}, {"person", "x"}} {
		if id := KillID(bad[0], bad[1]); id != "" {
			t.Errorf("%v is the switch %q", bad, id)
		}
	}
	for _, good := range [][2]string{{"tool", "files/a/b"}, {"server", "files"}, {"client", "robot"}, {"tenant", "default"}} {
		if what, name := KillName(KillID(good[0], good[1])); what != good[0] || name != good[1] {
			t.Errorf("%v comes back as %s %s", good, what, name)
		}
	}
	if (*Snapshot)(nil).Killed("a", "b", "c") != "" {
		t.Error("a nil view stops somebody by a switch")
	}
}
