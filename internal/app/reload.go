package app

import (
	"context"
	"os"
	"reflect"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/logs"
)

// lookEvery is how often the configuration file is looked at. It is looked at,
// not watched: orchestrators replace it through links in other directories,
// and beside it lies the record, whose every line would wake a watch.
const lookEvery = 250 * time.Millisecond

// checkFile is the check that says whether the file could be read.
const checkFile = "config file"

// watchConfig re-reads the configuration on each signal and whenever the file
// is another one than it was.
func (a *App) watchConfig(o UpOptions) func(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.watch(ctx, o)
	}()
	return func(context.Context) error {
		cancel()
		<-done
		return nil
	}
}

func (a *App) watch(ctx context.Context, o UpOptions) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var last, read os.FileInfo
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.Reload:
			a.notify(o, "RELOADING=1")
			a.Reload(ctx)
			a.notify(o, "READY=1")
		case <-look.C:
			now, err := os.Stat(a.file)
			if err != nil {
				now = nil // Reload says what is wrong
			}
			// Many editors empty a file before they fill it: it is read
			// once it looks the same twice.
			if same(now, last) && !same(now, read) {
				a.Reload(ctx)
				read = now
			}
			last = now
		}
	}
}

// same reports whether a file is the one that it was, untouched.
func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Reload reads the configuration again. When it is valid, the keys that may
// change while the gateway runs take effect together; a change of another key
// is reported and waits for a restart. When it is not, the old one stays and
// readiness says so.
func (a *App) Reload(ctx context.Context) {
	defer a.reloadPolicies(ctx)
	text, err := readConfig(a.file)
	if err != nil {
		a.keepOld(err)
		return
	}
	sum, old := digestOf(text), *a.digest.Load()
	if sum == old {
		a.health.Set(checkFile, stateOK, "")
		return
	}
	next, err := placed(a.file, text, a.options.Environ)
	if err != nil {
		a.keepOld(err)
		return
	}
	a.health.Set(checkFile, stateOK, "")
	now := a.config.Load()
	merged, hot, cold := plan(now, next)
	if len(hot) > 0 {
		if err := a.record.Act(auditlog.Act{Kind: auditlog.ConfigReloaded, Action: "config.reload", Subject: "gateway",
			Before: string(old), After: string(sum), Change: map[string]any{"keys": hot}}); err != nil {
			a.keepOld(err)
			return
		}
	}
	a.config.Store(merged)
	a.digest.Store(&sum)
	err = a.declare(ctx, merged.Servers)
	switch {
	case err != nil:
		a.health.Set("config", stateDegraded, err.Error())
		a.logError("declared servers", err)
	case len(cold) > 0:
		a.health.Set("config", stateDegraded, "needs a restart: "+strings.Join(cold, ", "))
		a.log.Warn("configuration keys need a restart", logs.Public("keys", strings.Join(cold, ", ")))
	default:
		a.health.Set("config", stateOK, "")
	}
	a.log.Info("configuration read again", logs.Public("changed", strings.Join(hot, ", ")))
	if a.reloaded != nil {
		a.reloaded(merged)
	}
}

func (a *App) keepOld(err error) {
	a.health.Set(checkFile, stateDegraded, "is not valid, the old one stays: "+err.Error())
	a.logError("the configuration is not valid; the old one stays", err)
}

// plan returns now with every hot key of next, and the paths of the hot and the
// other keys that differ.
func plan(now, next *Config) (merged *Config, hot, cold []string) {
	m := *now
	to, from := m.leaves(), next.leaves()
	for i := range to {
		if reflect.DeepEqual(to[i].value.Interface(), from[i].value.Interface()) {
			continue
		}
		if to[i].reload != "hot" {
			cold = append(cold, to[i].path)
			continue
		}
		hot = append(hot, to[i].path)
		to[i].value.Set(from[i].value)
	}
	return &m, hot, cold
}
