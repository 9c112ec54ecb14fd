package auditlog_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/test/pgtest"
)

// cluster is a store on a real server and the keys that its processes share.
type cluster struct {
	server   *pgtest.Cluster
	database string
	config   postgres.Config
	keys     logtest.Keys
	wrap     func(auditlog.Queue) auditlog.Queue
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{}
	c.server, c.database, c.config = onServer(t)
	db, err := postgres.Create(c.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return c
}

// join opens the book as one more process.
func (c *cluster) join(t testing.TB, node string) *auditlog.Book {
	t.Helper()
	q, err := postgres.OpenQueue(c.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	config := c.keys.Config(q, clock.Fixed(func() time.Time { return start }))
	config.Cluster = &auditlog.Cluster{Queue: q, Node: node}
	if c.wrap != nil {
		config.Cluster.Queue = c.wrap(q)
	}
	b, err := auditlog.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// check verifies the log and returns how often each exchange stands in it.
func (c *cluster) check(t testing.TB, b *auditlog.Book) map[string]int {
	t.Helper()
	l := b.Calls()
	if err := l.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
	seen := map[string]int{}
	err := l.Leaves(0, l.Size(), func(_ uint64, raw []byte) error {
		leaf, err := auditlog.ParseLeaf(raw)
		seen[leaf.Exchange]++
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if left := c.server.SQL(t, c.database, "SELECT count(*) FROM ostiary.audit_queue"); left != "0" {
		t.Errorf("%s rows are left in the queue", left)
	}
	return seen
}

// flood writes n entries by each of several writers of a book, and returns what
// was acknowledged and what may be in the log.
func flood(t testing.TB, b *auditlog.Book, node string, n int) (acknowledged, unknown []string) {
	t.Helper()
	var mu sync.Mutex
	var writers sync.WaitGroup
	for who := range 8 {
		writers.Go(func() {
			for i := range n {
				e := entry(i)
				e.Exchange = fmt.Sprintf("%s-%d-%d", node, who, i)
				p, err := b.Submit(e).Wait(context.Background())
				mu.Lock()
				switch {
				case err == nil && (p.Node != node || p.Seq == 0):
					t.Errorf("acknowledged as %+v", p)
				case err == nil:
					acknowledged = append(acknowledged, e.Exchange)
				case errors.Is(err, auditlog.ErrUncertain):
					unknown = append(unknown, e.Exchange)
				}
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	return acknowledged, unknown
}

func closeBook(t testing.TB, b *auditlog.Book) {
	t.Helper()
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestCluster lets three processes write one log: everything that was
// acknowledged stands in it once, each process's entries in their order.
func TestCluster(t *testing.T) {
	c := newCluster(t)
	nodes := []string{"a", "b", "c"}
	books := make([]*auditlog.Book, len(nodes))
	for i, n := range nodes {
		books[i] = c.join(t, n)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0
	for i, n := range nodes {
		all.Go(func() {
			got, _ := flood(t, books[i], n, 60)
			mu.Lock()
			acknowledged += len(got)
			mu.Unlock()
		})
	}
	all.Wait()
	for _, b := range books[1:] {
		closeBook(t, b)
	}
	closeBook(t, books[0])
	seen := c.check(t, books[0])
	if len(seen) != acknowledged || acknowledged != 3*8*60 {
		t.Errorf("%d stand, %d acknowledged", len(seen), acknowledged)
	}
	for x, n := range seen {
		if n != 1 {
			t.Errorf("%s stands %d times", x, n)
		}
	}
	if _, size, err := books[0].Calls().Checkpoint(); err != nil || size != books[0].Calls().Size() {
		t.Errorf("the last checkpoint is of %d, %v", size, err)
	}
}

// TestSequencerLosesItsConnection ends the sessions of both processes again and
// again while they write.
func TestSequencerLosesItsConnection(t *testing.T) {
	c := newCluster(t)
	books := map[string]*auditlog.Book{"a": c.join(t, "a"), "b": c.join(t, "b")}
	done := make(chan struct{})
	var killer sync.WaitGroup
	killer.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				c.server.SQL(t, "postgres", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '"+c.database+"'")
			}
		}
	})
	var mu sync.Mutex
	must, may := map[string]bool{}, map[string]bool{}
	var writers sync.WaitGroup
	for node, b := range books {
		writers.Go(func() {
			got, unknown := flood(t, b, node, 80)
			mu.Lock()
			defer mu.Unlock()
			for _, x := range got {
				must[x] = true
			}
			for _, x := range unknown {
				may[x] = true
			}
		})
	}
	writers.Wait()
	close(done)
	killer.Wait()
	last := c.join(t, "last")
	for _, b := range books {
		closeBook(t, b)
	}
	closeBook(t, last)
	seen := c.check(t, last)
	for x := range must {
		if seen[x] != 1 {
			t.Errorf("%s was acknowledged and stands %d times", x, seen[x])
		}
	}
	for x, n := range seen {
		if n != 1 || !must[x] && !may[x] {
			t.Errorf("%s stands %d times, acknowledged %t", x, n, must[x])
		}
	}
	if len(must) == 0 {
		t.Error("nothing was acknowledged")
	}
}

// TestDeposedSequencer lets a sequencer go on after another took over, with its
// session alive and its lock gone: the epoch fences it off.
func TestDeposedSequencer(t *testing.T) {
	c := newCluster(t)
	q, err := postgres.OpenQueue(c.config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}()
	old, err := q.Sequence(calls)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Sequence(calls); !errors.Is(err, auditlog.ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
	for seq := uint64(1); seq <= 2; seq++ {
		if err := q.Enqueue(auditlog.Queued{Log: calls, Node: "n", Seq: seq, Count: 1, Entries: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := old.Queued(10)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v, %v", rows, err)
	}
	// What another sequencer does, without the lock that it waits for.
	c.server.SQL(t, c.database, "UPDATE ostiary.audit_epoch SET epoch = epoch + 1")
	b := auditlog.Batch{Log: calls, Count: 1, Leaves: []byte("\x01x"), Hashes: make([]byte, 32), Parts: []byte("p")}
	if err := old.Append(b, rows[:1]); !errors.Is(err, auditlog.ErrFenced) {
		t.Errorf("deposed: %v", err)
	}
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	now, err := q.Sequence(calls)
	if err != nil {
		t.Fatal(err)
	}
	if size, err := q.AuditSize(calls); err != nil || size != 0 {
		t.Errorf("%d entries, %v", size, err)
	}
	if err := now.Append(b, rows[:1]); err != nil {
		t.Error(err)
	}
	if err := now.Append(b, rows[1:]); !errors.Is(err, auditlog.ErrConflict) {
		t.Errorf("another size: %v", err)
	}
	b.First, b.HashStart = 1, 1
	b.Hashes = make([]byte, 64)
	if err := now.Append(b, rows[:1]); !errors.Is(err, auditlog.ErrFenced) {
		t.Errorf("a row that is gone: %v", err)
	}
	if left, err := now.Queued(10); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := now.Close(); err != nil {
		t.Error(err)
	}
}

func TestEnqueueIsCompareAndSet(t *testing.T) {
	c := newCluster(t)
	q, err := postgres.OpenQueue(c.config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}()
	put := func(seq, n uint64) error {
		return q.Enqueue(auditlog.Queued{Log: calls, Node: "n", Seq: seq, Count: n, Entries: []byte("x")})
	}
	if err := put(2, 1); !errors.Is(err, auditlog.ErrConflict) {
		t.Errorf("begins at 2: %v", err)
	}
	for _, ok := range [][2]uint64{{1, 3}, {4, 1}} {
		if err := put(ok[0], ok[1]); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	for _, bad := range []uint64{1, 2, 4, 6, 100} {
		if err := put(bad, 1); !errors.Is(err, auditlog.ErrConflict) {
			t.Errorf("at %d: %v", bad, err)
		}
	}
	if last, err := q.QueueLast(calls, "n"); err != nil || last != 4 {
		t.Errorf("last is %d, %v", last, err)
	}
	if n := c.server.SQL(t, c.database, "SELECT count(*) FROM ostiary.audit_queue"); n != "2" {
		t.Errorf("%s rows", n)
	}
}

// BenchmarkCluster measures how long acknowledgement and inclusion take.
func BenchmarkCluster(b *testing.B) {
	c := newCluster(b)
	books := []*auditlog.Book{c.join(b, "a"), c.join(b, "b")}
	var all sync.WaitGroup
	b.ResetTimer()
	for w := range 64 {
		all.Go(func() {
			for i := w; i < b.N; i += 64 {
				e := entry(i)
				e.Part = part
				if _, err := books[w%2].Submit(e).Wait(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	acknowledged := b.Elapsed()
	for _, book := range books {
		closeBook(b, book)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/acknowledged.Seconds(), "acked/s")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "included/s")
	if got := books[0].Calls().Size(); got != uint64(b.N) {
		b.Fatalf("%d entries, want %d", got, b.N)
	}
}
