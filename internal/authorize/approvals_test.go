package authorize

import (
	"context"
	"errors"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

// board answers for people.
type board struct {
	asked int
	err   error
}

func (b *board) Consume(context.Context, string) (string, bool, error) { return "", false, b.err }

func (b *board) Ask(_ context.Context, q Question) (Pending, error) {
	b.asked++
	return Pending{ID: "0123456789abcdef", Retry: q.Time}, b.err
}

func (*board) URL(string) string { return "" }

// needing is a call that policy asks a person for.
func needing(t *testing.T, s *Step, needs policy.Needs) *exchange.Exchange {
	t.Helper()
	x := legacy(t, "owner", "files", "tools/call", `{"name":"put"}`)
	x.Principal.Pseudonym = "s-owner"
	x.View = s.Live.Load()
	x.Server = x.View.Server("files")
	x.Server.Tool("put").Digest = "abc"
	x.Decision = policy.Decision{Kind: fault.Denied, Needs: needs}
	return x
}

// TestPersonIsAskedFor: stepping up is for the agent's person; without one, and
// for approvals, people are asked; where nobody can be, the call is refused.
func TestPersonIsAskedFor(t *testing.T) {
	s := world(t)
	for _, c := range []struct {
		needs  policy.Needs
		person string
		board  *board
		want   fault.Kind
		asked  int
	}{
		{policy.NeedsStepUp, "p", &board{}, fault.StepUpRequired, 0},
		{policy.NeedsStepUp, "", &board{}, fault.ApprovalRequired, 1},
		{policy.NeedsApproval, "p", &board{}, fault.ApprovalRequired, 1},
		{policy.NeedsApproval, "", &board{err: errors.New("disk full")}, fault.ApprovalRequired, 1},
		{policy.NeedsApproval, "", &board{err: fault.New(fault.Busy)}, fault.Busy, 1},
	} {
		s.Approvals = c.board
		x := needing(t, s, c.needs)
		x.Principal.Person = c.person
		err := s.confirmed(context.Background(), x, queryOf(x.View, x))
		if !fault.Is(err, c.want) || c.board.asked != c.asked {
			t.Errorf("%+v: %v, asked %d times", c, err, c.board.asked)
		}
	}
	s.Approvals = nil
	x := needing(t, s, policy.NeedsApproval)
	if err := s.confirmed(context.Background(), x, queryOf(x.View, x)); !fault.Is(err, fault.ApprovalRequired) {
		t.Error(err)
	}
	x.Principal.Pseudonym = "" // two agents without one would share approvals
	s.Approvals = &board{}
	if err := s.confirmed(context.Background(), x, queryOf(x.View, x)); !fault.Is(err, fault.Denied) {
		t.Error(err)
	}
}

// TestApprovalHashBindsEverything: no part of the key can change, and no two
// parts can flow into each other, without another hash.
func TestApprovalHashBindsEverything(t *testing.T) {
	base := registry.ApprovalKey{Tenant: "t", Agent: "a", Person: "p", Server: "s", Method: "m", Name: "n", Definition: "d", Arguments: "g"}
	seen := map[string]bool{base.Hash(): true}
	for i, change := range []func(*registry.ApprovalKey){
		func(k *registry.ApprovalKey) { k.Tenant = "x" }, func(k *registry.ApprovalKey) { k.Agent = "x" },
		func(k *registry.ApprovalKey) { k.Person = "" }, func(k *registry.ApprovalKey) { k.Server = "x" },
		func(k *registry.ApprovalKey) { k.Method = "x" }, func(k *registry.ApprovalKey) { k.Name = "x" },
		func(k *registry.ApprovalKey) { k.Definition = "x" }, func(k *registry.ApprovalKey) { k.Arguments = "x" },
		func(k *registry.ApprovalKey) { k.Agent, k.Person = "ap", "" },
		func(k *registry.ApprovalKey) { k.Server, k.Method = "sm", "" },
	} {
		k := base
		change(&k)
		if seen[k.Hash()] {
			t.Errorf("change %d has the hash of another key", i)
		}
		seen[k.Hash()] = true
	}
}
