package backup_test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

const gateway = "ostiary.dev/gw/0123456789abcdef/default"

type auditRows = logtest.Rows

// memory is a store.Raw of maps: what a backup needs of a driver, no more.
type memory struct {
	*auditRows
	rows map[[2]string]store.Row
	txs  int
	fail error // of the next transaction
}

var _ store.Raw = (*memory)(nil)

func newMemory() *memory {
	return &memory{auditRows: &auditRows{}, rows: map[[2]string]store.Row{}}
}

func (m *memory) Row(kind, id string) (store.Row, error) {
	r, ok := m.rows[[2]string{kind, id}]
	if !ok {
		return r, registry.ErrNotFound
	}
	return r, nil
}

func (m *memory) Rows(string) ([]store.Row, error) { return nil, errUnused }

func (m *memory) sorted() (all []store.Row) {
	for _, r := range m.rows {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b store.Row) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return all
}

func (m *memory) EachRow(fn func(store.Row) error) error {
	for _, r := range m.sorted() {
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) InsertRow(r store.Row) error {
	if _, ok := m.rows[[2]string{r.Kind, r.ID}]; ok {
		return registry.ErrExists
	}
	m.rows[[2]string{r.Kind, r.ID}] = r
	return nil
}

var errUnused = errors.New("a backup does not do this")

func (m *memory) EachRowBut(string, func(store.Row) error) error     { return errUnused }
func (m *memory) RowsAfter(string, string, int) ([]store.Row, error) { return nil, errUnused }
func (m *memory) InsertRows([]store.Row) error                       { return errUnused }

func (m *memory) UpdateRow(int64, store.Row) error { return errUnused }
func (m *memory) DeleteRow(string, string) error   { return errUnused }
func (m *memory) Clear() (*store.Clear, error)     { return nil, errUnused }
func (m *memory) DropClear() error                 { return errUnused }
func (m *memory) Scrub() error                     { return errUnused }
func (m *memory) Close() error                     { return nil }

func (m *memory) InTx(fn func(store.Raw) error) error {
	m.txs++
	if m.fail != nil {
		return m.fail
	}
	return fn(m)
}

// grow adds n entries to a log in one batch.
func (m *memory) grow(t testing.TB, log auditlog.Name, n int, parts []byte) {
	t.Helper()
	first, err := m.AuditSize(log)
	if err != nil {
		t.Fatal(err)
	}
	b := auditlog.Batch{Log: log, First: first, Count: uint64(n), HashStart: uint64(tlog.StoredHashIndex(0, int64(first))), Parts: parts}
	if first == 0 {
		b.HashStart = 0
	}
	extra := map[int64]tlog.Hash{}
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, x := range at {
			if h, ok := extra[x]; ok {
				out[i] = h
				continue
			}
			old, err := m.AuditHashes(log, []int64{x})
			if err != nil {
				return nil, err
			}
			out[i] = old[0]
		}
		return out, nil
	})
	next := int64(b.HashStart)
	for i := range n {
		leaf := fmt.Appendf(nil, `{"log":"%s","n":%d}`, log, int(first)+i)
		b.Leaves = append(binary.AppendUvarint(b.Leaves, uint64(len(leaf))), leaf...)
		hashes, err := tlog.StoredHashes(int64(first)+int64(i), leaf, reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range hashes {
			extra[next] = h
			next++
			b.Hashes = append(b.Hashes, h[:]...)
		}
	}
	if err := m.AppendAudit(b); err != nil {
		t.Fatal(err)
	}
}

// world is a gateway's data, the identity that opens its backups, and its key.
type world struct {
	raw      *memory
	identity *age.X25519Identity
	signer   note.Signer
	vkey     string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{raw: newMemory()}
	var err error
	if w.identity, err = age.GenerateX25519Identity(); err != nil {
		t.Fatal(err)
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, backup.Signs(gateway))
	if err != nil {
		t.Fatal(err)
	}
	if w.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	w.vkey = vkey
	for i := range 5 {
		r := store.Row{Kind: "agent", ID: fmt.Sprintf("id%d", i), Revision: int64(i + 1), Body: []byte{byte(i), 1, 2}}
		if err := w.raw.InsertRow(r); err != nil {
			t.Fatal(err)
		}
	}
	w.raw.grow(t, "control", 3, []byte("sealed"))
	for range 40 {
		w.raw.grow(t, "calls/2026", 7, []byte("sealed"))
	}
	w.raw.grow(t, "calls/2026", 1, nil) // parts are gone
	for _, size := range []uint64{3, 280} {
		if err := w.raw.SaveCheckpoint("calls/2026", auditlog.Checkpoint{Size: size, Mark: size - 1, Note: fmt.Appendf(nil, "note of %d", size)}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) head() backup.Head {
	return backup.Head{ID: "b1", Gateway: gateway, Time: time.Date(2026, 11, 29, 1, 2, 3, 4, time.UTC), Version: "test"}
}

func (w *world) locks() backup.Locks {
	return backup.Locks{Recipients: []string{w.identity.Recipient().String()}}
}

func (w *world) ids() backup.Keyring { return backup.Keyring{Identities: []byte(w.identity.String())} }

func (w *world) source() backup.Source {
	return backup.Source{Raw: w.raw, Signer: w.signer,
		Config: []backup.File{{Name: "ostiary.yaml", Data: []byte("version: 1\n")}, {Name: "ca.pem", Data: []byte("pem")}}}
}

// archive is the backup of the data.
func (w *world) archive(t testing.TB) []byte {
	t.Helper()
	snap, err := backup.Take(w.source())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := snap.Write(t.Context(), &out, w.locks(), w.head(), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// loaded is what reading an archive gave.
type loaded struct {
	raw   *memory
	files map[string]string
}

func load(t testing.TB, archive []byte, ids backup.Keyring, kind backup.Kind) (*loaded, *backup.Archive, error) {
	t.Helper()
	l := &loaded{raw: newMemory(), files: map[string]string{}}
	loader, err := backup.NewLoader(l.raw)
	if err != nil {
		t.Fatal(err)
	}
	a, err := backup.Read(bytes.NewReader(archive), ids, kind, backup.Sink{
		File: func(name string, data []byte) error { l.files[name] = string(data); return nil },
		Row:  loader.Row, Batch: loader.Batch, Checkpoint: loader.Checkpoint,
	})
	if err == nil {
		err = loader.Check(a.Manifest)
	}
	return l, a, err
}
