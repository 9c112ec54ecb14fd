package app

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/policy"
)

// lines returns every line of the log.
func lines(t *testing.T, a *App) string {
	t.Helper()
	var all strings.Builder
	for line, err := range admin.AuditLines(t.Context(), a.API(), admin.AuditQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		all.Write(line)
		all.WriteByte('\n')
	}
	return all.String()
}

// TestClockJumps: when the clock steps, the step is in the control log, calls go
// on, and entries stay in order, also into the log of another year and back.
func TestClockJumps(t *testing.T) {
	var now atomic.Pointer[time.Time]
	set := func(at time.Time) { now.Store(&at) }
	begin := time.Now().UTC()
	set(begin)
	a, err := Open(t.Context(), gatewayIn(t), Options{Clock: clock.Fixed(func() time.Time { return *now.Load() })})
	if err != nil {
		t.Fatal(err)
	}
	call := func(id string) {
		t.Helper()
		x := &exchange.Exchange{ID: id, Start: *now.Load(), Outcome: exchange.OK, View: a.live.Load(), Decision: policy.Decision{Allow: true}}
		if err := errors.Join(a.record.Open(t.Context(), x), a.record.Close(t.Context(), x)); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	for i, step := range []time.Duration{0, 366 * 24 * time.Hour, -time.Hour, 10 * time.Minute} {
		set(begin.Add(step))
		call(fmt.Sprint("x", i))
	}
	if err := a.tell(); err != nil {
		t.Fatal(err)
	}
	all := lines(t, a)
	for i := range 4 {
		if strings.Count(all, fmt.Sprintf(`"exchange":"x%d"`, i)) != 1 {
			t.Errorf("exchange x%d is not there once:\n%s", i, all)
		}
	}
	if !strings.Contains(all, `"system.clock_stepped"`) || !strings.Contains(all, `"before":"`) || !strings.Contains(all, fmt.Sprintf("calls/%d", begin.AddDate(0, 0, 366).Year())) {
		t.Errorf("the log holds\n%s", all)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestActsFollowTheirTransaction: a change that is rolled back leaves no act.
func TestActsFollowTheirTransaction(t *testing.T) {
	a, err := Open(t.Context(), gatewayIn(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	undo := errors.New("undo")
	err = a.inTx(func(rows auditlog.Rows) error {
		if err := a.record.Admin(rows, auditlog.Act{Kind: auditlog.AdminChanged, Action: "undone"}); err != nil {
			return err
		}
		return undo
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}
	api := a.API()
	if _, err := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "dry", Change: admin.Change{DryRun: true}}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "plain"}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "armed", Credentials: true}); err != nil {
		t.Fatal(err)
	}
	all := lines(t, a)
	if strings.Contains(all, "undone") || strings.Contains(all, `"dry"`) {
		t.Errorf("what was taken back is there:\n%s", all)
	}
	if strings.Count(all, `"agent.register"`) != 2 || strings.Count(all, `"cert.issued"`) != 1 {
		t.Errorf("two agents, one with a certificate:\n%s", all)
	}
	if log := a.book.Control(); log.Verify(t.Context(), nil) != nil {
		t.Error("the control log does not verify")
	}
}
