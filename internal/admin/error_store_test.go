package admin

import (
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/store"
)

// TestStoreErrorsHaveAWayOut: what the store says of its machine and its rows
// reaches the operator with its class and a next step.
func TestStoreErrorsHaveAWayOut(t *testing.T) {
	for err, code := range map[error]Code{
		store.ErrFull: Unavailable, store.ErrReadOnly: Unavailable, store.ErrIO: Unavailable, store.ErrDamage: Integrity,
		&store.Damage{Kind: "agent", ID: "x", Why: "is missing"}: Integrity,
	} {
		e := refused(t, asError("agent app", fmt.Errorf("insert: %w", err)), code)
		if e.Fix == "" || e.Cause == "" {
			t.Errorf("%v has no way out: %+v", err, e)
		}
	}
}

// TestDamageRefusesChanges: an operator who needs a row that somebody edited is
// refused, and nothing is changed.
func TestDamageRefusesChanges(t *testing.T) {
	w := newWorld(t)
	api := w.admin.As(Self())
	ready(t, api)
	raw := w.store.Raw()
	rows, err := raw.Rows("agent")
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows (%v)", len(rows), err)
	}
	rows[0].Body[80] ^= 1
	if err := raw.UpdateRow(rows[0].Revision, rows[0]); err != nil {
		t.Fatal(err)
	}
	_, err = api.MoveAgent(ctx, Move{ID: "app", Action: Suspend})
	refused(t, err, Integrity)
	_, err = api.Agents(ctx, None{})
	refused(t, err, Integrity)
	_, err = api.RegisterAgent(ctx, RegisterAgent{ID: "other"})
	refused(t, err, Integrity)
	if after, err := raw.Rows("agent"); err != nil || len(after) != 1 || string(after[0].Body) != string(rows[0].Body) {
		t.Errorf("the rows were repaired: %v (%v)", after, err)
	}
}
