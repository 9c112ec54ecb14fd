package quota

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// ledger is what is on stable storage.
type ledger struct {
	mu    sync.Mutex
	start map[string]time.Time
	taken map[string]int64
	calls int
	fail  error
}

func newLedger() *ledger { return &ledger{start: map[string]time.Time{}, taken: map[string]int64{}} }

func (l *ledger) lease(key string, start time.Time, n, limit int64) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls++; l.fail != nil {
		return 0, l.fail
	}
	if start.After(l.start[key]) {
		l.start[key], l.taken[key] = start, 0
	}
	got := max(0, min(n, limit-l.taken[key]))
	l.taken[key] += got
	return got, nil
}

// TestP16BurstHoldsTheLimit: fifty callers at once, over three gateways that
// lease from one store, get no more than the limit, and at least 95 of 100.
func TestP16BurstHoldsTheLimit(t *testing.T) {
	for _, gateways := range []int{1, 3} {
		store := newLedger()
		var nodes []*Windows
		for range gateways {
			nodes = append(nodes, NewWindows(store.lease, time.Hour))
		}
		var passed atomic.Int64
		var wait sync.WaitGroup
		for i := range 50 {
			wait.Go(func() {
				for range 100 {
					if _, err := nodes[i%gateways].Take("k", Bound{1000, time.Hour}, 1, noon); err == nil {
						passed.Add(1)
					}
				}
			})
		}
		wait.Wait()
		if n := passed.Load(); n < 950 || n > 1000 {
			t.Errorf("%d gateways let %d of 1000 pass", gateways, n)
		}
		if store.calls > 1000/10+3*gateways {
			t.Errorf("%d gateways leased %d times", gateways, store.calls)
		}
	}
}

// TestLeasedBlocksOverCount: after a crash what was leased counts as used.
func TestLeasedBlocksOverCount(t *testing.T) {
	store, b := newLedger(), Bound{1000, 24 * time.Hour}
	before := NewWindows(store.lease, time.Hour)
	for range 15 {
		if _, err := before.Take("k", b, 1, noon); err != nil {
			t.Fatal(err)
		}
	}
	after, passed := NewWindows(store.lease, time.Hour), 0
	for range 2000 {
		if _, err := after.Take("k", b, 1, noon.Add(time.Minute)); err == nil {
			passed++
		}
	}
	if passed > 985 || passed < 975 {
		t.Errorf("%d passed after 15 and a crash", passed)
	}
	left := before.Unused()["k"]
	if left.N != 5 || len(before.Unused()) != 0 {
		t.Errorf("a clean stop would give back %+v", left)
	}
	if _, err := after.Take("k", b, 1, noon.Add(12*time.Hour)); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}

// TestWindowRefusesWhenNothingCanBeLeased: what cannot be written down is not
// used (fail closed).
func TestWindowRefusesWhenNothingCanBeLeased(t *testing.T) {
	store := newLedger()
	store.fail = errors.New("disk full")
	w := NewWindows(store.lease, time.Hour)
	if _, err := w.Take("k", Bound{10, time.Hour}, 1, noon); !fault.Is(err, fault.Busy) {
		t.Fatal(err)
	}
	if _, err := w.Take("k", Bound{10, time.Minute}, 1, noon); err != nil {
		t.Fatalf("a short window needs no store: %v", err)
	}
}

// TestWindowsOfAClockThatStepsBack: an earlier time opens no window again.
func TestWindowsOfAClockThatStepsBack(t *testing.T) {
	w, b := NewWindows(nil, time.Hour), Bound{2, time.Minute}
	for range 2 {
		if _, err := w.Take("k", b, 1, noon); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []time.Time{noon, noon.Add(-time.Hour), noon.Add(59 * time.Second)} {
		if wait, err := w.Take("k", b, 1, at); !fault.Is(err, fault.RateLimited) || wait < time.Second {
			t.Errorf("at %s: %v, wait %s", at, err, wait)
		}
	}
	if _, err := w.Take("k", b, 1, noon.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if err := w.Add("k", b, 5, noon.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if _, err := w.Take("k", b, 1, noon.Add(time.Minute)); err == nil {
		t.Error("what was added does not count")
	}
}

// TestFairShares: whoever floods leaves room for others, by counts.
func TestFairShares(t *testing.T) {
	f := NewFair(100)
	take := func(key string) (n int) {
		for f.Take(key) == nil {
			n++
		}
		return n
	}
	if n := take("flood"); n != 50 {
		t.Errorf("one alone holds %d of 100", n)
	}
	if n := take("second"); n != 33 {
		t.Errorf("the second holds %d", n)
	}
	if n := take("third"); n < 10 {
		t.Errorf("the third holds %d", n)
	}
	f.Give("flood")
	if f.Take("flood") == nil {
		t.Error("who holds more than its share took another place")
	}
	if f.Take("fourth") != nil {
		t.Error("nothing is left for a fourth")
	}
	for range 49 {
		f.Give("flood")
	}
	for i := range 20 {
		if f.Take("k"+strconv.Itoa(i)) != nil {
			t.Fatalf("key %d found no place", i)
		}
	}
	if len(f.held) > 23 {
		t.Errorf("%d keys are held", len(f.held))
	}
}
