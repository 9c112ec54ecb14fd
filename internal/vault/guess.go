package vault

import (
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// maxGuessers bounds the scopes whose failures are counted apart.
const maxGuessers = 4096

// guesses counts tokens that do not resolve, by scope and minute. The attack: a
// caller tries tokens until one is somebody's (TestLookalikesAreLimited).
type guesses struct {
	mu     sync.Mutex
	minute int64
	scopes map[string]int
	limit  int
	all    atomic.Uint64
}

// allow counts n failures and reports whether the scope is within its limit.
func (g *guesses) allow(scope string, n int, now time.Time) bool {
	g.all.Add(uint64(n))
	g.mu.Lock()
	defer g.mu.Unlock()
	if minute := now.Unix() / 60; minute != g.minute || g.scopes == nil {
		g.minute, g.scopes = minute, map[string]int{}
	}
	if n == 0 {
		return g.scopes[scope] <= g.limit
	}
	if _, known := g.scopes[scope]; !known && len(g.scopes) >= maxGuessers {
		return false
	}
	g.scopes[scope] += n
	return g.scopes[scope] <= g.limit
}

// decoy is a sealed value that is opened where there is none, so that a token
// which is not there takes as long as one that is (TestC11RestoreAlike).
type decoy struct {
	once   sync.Once
	place  keys.PseudonymPlace
	sealed []byte
	err    error
}

// work does what a row would have cost: its body is opened, and its value.
func (v *Vault) work() error {
	d := &v.decoy
	d.once.Do(func() {
		d.place = keys.PseudonymPlace{Scope: "decoy", Type: "DECOY", Token: "decoy"}
		d.sealed, d.err = v.cfg.Keys.SealPseudonym(d.place, []byte("nobody@example.invalid"))
	})
	if d.err != nil {
		return d.err
	}
	for range 2 {
		// A key that was destroyed meanwhile opens nothing, after the same work.
		if _, err := v.cfg.Keys.OpenPseudonym(d.place, d.sealed); err != nil {
			return nil //nolint:nilerr // the outcome is of no interest
		}
	}
	return nil
}
