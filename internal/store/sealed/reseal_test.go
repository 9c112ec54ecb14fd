package sealed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

func bodies(t *testing.T, db store.Raw) map[string]store.Row {
	t.Helper()
	all := map[string]store.Row{}
	must(t, db.EachRow(func(r store.Row) error {
		all[r.Kind+" "+r.ID] = r
		return nil
	}))
	return all
}

// TestReseal: every body is another one, every revision and noun the same.
func TestReseal(t *testing.T) {
	db, ring := raw(t), newRing(t)
	s := opened(t, db, ring)
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprint("app-", i))
	}
	fill(t, s, names...)
	id := keys.Identity{Tenant: keys.DefaultTenant, Kind: "server-secret", Record: "files", Column: "KEY", Version: "1"}
	secret, err := ring.Seal(keys.UpstreamCredentials, id, []byte("value"))
	must(t, err)
	must(t, s.InsertServer(registry.Server{ID: "files", State: registry.Active, Transport: registry.Stdio,
		Secrets: []registry.Secret{{Name: "KEY", Sealed: secret}}}))
	before := bodies(t, db)
	last := 0
	must(t, s.Reseal(t.Context(), keys.Rows, func(done, total int) {
		if done <= last || total != len(before) {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}))
	if last != len(before) {
		t.Errorf("progress ends at %d of %d", last, len(before))
	}
	for name, r := range bodies(t, db) {
		if old := before[name]; string(old.Body) == string(r.Body) || old.Revision != r.Revision {
			t.Errorf("%s was not sealed anew in its place", name)
		}
	}
	must(t, s.Reseal(t.Context(), keys.UpstreamCredentials, nil))
	got, err := s.Server("files")
	must(t, err)
	if string(got.Secrets[0].Sealed) == string(secret) {
		t.Error("the secret was not sealed anew")
	}
	if plain, err := ring.Open(keys.UpstreamCredentials, id, got.Secrets[0].Sealed); err != nil || string(plain) != "value" {
		t.Errorf("the secret is %q (%v)", plain, err)
	}
	agents, err := s.Agents()
	if err != nil || len(agents) != 40 {
		t.Errorf("%d agents (%v)", len(agents), err)
	}
	must(t, s.Sweep())
}

// TestResealCredentials: what admin sealed for servers opens after the key that
// sealed it is gone, and everything beside it stays.
func TestResealCredentials(t *testing.T) {
	ring := newRing(t)
	s := opened(t, raw(t), ring)
	fill(t, s, "app")
	whom, err := s.Pseudonym("app")
	must(t, err)
	type sealedNoun struct {
		kind registry.NounKind
		id   string
		in   keys.Identity
		old  []byte
	}
	var all []sealedNoun
	for _, id := range []string{registry.CredentialID("files", ""), registry.CredentialID("files", whom)} {
		all = append(all, sealedNoun{kind: registry.KindCredential, id: id, in: admin.CredentialIdentity(id)},
			sealedNoun{kind: registry.KindUpstream, id: id, in: admin.UpstreamIdentity(id)})
	}
	for i := range all {
		one := &all[i]
		one.old, err = ring.Seal(keys.UpstreamCredentials, one.in, []byte("value of "+one.id))
		must(t, err)
		owner := ""
		if one.id != "files" {
			owner = "app"
		}
		var body any = registry.UpstreamToken{Sealed: one.old}
		if one.kind == registry.KindCredential {
			body = registry.Credential{Server: "files", Grant: "client-credentials", Round: 7, Sealed: one.old}
		}
		n, err := registry.NewNoun(one.kind, one.id, owner, body)
		must(t, err)
		must(t, s.InsertNoun(n))
	}
	must(t, s.Reseal(t.Context(), keys.UpstreamCredentials, nil))
	for _, one := range all {
		n, err := s.Noun(one.kind, one.id)
		must(t, err)
		var body registry.Credential // its members are those of both
		must(t, json.Unmarshal(n.Body, &body))
		if string(body.Sealed) == string(one.old) {
			t.Errorf("%s %s was not sealed anew", one.kind, one.id)
		}
		plain, err := ring.Open(keys.UpstreamCredentials, one.in, body.Sealed)
		if err != nil || string(plain) != "value of "+one.id {
			t.Errorf("%s %s holds %q (%v)", one.kind, one.id, plain, err)
		}
		if one.kind == registry.KindCredential && (body.Round != 7 || body.Server != "files") || n.Revision != 0 {
			t.Errorf("%s %s changed: %+v, revision %d", one.kind, one.id, body, n.Revision)
		}
	}
	must(t, s.Sweep())
}

func TestResealRefuses(t *testing.T) {
	s := opened(t, raw(t), newRing(t))
	fill(t, s, "app")
	if err := s.Reseal(t.Context(), keys.Audit, nil); err == nil {
		t.Error("another purpose is accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Reseal(ctx, keys.Rows, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	n, err := registry.NewNoun(registry.KindUpstream, "y", "", registry.UpstreamToken{Sealed: []byte("damaged")})
	must(t, err)
	must(t, s.InsertNoun(n))
	if err := s.Reseal(t.Context(), keys.UpstreamCredentials, nil); err == nil {
		t.Error("damaged tokens are sealed anew")
	}
	must(t, s.DeleteNoun(registry.KindUpstream, "y"))
	must(t, s.InsertServer(registry.Server{ID: "x", State: registry.Active, Transport: registry.Stdio,
		Secrets: []registry.Secret{{Name: "KEY", Sealed: []byte("damaged")}}}))
	if err := s.Reseal(t.Context(), keys.UpstreamCredentials, nil); err == nil {
		t.Error("a damaged secret is sealed anew")
	}
}
