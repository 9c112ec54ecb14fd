package policy

import (
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
)

// TestL10KillSwitches: a switch stands above every grant, stops exactly what it
// names, and is gone with its noun.
func TestL10KillSwitches(t *testing.T) {
	view := testView()
	asked := map[string]Query{
		"list": call("owner", "files", "list"), "put": call("owner", "files", "put"), "raw": call("owner", "raw", "list"),
		"other": call("writer", "files", "list"), "read": {Principal: client("owner"), Server: "files", Method: "resources/read", Need: registry.Read},
	}
	for name, q := range asked {
		if d := Decide(view, q); !d.Allow {
			t.Fatalf("%s is refused before any switch: %s", name, d.Reason)
		}
	}
	for _, c := range []struct{ what, name, stops string }{
		{"tool", "files/list", "list other"}, {"server", "files", "list put other read"},
		{"client", "owner", "list put raw read"}, {"tenant", "default", "list put raw other read"},
	} {
		id := registry.KillID(c.what, c.name)
		n, err := registry.NewNoun(registry.KindKill, id, "", registry.Kill{Reason: "test"})
		if err != nil {
			t.Fatal(err)
		}
		on, err := view.WithNouns([]registry.Noun{n}, nil)
		if err != nil {
			t.Fatal(err)
		}
		off, err := on.WithNouns(nil, []registry.NounRef{{Kind: n.Kind, ID: id}})
		if err != nil {
			t.Fatal(err)
		}
		for name, q := range asked {
			d, want := Decide(on, q), contains(c.stops, name)
			if d.Allow == want || want && (d.Kind != fault.Denied || d.Reason != ReasonKilled) {
				t.Errorf("%s %s, %s: %+v", c.what, c.name, name, d)
			}
			if !Decide(off, q).Allow {
				t.Errorf("%s %s: %s stays refused after the switch", c.what, c.name, name)
			}
		}
	}
}

func contains(words, one string) bool {
	for len(words) > 0 {
		word, rest := words, ""
		for i := range words {
			if words[i] == ' ' {
				word, rest = words[:i], words[i+1:]
				break
			}
		}
		if word == one {
			return true
		}
		words = rest
	}
	return false
}
