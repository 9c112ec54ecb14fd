package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/logs"
)

// UpOptions are what the process of a gateway hands in.
type UpOptions struct {
	Reload   <-chan os.Signal     // each one re-reads the configuration
	Notify   func(string) error   // tells the service manager; nil: there is none
	Watchdog time.Duration        // how often it wants to hear; 0: never
	Ready    func(address string) // called once, when the data listener accepts
}

// stopTimeout bounds the stop of what serves operators.
const stopTimeout = 5 * time.Second

// Up runs the gateway until ctx ends: first the operators' socket and
// listeners, then the data plane (Serve). It returns when all of it has ended.
func (a *App) Up(ctx context.Context, o UpOptions) error {
	a.warnLoosenings()
	a.warnExposed()
	a.sayOpened()
	if err := a.begins(); err != nil {
		return fmt.Errorf("record the start: %w", err)
	}
	parts, err := a.startOperators(ctx, o)
	if err != nil {
		return errors.Join(err, parts.stop(), a.ends(err))
	}
	a.ready = func() {
		a.running.Store(true)
		a.notify(o, "READY=1")
		if o.Ready != nil {
			o.Ready(a.dataAddress())
		}
	}
	err = a.Serve(ctx)
	a.running.Store(false)
	a.notify(o, "STOPPING=1")
	return errors.Join(err, parts.stop(), a.ends(err))
}

// parts are what Up started, in that order.
type parts []func(context.Context) error

// stop ends the parts, last first.
func (p parts) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for i := len(p) - 1; i >= 0; i-- {
		errs = append(errs, p[i](ctx))
	}
	return errors.Join(errs...)
}

func (a *App) startOperators(ctx context.Context, o UpOptions) (parts, error) {
	var all parts
	path, release, err := socketPath(a.dir)
	if err != nil {
		return all, err
	}
	socket, err := a.admin.Serve(path, a.logError)
	if errors.Is(err, admin.ErrNoSocket) {
		a.log.Warn(err.Error())
		release()
	} else if err != nil {
		release()
		return all, err
	} else {
		all = append(all, func(ctx context.Context) error { defer release(); return socket.Close(ctx) })
	}
	health, err := a.serveHealth()
	all = append(all, health...)
	if err != nil {
		return all, err
	}
	traces, err := a.startTraces(ctx)
	if err != nil {
		return all, err
	}
	all = append(all, traces)
	if err := a.declare(ctx, a.config.Load().Servers); err != nil {
		a.health.Set("config", stateDegraded, err.Error())
		a.logError("declared servers", err)
	}
	return append(all, a.watchConfig(o), a.watchdog(o)), nil
}

// notify tells the service manager; that it cannot be told is only logged.
func (a *App) notify(o UpOptions, state string) {
	if o.Notify == nil {
		return
	}
	if err := o.Notify(state); err != nil {
		a.logError("tell the service manager", err)
	}
}

// alive asks the store for something: a gateway whose store hangs or is broken
// cannot take a revocation any more.
func (a *App) alive() error {
	_, err := a.store.Agents()
	return err
}

// watchdog tells the service manager that the gateway lives, as long as its
// store answers.
func (a *App) watchdog(o UpOptions) func(context.Context) error {
	if o.Notify == nil || o.Watchdog <= 0 {
		return func(context.Context) error { return nil }
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(o.Watchdog / 2)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				if err := a.alive(); err != nil {
					a.logError("the store does not answer", err)
					continue // the service manager restarts us
				}
				a.notify(o, "WATCHDOG=1")
			case <-quit:
				return
			}
		}
	}()
	return func(context.Context) error { close(quit); <-done; return nil }
}

func (a *App) logError(msg string, err error) { a.log.Error(msg, logs.Err(err)) }

// warnLoosenings says at start what the configuration opens.
func (a *App) warnLoosenings() {
	l := a.config.Load().Listeners
	if l.Local.Address != "" {
		a.log.Warn("loosening: plain HTTP without credentials", logs.Public("address", l.Local.Address), logs.Public("agent", l.Local.Agent))
		a.health.Set("loosening: plaintext loopback", stateOK, fmt.Sprintf("every local caller on %s is agent %s", l.Local.Address, l.Local.Agent))
	}
}

// checkCore is the check that says whether a crash leaves memory on a disk.
const checkCore = "core dumps"

// warnExposed says when this process could not be made undumpable.
func (a *App) warnExposed() {
	if err := a.options.Exposed; err != nil {
		a.logError("a crash may leave keys in a core file", err)
		a.health.Set(checkCore, stateDegraded, "a crash may leave keys in a core file: "+err.Error())
	}
}

// dataAddress is where the data listener is, or will be.
func (a *App) dataAddress() string {
	if bound := a.bound.Load(); bound != nil {
		return *bound
	}
	return a.config.Load().Listeners.Data.Address
}

// gateway tells operators and local clients where the data plane is.
func (a *App) gateway() admin.Gateway {
	c := a.config.Load()
	g := admin.Gateway{Running: a.running.Load(), Version: a.options.Version, Mode: c.Mode,
		Checks: a.health.Checks, OwnCA: c.Listeners.Data.TLS.Cert == "", Address: dialAddress(a.dataAddress())}
	host, port, err := net.SplitHostPort(g.Address)
	if err != nil {
		return g
	}
	g.ServerName = host
	g.URL = "https://" + net.JoinHostPort(host, port)
	if u, err := url.Parse(c.Listeners.Data.PublicURL); err == nil && u.Host != "" {
		g.URL = "https://" + u.Host
		g.ServerName = u.Hostname()
	} else if !g.OwnCA && len(c.Listeners.Data.Names) > 0 {
		g.ServerName = c.Listeners.Data.Names[0]
		g.URL = "https://" + net.JoinHostPort(g.ServerName, port)
	}
	return g
}
