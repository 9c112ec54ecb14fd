package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sealed"
)

// checkOfRows is the check that says whether the stored rows are those that the
// gateway wrote.
const checkOfRows = "rows"

// rowsEvery is how often every row is read and held against what was written,
// which finds damage in rows that nobody asks for.
const rowsEvery = time.Minute

// checkRows refuses stored rows that are not those which the control log
// describes last. That is recorded past the store, which refuses everything from
// then on, and without a digest, which would make the rows good.
func (a *App) checkRows() error {
	newest, older, err := a.controls()
	if err != nil {
		return err
	}
	err = a.store.CheckRows(newest, older...)
	if err == nil {
		a.health.Set(checkOfRows, stateOK, "")
	}
	if !errors.Is(err, store.ErrDamage) {
		return err
	}
	act := auditlog.Act{Kind: auditlog.IntegrityFailed, Action: "store.open", Reason: clip(err.Error())}
	recorded := a.store.Raw().InTx(func(raw store.Raw) error { return a.record.Admin(raw, act) })
	return errors.Join(explain(err), recorded)
}

// controls returns the control log, and those from before restores, newest
// first.
func (a *App) controls() (newest sealed.Control, older []sealed.Control, err error) {
	present := a.book.Control()
	var names []auditlog.Name
	for _, l := range a.book.Logs() {
		if l.Name.IsControl() && l.Name != present.Name() {
			names = append(names, l.Name)
		}
	}
	slices.SortFunc(names, func(a, b auditlog.Name) int { return cmp.Compare(b.Restored(), a.Restored()) })
	for _, n := range names {
		l, err := a.book.Log(n)
		if err != nil {
			return nil, nil, err
		}
		older = append(older, l)
	}
	return present, older, nil
}

// recordDamage records a row that is not as the gateway wrote it. What needed
// the row has failed already.
func (a *App) recordDamage(damage error) {
	a.health.Set(checkOfRows, stateFail, damage.Error())
	a.logError("a stored row was changed by somebody else", damage)
	if err := a.record.Act(auditlog.Act{Kind: auditlog.IntegrityFailed, Action: "store.read", Reason: clip(damage.Error())}); err != nil {
		a.logError("record the damage", err)
	}
}

// sweepRows looks at every row until ctx ends. Damage is told through
// recordDamage; that the store cannot be read is the store's own check.
func (a *App) sweepRows(ctx context.Context) {
	tick := time.NewTicker(rowsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := a.store.Sweep(); err != nil && !errors.Is(err, store.ErrDamage) {
				a.log.Warn("the rows could not be looked at", logs.Err(err))
			}
		}
	}
}
