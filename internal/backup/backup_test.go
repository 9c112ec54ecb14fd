package backup_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/store"
)

func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	archive := w.archive(t)
	got, a, err := load(t, archive, w.ids(), backup.Data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.raw.sorted(), w.raw.sorted()) {
		t.Errorf("rows: %v", got.raw.sorted())
	}
	for _, log := range []auditlog.Name{"control", "calls/2026"} {
		x, err := w.raw.AuditBatches(log, 0, 1000)
		y, err2 := got.raw.AuditBatches(log, 0, 1000)
		if err != nil || err2 != nil || !reflect.DeepEqual(x, y) {
			t.Errorf("%s differs (%v, %v)", log, err, err2)
		}
	}
	notes, err := got.raw.Checkpoints("calls/2026", 0, 10)
	if err != nil || len(notes) != 2 || notes[1].Mark != 279 || string(notes[1].Note) != "note of 280" {
		t.Errorf("checkpoints: %v (%v)", notes, err)
	}
	if got.files["ostiary.yaml"] != "version: 1\n" || got.files["ca.pem"] != "pem" || len(got.files) != 2 {
		t.Errorf("files: %v", got.files)
	}
	if err := a.CheckSignature([]string{w.vkey}); err != nil {
		t.Error(err)
	}
	if m := a.Manifest; m.Rows != 5 || m.Entries != 284 || m.Logs[0].Note != "note of 280" || m.Head.Gateway != gateway {
		t.Errorf("manifest: %+v", m)
	}
}

// TestSnapshotIsOfOneMoment changes the gateway between the transaction and the
// reading of the log, as calls do.
func TestSnapshotIsOfOneMoment(t *testing.T) {
	w := newWorld(t)
	snap, err := backup.Take(w.source())
	if err != nil {
		t.Fatal(err)
	}
	want := w.raw.sorted()
	w.raw.grow(t, "calls/2026", 9, []byte("later"))
	w.raw.grow(t, "calls/2027", 2, []byte("later"))
	if err := w.raw.InsertRow(store.Row{Kind: "agent", ID: "later", Revision: 1, Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if err := w.raw.SaveCheckpoint("calls/2026", auditlog.Checkpoint{Size: 290, Note: []byte("later")}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	last := int64(0)
	if err := snap.Write(t.Context(), &out, w.locks(), w.head(), func(done, total int64) {
		if done < last || done > total || total != 284 {
			t.Errorf("progress: %d of %d after %d", done, total, last)
		}
		last = done
	}); err != nil {
		t.Fatal(err)
	}
	got, a, err := load(t, out.Bytes(), w.ids(), backup.Data)
	if err != nil {
		t.Fatal(err)
	}
	if size, _ := got.raw.AuditSize("calls/2026"); size != 281 || a.Manifest.Entries != 284 || !reflect.DeepEqual(got.raw.sorted(), want) {
		t.Errorf("the snapshot holds what came later: %d entries, %d rows", size, len(got.raw.sorted()))
	}
	if w.raw.txs != 1 {
		t.Errorf("%d transactions held up the calls", w.raw.txs)
	}
	if last != 284 {
		t.Errorf("progress ended at %d", last)
	}
}

// TestKeysAreApart (K06): keys are an archive of their own, which is not taken
// for one of data, nor the other way round.
func TestKeysAreApart(t *testing.T) {
	w := newWorld(t)
	ends := w.head().Time.Add(7 * 24 * time.Hour)
	head := w.head()
	head.Expires = &ends
	var out bytes.Buffer
	files := []backup.File{{Name: "root.key", Data: []byte("root")}, {Name: "keystore", Data: []byte("store")}}
	if err := backup.WriteKeys(&out, w.locks(), head, files, w.signer); err != nil {
		t.Fatal(err)
	}
	got, a, err := load(t, out.Bytes(), w.ids(), backup.Keys)
	if err != nil || got.files["root.key"] != "root" || got.files["keystore"] != "store" || !a.Manifest.Head.Expires.Equal(ends) {
		t.Errorf("keys: %v, %v", got.files, err)
	}
	if _, _, err := load(t, out.Bytes(), w.ids(), backup.Data); !errors.Is(err, backup.ErrKind) {
		t.Errorf("keys as data: %v", err)
	}
	if _, _, err := load(t, w.archive(t), w.ids(), backup.Keys); !errors.Is(err, backup.ErrKind) {
		t.Errorf("data as keys: %v", err)
	}
	for _, name := range []string{"../x", ".hidden", "A", "a/b", "", "-x"} {
		if err := backup.WriteKeys(&bytes.Buffer{}, w.locks(), head, []backup.File{{Name: name}}, w.signer); err == nil {
			t.Errorf("a key file called %q was written", name)
		}
	}
}

// TestForgedArchive reads a whole archive that a stranger encrypted.
func TestForgedArchive(t *testing.T) {
	w := newWorld(t)
	honest := w.vkey
	skey, _, err := note.GenerateKey(rand.Reader, backup.Signs(gateway))
	if err != nil {
		t.Fatal(err)
	}
	if w.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	_, a, err := load(t, w.archive(t), w.ids(), backup.Data)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.CheckSignature([]string{honest}); !errors.Is(err, backup.ErrForeign) {
		t.Errorf("a stranger's archive: %v", err)
	}
}

func TestPassphrase(t *testing.T) {
	w := newWorld(t)
	snap, err := backup.Take(w.source())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	right := backup.Keyring{Passphrase: []byte("correct horse battery")}
	if err := snap.Write(t.Context(), &out, backup.Locks{Passphrase: right.Passphrase}, w.head(), nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := load(t, out.Bytes(), right, backup.Data); err != nil {
		t.Error(err)
	}
	for _, ids := range []backup.Keyring{w.ids(), {Passphrase: []byte("another one entirely")}} {
		if _, _, err := load(t, out.Bytes(), ids, backup.Data); !errors.Is(err, backup.ErrIdentity) && !errors.Is(err, backup.ErrNotOurs) {
			t.Errorf("%v: %v", ids, err)
		}
	}
	both := w.locks()
	both.Passphrase = right.Passphrase
	for name, locks := range map[string]backup.Locks{"nobody": {}, "short": {Passphrase: []byte("short")}, "both": both,
		"identity": {Recipients: []string{w.identity.String()}}, "two lines": {Recipients: []string{w.locks().Recipients[0] + "\n" + w.locks().Recipients[0]}}} {
		if err := snap.Write(t.Context(), &bytes.Buffer{}, locks, w.head(), nil); err == nil {
			t.Errorf("%s: was taken", name)
		} else if bytes.Contains([]byte(err.Error()), []byte("AGE-SECRET")) {
			t.Errorf("%s: the error repeats the identity", name)
		}
	}
}

func TestFailures(t *testing.T) {
	w := newWorld(t)
	w.raw.fail = errors.New("the database is gone")
	if _, err := backup.Take(w.source()); !errors.Is(err, w.raw.fail) {
		t.Errorf("a database that is gone: %v", err)
	}
	w.raw.fail = nil
	snap, err := backup.Take(w.source())
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	for _, room := range []int{0, 100, 1000, 20_000} {
		if err := snap.Write(t.Context(), &limited{room, full}, w.locks(), w.head(), nil); !errors.Is(err, full) {
			t.Errorf("a disk with %d bytes: %v", room, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := snap.Write(ctx, &bytes.Buffer{}, w.locks(), w.head(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	w.raw.Edit("calls/2026", func(all []auditlog.Batch) []auditlog.Batch { return append(all[:3:3], all[4:]...) })
	if err := snap.Write(t.Context(), &bytes.Buffer{}, w.locks(), w.head(), nil); err == nil {
		t.Error("a batch is missing and nobody noticed")
	}
}

// limited is a disk with little room.
type limited struct {
	room int
	err  error
}

func (l *limited) Write(b []byte) (int, error) {
	if len(b) > l.room {
		return 0, l.err
	}
	l.room -= len(b)
	return len(b), nil
}

func TestTarget(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "b.age")
	target, err := backup.NewTarget(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := target.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the file has its name before it is whole")
	}
	if err := target.Place(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 || st.Size() != 3 || target.Size() != 3 ||
		target.SHA256() != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("%v %v %s", st, err, target.SHA256())
	}
	if _, err := backup.NewTarget(path); !errors.Is(err, backup.ErrExists) {
		t.Errorf("over a file: %v", err)
	}
	// Somebody takes the name meanwhile.
	other := filepath.Join(dir, "c.age")
	if target, err = backup.NewTarget(other); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := target.Place(); !errors.Is(err, backup.ErrExists) {
		t.Errorf("over a file that came meanwhile: %v", err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "mine" {
		t.Errorf("it was replaced: %q, %v", text, err)
	}
	if target, err = backup.NewTarget(filepath.Join(dir, "d.age")); err != nil {
		t.Fatal(err)
	}
	if err := target.Discard(); err != nil {
		t.Fatal(err)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 2 {
		t.Errorf("left behind: %v, %v", all, err)
	}
	if _, err := backup.NewTarget(filepath.Join(dir, "none", "x")); err == nil {
		t.Error("a folder was made")
	}
}
