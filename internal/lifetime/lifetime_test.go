package lifetime

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

var errWhy = errors.New("why")

func ended(t *testing.T, ctx context.Context, cause error) {
	t.Helper()
	select {
	case <-ctx.Done():
	default:
		t.Fatal("it has not ended")
	}
	if got := context.Cause(ctx); got != cause {
		t.Fatalf("cause %v, want %v", got, cause)
	}
}

func running(t *testing.T, ctx context.Context) {
	t.Helper()
	select {
	case <-ctx.Done():
		t.Fatal("it has ended")
	default:
	}
	if ctx.Err() != nil || context.Cause(ctx) != nil {
		t.Fatalf("error %v", ctx.Err())
	}
}

func TestEnd(t *testing.T) {
	var l Life
	running(t, &l)
	l.End(errWhy)
	l.End(errors.New("another"))
	ended(t, &l, errWhy)
	var unasked Life
	unasked.End(nil)
	ended(t, &unasked, context.Canceled)
	if _, ok := l.Deadline(); ok || l.Value("x") != nil {
		t.Error("a deadline or a value")
	}
}

// TestDerived holds contexts of the standard library to their parent, with its
// cause.
func TestDerived(t *testing.T) {
	var l Life
	with, cancel := context.WithTimeout(&l, time.Hour)
	defer cancel()
	running(t, with)
	l.End(errWhy)
	ended(t, with, errWhy)
	late, cancel := context.WithCancel(&l)
	defer cancel()
	ended(t, late, errWhy)
}

func TestUnder(t *testing.T) {
	parent, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	over := Under(parent)
	child, sibling := Under(over), Under(over)
	sibling.End(nil)
	running(t, child)
	over.End(errWhy)
	ended(t, child, errWhy)
	ended(t, sibling, context.Canceled)
	running(t, parent)

	second := Under(parent)
	cancel(errWhy)
	<-second.Done() // the standard library calls from a goroutine
	ended(t, second, errWhy)
	orphan := Under(context.Background())
	running(t, orphan)
	orphan.End(nil)
	ended(t, orphan, context.Canceled)
	ended(t, Under(over), errWhy)
}

func TestAfterFunc(t *testing.T) {
	var l Life
	var called []int
	var stops []func() bool
	for i := range 5 {
		stops = append(stops, AfterFunc(&l, func() { called = append(called, i) }))
	}
	for _, i := range []int{0, 2, 4} { // the oldest, one between, the youngest
		if !stops[i]() || stops[i]() {
			t.Errorf("stop %d", i)
		}
	}
	l.End(errWhy)
	if len(called) != 2 || called[0]+called[1] != 4 {
		t.Errorf("called %v", called)
	}
	if stops[1]() || AfterFunc(&l, func() { called = nil })() || called != nil {
		t.Error("after the end")
	}
	if !AfterFunc(context.Background(), func() { t.Error("called") })() {
		t.Error("what never ends could not be let go")
	}
}

func TestManyAtOnce(t *testing.T) {
	var l Life
	var all sync.WaitGroup
	var mu sync.Mutex
	calls, stopped := 0, 0
	for range 8 {
		all.Go(func() {
			for range 200 {
				stop := AfterFunc(&l, func() { mu.Lock(); calls++; mu.Unlock() })
				child := Under(&l)
				if stop() {
					mu.Lock()
					stopped++
					mu.Unlock()
				}
				child.End(nil)
			}
		})
	}
	all.Go(func() { l.End(errWhy) })
	all.Wait()
	if calls+stopped != 1600 {
		t.Errorf("%d calls and %d stops of 1600", calls, stopped)
	}
}

func BenchmarkUnder(b *testing.B) {
	var l Life
	for b.Loop() {
		Under(&l).End(nil)
	}
}
