package app

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ostiary.dev/ostiary/internal/enrol"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/registry"
)

// enrolPages adds the pages at which programs get and renew certificates. A
// gateway that follows another one changes nothing, and has none.
func (a *App) enrolPages(all map[string]http.Handler) {
	if a.follower != nil {
		return
	}
	all["/enrol"] = enrol.New(enrol.Config{
		Ring: a.ring, Live: a.live, Store: a.admin.Own(), Who: a.component, Clock: a.clock,
		Log: func(msg string, err error) { a.log.Info(msg, logs.Err(err)) },
	})
}

// certsEvery is how often ended certificates and join tokens are swept away.
const certsEvery = 10 * time.Minute

// sweepCertificates does so until ctx ends.
func (a *App) sweepCertificates(ctx context.Context) {
	every := time.NewTicker(certsEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			if _, more, err = a.admin.Own().SweepCertificates(ctx); err != nil {
				a.logError("sweep ended certificates", err)
				break
			}
		}
	}
}

// component returns who holds the certificate of r's connection. Only what the
// handshake verified counts: a header that claims a certificate is never looked
// at (T06, TestT06HeadersNameNobody).
func (a *App) component(r *http.Request) (enrol.Component, error) {
	var who enrol.Component
	if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 {
		return who, errors.New("the connection showed no certificate")
	}
	chain, view, now := a.ownChain(r.TLS.VerifiedChains), a.live.Load(), a.clock.Now()
	if chain == nil {
		return who, errors.New("the certificate is not of our own authority")
	}
	leaf := chain[0]
	who = enrol.Component{Serial: keys.Serial(leaf), NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}
	if registry.Get[registry.Revocation](view, registry.KindRevocation, who.Serial) != nil {
		return who, errors.New("the certificate is revoked")
	}
	if name, err := identity.ComponentOf(leaf, a.ring.CA().Domain(), "server"); err == nil {
		return a.serverComponent(who, name)
	}
	p, err := a.ownVerifier().Verify(r.Context(), identity.Credential{Chain: chain}, view, now)
	if err != nil {
		return who, err
	}
	who.Kind, who.Name = "client", p.ID
	return who, nil
}

// serverComponent checks that we issued the certificate to the server it names.
func (a *App) serverComponent(who enrol.Component, name string) (enrol.Component, error) {
	n, err := a.store.Noun(registry.KindComponentCert, who.Serial)
	if err != nil {
		return who, err
	}
	c, err := registry.ValueOf[registry.ComponentCert](n)
	if err != nil {
		return who, err
	}
	if c.Kind != "server" || c.Name != name || !a.clock.Now().Before(who.NotAfter) {
		return who, errors.New("the certificate is not one of that server")
	}
	who.Kind, who.Name = c.Kind, c.Name
	return who, nil
}
