package identify

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

var now = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// world is a step over one agent "robot" with a token and a certificate.
type world struct {
	*Step
	time  time.Time
	agent registry.Agent
	token registry.Token
	cert  registry.Certificate
	clear string // the token itself
	leaf  *x509.Certificate
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{time: now, agent: registry.Agent{ID: "robot", State: registry.Active}}
	w.Step = &Step{Verifier: identity.NewVerifier(ring.MatchToken, keys.TrustDomain), Live: &registry.Live{}, Clock: clock.Fixed(func() time.Time { return w.time })}
	clear, id, hash := ring.NewToken()
	w.clear, w.token = clear, registry.Token{ID: id, Agent: "robot", Hash: hash, ExpiresAt: now.Add(time.Hour)}
	certPEM, _, serial, notAfter, err := ring.CA().IssueAgent("robot", 2*time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(certPEM)
	if w.leaf, err = x509.ParseCertificate(block.Bytes); err != nil {
		t.Fatal(err)
	}
	w.cert = registry.Certificate{Serial: serial, Agent: "robot", NotAfter: notAfter}
	w.swap()
	return w
}

// swap makes the rows of w the registry.
func (w *world) swap() {
	w.Live.Swap(registry.NewSnapshot(1, nil, []registry.Agent{w.agent}, []registry.Token{w.token}, []registry.Certificate{w.cert}, nil))
}

// caller identifies a credential and checks that it is erased in any case.
func (w *world) caller(t *testing.T, c identity.Credential) (identity.Principal, error) {
	t.Helper()
	x := &exchange.Exchange{Credential: c}
	err := w.Caller(context.Background(), x)
	if x.Credential.Token != "" || x.Credential.Chain != nil || x.Credential.Local != "" || x.Credential.Malformed {
		t.Errorf("the credential is still there: %v", x.Credential)
	}
	if err != nil && (!fault.Is(err, fault.Unauthenticated) || x.Principal != identity.Principal{}) {
		t.Errorf("%+v, %v", x.Principal, err)
	}
	if err != nil && c.Token != "" && strings.Contains(err.Error()+fault.As(err).Public, c.Token) {
		t.Errorf("the refusal holds the token: %v", err)
	}
	return x.Principal, err
}

func TestCaller(t *testing.T) {
	w := newWorld(t)
	chain := []*x509.Certificate{w.leaf}
	for name, c := range map[string]struct {
		credential identity.Credential
		method     string // "" = refused
	}{
		"token":       {identity.Credential{Token: w.clear}, identity.ByToken},
		"certificate": {identity.Credential{Chain: chain}, identity.ByCertificate},
		"both":        {identity.Credential{Token: w.clear, Chain: chain}, identity.ByBoth},
		"loopback":    {identity.Credential{Local: "robot"}, identity.ByLoopback},
		"none":        {identity.Credential{}, ""},
		"malformed":   {identity.Credential{Malformed: true, Local: "robot"}, ""},
		"other token": {identity.Credential{Token: w.clear + "a"}, ""},
		"stranger":    {identity.Credential{Local: "stranger"}, ""},
	} {
		p, err := w.caller(t, c.credential)
		if (err == nil) != (c.method != "") || p.Method != c.method {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if err == nil && (p.ID != "robot" || p.Kind != identity.Client) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	w.time = now.Add(time.Hour)
	if _, err := w.caller(t, identity.Credential{Token: w.clear}); err == nil {
		t.Error("an expired token passes")
	}
}

// TestPartKeepsItsParentsPrincipal: a part of /mcp carries no credential and
// is not identified anew.
func TestPartKeepsItsParentsPrincipal(t *testing.T) {
	w := newWorld(t)
	p := identity.Principal{Kind: identity.Client, ID: "robot"}
	x := &exchange.Exchange{Parent: "x-0", Principal: p, Credential: identity.Credential{Token: "stray"}}
	if err := w.Caller(context.Background(), x); err != nil || x.Principal != p || x.Credential.Token != "" {
		t.Errorf("%+v, %v", x.Principal, err)
	}
}

// TestStill: what was verified once ends when the agent, the token or the
// certificate does (L07, T03).
func TestStill(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*world)
		refuse bool
	}{
		"nothing":             {func(*world) {}, false},
		"agent suspended":     {func(w *world) { w.agent.State = registry.Suspended }, true},
		"agent gone":          {func(w *world) { w.agent.ID = "another" }, true},
		"token revoked":       {func(w *world) { w.token.Revoked = true }, true},
		"token gone":          {func(w *world) { w.token.ID = "another" }, true},
		"token at its end":    {func(w *world) { w.time = w.token.ExpiresAt }, true},
		"token before it":     {func(w *world) { w.time = w.token.ExpiresAt.Add(-time.Second) }, false},
		"token without end":   {func(w *world) { w.token.ExpiresAt = time.Time{}; w.time = now.Add(90 * time.Minute) }, false},
		"certificate revoked": {func(w *world) { w.cert.Revoked = true }, true},
		"certificate gone":    {func(w *world) { w.cert.Serial = "0" }, true},
		"certificate ended":   {func(w *world) { w.token.ExpiresAt = time.Time{}; w.time = w.cert.NotAfter }, true},
	} {
		w := newWorld(t)
		p, err := w.caller(t, identity.Credential{Token: w.clear, Chain: []*x509.Certificate{w.leaf}})
		if err != nil {
			t.Fatal(err)
		}
		c.change(w)
		w.swap()
		err = w.Still(&exchange.Exchange{Principal: p})
		if (err != nil) != c.refuse || err != nil && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (!strings.HasPrefix(fault.As(err).Cause.Error(), "revoked while in use: ") || fault.As(err).Public != fault.New(fault.Unauthenticated).Public) {
			t.Errorf("%s: %q, %v", name, fault.As(err).Public, err)
		}
	}
	w := newWorld(t)
	// A certificate of an outside domain that nobody vouches for any more, even
	// with the serial of a good one of ours.
	outside := identity.Principal{Kind: identity.Client, ID: w.agent.ID, Serial: w.cert.Serial, SVID: identity.SVID{Domain: "a.example", Who: "x", Ends: now.Add(time.Hour)}}
	if err := w.Still(&exchange.Exchange{Principal: outside}); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("an outside certificate without its domain: %v", err)
	}
	if err := w.Still(&exchange.Exchange{Principal: identity.Principal{Kind: identity.Operator, ID: "nobody"}}); err != nil {
		t.Errorf("an operator's own exchange: %v", err)
	}
}
