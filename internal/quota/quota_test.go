package quota

import (
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

func TestBudgetRefusesBeyondItsBytesAndTakesNothing(t *testing.T) {
	b := NewBudget(100)
	if err := b.Take(60); err != nil {
		t.Fatal(err)
	}
	if err := b.Take(41); !fault.Is(err, fault.Overloaded) {
		t.Fatalf("Take beyond the budget: %v", err)
	}
	if err := b.Take(40); err != nil {
		t.Fatalf("a refused Take kept bytes: %v", err)
	}
	b.Give(100)
	if b.Used() != 0 {
		t.Fatalf("%d bytes left", b.Used())
	}
}

func TestSlotsAreCountedPerKey(t *testing.T) {
	s := NewSlots(2)
	for range 2 {
		if err := s.Take("a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Take("a"); !fault.Is(err, fault.Busy) {
		t.Fatalf("third slot: %v", err)
	}
	if err := s.Take("b"); err != nil {
		t.Fatalf("another key: %v", err)
	}
	s.Give("a")
	if err := s.Take("a"); err != nil {
		t.Fatalf("a freed slot: %v", err)
	}
}

func TestSlotsForgetKeysThatHoldNone(t *testing.T) {
	s := NewSlots(0)
	var wait sync.WaitGroup
	for i := range 100 {
		wait.Go(func() {
			key := string(rune('a' + i%10))
			if s.Take(key) == nil {
				s.Give(key)
			}
		})
	}
	wait.Wait()
	if len(s.held) != 0 {
		t.Fatalf("%d keys left", len(s.held))
	}
}

func TestRateAllowsABurstThenThePace(t *testing.T) {
	r, now := NewRate(60), time.Unix(1000, 0)
	for range 60 {
		if err := r.Take("a", now); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Take("a", now); !fault.Is(err, fault.RateLimited) {
		t.Fatalf("call 61: %v", err)
	}
	if err := r.Take("a", now.Add(time.Second)); err != nil {
		t.Fatalf("a second later: %v", err)
	}
	if err := r.Take("b", now); err != nil {
		t.Fatalf("another key: %v", err)
	}
}

func TestRateDoesNotGainFromAClockThatJumpsBack(t *testing.T) {
	r, now := NewRate(1), time.Unix(100000, 0)
	if err := r.Take("a", now); err != nil {
		t.Fatal(err)
	}
	if err := r.Take("a", now.Add(-time.Hour)); err == nil {
		t.Fatal("a jump back gave a call")
	}
}

func TestNoRateMeansNoBound(t *testing.T) {
	r := NewRate(0)
	for range 1000 {
		if err := r.Take("a", time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	r.Set(1)
	if r.Take("a", time.Unix(0, 0)) != nil || r.Take("a", time.Unix(0, 0)) == nil {
		t.Fatal("a new bound did not take effect")
	}
}
