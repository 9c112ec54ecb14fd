package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// requestOf is a request with its reason, as bytes.
func requestOf(t *testing.T, c changing, r any, dry bool) []byte {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if !c.plain {
		m["reason"] = "because"
		if dry {
			m["dryRun"] = true
		}
	}
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return text
}

// state is what a request that was refused, or dry, must leave as it is.
func (w *world) state(t *testing.T) string {
	t.Helper()
	return fmt.Sprint(must[string](t)(w.store.Meta(metaVersion)), " ", w.ring.Keys())
}

// TestK07EveryChangeByEveryRole makes every change as every role: refused for
// whom the table does not name and for whom signed in too long ago, without a
// trace in the registry or the log; dry without a trace; and for good with
// exactly its entries, which say who, what, why, and what the object was before
// and after. A new method without a row fails.
func TestK07EveryChangeByEveryRole(t *testing.T) {
	for _, name := range Methods() {
		_, changed := changes[name]
		_, other := changeElsewhere[name]
		if n := trues(changed, other, slices.Contains(readMethods, name)); n != 1 {
			t.Errorf("%s is in %d of the tables changes, changeElsewhere and readMethods: say in changes_test.go what it changes", name, n)
		}
	}
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			if methods[name] == nil {
				t.Fatal("there is no such method")
			}
			w := newWorld(t)
			ready(t, w.admin.As("uid:0"))
			r := c.ask(t, w, w.admin.As("uid:0"))
			var allowed []Caller
			for _, role := range append(registry.Roles(), "") {
				p := Caller{Name: string(role) + "-person", Roles: []registry.Role{role}, Strength: identity.TwoStep, AuthTime: w.now}
				w.person(t, p.Name, func(n *registry.Person) { n.Roles = p.Roles })
				if role == registry.RoleAdmin || slices.Contains(rules[name].roles, role) {
					allowed = append(allowed, p)
				}
			}
			w.refuses(t, name, requestOf(t, c, r, false), allowed)
			before, entries := w.state(t), len(w.records.entries)
			for _, p := range allowed {
				if c.plain {
					break
				}
				if _, err := w.admin.Call(ctx, p, name, requestOf(t, c, r, true)); err != nil {
					t.Errorf("dry, as %s: %v", p.Name, err)
				}
			}
			if w.state(t) != before || len(w.records.entries) != entries {
				t.Fatalf("a dry run left %q for %q and %d entries", w.state(t), before, len(w.records.entries)-entries)
			}
			by := allowed[len(allowed)-1]
			if _, err := w.admin.Call(ctx, by, name, requestOf(t, c, r, false)); err != nil {
				t.Fatalf("as %s: %v", by.Name, err)
			}
			checkEntries(t, c, by.Name, w.records.entries[entries:])
		})
	}
}

func trues(all ...bool) (n int) {
	for _, b := range all {
		if b {
			n++
		}
	}
	return n
}

// refuses asks as everybody who may not.
func (w *world) refuses(t *testing.T, name string, body []byte, allowed []Caller) {
	t.Helper()
	before, entries := w.state(t), len(w.records.entries)
	try := func(what string, p Caller) {
		t.Helper()
		_, err := w.admin.Call(ctx, p, name, body)
		refused(t, err, Forbidden)
		if w.state(t) != before || len(w.records.entries) != entries {
			t.Fatalf("%s: a refusal left a trace", what)
		}
	}
	for _, role := range append(registry.Roles(), "") {
		p := Caller{Name: string(role) + "-person", Roles: []registry.Role{role}, Strength: identity.Passkey, HasKey: true, AuthTime: w.now}
		if !slices.ContainsFunc(allowed, func(a Caller) bool { return a.Name == p.Name }) {
			try("as "+string(role), p)
		}
	}
	for _, p := range allowed {
		if !rules[name].fresh {
			break
		}
		old := p
		old.AuthTime = w.now.Add(-stepUpAge - time.Second)
		try("signed in long ago", old)
		weak := p
		weak.HasKey = true
		try("with a code, and a passkey at hand", weak)
	}
}

func checkEntries(t *testing.T, c changing, by string, got []auditlog.Act) {
	t.Helper()
	if want := max(1, c.entries); len(got) != want {
		t.Fatalf("%d entries instead of %d: %+v", len(got), want, got)
	}
	e := got[0]
	if e.By != by || e.Kind == "" || e.Action == "" || !c.plain && e.Reason != "because" {
		t.Errorf("the entry does not say who, what and why: %+v", e)
	}
	if c.still == "" && e.Before == e.After {
		t.Errorf("the entry does not say what changed: before %q, after %q", e.Before, e.After)
	}
	for _, more := range got[1:] {
		if more.By != by {
			t.Errorf("the second entry does not say who: %+v", more)
		}
	}
}

// TestReadsChangeNothing asks for everything that changes nothing, as an admin.
func TestReadsChangeNothing(t *testing.T) {
	w := newWorld(t)
	ready(t, w.admin.As("uid:0"))
	before := w.state(t)
	for _, name := range readMethods {
		_, err := w.admin.Call(ctx, Caller{Name: "uid:0", Socket: true}, name, []byte(`{}`))
		if w.state(t) != before {
			t.Errorf("%s changed something (%v)", name, err)
		}
		for _, e := range w.records.entries {
			if e.Before != e.After && e.Action == name {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
}
