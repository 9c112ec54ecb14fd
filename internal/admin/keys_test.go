package admin

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store/sealed"
)

var why = Change{Reason: "a test"}

// admitted registers an agent with credentials and a grant.
func admitted(t *testing.T, w *world, api API, id string) Registration {
	t.Helper()
	if _, err := api.Server(t.Context(), ID{"wiki"}); code(err) == NotFound {
		if _, err := api.SubmitServer(t.Context(), SubmitServer{ID: "wiki", URL: "https://wiki.example.com/mcp"}); err != nil {
			t.Fatal(err)
		}
	}
	d, err := api.RegisterAgent(t.Context(), RegisterAgent{ID: id, Credentials: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Grant(t.Context(), Grant{Agent: id, Server: "wiki", Access: registry.Read}); err != nil {
		t.Fatal(err)
	}
	return d.Item
}

func (r *recorder) kinds() []auditlog.Kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []auditlog.Kind
	for _, a := range r.entries {
		all = append(all, a.Kind)
	}
	return all
}

// TestEraseSubject: one act ends access, rows, key and name, and says so in the
// log without a name.
func TestEraseSubject(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		gone := admitted(t, w, api, "robot")
		admitted(t, w, api, "other")
		before, ok := w.ring.FindSubject("robot")
		if !ok {
			t.Fatal("a registered agent is no subject")
		}
		if d, err := api.EraseSubject(t.Context(), EraseSubject{Change: Change{Reason: "x", DryRun: true}, ID: "robot"}); err != nil ||
			d.Applied || d.Item.Agents != 1 || d.Item.Tokens != 1 || d.Item.Certificates != 1 || d.Item.Grants != 1 {
			t.Errorf("a dry run: %+v (%v)", d, err)
		}
		if _, ok := w.ring.FindSubject("robot"); !ok || w.live.Load().Agent("robot") == nil {
			t.Fatal("a dry run erased")
		}
		w.records.entries = nil
		d, err := api.EraseSubject(t.Context(), EraseSubject{Change: Change{Reason: "robot asked, Robot's own wish; robotics"}, ID: "robot"})
		if err != nil {
			t.Fatal(err)
		}
		if !d.Applied || d.Item.Pseudonym != before.Pseudonym || d.Item.Key != before.KeyID() || d.Item.Agents != 1 || d.Item.Grants != 1 {
			t.Errorf("erased %+v", d.Item)
		}
		if w.live.Load().Agent("robot") != nil || w.live.Load().Agent("other") == nil {
			t.Error("the live view is wrong")
		}
		if _, _, live := w.live.Load().TokenHolder(gone.Token.ID, w.now); live {
			t.Error("its token is still valid")
		}
		if _, err := api.Agent(t.Context(), ID{"robot"}); code(err) != NotFound {
			t.Errorf("the agent is still there: %v", err)
		}
		if got := w.records.kinds(); !slices.Equal(got, []auditlog.Kind{auditlog.ErasureExecuted, auditlog.KeyDestroyed}) {
			t.Errorf("recorded %v", got)
		}
		text, err := json.Marshal(w.records.entries)
		if err != nil {
			t.Fatal(err)
		}
		if words := strings.ReplaceAll(strings.ToLower(string(text)), "robotics", ""); strings.Contains(words, "robot") || !strings.Contains(words, before.Pseudonym) {
			t.Errorf("recorded %s", text)
		}
		for id, want := range map[string]Code{"robot": NotFound, before.Pseudonym: NotFound, "nobody": NotFound, "": NotFound} {
			if _, err := api.EraseSubject(t.Context(), EraseSubject{Change: why, ID: id}); code(err) != want {
				t.Errorf("%q: %v", id, err)
			}
		}
		admitted(t, w, api, "robot")
		if again, ok := w.ring.FindSubject("robot"); !ok || again.Pseudonym == before.Pseudonym {
			t.Error("the name is the old subject again")
		}
	})
}

func TestEraseRefusals(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		admitted(t, w, api, "robot")
		if _, err := api.EraseSubject(t.Context(), EraseSubject{ID: "robot"}); code(err) != Invalid {
			t.Errorf("without a reason: %v", err)
		}
		if _, err := api.EraseSubject(t.Context(), EraseSubject{Change: why, ID: Self()}); code(err) != Invalid && code(err) != NotFound {
			t.Errorf("oneself: %v", err)
		}
		w.records.err = errors.New("full")
		if _, err := api.EraseSubject(t.Context(), EraseSubject{Change: why, ID: "robot"}); err == nil {
			t.Error("erased without an entry")
		}
		w.records.err = nil
		if _, ok := w.ring.FindSubject("robot"); !ok || w.live.Load().Agent("robot") == nil || len(w.ring.Condemned()) != 0 {
			t.Error("an erasure that could not be recorded was made")
		}
		if _, err := api.EraseSubject(t.Context(), EraseSubject{Change: why, ID: "robot"}); err != nil {
			t.Errorf("the next attempt: %v", err)
		}
	})
}

// TestErasureByPseudonym: the log shows pseudonyms; one is enough to erase.
func TestErasureByPseudonym(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:1")
	admitted(t, w, api, "robot")
	s, _ := w.ring.FindSubject("robot")
	if _, err := api.EraseSubject(t.Context(), EraseSubject{Change: why, ID: s.Pseudonym}); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.ring.FindSubject("robot"); ok {
		t.Error("still there")
	}
}

// TestErasureKilledAnywhere: the process dies after the order, after the entry
// or after the bytes; the next start finishes and records it.
func TestErasureKilledAnywhere(t *testing.T) {
	for _, after := range []string{"order", "rows", "bytes"} {
		w := newWorld(t)
		api := w.admin.As("uid:1")
		admitted(t, w, api, "robot")
		s, _ := w.ring.FindSubject("robot")
		if _, err := w.ring.Condemn(s.KeyID()); err != nil {
			t.Fatal(err)
		}
		if after != "order" {
			if _, err := w.store.EraseSubject(s.Pseudonym); err != nil {
				t.Fatal(err)
			}
		}
		ring, err := keys.Open(w.dir)
		if err != nil {
			t.Fatal(err)
		}
		if after == "bytes" {
			if err := ring.Bury(s.KeyID()); err != nil {
				t.Fatal(err)
			}
		}
		db, err := sealed.Open(w.store.Raw(), ring)
		if err != nil {
			t.Fatal(err)
		}
		w.records.entries = nil
		config := w.admin.cfg
		config.Ring, config.Store = ring, db
		if _, err := New(config); err != nil {
			t.Fatalf("killed after %s: %v", after, err)
		}
		if _, ok := ring.FindSubject("robot"); ok || w.live.Load().Agent("robot") != nil || len(ring.Condemned()) != 0 {
			t.Errorf("killed after %s, it is not finished", after)
		}
		if tomb, ok := ring.Erased(s.Pseudonym); !ok || tomb.State != keys.Destroyed {
			t.Errorf("killed after %s: %+v", after, tomb)
		}
		if got := w.records.kinds(); after != "bytes" && !slices.Equal(got, []auditlog.Kind{auditlog.ErasureExecuted, auditlog.KeyDestroyed}) {
			t.Errorf("killed after %s, recorded %v", after, got)
		}
	}
}

func TestRotateAndDestroyKey(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		admitted(t, w, api, "robot")
		list := func(q KeyQuery) []KeyView {
			t.Helper()
			all, err := api.Keys(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		old := list(KeyQuery{Purpose: "audit"})
		if len(old) != 1 || old[0].State != keys.Current || old[0].Version != 1 || len(old[0].ID) != 32 {
			t.Fatalf("listed %+v", old)
		}
		for what, r := range map[string]RotateKey{
			"no reason": {Name: "audit"}, "unknown": {Change: why, Name: "nothing"}, "row index": {Change: why, Name: "row-index"},
		} {
			if _, err := api.RotateKey(t.Context(), r); code(err) != Invalid && code(err) != NotFound {
				t.Errorf("%s: %v", what, err)
			}
		}
		if d, err := api.RotateKey(t.Context(), RotateKey{Change: Change{Reason: "x", DryRun: true}, Name: "audit"}); err != nil || d.Applied {
			t.Errorf("a dry run: %v", err)
		}
		if n := len(list(KeyQuery{Purpose: "audit"})); n != 1 {
			t.Fatalf("a dry run rotated: %d keys", n)
		}
		w.records.entries = nil
		d, err := api.RotateKey(t.Context(), RotateKey{Change: why, Name: "audit"})
		if err != nil || d.Item.Version != 2 || d.Item.State != keys.Current {
			t.Fatalf("rotated to %+v (%v)", d.Item, err)
		}
		for what, r := range map[string]DestroyKey{
			"no reason": {ID: old[0].ID}, "unknown": {Change: why, ID: "00"}, "current": {Change: why, ID: d.Item.ID},
		} {
			if _, err := api.DestroyKey(t.Context(), r); err == nil {
				t.Errorf("%s is destroyed", what)
			}
		}
		if _, err := api.DestroyKey(t.Context(), DestroyKey{Change: why, ID: old[0].ID}); err != nil {
			t.Fatal(err)
		}
		if got := w.records.kinds(); !slices.Equal(got, []auditlog.Kind{auditlog.KeyRotated, auditlog.KeyDestroyed}) {
			t.Errorf("recorded %v", got)
		}
		if n := len(list(KeyQuery{Purpose: "audit"})); n != 1 {
			t.Errorf("%d keys are left", n)
		}
		if k, err := api.Key(t.Context(), ID{old[0].ID}); err != nil || k.State != keys.Destroyed || k.Destroyed == nil {
			t.Errorf("shown as %+v (%v)", k, err)
		}
		if all := list(KeyQuery{Purpose: "audit", Destroyed: true}); len(all) != 2 {
			t.Errorf("%d with the destroyed", len(all))
		}
	})
}

// TestDestroyWhatIsInUse: a key that the stored rows need wants its name twice.
func TestDestroyWhatIsInUse(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:1")
	admitted(t, w, api, "robot")
	old, err := api.Keys(t.Context(), KeyQuery{Purpose: "rows"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.RotateKey(t.Context(), RotateKey{Change: why, Name: "rows"}); err != nil {
		t.Fatal(err)
	}
	for _, confirm := range []string{"", "yes", "audit"} {
		if _, err := api.DestroyKey(t.Context(), DestroyKey{Change: why, ID: old[0].ID, Confirm: confirm}); code(err) != Conflict {
			t.Errorf("confirmed with %q: %v", confirm, err)
		}
	}
	v, err := api.ResealKey(t.Context(), ResealKey{Name: "rows"})
	for err == nil && !v.Finished {
		v, err = api.ResealKey(t.Context(), ResealKey{Job: v.Job})
	}
	if err != nil || v.Total == 0 || v.Done != v.Total {
		t.Fatalf("sealed anew: %+v (%v)", v, err)
	}
	if _, err := api.DestroyKey(t.Context(), DestroyKey{Change: why, ID: old[0].ID, Confirm: "rows"}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Agent(t.Context(), ID{"robot"}); err != nil {
		t.Errorf("after the rows were sealed anew: %v", err)
	}
	if _, err := api.ResealKey(t.Context(), ResealKey{Name: "audit"}); code(err) != Invalid {
		t.Errorf("the log is sealed anew: %v", err)
	}
	if _, err := api.ResealKey(t.Context(), ResealKey{Job: "x"}); code(err) != NotFound {
		t.Errorf("unknown work: %v", err)
	}
}

// TestCompromisedKey is recorded by its own kind; a signing key's entry holds
// the hand-over, which proves itself (G11).
func TestCompromisedKey(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:1")
	if _, err := api.RotateKey(t.Context(), RotateKey{Change: why, Name: "log-signing", Compromised: true}); err != nil {
		t.Fatal(err)
	}
	last := w.records.entries[len(w.records.entries)-1]
	detail, ok := last.Change.(rotated)
	if last.Kind != auditlog.KeyCompromised || !ok || detail.Handed == nil || detail.Handed.Verify() != nil || !detail.Handed.Compromised {
		t.Errorf("recorded %+v", last)
	}
}

// TestNoKeyBytesInAnswers looks for every wrapped key of the keystore in what
// operators see.
func TestNoKeyBytesInAnswers(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:1")
	all, err := api.Keys(t.Context(), KeyQuery{Destroyed: true})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(filepath.Join(keys.Folder(w.dir), "keystore"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Keys []struct {
			Sealed []byte `json:"sealed"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(stored, &doc); err != nil || len(doc.Keys) == 0 {
		t.Fatal(err)
	}
	for _, k := range doc.Keys {
		one, err := json.Marshal(k.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), strings.Trim(string(one), `"`)) {
			t.Error("a wrapped key is shown")
		}
	}
}

// TestErasureNamesTheLastBackup: as long as a backup of keys opens, an erasure
// says until when.
func TestErasureNamesTheLastBackup(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:1")
	admitted(t, w, api, "robot")
	until := w.now.Add(7 * 24 * time.Hour).UTC()
	if err := RememberBackup(w.store, Backup{ID: "one", Time: w.now, Expires: until}, w.now); err != nil {
		t.Fatal(err)
	}
	d, err := api.EraseSubject(t.Context(), EraseSubject{Change: why, ID: "robot"})
	if err != nil || d.Item.Complete == nil || !d.Item.Complete.Equal(until) || len(d.Notices) == 0 {
		t.Errorf("erased %+v, notices %q (%v)", d.Item, d.Notices, err)
	}
}

func TestWithout(t *testing.T) {
	for _, c := range [][3]string{
		{"robot left", "robot", "s-1 left"}, {"Robot, ROBOT!", "robot", "s-1, s-1!"}, {"robotics of robots", "robot", "robotics of robots"},
		{"", "robot", ""}, {"x", "robot", "x"}, {"robot", "robot", "s-1"}, {"my robot-2", "robot-2", "my s-1"},
	} {
		if got := without(c[0], c[1], "s-1"); got != c[2] {
			t.Errorf("%q without %q is %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

// TestKeyByName: the current key of a name is shown, also of root and tenant,
// and no other name finds one.
func TestKeyByName(t *testing.T) {
	faces(t, func(t *testing.T, _ *world, api API) {
		for _, name := range []string{keys.RootKey, keys.TenantKey, "audit"} {
			if k, err := api.Key(t.Context(), ID{name}); err != nil || k.Purpose != name || k.State != keys.Current || k.Info.ID == "" {
				t.Errorf("%s is shown as %+v (%v)", name, k, err)
			}
		}
		for _, name := range []string{"", "subject", "Root", "nothing"} {
			if _, err := api.Key(t.Context(), ID{name}); code(err) != NotFound && code(err) != Invalid {
				t.Errorf("%q: %v", name, err)
			}
		}
	})
}

// TestResealReachesTheLiveView: what calls open is what was sealed anew, so that
// the old key can be destroyed while the gateway serves.
func TestResealReachesTheLiveView(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As("uid:1")
	submit := SubmitServer{Change: why, ID: "keyed", URL: "https://keyed.example/mcp", Secrets: []Clear{{Name: "X-Key", Value: []byte("s3cret")}}}
	if _, err := api.SubmitServer(t.Context(), submit); err != nil {
		t.Fatal(err)
	}
	name := string(keys.UpstreamCredentials)
	old, err := api.Keys(t.Context(), KeyQuery{Purpose: name})
	if err != nil || len(old) != 1 {
		t.Fatal(old, err)
	}
	if _, err := api.RotateKey(t.Context(), RotateKey{Change: why, Name: name}); err != nil {
		t.Fatal(err)
	}
	v, err := api.ResealKey(t.Context(), ResealKey{Name: name})
	for err == nil && !v.Finished {
		v, err = api.ResealKey(t.Context(), ResealKey{Job: v.Job})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.DestroyKey(t.Context(), DestroyKey{Change: why, ID: old[0].ID, Confirm: name}); err != nil {
		t.Fatal(err)
	}
	s := w.live.Load().Server("keyed").Secrets[0]
	id := keys.Identity{Tenant: keys.DefaultTenant, Kind: "server-secret", Record: "keyed", Column: s.Name, Version: "1"}
	if plain, err := w.ring.Open(keys.UpstreamCredentials, id, s.Sealed); err != nil || string(plain) != "s3cret" {
		t.Errorf("a call opens %q, %v", plain, err)
	}
}
