package admin

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// person makes somebody who has enrolled with a password and codes.
func (w *world) person(t *testing.T, name string, change func(*registry.Person)) {
	t.Helper()
	p := registry.Person{State: registry.PersonActive, Roles: []registry.Role{registry.RoleApprover}, Password: "hash", TOTP: []byte("sealed")}
	if change != nil {
		change(&p)
	}
	n, err := registry.NewNoun(registry.KindPerson, name, name, p)
	if err != nil {
		t.Fatal(err)
	}
	err = w.admin.As("uid:0").(*operator).change(&act{kind: "user.set", agent: name, noun: registry.NounRef{Kind: n.Kind, ID: n.ID}}, func(s store.Store) (any, error) {
		old, err := s.Noun(n.Kind, n.ID)
		if err != nil {
			return nil, s.InsertNoun(n)
		}
		n.Revision = old.Revision
		return nil, s.UpdateNoun(n)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) pseudonym(t *testing.T, name string) string {
	t.Helper()
	return must[string](t)(w.store.Pseudonym(name))
}

// asks keeps a call of agent app that waits for a person, and returns its id.
func (w *world) asks(t *testing.T, change func(*registry.Approval)) string {
	t.Helper()
	a := registry.Approval{Hash: strings.Repeat("a", 64), Server: "wiki", Method: "tools/call", Name: "write-file", Agent: w.pseudonym(t, "app"), Created: w.now, Needed: 1}
	if change != nil {
		change(&a)
	}
	id, _, fresh, err := w.admin.Own().AskApproval(t.Context(), "app", a)
	if err != nil || !fresh {
		t.Fatalf("ask: %t %v", fresh, err)
	}
	return id
}

// as is a person who signed in now.
func (w *world) as(name string, strength identity.Strength) API {
	return w.admin.AsPerson(name, Proof{strength, w.now})
}

func approve(api API, id string) (Done[ApprovalView], error) {
	return api.DecideApproval(ctx, DecideApproval{Change: Change{Reason: "looks right"}, ID: id, Approve: true})
}

// key gives a person a passkey.
func key(p *registry.Person) {
	p.Passkeys = []registry.Passkey{{Name: "key", Credential: []byte("{}")}}
}

// TestWhoApproves: an approver who is not behind the call, with the strongest
// factor that they have, used in the last five minutes.
func TestWhoApproves(t *testing.T) {
	for _, c := range []struct {
		name     string
		person   func(*registry.Person)
		strength identity.Strength
		age      time.Duration
		asks     func(*world, *registry.Approval)
		passkeys bool // identity.approvals: passkey
		code     Code
	}{
		{name: "password and code", strength: identity.TwoStep},
		{name: "a passkey", person: key, strength: identity.Passkey},
		{name: "five minutes ago", strength: identity.TwoStep, age: 5 * time.Minute},
		{name: "longer ago", strength: identity.TwoStep, age: 5*time.Minute + time.Second, code: Forbidden},
		{name: "in a time to come", strength: identity.Passkey, age: -time.Hour, code: Forbidden},
		{name: "one factor", strength: identity.Bearer, code: Forbidden},
		{name: "a code, with a passkey at hand", person: key, strength: identity.TwoStep, code: Forbidden},
		{name: "a code, where the policy wants a passkey", strength: identity.TwoStep, asks: func(_ *world, a *registry.Approval) { a.Passkey = true }, code: Forbidden},
		{name: "a passkey, where the policy wants one", person: key, strength: identity.Passkey, asks: func(_ *world, a *registry.Approval) { a.Passkey = true }},
		{name: "a code, where the gateway wants a passkey", strength: identity.TwoStep, passkeys: true, code: Forbidden},
		{name: "a passkey, where the gateway wants one", person: key, strength: identity.Passkey, passkeys: true},
		{name: "without the role", person: func(p *registry.Person) { p.Roles = []registry.Role{registry.RoleOperator} }, strength: identity.Passkey, code: Forbidden},
		{name: "an admin", person: func(p *registry.Person) { p.Roles = []registry.Role{registry.RoleAdmin} }, strength: identity.TwoStep},
		{name: "disabled meanwhile", person: func(p *registry.Person) { p.State = registry.PersonDisabled }, strength: identity.TwoStep, code: Forbidden},
		{name: "behind the call", strength: identity.TwoStep, asks: func(w *world, a *registry.Approval) { a.Person = w.pseudonym(t, "pat") }, code: Forbidden},
		{name: "the agent's own person", person: func(p *registry.Person) { p.Agents = []string{"AGENT"} }, strength: identity.TwoStep, code: Forbidden},
		{name: "another person's call through an agent of both", person: func(p *registry.Person) { p.Agents = []string{"AGENT"} }, strength: identity.TwoStep,
			asks: func(_ *world, a *registry.Approval) { a.Person = "somebody else" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			ready(t, w.admin.As("uid:0"))
			w.admin.cfg.Passkeys = func() bool { return c.passkeys }
			w.person(t, "pat", func(p *registry.Person) {
				if c.person != nil {
					c.person(p)
				}
				if len(p.Agents) > 0 {
					p.Agents = []string{w.pseudonym(t, "app")}
				}
			})
			id := w.asks(t, func(a *registry.Approval) {
				if c.asks != nil {
					c.asks(w, a)
				}
			})
			before := len(w.records.entries)
			d, err := approve(w.admin.AsPerson("pat", Proof{c.strength, w.now.Add(-c.age)}), id)
			if c.code != "" {
				refused(t, err, c.code)
				if len(w.records.entries) != before {
					t.Error("a refusal changed something")
				}
				if d, err = approve(w.as("nobody", identity.Passkey), id); err == nil {
					t.Errorf("somebody who does not exist: %+v", d)
				}
				return
			}
			if err != nil || d.Item.State != "approved" || len(d.Item.Approvers) != 1 || d.Item.Approvers[0].Who != "pat" || d.Item.Approvers[0].How != howProved(int(c.strength)) {
				t.Fatalf("%+v %v", d.Item, err)
			}
			e := w.records.entries[before]
			detail, _ := e.Change.(approvalDetail)
			if e.Kind != "approval.granted" || e.By != "pat" || e.Reason != "looks right" || detail.How != howProved(int(c.strength)) || e.Before == e.After {
				t.Errorf("the record says %+v", e)
			}
		})
	}
}

// TestSocketCannotApproveBesidePeople: with nobody enrolled the operator at the
// socket stands alone, and the record says so; the first approver ends that.
func TestSocketCannotApproveBesidePeople(t *testing.T) {
	w := newWorld(t)
	socket := w.admin.As("uid:7")
	ready(t, socket)
	for i, change := range []func(*registry.Person){
		nil, // nobody at all
		func(p *registry.Person) { p.Roles = nil },
		func(p *registry.Person) { p.State = registry.PersonInvited },
		func(p *registry.Person) { p.State = registry.PersonDisabled },
	} {
		if i > 0 {
			w.person(t, "pat", change)
		}
		id := w.asks(t, func(a *registry.Approval) { a.Hash = strings.Repeat(string(rune('a'+i)), 64) })
		if d := must[Done[ApprovalView]](t)(approve(socket, id)); d.Item.Approvers[0].How != "operator without second factor" {
			t.Errorf("%d: %+v", i, d.Item.Approvers)
		}
	}
	id := w.asks(t, func(a *registry.Approval) { a.Hash = strings.Repeat("f", 64) })
	w.person(t, "pat", nil)
	for _, yes := range []bool{true, false} {
		_, err := socket.DecideApproval(ctx, DecideApproval{Change: Change{Reason: "r"}, ID: id, Approve: yes})
		if e := refused(t, err, Forbidden); !strings.Contains(e.Fix, "https://127.0.0.1:8443/approvals") || !strings.Contains(e.Fix, "bypass") {
			t.Errorf("the way out is not told: %q", e.Fix)
		}
	}
	must[Done[BypassView]](t)(socket.OpenBypass(ctx, OpenBypass{Change: Change{Reason: "outage"}, Agent: "app", For: Duration(time.Hour)}))
}

// TestTwoPeopleWhicheverWay: two are two different people. All users of the
// machine are one, and beside people they are none.
func TestTwoPeopleWhicheverWay(t *testing.T) {
	w := newWorld(t)
	ready(t, w.admin.As("uid:7"))
	two := func(a *registry.Approval) { a.Needed = 2 }
	id := w.asks(t, two)
	if d := must[Done[ApprovalView]](t)(approve(w.admin.As("uid:7"), id)); d.Item.State != "pending" {
		t.Fatalf("one of two: %+v", d.Item)
	}
	for _, again := range []string{"uid:7", "uid:0"} {
		_, err := approve(w.admin.As(again), id)
		refused(t, err, Forbidden)
	}
	w.person(t, "pat", nil)
	w.person(t, "sam", key)
	d := must[Done[ApprovalView]](t)(approve(w.as("pat", identity.TwoStep), id))
	if d.Item.State != "pending" || len(d.Item.Approvers) != 1 || len(d.Notices) != 1 {
		t.Fatalf("the socket and one person: %+v", d.Item)
	}
	_, err := approve(w.as("pat", identity.TwoStep), id)
	refused(t, err, Forbidden)
	_, err = approve(w.admin.As("uid:7"), id)
	refused(t, err, Forbidden)
	if d = must[Done[ApprovalView]](t)(approve(w.as("sam", identity.Passkey), id)); d.Item.State != "approved" || len(d.Item.Approvers) != 2 {
		t.Fatalf("two people: %+v", d.Item)
	}
	_, err = approve(w.as("sam", identity.Passkey), id)
	refused(t, err, Conflict)
}

// TestApprovalFallsWithApprover: what somebody approved is worth nothing once
// they are out, and the call is asked about anew.
func TestApprovalFallsWithApprover(t *testing.T) {
	for name, out := range map[string]func(*testing.T, *world){
		"disabled": func(t *testing.T, w *world) {
			w.person(t, "pat", func(p *registry.Person) { p.State = registry.PersonDisabled })
		},
		"without the role": func(t *testing.T, w *world) { w.person(t, "pat", func(p *registry.Person) { p.Roles = nil }) },
		"removed": func(t *testing.T, w *world) {
			must[Done[UserView]](t)(w.admin.As("uid:0").MoveUser(ctx, MoveUser{Change{}, "pat", RemoveUser}))
		},
		"still an approver": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ready(t, w.admin.As("uid:0"))
			w.person(t, "pat", nil)
			id := w.asks(t, nil)
			must[Done[ApprovalView]](t)(approve(w.as("pat", identity.TwoStep), id))
			if out != nil {
				out(t, w)
			}
			used, ok, err := w.admin.Own().UseApproval(t.Context(), strings.Repeat("a", 64), w.now)
			if err != nil || ok != (out == nil) || ok && used != id {
				t.Fatalf("%q %t %v", used, ok, err)
			}
			if out != nil {
				w.asks(t, nil)
			}
		})
	}
}

// TestApprovalsExpire: ten minutes to decide, then five to use; a second later
// nothing is left, and the sweep says what was never decided and never used.
func TestApprovalsExpire(t *testing.T) {
	w := newWorld(t)
	ready(t, w.admin.As("uid:0"))
	w.person(t, "pat", nil)
	start := w.now
	id := w.asks(t, nil)
	w.now = start.Add(decideWithin)
	_, err := approve(w.as("pat", identity.TwoStep), id)
	if e := refused(t, err, Conflict); !strings.Contains(e.Message, "expired") {
		t.Errorf("%v", e)
	}
	again := w.asks(t, nil)
	w.now = w.now.Add(decideWithin - time.Second)
	must[Done[ApprovalView]](t)(approve(w.as("pat", identity.TwoStep), again))
	use := func(at time.Time) bool {
		_, ok, err := w.admin.Own().UseApproval(t.Context(), strings.Repeat("a", 64), at)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if use(w.now.Add(useWithin)) {
		t.Error("used after its time")
	}
	before := len(w.records.entries)
	if err := w.admin.Own().SweepApprovals(t.Context(), w.now.Add(useWithin)); err != nil {
		t.Fatal(err)
	}
	expired := map[string]bool{}
	for _, e := range w.records.entries[before:] {
		expired[e.Subject] = e.Kind == "approval.expired"
	}
	if len(expired) != 2 || !expired[id] || !expired[again] {
		t.Errorf("the record says %+v", w.records.entries[before:])
	}
	last := w.asks(t, nil)
	must[Done[ApprovalView]](t)(approve(w.as("pat", identity.TwoStep), last))
	if !use(w.now.Add(useWithin - time.Second)) {
		t.Error("not usable in time")
	}
	if use(w.now.Add(useWithin - time.Second)) {
		t.Error("used twice")
	}
}

// TestK08ReviewByAnother: whoever broke the glass does not judge it. While
// nobody is enrolled, one operator does both, and the record names them twice.
func TestK08ReviewByAnother(t *testing.T) {
	w := newWorld(t)
	socket := w.admin.As("uid:7")
	ready(t, socket)
	why := Change{Reason: "r"}
	over := func(api API) BypassChoice {
		d := must[Done[BypassView]](t)(api.OpenBypass(ctx, OpenBypass{Change: why, Agent: "app", For: Duration(time.Hour)}))
		must[Done[BypassView]](t)(socket.CloseBypass(ctx, BypassChoice{why, d.Item.ID}))
		return BypassChoice{why, d.Item.ID}
	}
	alone := over(socket)
	if d := must[Done[BypassView]](t)(socket.ReviewBypass(ctx, alone)); d.Item.By != "uid:7" || d.Item.Reviewer != "uid:7" {
		t.Errorf("%+v", d.Item)
	}
	admins := func(p *registry.Person) { p.Roles = []registry.Role{registry.RoleAdmin} }
	w.person(t, "pat", admins)
	w.person(t, "sam", nil)
	pat, sam := w.as("pat", identity.TwoStep), w.as("sam", identity.TwoStep)
	bySocket, byPat := over(socket), over(pat)
	for _, c := range []struct {
		api  API
		what BypassChoice
	}{{socket, bySocket}, {w.admin.As("uid:0"), bySocket}, {socket, byPat}, {pat, byPat}} {
		_, err := c.api.ReviewBypass(ctx, c.what)
		refused(t, err, Forbidden)
	}
	must[Done[BypassView]](t)(sam.ReviewBypass(ctx, bySocket))
	if d := must[Done[BypassView]](t)(sam.ReviewBypass(ctx, byPat)); d.Item.Reviewer != "sam" || d.Item.By != "pat" {
		t.Errorf("%+v", d.Item)
	}
}

// TestPersonAndAgentShareNoName: one pseudonym for both would let an agent's
// call look like another's than its approver's.
func TestPersonAndAgentShareNoName(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:0")
	must[Done[Invitation]](t)(api.InviteUser(ctx, InviteUser{ID: "pat"}))
	must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "desk"}))
	_, err := api.RegisterAgent(ctx, RegisterAgent{ID: "pat", Credentials: true})
	refused(t, err, Exists)
	_, err = api.InviteUser(ctx, InviteUser{ID: "desk"})
	refused(t, err, Exists)
	must[Done[UserView]](t)(api.MoveUser(ctx, MoveUser{Change{}, "pat", RemoveUser}))
	must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "pat"}))
}

// TestNobodyAcceptsTheirOwnRequest: who asks for access does not grant it.
func TestNobodyAcceptsTheirOwnRequest(t *testing.T) {
	w := newWorld(t)
	ready(t, w.admin.As("uid:0"))
	both := func(p *registry.Person) { p.Roles = []registry.Role{registry.RoleApprover, registry.RoleDeveloper} }
	w.person(t, "pat", both)
	w.person(t, "sam", both)
	q := must[Done[RequestView]](t)(w.as("pat", identity.TwoStep).RequestAccess(ctx, Grant{Change: Change{Reason: "r"}, Agent: "app", Server: "wiki", Access: registry.Modify}))
	yes := Choice{Change: Change{Reason: "r"}, ID: q.Item.ID, Accept: true}
	_, err := w.as("pat", identity.Passkey).DecideRequest(ctx, yes)
	refused(t, err, Forbidden)
	must[Done[RequestView]](t)(w.as("sam", identity.TwoStep).DecideRequest(ctx, yes))
	if all := must[[]GrantView](t)(w.admin.As("uid:0").Grants(ctx, GrantQuery{})); !slices.ContainsFunc(all, func(g GrantView) bool { return g.Access == registry.Modify }) {
		t.Errorf("%+v", all)
	}
}
