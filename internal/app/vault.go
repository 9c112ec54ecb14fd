package app

import (
	"context"
	"time"

	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/vault"
)

// vaultEvery is how often tokens that have expired leave the store. They resolve
// no longer than their expiry says, swept or not.
const vaultEvery = time.Hour

// newVault returns the map of pseudonyms over the store.
func (a *App) newVault() *vault.Vault {
	return vault.New(vault.Config{Rows: a.store, Keys: a.ring, Clock: a.clock, ReadOnly: a.follower != nil,
		Expiry: func() time.Duration { return time.Duration(a.config.Load().Privacy.Expiry) }})
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
