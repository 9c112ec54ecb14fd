package policy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/policy/policytest"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// plain is what cedar-go says about one query when it is given the whole set,
// all entities and the whole context, and nothing of ours but their export.
type plain struct {
	answer       cedar.Decision
	said, errors []string
	each         map[string]string // id: "yes", "no" or "error"
}

func askPlain(t *rapid.T, c *policy.Case) plain {
	out, whole := plain{each: map[string]string{}}, cedar.NewPolicySet()
	for _, r := range c.Policies {
		var p cedar.Policy
		if err := p.UnmarshalCedar([]byte(r.Text)); err != nil {
			t.Fatalf("%s: %v", r.Text, err)
		}
		whole.Add(cedar.PolicyID(r.ID), &p)
		alone := cedar.NewPolicySet()
		alone.Add(cedar.PolicyID(r.ID), &p)
		_, diag := cedar.Authorize(alone, c.Entities, c.Request)
		switch {
		case len(diag.Errors) > 0:
			out.each[r.ID] = "error"
		case len(diag.Reasons) > 0:
			out.each[r.ID] = "yes"
		default:
			out.each[r.ID] = "no"
		}
	}
	answer, diag := cedar.Authorize(whole, c.Entities, c.Request)
	out.answer = answer
	for _, r := range diag.Reasons {
		out.said = append(out.said, string(r.PolicyID))
	}
	for _, e := range diag.Errors {
		out.errors = append(out.errors, string(e.PolicyID))
	}
	slices.Sort(out.said)
	return out
}

// expected is what our rules make of what plain Cedar says: errors refuse,
// @needs asks for a person, and getting to know a server needs no permit.
func expected(c *policy.Case, p plain, q policy.Query) (allow bool, reason string, reasons []string) {
	var forbids, asks, open, closed []string
	for _, r := range c.Policies {
		met := (!contains(r.Needs, "approval") || q.Call.Approved) && (!contains(r.Needs, "step-up") || proved(q))
		switch said := p.each[r.ID]; {
		case r.Forbid && r.Needs != "" && met:
		case said == "error":
			return false, policy.ReasonPolicyError, nil
		case said == "no":
		case r.Forbid && r.Needs == "":
			forbids = append(forbids, r.ID)
		case r.Forbid:
			asks = append(asks, r.ID)
		case met:
			open = append(open, r.ID)
		default:
			closed = append(closed, r.ID)
		}
	}
	greeting := !q.IsTool && slices.Contains([]types.String{"connect", "list"}, c.Request.Action.ID)
	switch {
	case len(forbids) > 0:
		return false, policy.ReasonForbid, forbids
	case len(open)+len(closed) == 0 && !greeting:
		return false, "", nil
	case len(asks) == 0 && (len(open) > 0 || len(closed) == 0):
		return true, "", open
	case len(open) == 0:
		asks = append(asks, closed...)
	}
	return false, policy.ReasonNeeds, asks
}

// drawOf makes all chance of a case from one number, which a failure names.
func drawOf(t *rapid.T) policytest.Draw {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).IntN
}

func contains(words, word string) bool { return slices.Contains(strings.Fields(words), word) }

func proved(q policy.Query) bool {
	age := q.Call.Time.Sub(q.Principal.AuthTime)
	return q.Principal.Person == "" && q.Call.Approved || q.Principal.Strength >= identity.TwoStep && age > -time.Minute && age <= 15*time.Minute
}

// TestAgreesWithPlainCedar: slices, shared contexts and cached entities change
// no decision. What decides here is cedar-go alone, with the whole set.
func TestAgreesWithPlainCedar(t *testing.T) {
	asked, allowed, erred := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		draw := drawOf(t)
		text := policytest.Policies(draw, 8)
		s, err := policytest.With(policytest.World(draw), text)
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			q := policytest.Query(draw)
			d := policy.Decide(s, q)
			c, err := policy.Export(s, q)
			if err != nil {
				continue
			}
			asked++
			if d.Allow {
				allowed++
			}
			p := askPlain(t, c)
			allow, reason, reasons := expected(c, p, q)
			if reason == policy.ReasonPolicyError {
				erred++
			}
			slices.Sort(reasons)
			wrong := d.Allow != allow || reason != "" && d.Reason != reason || (allow || reason == policy.ReasonForbid || reason == policy.ReasonNeeds) && !slices.Equal(d.Reasons, reasons)
			if wrong {
				t.Fatalf("%s\n%+v\ndecided: %+v\nplain Cedar: %+v\nexpected: %v %q %v", text, q, d, p, allow, reason, reasons)
			}
			if d.Allow && p.answer != cedar.Allow && len(p.said)+len(p.errors) > 0 && !needs(c) {
				t.Fatalf("allowed what plain Cedar does not:\n%s\n%+v\n%+v", text, q, p)
			}
		}
	})
	if asked == 0 || allowed == 0 || erred == 0 || allowed == asked {
		t.Errorf("of %d, %d were allowed and %d errors: nothing was compared", asked, allowed, erred)
	}
}

func needs(c *policy.Case) bool {
	return slices.ContainsFunc(c.Policies, func(r policy.Rule) bool { return r.Needs != "" })
}

// TestListsAgreeWithSingleDecisions: what a list remembers from one item for
// the next changes no decision, and what a call would be allowed is shown.
func TestListsAgreeWithSingleDecisions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := drawOf(t)
		text := policytest.Policies(draw, 8)
		if draw(2) == 0 {
			text = policytest.ItemPolicies(draw, 5)
		}
		s, err := policytest.With(policytest.World(draw), text)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(text)
		for range 8 {
			compareList(t, draw, s)
		}
	})
}

func compareList(t *rapid.T, draw policytest.Draw, s *registry.Snapshot) {
	list := policy.Lister(s)
	for _, item := range items(policytest.Query(draw)) {
		one, many := policy.Decide(s, item), list(item)
		if one.Reason == policy.ReasonPolicyError { // which of several failing rules is named is chance
			one.Reasons, many.Reasons = nil, nil
		}
		if fmt.Sprint(one) != fmt.Sprint(many) {
			t.Fatalf("%+v\nalone:   %+v\nin list: %+v", item, one, many)
		}
		if !item.IsTool {
			continue
		}
		called := item
		called.Some, called.Args = false, policytest.Arguments(draw)
		if d := policy.Decide(s, called); (d.Allow || d.Needs != "") && !one.Allow && one.Needs == "" {
			t.Fatalf("a call is allowed that no list shows:\n%+v\nlist: %+v\ncall: %+v", called, one, d)
		}
	}
}

// items are the queries of one list.
func items(q policy.Query) (out []policy.Query) {
	if !q.IsTool {
		for _, name := range []string{"file:///a", "file:///b/c", "greet", "fetch", "file:///a"} {
			q.Name = name
			out = append(out, q)
		}
		return out
	}
	q.Some, q.Args = true, policy.Query{}.Args
	for _, name := range slices.Concat(policytest.Tools, []string{"unknown"}, policytest.Tools) {
		q.Tool = name
		out = append(out, q)
	}
	return out
}

// TestExportedEntities writes out what policies see of the registry, so that a
// change of it is seen here.
func TestExportedEntities(t *testing.T) {
	s := registry.NewSnapshot(1, []registry.Server{{ID: "files", State: registry.Active, Examined: true, Zone: "intern", Labels: []string{"plain"},
		Tools: []registry.Tool{{Name: "a/b", Access: registry.Write, State: registry.ToolApproved, Labels: []string{"secret"}, Definition: policytest.Definition}}}},
		[]registry.Agent{{ID: "bot", State: registry.Active, Roles: []string{"staff"}, Zone: "z", Clearance: []string{"secret"}}}, nil, nil,
		[]registry.Grant{{Agent: "bot", Server: "files", Access: registry.Modify, Tools: []string{"a/b"}}})
	q := policy.Query{Principal: identity.Principal{Kind: identity.Client, ID: "bot", Person: "p1", Strength: 3, Scopes: "read write"}, Server: "files", Tool: "a/b", IsTool: true}
	q.Args, _ = wire.ParseValue([]byte(`{"path":"/a","n":7,"price":1.5,"tags":["x"],"deep":{"on":true},"note":null}`), wire.DefaultLimits())
	q.Call = policy.Call{Time: policytest.Noon, IP: netip.MustParseAddr("::ffff:10.0.0.1"), Purpose: "why", Signature: "verified", Labels: []string{"health"}, Approved: true}
	c, err := policy.Export(s, q)
	if err != nil {
		t.Fatal(err)
	}
	entities, err := c.Entities.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	context, err := c.Request.Context.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s\n%s\n%s\n%s\n%s", c.Request.Principal, c.Request.Action, c.Request.Resource, entities, context)
	want, err := os.ReadFile("testdata/exported.txt")
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != got {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
