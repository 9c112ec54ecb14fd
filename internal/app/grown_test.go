package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
)

// TestOldKeysPutBack: somebody who kept a copy of the folder keys from before an
// erasure puts it back, or one file of it, or cuts the newest subject off. The
// gateway does not start, says why with a next step, and records it every time.
func TestOldKeysPutBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gateway")
	if err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	act := func(do func(api admin.API) error) {
		t.Helper()
		a, err := Open(t.Context(), dir, Options{})
		if err == nil {
			err = errors.Join(do(a.API()), a.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	register := func(id string) func(admin.API) error {
		return func(api admin.API) error {
			_, err := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: id, Change: admin.Change{Reason: "r"}})
			return err
		}
	}
	files := func() map[string][]byte {
		t.Helper()
		all := map[string][]byte{}
		for _, name := range []string{"keystore", "subjects"} {
			data, err := os.ReadFile(filepath.Join(keys.Folder(dir), name))
			if err != nil {
				t.Fatal(err)
			}
			all[name] = data
		}
		return all
	}
	put := func(all map[string][]byte) {
		t.Helper()
		for name, data := range all {
			if err := os.WriteFile(filepath.Join(keys.Folder(dir), name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	act(register("robot"))
	before := files()
	act(func(api admin.API) error {
		_, err := api.EraseSubject(t.Context(), admin.EraseSubject{ID: "robot", Change: admin.Change{Reason: "asked"}})
		return err
	})
	act(register("other"))
	after := files()
	lines := strings.SplitAfter(string(after["subjects"]), "\n")
	cut := strings.Join(lines[:len(lines)-2], "")
	tries := 0
	for what, old := range map[string]map[string][]byte{
		"the folder":     before,
		"the keystore":   {"keystore": before["keystore"]},
		"the subjects":   {"subjects": before["subjects"]},
		"a line cut off": {"subjects": []byte(cut)},
	} {
		for range 2 {
			put(after)
			put(old)
			a, err := Open(t.Context(), dir, Options{})
			tries++
			var e *admin.Error
			if !errors.As(err, &e) || e.Code != admin.Integrity || e.Fix == "" || !strings.Contains(e.Message, "older") {
				t.Errorf("%s: opening says %v", what, err)
			}
			if err == nil {
				err = a.Close()
				t.Fatalf("%s: it opens (%v)", what, err)
			}
		}
	}
	put(after)
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	err = a.book.Control().Read(0, a.book.Control().Size(), func(r auditlog.Record) error {
		if strings.Contains(string(r.Leaf), string(auditlog.IntegrityFailed)) {
			failed++
		}
		return nil
	})
	if err := errors.Join(err, a.Close()); err != nil || failed != tries {
		t.Errorf("%d failures are recorded (%v), want %d", failed, err, tries)
	}
}
