package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"ostiary.dev/ostiary/internal/logs"
)

// watchConfig re-reads the configuration on each signal and whenever something
// in its directory changes. The directory is watched, not the file, because
// orchestrators replace files through links beside them; what counts is the
// text's digest.
func (a *App) watchConfig(o UpOptions) (func(context.Context) error, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the configuration: %w", err)
	}
	if err := w.Add(filepath.Dir(a.file)); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the configuration: %w", err), w.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.watch(ctx, w, o)
	}()
	return func(context.Context) error {
		cancel()
		<-done
		return w.Close()
	}, nil
}

// ownFiles change all the time; they say nothing about the configuration.
func ownFile(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, storeName) || strings.HasPrefix(name, recordName) || name == lockName || name == socketName
}

// checkFile is the check that says whether the file could be read.
const checkFile = "config file"

// settle is how long the file must rest before it is read: many editors empty
// a file before they fill it.
const settle = 50 * time.Millisecond

func (a *App) watch(ctx context.Context, w *fsnotify.Watcher, o UpOptions) {
	rest := time.NewTimer(settle)
	rest.Stop()
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C:
			a.Reload(ctx)
		case <-o.Reload:
			a.notify(o, "RELOADING=1")
			a.Reload(ctx)
			a.notify(o, "READY=1")
		case e := <-w.Events:
			if !ownFile(e.Name) {
				rest.Reset(settle)
			}
		case err := <-w.Errors:
			a.logError("watch the configuration", err)
		}
	}
}

// Reload reads the configuration again. When it is valid, the keys that may
// change while the gateway runs take effect together; a change of another key
// is reported and waits for a restart. When it is not, the old one stays and
// readiness says so.
func (a *App) Reload(ctx context.Context) {
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
		if err := a.record.Admin("config.reload", "config", "gateway", "", map[string]any{
			"before": old, "after": sum, "keys": hot,
		}); err != nil {
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
