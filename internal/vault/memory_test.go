package vault_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/vault"
)

// memory is vault.Rows in memory.
type memory struct {
	mu     sync.Mutex
	rows   map[string]vault.Row
	writes int
	reads  int
	fail   error
	during func() // runs after a row was read
}

func newMemory() *memory { return &memory{rows: map[string]vault.Row{}} }

func (m *memory) PseudonymRow(name string) (vault.Row, bool, error) {
	m.mu.Lock()
	m.reads++
	r, ok := m.rows[name]
	during := m.during
	m.mu.Unlock()
	if during != nil {
		during()
	}
	return r, ok, nil
}

func (m *memory) PseudonymRows(prefix, after string, limit int) (out []vault.Row, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, r := range m.rows {
		if strings.HasPrefix(name, prefix) && name > after {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b vault.Row) int { return strings.Compare(a.Name, b.Name) })
	return out[:min(limit, len(out))], nil
}

func (m *memory) PutPseudonyms(rows []vault.Row) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	for _, r := range rows {
		if m.rows[r.Name].Revision != r.Revision {
			return vault.ErrConflict
		}
	}
	for _, r := range rows {
		r.Revision++
		m.rows[r.Name] = r
	}
	m.writes++
	return nil
}

func (m *memory) DropPseudonyms(names []string) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		if _, ok := m.rows[name]; ok {
			delete(m.rows, name)
			n++
		}
	}
	return n, nil
}

// world is a vault over rows in memory, with a clock that stands still.
type world struct {
	t    *testing.T
	rows *memory
	ring *keys.Ring
	now  time.Time
	*vault.Vault
}

func newWorld(t *testing.T, c vault.Config) *world {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rows: newMemory(), ring: ring, now: time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)}
	c.Rows, c.Keys, c.Clock = w.rows, ring, clock.Fixed(func() time.Time { return w.now })
	w.Vault = vault.New(c)
	return w
}

// hide returns the tokens of emails.
func (w *world) hide(scope string, keyed bool, emails ...string) []string {
	w.t.Helper()
	values := make([]vault.Value, len(emails))
	for i, e := range emails {
		values[i] = vault.Value{Type: "EMAIL", Value: e}
	}
	out, err := w.Hide(w.t.Context(), scope, keyed, values)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) restore(scope string, tokens ...string) []vault.Value {
	w.t.Helper()
	out, err := w.Restore(w.t.Context(), scope, tokens)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

var errDisk = errors.New("the disk is full")
