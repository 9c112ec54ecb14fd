package registry

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestWithIsANewSnapshot changes a registry a thousand times at random: the view
// that is patched is the one that is built anew, and the view before stays.
func TestWithIsANewSnapshot(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	servers, agents, tokens := map[string]Server{}, map[string]Agent{}, map[string]Token{}
	certs, grants := map[string]Certificate{}, map[Pair]Grant{}
	build := func(version uint64) *Snapshot {
		return NewSnapshot(version, values(servers), values(agents), values(tokens), values(certs), values(grants))
	}
	view := build(0)
	for n := range uint64(1000) {
		before := build(n)
		var p Patch
		server, agent := fmt.Sprint("s", r.IntN(6)), fmt.Sprint("a", r.IntN(6))
		pair := Pair{agent, server}
		switch r.IntN(8) {
		case 0:
			s := Server{ID: server, State: []State{Active, Suspended, Submitted}[r.IntN(3)], Revision: int64(n), Tools: []Tool{{Name: fmt.Sprint(n)}}}
			servers[server], p.Servers = s, []Server{s}
		case 1:
			a := Agent{ID: agent, State: Active, Revision: int64(n)}
			agents[agent], p.Agents = a, []Agent{a}
		case 2:
			v := Token{ID: server, Agent: agent, Hash: []byte{byte(n)}}
			tokens[server], p.Tokens = v, []Token{v}
		case 3:
			c := Certificate{Serial: server, Agent: agent, Revoked: n%2 == 0}
			certs[server], p.Certificates = c, []Certificate{c}
		case 7:
			delete(certs, server)
			p.Ended = []string{server}
		case 4:
			delete(grants, pair)
			p.Revoked = []Pair{pair}
		default:
			g := Grant{Agent: agent, Server: server, Reason: fmt.Sprint(n)}
			grants[pair], p.Grants = g, []Grant{g}
		}
		next := view.With(n+1, p)
		if !reflect.DeepEqual(next, build(n+1)) {
			t.Fatalf("change %d %+v: the view is not that of the rows", n, p)
		}
		if !reflect.DeepEqual(view, before) {
			t.Fatalf("change %d %+v: the view before it is another one", n, p)
		}
		view = next
	}
}

func values[K comparable, V any](m map[K]V) (out []V) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestHeld(t *testing.T) {
	tokens, certs, grants := testSnapshot().Held("robot")
	if len(tokens) != 3 || len(certs) != 3 || len(grants) != 5 {
		t.Errorf("%d tokens, %d certificates, %d grants", len(tokens), len(certs), len(grants))
	}
	if tokens, certs, grants := testSnapshot().Held("nobody"); len(tokens)+len(certs)+len(grants) != 0 {
		t.Error("nobody holds something")
	}
}
