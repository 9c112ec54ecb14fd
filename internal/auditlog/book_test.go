package auditlog_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/clock"
)

// world is a book over rows in memory.
type world struct {
	rows logtest.Rows
	keys logtest.Keys
	now  time.Time
	mu   sync.Mutex
	book *auditlog.Book
}

var start = time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) set(t time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = t
}

func (w *world) config() auditlog.Config {
	if w.now.IsZero() {
		w.now = start
	}
	return w.keys.Config(&w.rows, clock.Fixed(w.clock))
}

func (w *world) open(t *testing.T) *auditlog.Book {
	t.Helper()
	b, err := auditlog.Open(w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.book = b
	return b
}

func (w *world) close(t *testing.T) {
	t.Helper()
	if err := w.book.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func entry(i int) auditlog.Entry {
	return auditlog.Entry{
		Kind: auditlog.CallDecided, Time: start.Add(time.Duration(i) * time.Millisecond), Exchange: fmt.Sprintf("x-%06d", i),
		Decision: "allow", Server: "wiki", Policy: 7, Part: fmt.Appendf(nil, `{"n":%d}`, i),
	}
}

func put(t *testing.T, l *auditlog.Log, from, n int) {
	t.Helper()
	var tickets []*auditlog.Ticket
	for i := range n {
		tickets = append(tickets, l.Submit(entry(from+i)))
	}
	for _, ticket := range tickets {
		if _, err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEntriesComeBack(t *testing.T) {
	w := &world{}
	b := w.open(t)
	l := b.Calls()
	const n = 1500
	put(t, l, 0, n)
	if l.Size() != n {
		t.Fatalf("size is %d", l.Size())
	}
	seen := 0
	err := l.Read(0, n, func(r auditlog.Record) error {
		if r.Index != uint64(seen) || string(r.Part) != fmt.Sprintf(`{"n":%d}`, seen) {
			t.Fatalf("entry %d is %d %s", seen, r.Index, r.Part)
		}
		leaf, err := auditlog.ParseLeaf(r.Leaf)
		if err != nil {
			t.Fatal(err)
		}
		if leaf.Commit != auditlog.Commitment(r.Key, r.Part) || leaf.Log != "calls/2026" || leaf.Server != "wiki" ||
			!leaf.Time.Equal(entry(seen).Time.Truncate(time.Millisecond)) {
			t.Fatalf("leaf %d is %s", seen, r.Leaf)
		}
		seen++
		return nil
	})
	if err != nil || seen != n {
		t.Fatalf("read %d: %v", seen, err)
	}
	if err := l.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
	w.close(t)
	_, size, err := l.Checkpoint()
	if err != nil || size != n {
		t.Errorf("the last checkpoint is of %d: %v", size, err)
	}
	if got := w.open(t).Calls().Size(); got != n {
		t.Errorf("size after reopening is %d", got)
	}
	w.close(t)
}

// TestTreeIsRFC6962 compares with hashes that tlog stores for the same leaves.
func TestTreeIsRFC6962(t *testing.T) {
	w := &world{}
	l := w.open(t).Calls()
	defer w.close(t)
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := 0; n < 300; n += 7 {
		put(t, l, n, 7)
	}
	err := l.Read(0, l.Size(), func(r auditlog.Record) error {
		more, err := tlog.StoredHashes(int64(r.Index), r.Leaf, reader)
		stored = append(stored, more...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for size := uint64(1); size <= l.Size(); size++ {
		want, err := tlog.TreeHash(int64(size), reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := l.Root(size); err != nil || got != want {
			t.Fatalf("root of %d is %v, want %v: %v", size, got, want, err)
		}
		proof, err := l.Proof(size/2, size)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := l.Hashes().ReadHashes([]int64{tlog.StoredHashIndex(0, int64(size/2))})
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, int64(size), want, int64(size/2), leaf[0]); err != nil {
			t.Fatalf("proof of %d in %d: %v", size/2, size, err)
		}
	}
}

func TestConsistency(t *testing.T) {
	w := &world{}
	l := w.open(t).Calls()
	defer w.close(t)
	put(t, l, 0, 100)
	for old := uint64(1); old <= 100; old++ {
		from, err := l.Root(old)
		if err != nil {
			t.Fatal(err)
		}
		to, err := l.Root(100)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := l.Consistency(old, 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := tlog.CheckTree(proof, 100, to, int64(old), from); err != nil {
			t.Errorf("from %d: %v", old, err)
		}
	}
	for _, bad := range [][2]uint64{{101, 101}, {2, 1}, {1, 200}} {
		if _, err := l.Consistency(bad[0], bad[1]); !errors.Is(err, auditlog.ErrNotFound) {
			t.Errorf("from %d to %d: %v", bad[0], bad[1], err)
		}
	}
}

func TestRefusedEntries(t *testing.T) {
	w := &world{}
	b := w.open(t)
	defer w.close(t)
	change := func(f func(*auditlog.Entry)) auditlog.Entry {
		e := entry(1)
		f(&e)
		return e
	}
	for name, c := range map[string]struct {
		e    auditlog.Entry
		want error
	}{
		"unknown kind":       {change(func(e *auditlog.Entry) { e.Kind = "call.invented" }), auditlog.ErrKind},
		"no kind":            {change(func(e *auditlog.Entry) { e.Kind = "" }), auditlog.ErrKind},
		"the other log's":    {change(func(e *auditlog.Entry) { e.Kind = auditlog.AdminChanged }), auditlog.ErrKind},
		"quote in exchange":  {change(func(e *auditlog.Entry) { e.Exchange = `a","v":2` }), auditlog.ErrEntry},
		"newline in server":  {change(func(e *auditlog.Entry) { e.Server = "a\nb" }), auditlog.ErrEntry},
		"escape in server":   {change(func(e *auditlog.Entry) { e.Server = "a\x1b[31m" }), auditlog.ErrEntry},
		"unicode in server":  {change(func(e *auditlog.Entry) { e.Server = "a\u2028" }), auditlog.ErrEntry},
		"long server":        {change(func(e *auditlog.Entry) { e.Server = strings.Repeat("a", 65) }), auditlog.ErrEntry},
		"long exchange":      {change(func(e *auditlog.Entry) { e.Exchange = strings.Repeat("a", 65) }), auditlog.ErrEntry},
		"long decision":      {change(func(e *auditlog.Entry) { e.Decision = strings.Repeat("a", 17) }), auditlog.ErrEntry},
		"policy beyond 2^53": {change(func(e *auditlog.Entry) { e.Policy = 1 << 53 }), auditlog.ErrEntry},
		"time before 1970":   {change(func(e *auditlog.Entry) { e.Time = time.Time{} }), auditlog.ErrEntry},
		"no part":            {change(func(e *auditlog.Entry) { e.Part = nil }), auditlog.ErrEntry},
		"part is no object":  {change(func(e *auditlog.Entry) { e.Part = []byte("[1]") }), auditlog.ErrEntry},
		"part too long":      {change(func(e *auditlog.Entry) { e.Part = make([]byte, auditlog.MaxPart+1) }), auditlog.ErrOversize},
	} {
		if _, err := b.Calls().Submit(c.e).Wait(t.Context()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := b.AppendIn(&w.rows, entry(1)); !errors.Is(err, auditlog.ErrKind) {
		t.Errorf("a call in the control log: %v", err)
	}
	if got := b.Calls().Size() + b.Control().Size(); got != 0 {
		t.Errorf("%d entries stand in the logs", got)
	}
}

func TestFullQueueRefuses(t *testing.T) {
	w := &world{}
	hold := make(chan struct{})
	w.rows.Hook(func(r *logtest.Rows) { r.Before = func(auditlog.Batch) error { <-hold; return nil } })
	c := w.config()
	c.QueueEntries, c.QueueBytes = 10, 1<<20
	b, err := auditlog.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	w.book = b
	var tickets []*auditlog.Ticket
	full := 0
	for i := range 2000 {
		ticket := b.Calls().Submit(entry(i))
		if _, ready, err := ticket.Done(); ready {
			if !errors.Is(err, auditlog.ErrFull) {
				t.Fatal(err)
			}
			full++
			continue
		}
		tickets = append(tickets, ticket)
	}
	if full == 0 {
		t.Error("the queue took everything")
	}
	close(hold)
	for _, ticket := range tickets {
		if _, err := ticket.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := b.Calls().Size(); got != uint64(len(tickets)) {
		t.Errorf("%d entries, want %d", got, len(tickets))
	}
	w.close(t)
}

// TestCloseDrains closes while entries wait: all of them are written, and none
// is taken afterwards.
func TestCloseDrains(t *testing.T) {
	w := &world{}
	b := w.open(t)
	l := b.Calls()
	var tickets []*auditlog.Ticket
	for i := range 3000 {
		tickets = append(tickets, l.Submit(entry(i)))
	}
	w.close(t)
	for _, ticket := range tickets {
		if _, err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Submit(entry(1)).Wait(t.Context()); !errors.Is(err, auditlog.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if l.Size() != 3000 {
		t.Errorf("size is %d", l.Size())
	}
}

func TestCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		l := w.open(t).Calls()
		put(t, l, 0, 3)
		if _, _, err := l.Checkpoint(); !errors.Is(err, auditlog.ErrNotFound) {
			t.Errorf("signed at once: %v", err)
		}
		<-time.After(time.Second) // of the bubble's clock
		synctest.Wait()
		if _, size, err := l.Checkpoint(); err != nil || size != 3 {
			t.Errorf("after a second: %d, %v", size, err)
		}
		note, size, err := l.Sign(t.Context())
		if err != nil || size != 3 || !strings.HasPrefix(string(note), logtest.Origin+"/calls/2026\n3\n") {
			t.Errorf("sign: %d %q %v", size, note, err)
		}
		put(t, l, 3, 2)
		if _, size, err = l.Sign(t.Context()); err != nil || size != 5 {
			t.Errorf("sign: %d %v", size, err)
		}
		w.close(t)
	})
}

func TestLogOfTheNextYear(t *testing.T) {
	w := &world{now: time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)}
	b := w.open(t)
	old := b.Calls()
	put(t, old, 0, 5)
	w.set(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	l := b.Calls()
	if l.Name() != "calls/2027" || l == old {
		t.Fatalf("the log is %s", l.Name())
	}
	if p, err := b.Submit(entry(9)).Wait(t.Context()); err != nil || p.Log != "calls/2027" || p.Index != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	w.set(time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC))
	if b.Calls() != l {
		t.Error("a clock that went back brought the old log back")
	}
	w.close(t)
	if b = w.open(t); b.Calls().Name() != "calls/2027" {
		t.Errorf("after a start with a clock that is behind: %s", b.Calls().Name())
	}
	if got, err := b.Log("calls/2026"); err != nil || got.Size() != 5 || got.Verify(t.Context(), nil) != nil {
		t.Errorf("the old log: %v", err)
	}
	if _, size, err := must(b.Log("calls/2026")).Checkpoint(); err != nil || size != 5 {
		t.Errorf("the old log's last checkpoint is of %d: %v", size, err)
	}
	w.close(t)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestClockSteps(t *testing.T) {
	w := &world{now: start}
	var steps []time.Duration
	c := w.config()
	c.Stepped = func(from, to time.Time) { steps = append(steps, to.Sub(from)) }
	b := must(auditlog.Open(c))
	w.book = b
	put(t, b.Calls(), 0, 1)
	w.set(start.Add(-time.Hour))
	put(t, b.Calls(), 1, 1)
	w.set(start.Add(-time.Hour - 10*time.Millisecond)) // an adjustment
	put(t, b.Calls(), 2, 1)
	w.close(t)
	if len(steps) != 1 || steps[0] != -time.Hour {
		t.Errorf("steps: %v", steps)
	}
	w.set(start.Add(-48 * time.Hour)) // while it was stopped
	w.book = must(auditlog.Open(c))
	w.close(t)
	if len(steps) != 2 || steps[1] > -47*time.Hour {
		t.Errorf("steps: %v", steps)
	}
}

func TestAppendIn(t *testing.T) {
	w := &world{}
	b := w.open(t)
	e := entry(1)
	e.Kind, e.Decision = auditlog.AdminChanged, ""
	for i := range 5 {
		p, err := b.AppendIn(&w.rows, e)
		if err != nil || p.Index != uint64(2*i) || p.Log != auditlog.Control {
			t.Fatalf("%+v, %v", p, err)
		}
		p, err = b.Control().Submit(e).Wait(t.Context())
		if err != nil || p.Index != uint64(2*i+1) {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	// A transaction that is rolled back leaves nothing.
	w.rows.Hook(func(r *logtest.Rows) { r.Before = func(auditlog.Batch) error { return errors.New("rolled back") } })
	if _, err := b.AppendIn(&w.rows, e); err == nil {
		t.Error("the error is lost")
	}
	w.rows.Hook(func(r *logtest.Rows) { r.Before = nil })
	if p, err := b.AppendIn(&w.rows, e); err != nil || p.Index != 10 {
		t.Errorf("%+v, %v", p, err)
	}
	w.close(t)
	if _, size, err := b.Control().Checkpoint(); err != nil || size != 11 {
		t.Errorf("checkpoint of %d: %v", size, err)
	}
	if err := b.Control().Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	w := &world{}
	hold := make(chan struct{})
	w.rows.Hook(func(r *logtest.Rows) { r.Before = func(auditlog.Batch) error { <-hold; return nil } })
	b := w.open(t)
	ticket := b.Calls().Submit(entry(1))
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client left")
	cancel(gone)
	if _, err := ticket.Wait(ctx); !errors.Is(err, gone) {
		t.Error(err)
	}
	close(hold)
	if p, err := ticket.Wait(t.Context()); err != nil || p.Index != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	w.close(t)
}
