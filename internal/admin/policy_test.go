package admin

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

var because = Change{Reason: "because"}

func apply(t *testing.T, api API, all ...string) PolicyView {
	t.Helper()
	return must[Done[PolicyView]](t)(api.PolicyApply(ctx, PolicyApply{Change: because, Sources: texts(all...)})).Item
}

func explained(t *testing.T, api API, tool, args string) Explanation {
	t.Helper()
	return must[Explanation](t)(api.Explain(ctx, Explain{Agent: "app", Server: "wiki", Tool: tool, Args: json.RawMessage(args)}))
}

const (
	forbidAll   = `@id("stop") forbid (principal, action, resource);`
	forbidWrite = `@id("no-modify") forbid (principal, action in Ostiary::Action::"modify", resource);`
)

// TestPolicyLife applies, replaces, shows and takes back policies.
func TestPolicyLife(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		if e := explained(t, api, "read-file", "{}"); e.Decision != "allow" || e.Policy != 0 {
			t.Fatalf("before: %+v", e)
		}
		w.now = w.now.Add(time.Minute)
		one := apply(t, api, forbidAll)
		if one.Version != 1 || !one.Signed || one.Previous != "" || one.Policies != 1 {
			t.Errorf("first version: %+v", one)
		}
		if e := explained(t, api, "read-file", "{}"); e.Decision != "deny" || e.Policy != 1 || e.Hash != one.Hash || !strings.Contains(strings.Join(e.Reasons, " "), "stop") {
			t.Errorf("forbidden: %+v", e)
		}
		two := apply(t, api, forbidWrite)
		if two.Version != 2 || two.Previous != one.Hash {
			t.Errorf("second version: %+v", two)
		}
		if e := explained(t, api, "read-file", "{}"); e.Decision != "allow" || e.Policy != 2 {
			t.Errorf("not forbidden any more: %+v", e)
		}
		three := must[Done[PolicyView]](t)(api.PolicyRollback(ctx, PolicyRollback{Change: because, Version: 1})).Item
		if three.Version != 3 || three.Hash != one.Hash {
			t.Errorf("taken back: %+v", three)
		}
		four := must[Done[PolicyView]](t)(api.PolicyRollback(ctx, PolicyRollback{Change: because})).Item
		if e := explained(t, api, "read-file", "{}"); four.Version != 4 || e.Decision != "allow" {
			t.Errorf("no policies: %+v %+v", four, e)
		}
		history := must[[]PolicyView](t)(api.PolicyHistory(ctx, None{}))
		if len(history) != 4 || history[0].State != "active" || history[3].State != "replaced" || !history[3].Signed || history[3].Reason != "because" {
			t.Errorf("history: %+v", history)
		}
		if v := must[PolicyView](t)(api.PolicyShow(ctx, PolicyVersion{2})); len(v.Sources) != 1 || v.Sources[0].Text != forbidWrite {
			t.Errorf("version 2: %+v", v)
		}
	})
}

// TestPolicyRefusals: what cannot be right changes nothing.
func TestPolicyRefusals(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		apply(t, api, forbidAll)
		records := len(w.records.entries)
		for name, c := range map[string]struct {
			change  Change
			sources []policy.Source
			says    string
		}{
			"no reason":    {Change{}, texts(forbidAll), "reason"},
			"blank reason": {Change{Reason: " "}, texts(forbidAll), "reason"},
			"syntax":       {because, texts("forbid (principal, action, resource);\npermit (principal"), "a.cedar:2:"},
			"types":        {because, texts(forbidAll, "@id(\"x\")\npermit (principal, action, resource) when { context.call.nothing == 1 };"), "b.cedar:"},
			"empty file":   {because, texts("// nothing"), "no policy"},
		} {
			_, err := api.PolicyApply(ctx, PolicyApply{Change: c.change, Sources: c.sources})
			if e := refused(t, err, Invalid); !strings.Contains(e.Error(), c.says) {
				t.Errorf("%s: %v does not say %q", name, e, c.says)
			}
		}
		_, err := api.PolicyRollback(ctx, PolicyRollback{Change: because, Version: 9})
		refused(t, err, NotFound)
		if e := explained(t, api, "read-file", "{}"); e.Policy != 1 || e.Decision != "deny" || len(w.records.entries) != records {
			t.Errorf("a refused change left something: %+v", e)
		}
	})
}

// TestPolicyIsRecorded: the control log says who applied what, why, and in
// place of what.
func TestPolicyIsRecorded(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:7")
	ready(t, api)
	one := apply(t, api, forbidAll)
	two := apply(t, api, forbidWrite)
	last := w.records.entries[len(w.records.entries)-1]
	detail, ok := last.Change.(applied)
	if last.Kind != "policy.applied" || last.By != "uid:7" || last.Reason != "because" || last.Before == "" || last.Before == last.After ||
		!ok || detail.Before != one.Hash || detail.After != two.Hash || detail.Version != 2 {
		t.Errorf("recorded: %+v", last)
	}
	w.records.err = errors.New("full")
	if _, err := api.PolicyApply(ctx, PolicyApply{Change: because, Sources: texts(forbidAll)}); err == nil {
		t.Error("policies were applied that could not be recorded")
	}
	w.records.err = nil
	if e := must[PolicyView](t)(api.PolicyShow(ctx, PolicyVersion{})); e.Version != 2 {
		t.Errorf("in force: %+v", e)
	}
}

// restarted opens the world's store anew.
func (w *world) restarted(t *testing.T) API {
	t.Helper()
	live := &registry.Live{}
	a, err := New(Config{Store: w.store, Ring: w.ring, Live: live, Recorder: w.records, Gateway: func() Gateway { return w.gateway }, Clock: w.admin.cfg.Clock})
	if err != nil {
		t.Fatal(err)
	}
	w.admin, w.live = a, live
	return a.As(Self())
}

// TestP01EditedPolicyDeniesAll: policies that the gateway did not sign for the
// place where they lie refuse every call, and health and the log say so.
func TestP01EditedPolicyDeniesAll(t *testing.T) {
	for name, edit := range map[string]func(t *testing.T, w *world, active, shadow *registry.Policy) (gone bool){
		"text": func(_ *testing.T, _ *world, p, _ *registry.Policy) bool {
			p.Sources[0].Text = "permit (principal, action, resource);"
			p.Hash = registry.PolicyHash(p.Sources)
			return false
		},
		"hash": func(_ *testing.T, _ *world, p, _ *registry.Policy) bool {
			p.Hash = strings.Repeat("0", 64)
			return false
		},
		"version":   func(_ *testing.T, _ *world, p, _ *registry.Policy) bool { p.Version = 7; return false },
		"reason":    func(_ *testing.T, _ *world, p, _ *registry.Policy) bool { p.Reason = "another"; return false },
		"signature": func(_ *testing.T, _ *world, p, _ *registry.Policy) bool { p.Signature = ""; return false },
		"shadow":    func(_ *testing.T, _ *world, p, shadow *registry.Policy) bool { *p = *shadow; return false },
		"earlier version": func(t *testing.T, w *world, p, _ *registry.Policy) bool {
			n := must[registry.Noun](t)(w.store.Noun(registry.KindPolicyVersion, versionID(1)))
			*p = must[registry.Policy](t)(registry.ValueOf[registry.Policy](n))
			return false
		},
		"gone": func(*testing.T, *world, *registry.Policy, *registry.Policy) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			api := w.admin.As(Self())
			ready(t, api)
			apply(t, api, forbidAll)
			apply(t, api, forbidWrite)
			must[Done[PolicyView]](t)(api.PolicyApply(ctx, PolicyApply{Change: because, Sources: texts(`@id("open") permit (principal, action, resource);`), Shadow: true}))
			if e := explained(t, w.restarted(t), "read-file", "{}"); e.Decision != "allow" {
				t.Fatalf("untouched: %+v", e)
			}
			n := must[registry.Noun](t)(w.store.Noun(registry.KindPolicy, registry.PolicyActive))
			p := must[registry.Policy](t)(registry.ValueOf[registry.Policy](n))
			shadow := must[registry.Policy](t)(registry.ValueOf[registry.Policy](must[registry.Noun](t)(w.store.Noun(registry.KindPolicy, registry.PolicyShadow))))
			if edit(t, w, &p, &shadow) {
				if err := w.store.DeleteNoun(n.Kind, n.ID); err != nil {
					t.Fatal(err)
				}
			} else {
				edited := must[registry.Noun](t)(registry.NewNoun(n.Kind, n.ID, n.Owner, p))
				edited.Revision = n.Revision
				if err := w.store.UpdateNoun(edited); err != nil {
					t.Fatal(err)
				}
			}
			api = w.restarted(t)
			if e := explained(t, api, "read-file", "{}"); e.Decision != "deny" {
				t.Errorf("an edited row decides: %+v", e)
			}
			if w.admin.PolicyFlaw() == "" {
				t.Error("nothing says so")
			}
			if last := w.records.entries[len(w.records.entries)-1]; last.Kind != "integrity.failed" {
				t.Errorf("the last record is %+v", last)
			}
			apply(t, api, forbidWrite)
			if e := explained(t, api, "read-file", "{}"); e.Decision != "allow" || w.admin.PolicyFlaw() != "" {
				t.Errorf("applied anew: %+v", e)
			}
		})
	}
}

// TestPolicyFourEyes: whoever proposes cannot apply, and what changed meanwhile
// is proposed again.
func TestPolicyFourEyes(t *testing.T) {
	w := newWorld(t)
	w.admin.cfg.Policy = func() PolicyRules { return PolicyRules{FourEyes: true} }
	ann, bob := w.admin.As("uid:1"), w.admin.As("uid:2")
	ready(t, ann)
	_, err := ann.PolicyApply(ctx, PolicyApply{Change: because, Sources: texts(forbidAll)})
	refused(t, err, Forbidden)
	_, err = ann.PolicyRollback(ctx, PolicyRollback{Change: because})
	refused(t, err, Forbidden)
	one := must[Done[PolicyView]](t)(ann.PolicyPropose(ctx, PolicyApply{Change: because, Sources: texts(forbidAll)})).Item
	two := must[Done[PolicyView]](t)(ann.PolicyPropose(ctx, PolicyApply{Change: because, Sources: texts(forbidWrite)})).Item
	accept := func(id string) PolicyChoice { return PolicyChoice{Change: because, ID: id, Accept: true} }
	_, err = ann.PolicyDecide(ctx, accept(one.ID))
	refused(t, err, Forbidden)
	if all := must[[]PolicyView](t)(bob.PolicyProposals(ctx, None{})); len(all) != 2 || all[0].By != "uid:1" || len(all[0].Sources) != 1 {
		t.Errorf("proposals: %+v", all)
	}
	if d := must[Done[PolicyView]](t)(bob.PolicyDecide(ctx, accept(one.ID))); d.Item.Version != 1 || d.Item.By != "uid:2" {
		t.Errorf("applied: %+v", d)
	}
	_, err = bob.PolicyDecide(ctx, accept(two.ID))
	refused(t, err, Conflict)
	_, err = bob.PolicyDecide(ctx, accept(one.ID))
	refused(t, err, NotFound)
	must[Done[PolicyView]](t)(ann.PolicyDecide(ctx, PolicyChoice{Change: because, ID: two.ID}))
	if all := must[[]PolicyView](t)(bob.PolicyProposals(ctx, None{})); len(all) != 0 {
		t.Errorf("proposals stay: %+v", all)
	}
}

// TestPolicyDir: with a directory in the configuration, operators cannot apply
// anything else.
func TestPolicyDir(t *testing.T) {
	w := newWorld(t)
	w.admin.cfg.Policy = func() PolicyRules { return PolicyRules{Dir: "/policies"} }
	_, err := w.admin.As("uid:1").PolicyApply(ctx, PolicyApply{Change: because, Sources: texts(forbidAll)})
	refused(t, err, Forbidden)
	_, err = w.admin.As("uid:1").PolicyRollback(ctx, PolicyRollback{Change: because})
	refused(t, err, Forbidden)
	apply(t, w.admin.As(ByConfig), forbidAll)
}

// TestPolicyDiff says which decisions are widened and narrowed.
func TestPolicyDiff(t *testing.T) {
	faces(t, func(t *testing.T, _ *world, api API) {
		ready(t, api)
		d := must[PolicyDiff](t)(api.PolicyDiff(ctx, PolicyCheck{Sources: texts(forbidAll)}))
		if d.Narrowed == 0 || d.Widened != 0 || len(d.Edits) != 1 || d.Edits[0].Edit != "added" || d.Edits[0].ID != "stop" {
			t.Errorf("narrower: %+v", d)
		}
		apply(t, api, forbidAll)
		d = must[PolicyDiff](t)(api.PolicyDiff(ctx, PolicyCheck{Sources: texts(`@id("stop") forbid (principal, action in Ostiary::Action::"modify", resource);`)}))
		if d.Widened == 0 || d.Narrowed != 0 || len(d.Edits) != 1 || d.Edits[0].Edit != "changed" {
			t.Errorf("wider: %+v", d)
		}
		_, err := api.PolicyDiff(ctx, PolicyCheck{Sources: texts("nonsense")})
		refused(t, err, Invalid)
	})
}

// TestPolicyCases asks cases, by policies that are not in force.
func TestPolicyCases(t *testing.T) {
	faces(t, func(t *testing.T, _ *world, api API) {
		ready(t, api)
		results := must[[]PolicyResult](t)(api.PolicyTest(ctx, PolicyTest{Sources: texts(forbidAll), Cases: []PolicyCase{
			{Agent: "app", Server: "wiki", Tool: "read-file", Expect: "deny"}, {Agent: "app", Server: "wiki", Tool: "read-file", Expect: "allow"}}}))
		if len(results) != 2 || !results[0].Pass || results[1].Pass || results[1].Got != "deny" {
			t.Errorf("results: %+v", results)
		}
		for _, c := range []PolicyCase{{}, {Agent: "app", Server: "wiki", Expect: "maybe"}, {Agent: "app", Server: "wiki", Expect: "deny", IP: "x"},
			{Agent: "app", Server: "wiki", Tool: "t", Expect: "deny", Args: json.RawMessage("[]")}, {Agent: "app", Server: "wiki", Expect: "deny", Args: json.RawMessage("{}")}} {
			_, err := api.PolicyTest(ctx, PolicyTest{Cases: []PolicyCase{c}})
			refused(t, err, Invalid)
		}
	})
}

// TestAccessQuestions: who can and what can agree with explain.
func TestAccessQuestions(t *testing.T) {
	faces(t, func(t *testing.T, _ *world, api API) {
		ready(t, api)
		must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "idle"}))
		if all := must[[]AccessView](t)(api.WhoCan(ctx, WhoCan{Server: "wiki", Tool: "read-file"})); len(all) != 1 || all[0].Agent != "app" || all[0].Decision != "allow" {
			t.Errorf("who can: %+v", all)
		}
		for _, v := range must[[]AccessView](t)(api.WhatCan(ctx, ID{"app"})) {
			if e := explained(t, api, v.Tool, ""); e.Decision != v.Decision {
				t.Errorf("%q: what-can says %s, explain %s", v.Tool, v.Decision, e.Decision)
			}
		}
		if all := must[[]AccessView](t)(api.WhatCan(ctx, ID{"idle"})); len(all) != 0 {
			t.Errorf("what can idle: %+v", all)
		}
		_, err := api.WhoCan(ctx, WhoCan{Server: "nope"})
		refused(t, err, NotFound)
		_, err = api.WhoCan(ctx, WhoCan{Server: "wiki", Tool: "nope"})
		refused(t, err, NotFound)
		_, err = api.WhatCan(ctx, ID{"nope"})
		refused(t, err, NotFound)
	})
}

// TestAccessRequests: a request becomes a grant, once, or nothing.
func TestAccessRequests(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		ready(t, api)
		must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "new"}))
		ask := func() string {
			return must[Done[RequestView]](t)(api.RequestAccess(ctx, Grant{Change: because, Agent: "new", Server: "wiki", Access: registry.Read})).Item.ID
		}
		one, two := ask(), ask()
		if all := must[[]RequestView](t)(api.AccessRequests(ctx, None{})); len(all) != 2 || all[0].Agent != "new" || all[0].Access != registry.Read {
			t.Errorf("requests: %+v", all)
		}
		if must[Explanation](t)(api.Explain(ctx, Explain{Agent: "new", Server: "wiki"})).Allow {
			t.Error("a request alone allows something")
		}
		must[Done[RequestView]](t)(api.DecideRequest(ctx, Choice{Change: because, ID: one}))
		if must[Explanation](t)(api.Explain(ctx, Explain{Agent: "new", Server: "wiki"})).Allow {
			t.Error("a refused request allows something")
		}
		must[Done[RequestView]](t)(api.DecideRequest(ctx, Choice{Change: because, ID: two, Accept: true}))
		if !must[Explanation](t)(api.Explain(ctx, Explain{Agent: "new", Server: "wiki"})).Allow {
			t.Error("an accepted request allows nothing")
		}
		_, err := api.DecideRequest(ctx, Choice{Change: because, ID: two, Accept: true})
		refused(t, err, NotFound)
		_, err = api.RequestAccess(ctx, Grant{Agent: "new", Server: "nope", Access: registry.Read})
		refused(t, err, NotFound)
		for _, n := range must[[]registry.Noun](t)(w.store.Nouns(registry.KindAccessRequest)) {
			t.Errorf("a decided request stays: %s", n.ID)
		}
	})
}
