package sealed_test

import (
	"errors"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sqlite"
)

// torn is a database whose connection breaks around a commit.
type torn struct {
	*sqlite.DB
	commit bool  // the commit happens before the connection breaks
	lost   error // what the commit returns
	read   error // what reading returns
}

func (d *torn) InTx(fn func(store.Raw) error) error {
	if d.lost == nil {
		return d.DB.InTx(fn)
	}
	errRoll := errors.New("roll back")
	err := d.DB.InTx(func(in store.Raw) error {
		if err := fn(in); err != nil {
			return err
		}
		if !d.commit {
			return errRoll
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRoll) {
		return err
	}
	return d.lost
}

func (d *torn) EachRowBut(kind string, fn func(store.Row) error) error {
	if d.read != nil {
		return d.read
	}
	return d.DB.EachRowBut(kind, fn)
}

// TestLostCommit: when the acknowledgement of a commit is lost, the rows are
// read to learn whether it happened; it is never guessed, and never taken for
// damage.
func TestLostCommit(t *testing.T) {
	lost, unread := errors.New("connection lost"), errors.New("still away")
	for name, c := range map[string]struct {
		commit, away bool
	}{
		"it happened": {true, false}, "it did not": {false, false},
		"it happened, found out later": {true, true}, "it did not, found out later": {false, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := &torn{DB: raw(t)}
			s := opened(t, d, newRing(t))
			must(t, s.SetMeta("a", "1"))
			d.lost, d.commit = lost, c.commit
			if c.away {
				d.read = unread
			}
			err := s.SetMeta("a", "2")
			if good := c.commit && !c.away; good != (err == nil) || !good && !errors.Is(err, lost) {
				t.Errorf("the change returned %v", err)
			}
			if c.away {
				if _, err := s.Meta("a"); !errors.Is(err, unread) {
					t.Errorf("in doubt it reads: %v", err)
				}
				if err := s.InsertAgent(registry.Agent{ID: "x", State: registry.Active}); !errors.Is(err, unread) {
					t.Errorf("in doubt it writes: %v", err)
				}
			}
			d.lost, d.read = nil, nil
			want := "1"
			if c.commit {
				want = "2"
			}
			if got, err := s.Meta("a"); err != nil || got != want {
				t.Errorf("the value is %q (%v), want %s", got, err, want)
			}
			must(t, s.SetMeta("a", "3"))
			must(t, s.Sweep())
		})
	}
}

// TestDamageInDoubt: rows that are neither the old nor the new ones are damage.
func TestDamageInDoubt(t *testing.T) {
	d := &torn{DB: raw(t)}
	s := opened(t, d, newRing(t))
	must(t, s.SetMeta("a", "1"))
	d.lost, d.read = errors.New("connection lost"), errors.New("away")
	if err := s.SetMeta("a", "2"); !errors.Is(err, d.lost) {
		t.Fatal(err)
	}
	d.lost, d.read = nil, nil
	must(t, d.InsertRow(store.Row{Kind: "meta", ID: "x", Revision: 1, Body: []byte("x")}))
	for range 2 {
		if _, err := s.Meta("a"); !errors.Is(err, store.ErrDamage) {
			t.Errorf("error is %v, want %v", err, store.ErrDamage)
		}
	}
}
