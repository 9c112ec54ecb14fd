package auditlog_test

import (
	"testing"
	"testing/synctest"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
)

func submit(t *testing.T, l *auditlog.Log, kind auditlog.Kind, decision, exchange string) {
	t.Helper()
	e := entry(0)
	e.Kind, e.Decision, e.Exchange = kind, decision, exchange
	if _, err := l.Submit(e).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func orphans(b *auditlog.Book) (all []string) {
	for _, o := range b.Orphans() {
		all = append(all, o.Exchange)
	}
	return all
}

// TestOrphans closes a book with calls in flight: the next start finds those
// and no others, and once more until they have an outcome.
func TestOrphans(t *testing.T) {
	w := &world{}
	l := w.open(t).Calls()
	submit(t, l, auditlog.CallDecided, "allow", "done")
	submit(t, l, auditlog.CallDecided, "allow", "lost-1")
	submit(t, l, auditlog.CallDecided, "deny", "refused")
	submit(t, l, auditlog.CallFinished, "", "done")
	submit(t, l, auditlog.CallDecided, "allow", "lost-2")
	w.close(t)
	for range 2 {
		b := w.open(t)
		if got := orphans(b); len(got) != 2 || got[0] != "lost-1" || got[1] != "lost-2" {
			t.Fatalf("orphans: %v", got)
		}
		var parts []string
		err := b.OpenCalls(func(n auditlog.Name, r auditlog.Record) error {
			parts = append(parts, string(n)+string(r.Part))
			return nil
		})
		if err != nil || len(parts) != 2 || parts[0] != `calls/2026{"n":0}` {
			t.Errorf("%v, %v", parts, err)
		}
		w.close(t)
	}
	l = w.open(t).Calls()
	submit(t, l, auditlog.CallOutcomeUnknown, "", "lost-1")
	submit(t, l, auditlog.CallOutcomeUnknown, "", "lost-2")
	w.close(t)
	if got := orphans(w.open(t)); len(got) != 0 {
		t.Errorf("orphans: %v", got)
	}
	w.close(t)
	c := must(w.rows.LatestCheckpoint(calls))
	if c.Mark != c.Size {
		t.Errorf("the mark is %d of %d", c.Mark, c.Size)
	}
}

// TestMarkHoldsBack: the mark stays at the oldest call without an outcome, so a
// start reads from there and not more.
func TestMarkHoldsBack(t *testing.T) {
	w := &world{}
	l := w.open(t).Calls()
	for range 50 {
		submit(t, l, auditlog.CallDecided, "allow", "a")
		submit(t, l, auditlog.CallFinished, "", "a")
	}
	submit(t, l, auditlog.CallDecided, "allow", "open") // at 100
	for range 50 {
		submit(t, l, auditlog.CallDecided, "allow", "b")
		submit(t, l, auditlog.CallFinished, "", "b")
	}
	w.close(t)
	if c := must(w.rows.LatestCheckpoint(calls)); c.Mark != 100 {
		t.Errorf("the mark is %d", c.Mark)
	}
}

// TestMarkOfTheOldYear ends a call of the old year in the new one: no later
// start takes it for an orphan.
func TestMarkOfTheOldYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{now: time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)}
		b := w.open(t)
		submit(t, b.Calls(), auditlog.CallDecided, "allow", "soon")
		submit(t, b.Calls(), auditlog.CallDecided, "allow", "lost")
		submit(t, b.Calls(), auditlog.CallDecided, "allow", "across")
		w.set(time.Date(2027, 1, 1, 0, 0, 1, 0, time.UTC))
		submit(t, b.Calls(), auditlog.CallDecided, "deny", "other")
		<-time.After(2 * time.Second) // both logs are signed
		submit(t, b.Calls(), auditlog.CallFinished, "", "soon")
		submit(t, b.Calls(), auditlog.CallFinished, "", "across")
		<-time.After(2 * time.Second)
		for range 200 { // far beyond
			submit(t, b.Calls(), auditlog.CallDecided, "deny", "more")
		}
		w.close(t)
		for range 2 {
			if got := orphans(w.open(t)); len(got) != 1 || got[0] != "lost" {
				t.Errorf("orphans: %v", got)
			}
			w.close(t)
		}
	})
}
