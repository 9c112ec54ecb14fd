package app

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// opened opens the gateway in dir for do and closes it as a command does.
func openedAt(t *testing.T, dir string, do func(a *App)) {
	t.Helper()
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	do(a)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// changes counts the entries of a kind in the control log, and those that a
// later start wrote.
func changes(t *testing.T, a *App, kind auditlog.Kind) (all, resumed int) {
	t.Helper()
	err := a.book.Control().Read(0, a.book.Control().Size(), func(r auditlog.Record) error {
		var e struct {
			Kind   auditlog.Kind  `json:"kind"`
			Change map[string]any `json:"change"`
		}
		if err := json.Unmarshal(r.Part, &e); err != nil || e.Kind != kind {
			return err
		}
		all++
		if e.Change["resumed"] == true {
			resumed++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, resumed
}

func version(a *App, name string) uint32 {
	for _, k := range a.ring.Keys() {
		if k.Purpose == name && k.State == keys.Current {
			return k.Version
		}
	}
	return 0
}

// TestRotationKilledAnywhere: the process dies after a new key was prepared, or
// after its entry. The next start takes the first back and the second into use;
// no key is in use without an entry, and no entry is without its key or written
// twice. A key that cannot wait is recorded at the next start.
func TestRotationKilledAnywhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gateway")
	if err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	want, wantResumed := 0, 0
	for _, p := range []keys.Purpose{keys.Audit, keys.LogSigning, keys.Subjects, keys.Rows} {
		name := string(p)
		var before uint32
		var key string
		openedAt(t, dir, func(a *App) {
			before = version(a, name)
			o, err := a.ring.Prepare(name, keys.RotateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			key = o.KeyID
			if version(a, name) != before {
				t.Errorf("%s is in use before its entry", name)
			}
		})
		openedAt(t, dir, func(a *App) {
			if all, resumed := changes(t, a, auditlog.KeyRotated); all != want || resumed != wantResumed {
				t.Errorf("%s: %d entries after a kill before the entry, want %d", name, all, want)
			}
			if _, there := a.ring.Key(key); there || version(a, name) != before || len(a.ring.Orders()) != 0 {
				t.Errorf("%s was not taken back", name)
			}
			o, err := a.ring.Prepare(name, keys.RotateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			key = o.KeyID
			if err := a.record.Act(auditlog.Act{Kind: auditlog.KeyRotated, Action: "key.rotate", Subject: o.Old,
				Change: map[string]any{"purpose": name, "key": o.KeyID}}); err != nil {
				t.Fatal(err)
			}
		})
		want++
		openedAt(t, dir, func(a *App) {
			if all, _ := changes(t, a, auditlog.KeyRotated); all != want {
				t.Errorf("%s: %d entries after a kill after the entry, want %d", name, all, want)
			}
			if k, there := a.ring.Key(key); !there || k.State != keys.Current || version(a, name) != before+1 || len(a.ring.Orders()) != 0 {
				t.Errorf("%s was not taken into use", name)
			}
		})
	}
	for _, name := range []string{keys.TenantKey, keys.RootKey} {
		openedAt(t, dir, func(a *App) {
			if _, err := a.ring.Prepare(name, keys.RotateOptions{}); err != nil {
				t.Fatal(err)
			}
		})
		want, wantResumed = want+1, wantResumed+1
		for range 2 {
			openedAt(t, dir, func(a *App) {
				if all, resumed := changes(t, a, auditlog.KeyRotated); all != want || resumed != wantResumed || len(a.ring.Orders()) != 0 {
					t.Errorf("%s: %d entries, %d of a later start; want %d and %d", name, all, resumed, want, wantResumed)
				}
			})
		}
	}
}

// TestErasureIsToldOnce: the process dies after the entries of an erasure and
// before the bytes of the key; the next start removes those and writes nothing.
func TestErasureIsToldOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gateway")
	if err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	var key string
	openedAt(t, dir, func(a *App) {
		if _, err := a.API().RegisterAgent(t.Context(), admin.RegisterAgent{ID: "robot", Change: admin.Change{Reason: "r"}}); err != nil {
			t.Fatal(err)
		}
		s, ok := a.ring.FindSubject("robot")
		if !ok {
			t.Fatal("no subject")
		}
		key = s.KeyID()
		_, err := a.ring.Condemn(key)
		err = errors.Join(err, a.store.InTx(func(tx store.Store) error {
			_, err := tx.EraseSubject(s.Pseudonym)
			rows, _ := tx.(auditlog.Rows)
			return errors.Join(err, a.record.Admin(rows,
				auditlog.Act{Kind: auditlog.ErasureExecuted, Action: "subject.erase", Subject: s.Pseudonym},
				auditlog.Act{Kind: auditlog.KeyDestroyed, Action: "key.destroy", Subject: key}))
		}))
		if err != nil {
			t.Fatal(err)
		}
	})
	for range 2 {
		openedAt(t, dir, func(a *App) {
			erased, _ := changes(t, a, auditlog.ErasureExecuted)
			gone, _ := changes(t, a, auditlog.KeyDestroyed)
			if erased != 1 || gone != 1 {
				t.Errorf("%d erasures and %d destructions are recorded", erased, gone)
			}
			if k, ok := a.ring.Key(key); !ok || k.State != keys.Destroyed || len(a.ring.Condemned()) != 0 {
				t.Errorf("it is not finished: %+v", k)
			}
		})
	}
}
