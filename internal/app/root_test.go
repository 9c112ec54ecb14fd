package app

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/kms"
	"ostiary.dev/ostiary/test/transit"
)

// keyService is a stand-in for a transit engine and what init is told of it.
func keyService(t *testing.T) (*transit.Engine, *httptest.Server, InitOptions) {
	t.Helper()
	engine := transit.New()
	srv := httptest.NewTLSServer(engine)
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := func(name string) (string, bool) {
		if name == "VAULT_TOKEN" {
			return transit.RootToken, true
		}
		return "", false
	}
	return engine, srv, InitOptions{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Environ: environ, Root: "vault",
		RootSet: []string{"address=" + srv.URL, "key=ostiary", "token=env:VAULT_TOKEN", "ca=file:" + ca}}
}

// sealedValue is a value and the place that it is sealed for.
var sealedValue = keys.Identity{Tenant: keys.DefaultTenant, Kind: "test", Record: "r", Column: "c", Version: "1"}

func TestRemoteRootKey(t *testing.T) {
	engine, srv, o := keyService(t)
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, o); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "keys", "root*"))
	if err != nil || len(names) != 0 {
		t.Errorf("a root key lies in the data directory: %v, %v", names, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, ConfigName))
	if err != nil || strings.Contains(string(text), transit.RootToken) {
		t.Errorf("the configuration holds the token, or %v", err)
	}
	a, err := Open(t.Context(), dir, Options{Environ: o.Environ})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	sealed, err := a.ring.Seal(keys.Audit, sealedValue, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if state, detail := a.root.health(); state != stateOK || !strings.Contains(detail, "transit/ostiary") {
		t.Errorf("health says %s, %s", state, detail)
	}
	srv.Close() // an outage does not stop what serves
	if plain, err := a.ring.Open(keys.Audit, sealedValue, sealed); err != nil || string(plain) != "value" {
		t.Errorf("during the outage: %v", err)
	}
	if _, err := a.ring.Rotate(keys.RootKey, keys.RotateOptions{Context: t.Context()}); !errors.Is(err, kms.ErrUnreachable) {
		t.Errorf("a rotation during the outage: %v", err)
	}
	for _, name := range []string{keys.RootKey, keys.TenantKey} {
		_, err := a.API().RotateKey(t.Context(), admin.RotateKey{Name: name, Change: admin.Change{Reason: "yearly"}})
		if known := (*admin.Error)(nil); !errors.As(err, &known) || known.Code != admin.Unavailable || known.Fix == "" {
			t.Errorf("an operator's rotation of %s during the outage: %v", name, err)
		}
	}
	if _, err := a.API().RotateKey(t.Context(), admin.RotateKey{Name: string(keys.Audit), Change: admin.Change{Reason: "yearly"}}); err != nil {
		t.Errorf("a key below needs the key service: %v", err)
	}
	checks := a.health.Checks()
	at := slices.IndexFunc(checks, func(c admin.Check) bool { return c.Name == checkRoot })
	if at < 0 || checks[at].State != stateDegraded || !strings.Contains(checks[at].Detail, "a restart would be refused") {
		t.Errorf("health during the outage: %+v", checks)
	}
	if len(engine.Keys) != 1 {
		t.Errorf("there are %d root keys", len(engine.Keys))
	}
}

// TestRemoteRootKeyRefusals holds that a gateway whose root key is not to be
// had does not start, says why in one sentence with the next step, and changes
// nothing.
func TestRemoteRootKeyRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*transit.Engine, *httptest.Server)
		code  admin.Code
		fix   string
	}{
		{"unreachable", func(_ *transit.Engine, s *httptest.Server) { s.Close() }, admin.Unavailable, "runs and is unsealed"},
		{"the token ended", func(e *transit.Engine, _ *httptest.Server) { e.Tokens = nil }, admin.Invalid, "docs/keys.md"},
		{"the key is gone", func(e *transit.Engine, _ *httptest.Server) { delete(e.Keys, "ostiary") }, admin.Invalid, "make the key"},
		{"another key of that name", func(e *transit.Engine, _ *httptest.Server) { e.Keys["ostiary"] = transit.NewKey() }, admin.Invalid, "restore the keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			engine, srv, o := keyService(t)
			dir := filepath.Join(t.TempDir(), "D")
			if err := Init(dir, o); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			engine.Mu.Lock()
			c.spoil(engine, srv)
			engine.Mu.Unlock()
			_, err := Open(t.Context(), dir, Options{Environ: o.Environ})
			var known *admin.Error
			if !errors.As(err, &known) || known.Code != c.code || !strings.Contains(known.Fix, c.fix) || strings.Contains(err.Error(), transit.RootToken) {
				t.Errorf("got %v (%+v)", err, known)
			}
			if after := listing(t, dir); !slices.Equal(before, after) {
				t.Errorf("the refusal changed the directory from %v to %v", before, after)
			}
			if f := findingOf(t, dir, o.Environ); f.State != stateFail && c.name != "another key of that name" || f.State == stateFail && f.Fix == "" {
				t.Errorf("doctor says %+v", f)
			}
		})
	}
}

// findingOf is Doctor's line about the root key.
func findingOf(t *testing.T, dir string, environ func(string) (string, bool)) Finding {
	t.Helper()
	for _, f := range Doctor(t.Context(), dir, Options{Environ: environ}) {
		if f.Check == checkRoot+" in reach" {
			return f
		}
	}
	t.Fatal("doctor says nothing of the root key")
	return Finding{}
}

func TestDoctorAsksTheRootKey(t *testing.T) {
	_, _, o := keyService(t)
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, o); err != nil {
		t.Fatal(err)
	}
	if f := findingOf(t, dir, o.Environ); f.State != stateOK || !strings.Contains(f.Detail, "can be used: vault:") {
		t.Errorf("doctor says %+v", f)
	}
}

func TestKeysOpenBesideAGateway(t *testing.T) {
	_, srv, o := keyService(t)
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, o); err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), dir, Options{Environ: o.Environ})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	sealed, err := a.ring.Seal(keys.Audit, sealedValue, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	ring, done, err := Keys(t.Context(), dir, Options{Environ: o.Environ})
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := ring.Open(keys.Audit, sealedValue, sealed); err != nil || string(plain) != "value" {
		t.Errorf("got %q, %v", plain, err)
	}
	if _, err := ring.Rotate(string(keys.Audit), keys.RotateOptions{}); !errors.Is(err, keys.ErrReadOnly) {
		t.Errorf("a second process rotates a key: %v", err)
	}
	if err := done(); err != nil {
		t.Error(err)
	}
	srv.Close()
	if _, _, err := Keys(t.Context(), dir, Options{Environ: o.Environ}); kmsFix(err) == "" {
		t.Errorf("without the key service: %v", err)
	}
}

// kmsFix is the next step that err tells, or "".
func kmsFix(err error) string {
	if known := (*admin.Error)(nil); errors.As(err, &known) {
		return known.Fix
	}
	return ""
}

func TestInitLeavesNothingWithoutItsRootKey(t *testing.T) {
	engine, _, o := keyService(t)
	dir := filepath.Join(t.TempDir(), "D")
	o.RootSet[1] = "key=mistyped"
	err := Init(dir, o)
	if known := (*admin.Error)(nil); !errors.As(err, &known) || !strings.Contains(known.Fix, "make the key") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory is left: %v", err)
	}
	if len(engine.Keys) != 1 {
		t.Error("the mistyped key was made")
	}
}

func TestInitRefusesRootChoices(t *testing.T) {
	for name, o := range map[string]InitOptions{
		"settings alone":       {RootSet: []string{"key=a"}},
		"no such provider":     {Root: "shell"},
		"no value":             {Root: "vault", RootSet: []string{"key="}},
		"twice":                {Root: "vault", RootSet: []string{"key=a", "key=b"}},
		"another section":      {Root: "vault", RootSet: []string{"vault.key=a"}},
		"YAML in a key":        {Root: "vault", RootSet: []string{"a: b\nkey=a"}},
		"a secret in clear":    {Root: "vault", RootSet: []string{"address=https://v.example", "key=a", "token=hvs.CANARY"}},
		"an unknown key":       {Root: "vault", RootSet: []string{"address=https://v.example", "key=a", "token=env:T", "colour=red"}},
		"a build without it":   {Root: "aws-kms", RootSet: []string{"key_arn=arn:aws:kms:eu-central-1:123456789012:key/1", "access_key=env:A", "secret_key=env:B"}},
		"passphrase with none": {Root: "passphrase"},
		"file with a key":      {Root: "file", RootSet: []string{"passphrase=env:P"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "D")
			err := Init(dir, o)
			if !errors.Is(err, errChoice) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("got %v", err)
			}
			if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a directory is left: %v", err)
			}
		})
	}
}

func TestRootProblemsAreNamedTogether(t *testing.T) {
	_, err := Parse("c", []byte(`version: 1
mode: enforce
keys:
  root:
    provider: vault
    passphrase: CANARY-1
    vault: {address: "http://v.example", key: "a/b", token: CANARY-2, ca: ca.pem}
    pkcs11: {pin: CANARY-3}
`), nil)
	var found Problems
	if !errors.As(err, &found) {
		t.Fatalf("got %v", err)
	}
	var named []string
	for _, p := range found {
		named = append(named, p.Key)
	}
	slices.Sort(named)
	want := []string{"keys.root.passphrase", "keys.root.pkcs11", "keys.root.pkcs11.pin", "keys.root.vault.address", "keys.root.vault.ca",
		"keys.root.vault.key", "keys.root.vault.token"}
	if !slices.Equal(named, want) {
		t.Errorf("named %v, want %v", named, want)
	}
	if strings.Contains(err.Error(), "CANARY") {
		t.Errorf("a secret is repeated: %v", err)
	}
}

func TestPassphraseRootKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "D")
	phrase := "correct horse battery staple"
	environ := func(name string) (string, bool) { return phrase, name == "PHRASE" }
	o := InitOptions{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Environ: environ, Root: "passphrase", RootSet: []string{"passphrase=env:PHRASE"}}
	if err := Init(dir, o); err != nil {
		t.Fatal(err)
	}
	a, err := Open(context.Background(), dir, Options{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	phrase = "another"
	if _, err := Open(context.Background(), dir, Options{Environ: environ}); err == nil || !strings.Contains(err.Error(), keys.ErrPassphrase.Error()) {
		t.Errorf("a wrong passphrase: %v", err)
	}
}

// TestMoveRootKey moves the root key out of the data directory and back. The
// keys stay the same, and no file of the old root key is left.
func TestMoveRootKey(t *testing.T) {
	engine, _, o := keyService(t)
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, InitOptions{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	ring, done, err := Keys(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := ring.Seal(keys.Audit, sealedValue, []byte("value"))
	if err := errors.Join(err, done()); err != nil {
		t.Fatal(err)
	}
	opens := func(want int) {
		t.Helper()
		ring, done, err := Keys(t.Context(), dir, Options{Environ: o.Environ})
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := ring.Open(keys.Audit, sealedValue, sealed); err != nil || string(plain) != "value" {
			t.Errorf("after the move: %v", err)
		}
		names, err := filepath.Glob(filepath.Join(dir, "keys", "root*"))
		if err := errors.Join(err, done()); err != nil || len(names) != want {
			t.Errorf("files of root keys: %v, %v", names, err)
		}
	}
	why := admin.Change{Reason: "the disk may be stolen"}
	if _, now, err := MoveRoot(t.Context(), dir, Options{Environ: o.Environ}, o, why); err != nil || !strings.Contains(now, "vault:") {
		t.Fatalf("%s, %v", now, err)
	}
	opens(0)
	o.Root, o.RootSet = "file", nil
	if _, _, err := MoveRoot(t.Context(), dir, Options{Environ: o.Environ}, o, why); err != nil {
		t.Fatal(err)
	}
	opens(1)
	engine.Tokens = nil // the key service is not needed any more
	opens(1)
}
