package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ostiary.dev/ostiary/internal/admin"
)

// serveHealth starts the admin listener, and the health listener when there is
// one. Both serve the same three pages, without credentials and without any
// payload of a call.
func (a *App) serveHealth() (parts, error) {
	var all parts
	l := a.config.Load().Listeners
	for _, one := range []struct {
		name, address string
		secure        bool
	}{{"admin", l.Admin.Address, true}, {"health", l.Health.Address, false}} {
		if one.address == "" {
			continue
		}
		ln, err := net.Listen("tcp", one.address)
		if err != nil {
			return all, fmt.Errorf("listeners.%s: %w", one.name, err)
		}
		if one.name == "admin" {
			address := ln.Addr().String()
			a.boundAdmin.Store(&address)
		}
		if one.secure {
			cert := &issued{ca: a.ring.CA(), names: listenNames(one.address), clock: a.clock}
			config := a.callersTLS(cert.get, false)
			config.NextProtos = []string{"h2", "http/1.1"}
			ln = tls.NewListener(ln, config)
		}
		all = append(all, a.servePages(ln, one.secure))
	}
	return all, nil
}

// adminAddress is where the admin listener is, or will be.
func (a *App) adminAddress() string {
	if bound := a.boundAdmin.Load(); bound != nil {
		return *bound
	}
	return a.config.Load().Listeners.Admin.Address
}

func (a *App) servePages(ln net.Listener, secure bool) func(context.Context) error {
	s := &http.Server{
		Handler: a.pages(secure), MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			a.logError("an operators' listener ended", err)
		}
	}()
	return func(ctx context.Context) error {
		err := s.Shutdown(ctx)
		if err != nil {
			err = s.Close()
		}
		<-done
		return err
	}
}

// pages are /livez, /readyz and /metrics, and for auditors the logs, which are
// never served in clear; a browser is told to keep nothing.
func (a *App) pages(secure bool) http.Handler {
	mux := operatorMux{http.NewServeMux()}
	mux.handle("GET /livez", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") }))
	mux.handle("GET /readyz", http.HandlerFunc(a.readyz))
	mux.handle("GET /metrics", promhttp.HandlerFor(a.gather, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	if secure {
		mux.handle("GET "+tilesAt, a.newTiles())
		a.operatorPages(mux)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		mux.mux.ServeHTTP(w, r)
	})
}

// readyz answers 200 while the gateway serves, also degraded, and 503 when it
// does not. With ?verbose each check has its line; with ?format=json they are
// one object.
func (a *App) readyz(w http.ResponseWriter, r *http.Request) {
	checks := a.health.Checks()
	if !a.running.Load() {
		checks = append(checks, admin.Check{Name: "data listener", State: stateFail, Detail: "not serving"})
	}
	state, status := worst(checks), http.StatusOK
	if state == stateFail {
		status = http.StatusServiceUnavailable
	}
	q := r.URL.Query()
	if q.Get("format") == "json" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(map[string]any{"state": state, "checks": checks}); err != nil {
			return // the peer is gone
		}
		return
	}
	text := state + "\n"
	if _, verbose := q["verbose"]; verbose {
		for _, c := range checks {
			text += c.State + " " + c.Name
			if c.Detail != "" {
				text += ": " + c.Detail
			}
			text += "\n"
		}
	}
	plain(w, status, text)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(text)); err != nil {
		return // the peer is gone
	}
}
