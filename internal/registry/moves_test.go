package registry

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

var states = []State{Submitted, Active, Suspended, Rejected, Retired, "", "odd"}

// TestMoves walks every pair of states; what is not listed is refused.
func TestMoves(t *testing.T) {
	server := map[string]bool{
		"submitted active": true, "submitted rejected": true, "submitted retired": true, "active suspended": true, "active retired": true,
		"suspended active": true, "suspended retired": true, "rejected submitted": true, "rejected retired": true,
	}
	agent := map[string]bool{"active suspended": true, "active retired": true, "suspended active": true, "suspended retired": true}
	for _, from := range states {
		for _, to := range states {
			pair := string(from) + " " + string(to)
			s, err := MoveServer(Server{ID: "s", State: from}, to)
			checkMove(t, "server "+pair, server[pair], from, to, s.State, err)
			a, err := MoveAgent(Agent{ID: "a", State: from}, to)
			checkMove(t, "agent "+pair, agent[pair], from, to, a.State, err)
		}
	}
}

func checkMove(t *testing.T, name string, allowed bool, from, to, got State, err error) {
	t.Helper()
	if allowed && (err != nil || got != to) {
		t.Errorf("%s: state %q, %v", name, got, err)
	}
	if !allowed && (!errors.Is(err, ErrMove) || got != from) {
		t.Errorf("%s: state %q, %v", name, got, err)
	}
}

func TestValidID(t *testing.T) {
	for _, id := range []string{"a", "0", "a-b", "a1-2-c", strings.Repeat("x", 32)} {
		if err := ValidID(id); err != nil {
			t.Errorf("%q is refused", id)
		}
	}
	for _, id := range []string{"", "-", "a-", "-a", "a--b", "A", "a_b", "a.b", "a/b", "../a", "ä", "a b", "a\n", "a\x00", strings.Repeat("x", 33)} {
		if err := ValidID(id); !errors.Is(err, ErrID) {
			t.Errorf("%q is accepted", id)
		}
	}
}

func FuzzValidID(f *testing.F) {
	form := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	f.Add("a-b")
	f.Add("a--b")
	f.Fuzz(func(t *testing.T, id string) {
		want := len(id) <= 32 && form.MatchString(id) && !strings.HasSuffix(id, "\n")
		if got := ValidID(id) == nil; got != want {
			t.Errorf("%q: %v", id, got)
		}
	})
}

func TestAccessValid(t *testing.T) {
	for access, want := range map[Access]bool{Read: true, Write: true, Modify: true, "": false, "all": false, "READ": false} {
		if access.Valid() != want {
			t.Errorf("%q is valid: %v", access, !want)
		}
	}
}
