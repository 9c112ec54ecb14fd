package admin

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/vault"
)

// hide gives tokens for values.
func (w *world) hide(t *testing.T, scope string, values ...vault.Value) []string {
	t.Helper()
	out, err := w.vault.Hide(t.Context(), scope, false, values)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// clear returns what a token stands for.
func (w *world) clear(t *testing.T, scope, token string) string {
	t.Helper()
	out, err := w.vault.Restore(t.Context(), scope, []string{token})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Value
}

func mail(value string) vault.Value { return vault.Value{Type: "EMAIL", Value: value} }

// recordedText is everything that was recorded.
func (w *world) recordedText(t *testing.T) string {
	t.Helper()
	text, err := json.Marshal(w.records.entries)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReveal: a value is revealed for a reason and a purpose, and the entry names
// token and purpose, never the value, not even in the reason.
func TestReveal(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		token := w.hide(t, "s", mail("canary@example.com"))[0]
		ask := RevealToken{Change: Change{Reason: "call canary@example.com back"}, Token: token, Purpose: "support"}
		dry := ask
		dry.DryRun = true
		if d, err := api.VaultReveal(t.Context(), dry); err != nil || d.Applied || d.Item.Value != "" || len(w.records.entries) != 0 {
			t.Errorf("a dry run: %+v, %v", d, err)
		}
		d, err := api.VaultReveal(t.Context(), ask)
		if err != nil || !d.Applied || d.Item.Value != "canary@example.com" {
			t.Fatalf("%+v, %v", d, err)
		}
		text := w.recordedText(t)
		if !slices.Equal(w.records.kinds(), []auditlog.Kind{auditlog.PseudonymRevealed}) || strings.Contains(text, "canary") ||
			!strings.Contains(text, "support") || !strings.Contains(text, token[1:len(token)-1]) {
			t.Errorf("recorded %s", text)
		}
	})
}

func TestRevealRefusals(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		token := w.hide(t, "s", mail("canary@example.com"))[0]
		for name, c := range map[string]struct {
			ask  RevealToken
			want Code
		}{
			"no reason":   {RevealToken{Token: token, Purpose: "p"}, Invalid},
			"no purpose":  {RevealToken{Token: token, Change: why}, Invalid},
			"long reason": {RevealToken{Token: token, Purpose: "p", Change: Change{Reason: strings.Repeat("x", maxReason+1)}}, Invalid},
			"no token":    {RevealToken{Token: "canary", Purpose: "p", Change: why}, Invalid},
			"forged":      {RevealToken{Token: "<EMAIL_0123456789ABCDEF>", Purpose: "p", Change: why}, NotFound},
		} {
			if d, err := api.VaultReveal(t.Context(), c.ask); code(err) != c.want || d.Item.Value != "" {
				t.Errorf("%s: %+v, %v", name, d.Item, err)
			}
		}
		w.records.err = errors.New("full")
		if d, err := api.VaultReveal(t.Context(), RevealToken{Token: token, Purpose: "p", Change: why}); err == nil || d.Item.Value != "" {
			t.Errorf("without an entry: %+v, %v", d.Item, err)
		}
	})
}

// TestRevealIsLimited: nobody copies the map by revealing it.
func TestRevealIsLimited(t *testing.T) {
	w := newWorld(t)
	token := w.hide(t, "s", mail("x@example.com"))[0]
	ask := RevealToken{Token: token, Purpose: "p", Change: why}
	api := w.admin.As(Self())
	for i := range revealsAnHour {
		if _, err := api.VaultReveal(t.Context(), ask); err != nil {
			t.Fatal(i, err)
		}
	}
	if d, err := api.VaultReveal(t.Context(), ask); code(err) != Forbidden || d.Item.Value != "" {
		t.Errorf("one too many: %+v, %v", d.Item, err)
	}
	w.now = w.now.Add(time.Hour)
	if _, err := api.VaultReveal(t.Context(), ask); err != nil {
		t.Errorf("the next hour: %v", err)
	}
}

// TestRevealNeedsAPerson: beside people who may reveal, the operator at the
// socket does not, and the person's role and fresh sign-in are asked for.
func TestRevealNeedsAPerson(t *testing.T) {
	w := newWorld(t)
	token := w.hide(t, "s", mail("x@example.com"))[0]
	w.person(t, "pat", func(p *registry.Person) { p.Roles = []registry.Role{registry.RoleAdmin} })
	ask := RevealToken{Token: token, Purpose: "p", Change: why}
	if d, err := w.admin.As(Self()).VaultReveal(t.Context(), ask); code(err) != Forbidden || d.Item.Value != "" {
		t.Errorf("at the socket: %+v, %v", d.Item, err)
	}
	body, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller Caller
		want   Code
	}{
		"another role": {Caller{Name: "pat", Roles: []registry.Role{registry.RoleAuditor, registry.RoleOperator}, Strength: identity.Passkey, AuthTime: w.now}, Forbidden},
		"an old login": {Caller{Name: "pat", Roles: []registry.Role{registry.RoleAdmin}, Strength: identity.Passkey, AuthTime: w.now.Add(-time.Hour)}, Forbidden},
		"one factor":   {Caller{Name: "pat", Roles: []registry.Role{registry.RoleAdmin}, Strength: identity.Bearer, AuthTime: w.now}, Forbidden},
		"as it must":   {Caller{Name: "pat", Roles: []registry.Role{registry.RoleAdmin}, Strength: identity.Passkey, AuthTime: w.now}, ""},
	} {
		if _, err := w.admin.Call(t.Context(), c.caller, "vault.reveal", body); (err == nil) != (c.want == "") || err != nil && code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestVaultLookup: type, scope and times are shown and recorded, the value is not.
func TestVaultLookup(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		token := w.hide(t, "scope", mail("canary@example.com"))[0]
		v, err := api.VaultLookup(t.Context(), VaultToken{token})
		if err != nil || v.Type != "EMAIL" || v.Scope != "scope" || v.Form != "random" || !v.Made.Equal(w.now) || v.Expired {
			t.Errorf("%+v, %v", v, err)
		}
		text, err := json.Marshal(v)
		if err != nil || strings.Contains(string(text)+w.recordedText(t), "canary") || len(w.records.entries) != 1 {
			t.Errorf("%s, %v", text, err)
		}
		s, err := api.VaultStats(t.Context(), None{})
		if err != nil || s.Tokens != 1 || s.Made != 1 || s.Types["EMAIL"] != 1 {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// TestEraseData: every token of a value is gone in every scope, others stay, and
// the entry holds neither value nor token.
func TestEraseData(t *testing.T) {
	for name, by := range map[string]func(token string) DataSubject{
		"value": func(string) DataSubject { return DataSubject{Value: "canary@EXAMPLE.com"} },
		"token": func(token string) DataSubject { return DataSubject{Token: token} },
	} {
		t.Run(name, func(t *testing.T) {
			faces(t, func(t *testing.T, w *world, api API) {
				a, b := w.hide(t, "a", mail("canary@example.com"), mail("other@example.com")), w.hide(t, "b", mail("canary@example.com"))
				ask := EraseData{Change: Change{Reason: "canary@EXAMPLE.com asked"}, DataSubject: by(a[0])}
				dry := ask
				dry.DryRun = true
				if d, err := api.EraseData(t.Context(), dry); err != nil || d.Applied || d.Item.Tokens != 2 || w.clear(t, "a", a[0]) == "" {
					t.Errorf("a dry run: %+v, %v", d, err)
				}
				d, err := api.EraseData(t.Context(), ask)
				if err != nil || !d.Applied || d.Item.Tokens != 2 || d.Item.Scopes != 2 {
					t.Fatalf("%+v, %v", d, err)
				}
				if w.clear(t, "a", a[0])+w.clear(t, "b", b[0]) != "" || w.clear(t, "a", a[1]) == "" {
					t.Error("the wrong tokens are gone")
				}
				if text := w.recordedText(t); strings.Contains(strings.ToLower(text), "canary") || strings.Contains(text, a[0][1:len(a[0])-1]) || !slices.Equal(w.records.kinds(), []auditlog.Kind{auditlog.ErasureExecuted}) {
					t.Errorf("recorded %s", text)
				}
				if _, err := api.EraseData(t.Context(), ask); code(err) != NotFound {
					t.Errorf("a second time: %v", err)
				}
			})
		})
	}
}

// TestEraseDataSubject: with a subject, its key is destroyed and takes everything
// about it, by whatever it was named.
func TestEraseDataSubject(t *testing.T) {
	for name, by := range map[string]func(token, pseudonym string) DataSubject{
		"value":     func(string, string) DataSubject { return DataSubject{Value: "x@example.com"} },
		"token":     func(token, _ string) DataSubject { return DataSubject{Token: token} },
		"name":      func(string, string) DataSubject { return DataSubject{Subject: "canary 7"} },
		"pseudonym": func(_, p string) DataSubject { return DataSubject{Subject: p} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			api := w.admin.As(Self())
			tokens := w.hide(t, "s", vault.Value{Type: "EMAIL", Value: "x@example.com", Subject: "canary 7"},
				vault.Value{Type: "PHONE", Value: "+4930123", Subject: "canary 7"}, vault.Value{Type: "EMAIL", Value: "y@example.com", Subject: "8"})
			subject, _ := w.ring.FindSubject(keys.DataSubject + "canary 7")
			d, err := api.EraseData(t.Context(), EraseData{Change: why, DataSubject: by(tokens[0], subject.Pseudonym)})
			if err != nil || d.Item.Tokens != 2 || d.Item.Key != subject.KeyID() {
				t.Fatalf("%+v, %v", d, err)
			}
			if w.clear(t, "s", tokens[0])+w.clear(t, "s", tokens[1]) != "" || w.clear(t, "s", tokens[2]) == "" {
				t.Error("the wrong tokens are gone")
			}
			if _, ok := w.ring.SubjectOf(subject.Pseudonym); ok {
				t.Error("the key is still there")
			}
			if got := w.records.kinds(); !slices.Equal(got, []auditlog.Kind{auditlog.ErasureExecuted, auditlog.KeyDestroyed}) || strings.Contains(w.recordedText(t), "canary") {
				t.Errorf("recorded %s", w.recordedText(t))
			}
		})
	}
}

func TestEraseDataRefusals(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		admitted(t, w, api, "robot")
		token := w.hide(t, "s", vault.Value{Type: "PHONE", Value: "+49301", Subject: "p1"})[0]
		w.hide(t, "t", vault.Value{Type: "PHONE", Value: "+49301", Subject: "p2"})
		for name, c := range map[string]struct {
			ask  EraseData
			want Code
		}{
			"no reason":      {EraseData{DataSubject: DataSubject{Token: token}}, Invalid},
			"nobody":         {EraseData{Change: why}, Invalid},
			"two ways":       {EraseData{Change: why, DataSubject: DataSubject{Token: token, Value: "x"}}, Invalid},
			"unknown":        {EraseData{Change: why, DataSubject: DataSubject{Value: "x@example.com"}}, NotFound},
			"an agent":       {EraseData{Change: why, DataSubject: DataSubject{Subject: "robot"}}, NotFound},
			"several people": {EraseData{Change: why, DataSubject: DataSubject{Value: "+49 301"}}, Conflict},
		} {
			if _, err := api.EraseData(t.Context(), c.ask); code(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.records.err = errors.New("full")
		if _, err := api.EraseData(t.Context(), EraseData{Change: why, DataSubject: DataSubject{Token: token}}); err == nil {
			t.Error("erased without an entry")
		}
		w.records.err = nil
		if w.clear(t, "s", token) == "" || len(w.ring.Condemned()) != 0 {
			t.Error("an erasure that could not be recorded was made")
		}
	})
}

// TestExportData: what is held about somebody is listed by pseudonym, with what
// the scopes tell, and without values.
func TestExportData(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As(Self())
	scope := "tenant:7:default;server:3:crm;purpose:7:support;"
	w.hide(t, scope, mail("canary@example.com"))
	w.hide(t, "session:3:a;b;agent:5:robot;", mail("canary@example.com"))
	w.hide(t, scope, mail("other@example.com"))
	e, err := api.ExportData(t.Context(), DataSubject{Value: "canary@example.com"})
	if err != nil || len(e.Tokens) != 2 || len(e.Places) != 2 {
		t.Fatalf("%+v, %v", e, err)
	}
	if p := e.Places[0]; p.Session != "a;b" || p.Agent != "robot" {
		t.Errorf("%+v", p)
	}
	if p := e.Places[1]; p.Server != "crm" || p.Purpose != "support" || !slices.Equal(p.Types, []string{"EMAIL"}) || !p.First.Equal(w.now) {
		t.Errorf("%+v", p)
	}
	text, err := json.Marshal(e)
	if err != nil || strings.Contains(string(text)+w.recordedText(t), "canary") || len(w.records.entries) != 1 {
		t.Errorf("%s, %v", text, err)
	}
}

// TestRevealByTwo: with privacy.reveal two, a value needs another person's
// agreement, which is good once, for that token, purpose and person.
func TestRevealByTwo(t *testing.T) {
	w := newWorld(t)
	w.admin.cfg.RevealTwo = func() bool { return true }
	tokens := w.hide(t, "s", mail("canary@example.com"), mail("other@example.com"))
	for name, role := range map[string]registry.Role{"ann": registry.RoleAdmin, "bob": registry.RoleAdmin, "pat": registry.RoleApprover} {
		w.person(t, name, func(p *registry.Person) { p.Roles = []registry.Role{role} })
	}
	ann, bob, pat := w.as("ann", identity.TwoStep), w.as("bob", identity.TwoStep), w.as("pat", identity.TwoStep)
	ask := RevealToken{Token: tokens[0], Purpose: "support", Change: Change{Reason: "about canary@example.com"}}
	waits := func(api API, r RevealToken) string {
		t.Helper()
		d, err := api.VaultReveal(t.Context(), r)
		if err != nil || d.Applied || d.Item.Value != "" || d.Item.Request == "" {
			t.Fatalf("%+v, %v", d, err)
		}
		return d.Item.Request
	}
	id := waits(ann, ask)
	if again := waits(ann, ask); again != id {
		t.Error("asked twice, filed twice")
	}
	yes := DecideReveal{ID: id, Approve: true, Change: why}
	for name, api := range map[string]API{"oneself": ann, "the socket": w.admin.As(Self())} {
		if _, err := api.DecideReveal(t.Context(), yes); code(err) != Forbidden {
			t.Errorf("%s agrees: %v", name, err)
		}
	}
	waits(ann, ask)
	if d, err := pat.DecideReveal(t.Context(), yes); err != nil || d.Item.State != "approved" || d.Item.By != "ann" || d.Item.Approver != "pat" {
		t.Fatalf("%+v, %v", d, err)
	}
	if all, err := pat.RevealRequests(t.Context(), None{}); err != nil || len(all) != 1 || all[0].State != "approved" {
		t.Errorf("%+v, %v", all, err)
	}
	waits(bob, ask)                                                              // another person
	waits(ann, RevealToken{Token: tokens[0], Purpose: "marketing", Change: why}) // another purpose
	waits(ann, RevealToken{Token: tokens[1], Purpose: "support", Change: why})   // another token
	w.records.entries = nil
	if d, err := ann.VaultReveal(t.Context(), ask); err != nil || d.Item.Value != "canary@example.com" {
		t.Fatalf("%+v, %v", d, err)
	}
	if text := w.recordedText(t); !strings.Contains(text, w.pseudonym(t, "pat")) || strings.Contains(text, "canary") {
		t.Errorf("recorded %s", text)
	}
	id = waits(ann, ask) // it is good once
	if _, err := pat.DecideReveal(t.Context(), DecideReveal{ID: id, Change: why}); err != nil {
		t.Error(err)
	}
	id = waits(ann, ask)
	if _, err := pat.DecideReveal(t.Context(), DecideReveal{ID: id, Approve: true, Change: why}); err != nil {
		t.Error(err)
	}
	w.now = w.now.Add(revealWithin)
	if _, err := pat.DecideReveal(t.Context(), DecideReveal{ID: id, Approve: true, Change: why}); code(err) != NotFound {
		t.Errorf("an expired request is decided: %v", err)
	}
	waits(ann, ask)
}
