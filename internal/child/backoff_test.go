package child

import (
	"testing"
	"time"
)

func TestBackoffDoublesToItsLimit(t *testing.T) {
	var b Backoff
	now := time.Unix(1_700_000_000, 0)
	if w := b.Wait(now); w != 0 {
		t.Fatalf("the first start waits %v", w)
	}
	for _, want := range []time.Duration{200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000} {
		want *= time.Millisecond
		b.Started(now)
		now = now.Add(time.Second)
		b.Ended(now)
		if w := b.Wait(now); w > want || w < want-want/5-1 {
			t.Errorf("wait %v, want %v less up to a fifth", w, want)
		}
		if w := b.Wait(now.Add(want)); w != 0 {
			t.Errorf("still waits %v after %v", w, want)
		}
		now = now.Add(want)
	}
}

func TestBackoffForgetsAfterAMinuteOfLife(t *testing.T) {
	for life, forgets := range map[time.Duration]bool{time.Minute: true, time.Minute - 1: false} {
		var b Backoff
		now := time.Unix(1_700_000_000, 0)
		for range 20 {
			b.Ended(now)
		}
		b.Started(now)
		now = now.Add(life)
		b.Ended(now)
		if w := b.Wait(now); (w <= firstDelay) != forgets {
			t.Errorf("after a life of %v the wait is %v", life, w)
		}
	}
}
