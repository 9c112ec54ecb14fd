package auditlog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/clock"
)

// The search finds a row from which on nothing is left out, and reads a few
// rows of many.
func TestSinceHalvesTheLog(t *testing.T) {
	rows := &logtest.Rows{}
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	book, err := auditlog.Open(new(logtest.Keys).Config(rows, clock.Fixed(func() time.Time { return began })))
	if err != nil {
		t.Fatal(err)
	}
	log := book.Calls()
	const n = 600
	for i := range n {
		ticket := log.Submit(auditlog.Entry{Kind: auditlog.CallDecided, Time: began.Add(time.Duration(i) * time.Second), Part: []byte(`{}`)})
		if i%3 == 2 {
			if _, err := ticket.Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	asked := 0
	rows.Hook(func(r *logtest.Rows) { r.BeforeRead = func() error { asked++; return nil } })
	for i := -1; i <= n; i++ {
		asked = 0
		at, err := log.Since(began.Add(time.Duration(i) * time.Second))
		if err != nil || at > uint64(max(i, 0)) || i < n && at+512 < uint64(max(i, 0)) || i == n && at != n {
			t.Fatalf("second %d: %d, %v", i, at, err)
		}
		if asked > 12 {
			t.Fatalf("second %d: %d rows were read", i, asked)
		}
	}
	rows.Edit(log.Name(), func(all []auditlog.Batch) []auditlog.Batch {
		for i := range all {
			all[i].Leaves = []byte{1, 'x'}
		}
		return all
	})
	var broken *auditlog.Broken
	if _, err := log.Since(began); !errors.As(err, &broken) {
		t.Fatalf("a row that is no row: %v", err)
	}
	if err := book.Close(context.Background()); err == nil {
		t.Log("the changed rows were not looked at when the book closed")
	}
}
