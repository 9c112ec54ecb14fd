package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/vault"
)

// vaultEvery is how often tokens that have expired leave the store. They resolve
// no longer than their expiry says, swept or not.
const vaultEvery = time.Hour

// newVault returns the map of pseudonyms over the store.
func (a *App) newVault() *vault.Vault {
	var learn func()
	if a.follower != nil {
		learn = a.learnSubjects
	}
	return vault.New(vault.Config{Rows: a.store, Keys: a.ring, Clock: a.clock, ReadOnly: a.follower != nil, Learn: learn,
		Expiry: func() time.Duration { return time.Duration(a.config.Load().Privacy.Expiry) },
		Fresh:  func() int { return a.config.Load().Privacy.NewValues }})
}

// learnEvery is how often at most a follower reads the keys anew because a row is
// about somebody it does not know: an erased one, for all it can tell.
const learnEvery = time.Second

// learnSubjects reads the keys anew. The owner makes subjects while calls run, which
// no change of the store tells of (TestC11FollowerMakesNoPseudonyms).
func (a *App) learnSubjects() {
	f := a.follower
	f.learn.Lock()
	defer f.learn.Unlock()
	now := a.clock.Now()
	if now.Sub(f.learned) < learnEvery {
		return
	}
	f.learned = now
	if err := a.ring.Refresh(); err != nil {
		a.logError("read the keys of people anew", err)
	}
}

// meterVault registers what is counted of pseudonyms.
func (a *App) meterVault(reg prometheus.Registerer) {
	for name, c := range map[string]struct {
		help string
		of   func(vault.Counts) uint64
	}{
		"made_total":       {"Values that had a new pseudonym made.", func(c vault.Counts) uint64 { return c.Made }},
		"restored_total":   {"Pseudonyms that were turned back.", func(c vault.Counts) uint64 { return c.Restored }},
		"unresolved_total": {"Pseudonyms that stood for nothing.", func(c vault.Counts) uint64 { return c.Lookalikes }},
		"refused_total":    {"Messages refused because their caller had too many new values hidden.", func(c vault.Counts) uint64 { return c.Refused }},
	} {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ostiary_pseudonyms_" + name, Help: c.help},
			func() float64 { return float64(c.of(a.vault.Counts())) }))
	}
}

// sweepVault removes expired tokens until ctx ends.
func (a *App) sweepVault(ctx context.Context) {
	every := time.NewTicker(vaultEvery)
	defer every.Stop()
	for {
		n, err := a.vault.Sweep(ctx)
		switch {
		case err != nil:
			a.logError("remove pseudonyms that have expired", err)
		case n > 0:
			a.log.Info("pseudonyms have expired", logs.Public("tokens", n))
		}
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
	}
}
