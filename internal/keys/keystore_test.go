package keys

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testState is a wrapped state with an old version, a tombstone and a hand-over.
func testState(t testing.TB, top local) *state {
	t.Helper()
	s := newState(epoch)
	bumpSigned(s, Audit, RotateOptions{now: epoch})
	bumpSigned(s, LogSigning, RotateOptions{now: epoch})
	s.destroyed = []Tombstone{{KeyID: strings.Repeat("ab", 16), Purpose: "subject", Pseudonym: "s-x", State: Destroyed, At: epoch}}
	w, err := wrapTenant(t.Context(), top, s.tenant.key, epoch)
	if err != nil {
		t.Fatal(err)
	}
	s.wraps = []wrapDoc{w}
	s.generation = 7
	return s
}

// decode opens a keystore of format 2 as openKeystore does, without files.
func decode(data []byte, top local) (*state, error) {
	if _, err := formatOf(data); err != nil {
		return nil, err
	}
	doc, err := parseKeystore(data)
	if err != nil {
		return nil, err
	}
	tenant, err := top.unwrap(context.Background(), doc.Tenant.KeyID, doc.Tenant.Wraps[0].Wrapped)
	if err != nil {
		return nil, err
	}
	return doc.open(tenant)
}

func TestKeystoreRefusals(t *testing.T) {
	top := local{kind: ProviderFile, key: newRootKey()}
	good, err := testState(t, top).encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(good, top)
	if err != nil || got.generation != 7 || len(got.keys[Audit]) != 2 || len(got.destroyed) != 1 || len(got.rotations) != 1 {
		t.Fatalf("a good keystore: %v", err)
	}
	if _, err := decode(good, local{kind: ProviderFile, key: newRootKey()}); !errors.Is(err, ErrDamaged) {
		t.Errorf("another root key: %v", err)
	}
	for name, change := range map[string]func(*keystoreDoc){
		"format":          func(f *keystoreDoc) { f.Format = "ostiary-keystore/3" },
		"generation":      func(f *keystoreDoc) { f.Generation-- },
		"no keys":         func(f *keystoreDoc) { f.Keys = nil },
		"one missing":     func(f *keystoreDoc) { f.Keys = f.Keys[:len(f.Keys)-1] },
		"one twice":       func(f *keystoreDoc) { f.Keys[2] = f.Keys[1] },
		"keys swapped":    func(f *keystoreDoc) { f.Keys[1].Sealed, f.Keys[2].Sealed = f.Keys[2].Sealed, f.Keys[1].Sealed },
		"purpose renamed": func(f *keystoreDoc) { f.Keys[1].Purpose = string(Audit) },
		"tenant renamed":  func(f *keystoreDoc) { f.Tenant.Tenant = "other" },
		"key id changed":  func(f *keystoreDoc) { f.Keys[1].KeyID = strings.Repeat("0", 32) },
		"key id short":    func(f *keystoreDoc) { f.Keys[1].KeyID = "00" },
		"state":           func(f *keystoreDoc) { f.Keys[0].State = Old },
		"tombstone gone":  func(f *keystoreDoc) { f.Destroyed = nil },
		"tombstone moved": func(f *keystoreDoc) { f.Destroyed[0].Pseudonym = "s-y" },
		"hand-over gone":  func(f *keystoreDoc) { f.Rotations = nil },
		"recovery added":  func(f *keystoreDoc) { f.Recovery = "age1somebody" },
		"no wrap":         func(f *keystoreDoc) { f.Tenant.Wraps = nil },
		"three wraps":     func(f *keystoreDoc) { f.Tenant.Wraps = append(f.Tenant.Wraps, f.Tenant.Wraps[0], f.Tenant.Wraps[0]) },
		"no mac":          func(f *keystoreDoc) { f.MAC = nil },
	} {
		var file keystoreDoc
		if err := json.Unmarshal(good, &file); err != nil {
			t.Fatal(err)
		}
		change(&file)
		data, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(data, top); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "null", "[]", "{", string(good) + "{}", `{"format":"ostiary-keystore/2","keys":[],"extra":1}`} {
		if _, err := decode([]byte(text), top); err == nil {
			t.Errorf("%.20q is accepted", text)
		}
	}
}

// copyFormat1 lays the stored gateway of format 1 into a folder, with the
// modes that git does not keep.
func copyFormat1(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "format1"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(Folder(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rootFile, keystoreFile, caRootFile, caIssuerFile} {
		if err := os.Chmod(filepath.Join(Folder(dir), name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func read(t *testing.T, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestUpgradeFormat1: a gateway of the first format opens with everything that
// it sealed, is written anew once, and opens again.
func TestUpgradeFormat1(t *testing.T) {
	dir := copyFormat1(t)
	id := Identity{Tenant: DefaultTenant, Kind: "server-secret", Record: "wiki", Column: "Authorization", Version: "1"}
	sealed := read(t, dir, "record")
	hash := read(t, dir, "token.hash")
	token := string(read(t, dir, "token"))

	readOnly, err := OpenWith(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readOnly.Subject("robot"); !errors.Is(err, ErrReadOnly) {
		t.Errorf("a ring that only reads makes a subject: %v", err)
	}
	if !strings.Contains(string(read(t, Folder(dir), keystoreFile)), keystoreFormat1) {
		t.Error("a ring that only reads wrote the keystore")
	}
	var pseudonym, audit string
	for round := range 2 {
		r, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := r.Open(UpstreamCredentials, id, sealed); err != nil || string(plain) != "a credential of format 1" {
			t.Errorf("a credential opens to %q (%v)", plain, err)
		}
		if !EqualHash(r.HashToken(token), hash) || !r.MatchToken(token, hash) {
			t.Error("a token is not known any more")
		}
		s, err := r.Subject("robot")
		if err != nil || round > 0 && s.Pseudonym != pseudonym {
			t.Errorf("the subject is %q, was %q (%v)", s.Pseudonym, pseudonym, err)
		}
		if key := r.LogVKey("o"); round > 0 && key != audit {
			t.Error("the signing key changed")
		}
		pseudonym, audit = s.Pseudonym, r.LogVKey("o")
	}
	if strings.Contains(string(read(t, Folder(dir), keystoreFile)), keystoreFormat1) {
		t.Error("the keystore was not written anew")
	}
}

func TestNewerKeystoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(Folder(dir), keystoreFile)
	newer := []byte(strings.Replace(string(read(t, path)), keystoreFormat, "ostiary-keystore/3", 1))
	if err := os.WriteFile(path, newer, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), path) {
		t.Errorf("error is %v, want %v", err, ErrVersion)
	}
	if string(read(t, path)) != string(newer) {
		t.Error("the refused file was changed")
	}
}

func FuzzKeystore(f *testing.F) {
	top := local{kind: ProviderFile, key: fixed(1)}
	good, err := testState(f, top).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":"ostiary-keystore/1","entries":[{}]}`))
	f.Add([]byte(`{"format":"ostiary-keystore/2","tenant":{"tenant":"default","wraps":[{}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := decode(data, top); err == nil && len(s.keys) != len(purposes()) {
			t.Errorf("accepted with the keys of %d purposes", len(s.keys))
		}
		if s, err := decodeKeystore1(data, top.key, epoch); err == nil && len(s.keys) != len(purposes()) {
			t.Errorf("format 1 accepted with the keys of %d purposes", len(s.keys))
		}
		if _, err := decodeRoot(data); err == nil && len(data) != rootSize {
			t.Errorf("a root key of %d bytes is accepted", len(data))
		}
		if j, _, err := parseJournal(data, []*version{{key: fixed(2)}}); err == nil && j.key == nil {
			t.Error("subjects are accepted without a head")
		}
	})
}
