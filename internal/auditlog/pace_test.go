package auditlog_test

import (
	"context"
	"testing"

	"ostiary.dev/ostiary/internal/auditlog"
)

// TestTrailingEntriesShareACommit: what nobody waits for is written with the
// next entry that somebody does, in order.
func TestTrailingEntriesShareACommit(t *testing.T) {
	w := &world{}
	b := w.open(t)
	first := b.SubmitTrailing(entry(1))
	p, err := b.Submit(entry(2)).Wait(t.Context())
	if err != nil || p.Index != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, known, err := first.Done(); !known || err != nil || p.Index != 0 {
		t.Errorf("the entry before it: %+v, %v, %v", p, known, err)
	}
	w.close(t)
}

// TestTrailingEntriesAreWritten: they need nobody to be written, neither alone
// nor at the end, nor when somebody wants to read.
func TestTrailingEntriesAreWritten(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *world, *auditlog.Book, *auditlog.Ticket){
		"alone": func(t *testing.T, _ *world, _ *auditlog.Book, ticket *auditlog.Ticket) {
			if _, err := ticket.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"at the end": func(t *testing.T, w *world, _ *auditlog.Book, _ *auditlog.Ticket) { w.close(t) },
		"for a reader": func(t *testing.T, _ *world, b *auditlog.Book, _ *auditlog.Ticket) {
			if err := b.Flush(context.Background()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{}
			b := w.open(t)
			ticket := b.SubmitTrailing(entry(1))
			end(t, w, b, ticket)
			if p, known, err := ticket.Done(); !known || err != nil || p.Index != 0 {
				t.Errorf("%+v, %v, %v", p, known, err)
			}
		})
	}
}

// TestManyTrailingEntries fills more than one batch.
func TestManyTrailingEntries(t *testing.T) {
	w := &world{}
	b := w.open(t)
	const n = 2000
	tickets := make([]*auditlog.Ticket, n)
	for i := range n {
		tickets[i] = b.SubmitTrailing(entry(i))
	}
	for i, ticket := range tickets {
		if p, err := ticket.Wait(t.Context()); err != nil || p.Index != uint64(i) {
			t.Fatalf("entry %d: %+v, %v", i, p, err)
		}
	}
	w.close(t)
}
