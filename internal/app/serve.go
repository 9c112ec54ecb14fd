package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/registry"
)

// Serve runs the data plane until ctx ends: it listens, serves, and then lets
// calls under way finish, at most for the drain timeout.
func (a *App) Serve(ctx context.Context) error {
	if err := os.MkdirAll(a.runDir(), 0o700); err != nil {
		return err
	}
	hook, err := a.newWebhook()
	if err != nil {
		return err
	}
	a.webhook.Store(hook)
	h, err := a.newHouse()
	if err != nil {
		return err
	}
	defer h.forward.Close()
	a.admin.SetProber(h.forward)
	if err := a.startPolicies(ctx); err != nil {
		return err
	}
	a.reloaded = func(c *Config) { h.rate.Set(c.Limits.CallsPerMinute) }
	a.health.Watch(checkWitness, a.keeper.health)
	a.health.Watch(checkLog, a.logHealth)
	a.health.Watch(checkBreakGlass, a.breakGlass)
	a.health.Watch(checkKills, a.killHealth)
	a.health.Watch(checkIssuers, a.issuerHealth)
	a.startTrust(ctx)
	servers, err := a.listen(h)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	background, stop := context.WithCancel(context.Background())
	defer wait.Wait()
	defer stop()
	wait.Go(func() { a.end(background, h, servers) })
	wait.Go(func() { a.tend(background, h) })
	if a.trust != nil {
		for _, s := range a.trust.sources {
			wait.Go(func() { a.watchTrust(background, s) })
		}
	}
	if a.follower != nil {
		wait.Go(func() { a.follow(background) })
	} else {
		wait.Go(func() { a.watchDrift(background) })
		wait.Go(func() { a.watchStore(background) })
		wait.Go(func() { a.keeper.watch(background, a.book) })
		wait.Go(func() { a.sweepLog(background) })
		wait.Go(func() { a.sweepRows(background) })
		wait.Go(func() { a.sweepVault(background) })
		wait.Go(func() { a.sweepIssuer(background) })
		wait.Go(func() { a.sweepCertificates(background) })
		wait.Go(func() { a.sweepApprovals(background) })
		wait.Go(func() { hook.run(background) })
	}
	failed := make(chan error, len(servers))
	for _, s := range servers {
		wait.Go(func() { failed <- s.server.Serve(s.listener) })
	}
	a.ready()
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	err = errors.Join(err, a.drain(h, servers))
	a.returnLimits(h.may.Limits)
	return err
}

// serving is one listener with its server.
type serving struct {
	server   *http1.Server
	listener net.Listener
}

// listen opens the data listener and, when configured, the loopback one.
func (a *App) listen(h *house) ([]serving, error) {
	c := a.config.Load()
	cert, err := a.dataCertificate(c)
	if err != nil {
		return nil, err
	}
	config := a.callersTLS(cert, c.Listeners.Data.TLS.RequirePQ)
	data, err := net.Listen("tcp", c.Listeners.Data.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for clients: %w", err)
	}
	bound := data.Addr().String()
	a.bound.Store(&bound)
	all := []serving{{http1.NewServer(a.serverConfig(h.door.Face(""), config)), data}}
	local := c.Listeners.Local
	if local.Address == "" {
		return all, nil
	}
	plain, err := net.Listen("tcp", local.Address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on loopback: %w", err), data.Close())
	}
	return append(all, serving{http1.NewServer(a.serverConfig(h.door.Face(local.Agent), nil)), plain}), nil
}

func (a *App) serverConfig(handler http1.Handler, config *tls.Config) http1.ServerConfig {
	l := a.config.Load().Limits
	lim := http1.DefaultLimits()
	lim.URL, lim.Line, lim.HeaderBytes, lim.Fields = int(l.URLBytes), int(l.HeaderLineBytes), int(l.HeaderBytes), l.HeaderFields
	lim.HeaderTimeout, lim.IdleTimeout = time.Duration(l.HeaderTimeout), time.Duration(l.IdleTimeout)
	lim.WriteTimeout, lim.BodyTimeout = time.Duration(l.WriteTimeout), time.Duration(l.BodyTimeout)
	return http1.ServerConfig{
		Handler: handler, TLS: config, Limits: lim, HTTP2: config != nil, MaxConns: l.Connections,
		ErrorLog: func(msg string, err error) { a.log.Warn(msg, logs.Err(err)) },
		OnBad: func(peer netip.AddrPort, reason string) {
			if err := a.record.Bad(peer, reason); err != nil {
				a.logError("record a malformed connection", err)
			}
		},
	}
}

// dataCertificate returns the listener's certificate: the operator's own
// files, read again when they change, or one of the gateway's CA.
func (a *App) dataCertificate(c *Config) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	files := c.Listeners.Data.TLS
	if files.Cert == "" {
		own := &issued{ca: a.ring.CA(), names: c.ServedNames(), clock: a.clock}
		return own.get, nil
	}
	f := &certFiles{cert: a.filePath(files.Cert), key: a.filePath(files.Key), clock: a.clock}
	if _, err := f.get(nil); err != nil {
		return nil, fmt.Errorf("load the data listener's certificate: %w", err)
	}
	return f.get, nil
}

// endEvery is how often the view is looked at for having become too old; once
// in endTurns times, everything that is under way is.
const (
	endEvery = 250 * time.Millisecond
	endTurns = 4
)

// end ends what was revoked, has expired, or cannot be told from it. It asks
// nobody, so that a database that does not answer keeps nothing alive
// (TestEndsWhileNothingAnswers).
func (a *App) end(ctx context.Context, h *house, servers []serving) {
	changed, cancel := a.live.Subscribe()
	defer cancel()
	every := time.NewTicker(endEvery)
	defer every.Stop()
	var cut <-chan time.Time
	for turn := 1; ; {
		select {
		case <-ctx.Done():
			return
		case <-cut:
			cut = nil
			a.dropRevoked(servers)
		case <-changed:
			h.path.Sweep()
			if cut == nil {
				cut = time.After(revokedAfter)
			}
		case <-every.C:
			if turn++; turn%endTurns != 0 && a.behind() == nil {
				continue
			}
			h.path.Sweep()
			if a.trust != nil { // an authority that was taken away ends connections too
				a.dropRevoked(servers)
			}
		}
	}
}

// tend does what must be done from time to time: it closes what nobody may
// reach, flushes counted summaries and shows how many sessions are open.
func (a *App) tend(ctx context.Context, h *house) {
	changed, cancel := a.live.Subscribe()
	defer cancel()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	heap := newGarbage()
	ready := &readiness{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
			view := a.live.Load()
			h.forward.Retain(view)
			for _, srv := range view.Servers() {
				if srv.State == registry.Retired {
					a.meters.Forget(srv.ID)
				}
			}
		case <-second.C:
			now := a.clock.Now()
			heap.adapt()
			h.door.Expire(now)
			a.meters.Sessions("http", h.door.Sessions())
			a.noteReadiness(ready)
			if err := errors.Join(a.record.Flush(now), a.tell()); err != nil {
				a.logError("write to the log what waits", err)
			}
		}
	}
}

// drain lets calls finish, ends streams and closes the listeners.
func (a *App) drain(h *house, servers []serving) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(a.config.Load().Limits.DrainTimeout))
	defer cancel()
	h.path.EndStreams()
	var errs []error
	for _, s := range servers {
		if err := s.server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			errs = append(errs, err)
		}
	}
	for _, s := range servers {
		errs = append(errs, s.server.Close())
	}
	return errors.Join(append(errs, a.record.Flush(a.clock.Now().Add(time.Second)), a.tell())...)
}

func (a *App) runDir() string { return filepath.Join(a.dir, runName) }
