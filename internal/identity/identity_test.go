package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// world is a gateway's keys with a registry of agents and their credentials.
type world struct {
	ring   *keys.Ring
	v      *Verifier
	view   *registry.Snapshot
	tokens map[string]string // label to token
	certs  map[string]*x509.Certificate
}

// newWorld has the agents robot and other (active) and asleep (suspended); each
// has a token and a certificate. robot has some that are out of force too.
func newWorld(t *testing.T) *world {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{ring: ring, v: NewVerifier(ring.MatchToken, keys.TrustDomain), tokens: make(map[string]string), certs: make(map[string]*x509.Certificate)}
	var tokens []registry.Token
	var certs []registry.Certificate
	add := func(label, agent string, change func(*registry.Token, *registry.Certificate)) {
		token, id, hash := ring.NewToken()
		row := registry.Token{ID: id, Agent: agent, Hash: hash}
		cert := &x509.Certificate{SerialNumber: big.NewInt(int64(len(certs) + 10)), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			URIs: []*url.URL{keys.ID("default", "client", agent)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		certRow := registry.Certificate{Serial: keys.Serial(cert), Agent: agent, NotAfter: cert.NotAfter}
		change(&row, &certRow)
		w.tokens[label], w.certs[label] = token, cert
		tokens, certs = append(tokens, row), append(certs, certRow)
	}
	plain := func(*registry.Token, *registry.Certificate) {}
	add("robot", "robot", plain)
	add("other", "other", plain)
	add("asleep", "asleep", plain)
	add("revoked", "robot", func(t *registry.Token, c *registry.Certificate) { t.Revoked, c.Revoked = true, true })
	add("expired", "robot", func(t *registry.Token, c *registry.Certificate) { t.ExpiresAt, c.NotAfter = now, now })
	add("unhashed", "robot", func(t *registry.Token, c *registry.Certificate) { t.Hash, c.Agent = nil, "" })
	add("reassigned", "robot", func(t *registry.Token, c *registry.Certificate) { t.Agent, c.Agent = "nobody", "other" })
	w.view = registry.NewSnapshot(1, nil, []registry.Agent{
		{ID: "robot", State: registry.Active}, {ID: "other", State: registry.Active}, {ID: "asleep", State: registry.Suspended},
	}, tokens, certs, nil)
	return w
}

func (w *world) chain(label string) []*x509.Certificate { return []*x509.Certificate{w.certs[label]} }

// refuse asserts the one refusal that every failure gives.
func (w *world) refuse(t *testing.T, name string, c Credential) {
	t.Helper()
	p, err := w.v.Verify(context.Background(), c, w.view, now)
	if p != (Principal{}) || !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("%s: %+v, %v", name, p, err)
		return
	}
	f := fault.As(err)
	if f.Public != fault.New(fault.Unauthenticated).Public || f.Data != "" || f.Cause == nil {
		t.Errorf("%s: the caller is told %q %q", name, f.Public, f.Data)
	}
	if c.Token != "" && strings.Contains(err.Error(), c.Token) {
		t.Errorf("%s: the cause holds the token", name)
	}
}

func TestVerifyAccepts(t *testing.T) {
	w := newWorld(t)
	_, tokenID, _ := strings.Cut(w.tokens["robot"], "_")
	tokenID, _, _ = strings.Cut(tokenID, "_")
	serial := keys.Serial(w.certs["robot"])
	for name, c := range map[string]struct {
		have Credential
		want Principal
	}{
		"token":       {Credential{Token: w.tokens["robot"]}, Principal{Tenant: "default", Kind: Client, ID: "robot", TokenID: tokenID, Serial: "", Method: ByToken}},
		"certificate": {Credential{Chain: w.chain("robot")}, Principal{Tenant: "default", Kind: Client, ID: "robot", TokenID: "", Serial: serial, Method: ByCertificate}},
		"both":        {Credential{Token: w.tokens["robot"], Chain: w.chain("robot")}, Principal{Tenant: "default", Kind: Client, ID: "robot", TokenID: tokenID, Serial: serial, Method: ByBoth}},
		"loopback":    {Credential{Local: "robot"}, Principal{Tenant: "default", Kind: Client, ID: "robot", TokenID: "", Serial: "", Method: ByLoopback}},
		"loopback and its own token": {Credential{Local: "robot", Token: w.tokens["robot"]},
			Principal{Tenant: "default", Kind: Client, ID: "robot", TokenID: tokenID, Serial: "", Method: ByToken}},
	} {
		got, err := w.v.Verify(context.Background(), c.have, w.view, now)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestA01Refusals: nothing, or nothing usable, is no identity.
func TestA01Refusals(t *testing.T) {
	w := newWorld(t)
	w.refuse(t, "nothing", Credential{})
	w.refuse(t, "empty chain", Credential{Chain: []*x509.Certificate{}})
	w.refuse(t, "malformed header", Credential{Malformed: true})
	w.refuse(t, "malformed header with a certificate", Credential{Malformed: true, Chain: w.chain("robot")})
	w.refuse(t, "malformed header on loopback", Credential{Malformed: true, Local: "robot"})
	w.refuse(t, "unknown loopback agent", Credential{Local: "nobody"})
	w.refuse(t, "suspended loopback agent", Credential{Local: "asleep"})
	if _, err := w.v.Verify(context.Background(), Credential{Token: w.tokens["robot"]}, (*registry.Snapshot)(nil), now); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("an empty registry: %v", err)
	}
}

// TestA18TokenRefusals: a token that is not exactly one in force.
func TestA18TokenRefusals(t *testing.T) {
	w := newWorld(t)
	good := w.tokens["robot"]
	made, _, _ := w.ring.NewToken()
	for name, token := range map[string]string{
		"upper case": strings.ToUpper(good), "space": good + " ", "cut": good[:len(good)-1], "prefix": "Bearer " + good, "encoded": url.QueryEscape(good) + "%20",
		"never registered": made, "known id, other secret": good[:21] + made[21:], "other id, known secret": made[:21] + good[21:],
		"revoked": w.tokens["revoked"], "expired": w.tokens["expired"], "no stored hash": w.tokens["unhashed"], "unknown agent": w.tokens["reassigned"],
		"suspended agent": w.tokens["asleep"], "a JWT": "eyJhbGciOiJub25lIn0.e30.", "an id": "robot",
	} {
		w.refuse(t, name, Credential{Token: token})
	}
	other, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.v = NewVerifier(other.MatchToken, keys.TrustDomain)
	w.refuse(t, "another gateway's hash key", Credential{Token: good})
}

// TestVerifyContradiction: several credentials must all hold and all name one
// agent; a good one does not carry a bad one.
func TestVerifyContradiction(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]Credential{
		"token and other's certificate":     {Token: w.tokens["robot"], Chain: w.chain("other")},
		"loopback and other's token":        {Local: "robot", Token: w.tokens["other"]},
		"loopback and other's certificate":  {Local: "robot", Chain: w.chain("other")},
		"certificate and a revoked token":   {Chain: w.chain("robot"), Token: w.tokens["revoked"]},
		"certificate and a made-up token":   {Chain: w.chain("robot"), Token: "x"},
		"token and a revoked certificate":   {Token: w.tokens["robot"], Chain: w.chain("revoked")},
		"loopback and a made-up token":      {Local: "robot", Token: "x"},
		"loopback and an expired token":     {Local: "robot", Token: w.tokens["expired"]},
		"both of a suspended agent":         {Token: w.tokens["asleep"], Chain: w.chain("asleep")},
		"all three, the last one different": {Local: "robot", Chain: w.chain("robot"), Token: w.tokens["other"]},
	} {
		w.refuse(t, name, c)
	}
}

// TestT02CertificateRefusals: a chain that the handshake let through is checked
// again here.
func TestT02CertificateRefusals(t *testing.T) {
	w := newWorld(t)
	for _, label := range []string{"revoked", "expired", "unhashed", "reassigned", "asleep"} {
		w.refuse(t, "row "+label, Credential{Chain: w.chain(label)})
	}
	id := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	const base = "spiffe://ostiary.local/tenant/default/"
	for name, change := range map[string]func(*x509.Certificate){
		"expired":            func(c *x509.Certificate) { c.NotAfter = now },
		"not yet valid":      func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) },
		"server usage":       func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} },
		"no usage":           func(c *x509.Certificate) { c.ExtKeyUsage = nil },
		"any usage":          func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} },
		"unknown serial":     func(c *x509.Certificate) { c.SerialNumber = big.NewInt(999) },
		"other's serial":     func(c *x509.Certificate) { c.SerialNumber = w.certs["other"].SerialNumber },
		"no name":            func(c *x509.Certificate) { c.URIs = nil },
		"only a common name": func(c *x509.Certificate) { c.URIs, c.Subject.CommonName, c.DNSNames = nil, "robot", []string{"robot"} },
		"two names":          func(c *x509.Certificate) { c.URIs = append(c.URIs, id(base+"client/other")) },
		"the name twice":     func(c *x509.Certificate) { c.URIs = append(c.URIs, c.URIs[0]) },
		"other's name":       func(c *x509.Certificate) { c.URIs = []*url.URL{id(base + "client/other")} },
		"a person's name":    func(c *x509.Certificate) { c.URIs = []*url.URL{id(base + "person/robot")} },
		"a server's name":    func(c *x509.Certificate) { c.URIs = []*url.URL{id(base + "server/robot")} },
		"other domain": func(c *x509.Certificate) {
			c.URIs = []*url.URL{id("spiffe://evil.example/tenant/default/client/robot")}
		},
		"wildcard": func(c *x509.Certificate) { c.URIs = []*url.URL{id(base + "client/*")} },
		"NUL":      func(c *x509.Certificate) { c.URIs = []*url.URL{id(base + "client/robot%00")} },
		"https": func(c *x509.Certificate) {
			c.URIs = []*url.URL{id("https://ostiary.local/tenant/default/client/robot")}
		},
	} {
		cert := *w.certs["robot"]
		change(&cert)
		w.refuse(t, name, Credential{Chain: []*x509.Certificate{&cert}})
	}
}

// TestParsedCertificate: a certificate that went through its encoding is
// accepted like the template it was made from.
func TestParsedCertificate(t *testing.T) {
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := *w.certs["robot"]
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := w.v.Verify(context.Background(), Credential{Chain: []*x509.Certificate{leaf}}, w.view, now); err != nil || p.ID != "robot" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestCredentialDoesNotPrint(t *testing.T) {
	c := Credential{Token: "canary", Local: "canary"}
	if text := fmt.Sprintf("%v %+v %#v %s", c, c, c, c.LogValue()); strings.Contains(text, "canary") {
		t.Errorf("prints %q", text)
	}
}
