package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// maxChain is the longest chain that a caller may show: leaf, issuers and root.
const maxChain = 4

// revokedAfter is how long the connections of a revoked certificate stay open:
// its exchanges end at once, and their refusals shall still be sent.
const revokedAfter = 200 * time.Millisecond

// hybrid are the post-quantum key exchanges, which are hybrids: they are as
// strong as the stronger half.
func hybrid() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.SecP384r1MLKEM1024}
}

// callersTLS is how a listener meets callers. TLS 1.3 only, and crypto/tls takes
// no early data, so that no request can be replayed (T03). A hybrid key exchange
// is preferred, and with require_pq the only one.
func (a *App) callersTLS(cert func(*tls.ClientHelloInfo) (*tls.Certificate, error), requirePQ bool) *tls.Config {
	c := &tls.Config{
		MinVersion:       tls.VersionTLS13,
		GetCertificate:   cert,
		ClientAuth:       tls.VerifyClientCertIfGiven,
		ClientCAs:        a.ring.CA().ClientPool(),
		VerifyConnection: a.admitted,
		Time:             a.clock.Now,
	}
	if requirePQ {
		c.CurvePreferences = hybrid()
	}
	if a.trust != nil {
		base := c.Clone()
		base.NextProtos, base.DynamicRecordSizingDisabled = protocols, true
		c.GetConfigForClient = (&hotPool{app: a, base: base}).get
	}
	return c
}

// admitted refuses certificates in the handshake. It runs for resumed sessions
// too, whose chain nobody verifies again (T03, TestT03ResumedAfterRevocation).
// Every refusal is the same alert to the peer.
func (a *App) admitted(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return nil
	}
	if len(s.PeerCertificates) > maxChain || len(s.VerifiedChains) == 0 {
		return errCertificateRefused
	}
	leaf, now := s.VerifiedChains[0][0], a.clock.Now()
	switch {
	case now.Before(leaf.NotBefore), !now.Before(leaf.NotAfter):
		return errCertificateRefused
	case len(leaf.URIs) != 1, leaf.IsCA, !clientAuth(leaf):
		return errCertificateRefused // another verifier could take another name (T02)
	}
	// The pool holds the authorities of every domain: which of them may vouch
	// for this name is decided here (TestT02CrossDomain).
	if _, known := a.outside().SPIFFEOf(leaf); known {
		if _, err := a.outside().Verify(s.VerifiedChains, now); err != nil {
			return errCertificateRefused
		}
		return nil
	}
	if a.ownChain(s.VerifiedChains) == nil || a.certRevoked(leaf) {
		return errCertificateRefused
	}
	return nil
}

// ownChain returns the chain that ends in our own root, nil without one, and nil
// when the issuer of listeners signed for somebody who is no server: only its
// thief does so (T02, TestT02StolenListenerIssuer).
func (a *App) ownChain(chains [][]*x509.Certificate) []*x509.Certificate {
	ca := a.ring.CA()
	for _, chain := range chains {
		if !ca.IsRoot(chain[len(chain)-1]) || len(chain) < 2 {
			continue
		}
		if _, err := identity.ComponentOf(chain[0], ca.Domain(), "server"); err != nil && keys.SignsListeners(chain[1]) {
			return nil
		}
		return chain
	}
	return nil
}

// verifier returns what verifies callers' credentials.
func (a *App) verifier() *identity.Verifier {
	v := a.ownVerifier()
	v.Trust = a.outside()
	return v
}

// ownVerifier knows certificates of our own authority alone.
func (a *App) ownVerifier() *identity.Verifier {
	v := identity.NewVerifier(a.ring.MatchToken, a.ring.CA().Domain())
	v.Root = a.ring.CA().IsRoot
	return v
}

var errCertificateRefused = errors.New("the certificate is refused")

func clientAuth(leaf *x509.Certificate) bool {
	for _, use := range leaf.ExtKeyUsage {
		if use == x509.ExtKeyUsageClientAuth {
			return true
		}
	}
	return false
}

// certRevoked reports whether the certificate was revoked. One that no row
// knows is the business of whoever identifies the caller.
func (a *App) certRevoked(leaf *x509.Certificate) bool {
	serial, view := keys.Serial(leaf), a.live.Load()
	if c := view.Certificate(serial); c != nil && c.Revoked {
		return true
	}
	return registry.Get[registry.Revocation](view, registry.KindRevocation, serial) != nil
}

// dropRevoked closes the connections whose certificate was revoked.
func (a *App) dropRevoked(servers []serving) {
	for _, s := range servers {
		s.server.Drop(func(state *tls.ConnectionState) bool {
			return len(state.PeerCertificates) > 0 && a.admitted(*state) != nil
		})
	}
}
