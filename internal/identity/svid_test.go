package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/registry"
)

// authority is one of an outside trust domain.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, change func(*x509.Certificate)) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	if change != nil {
		change(c)
	}
	a.cert = a.sign(c, &key.PublicKey)
	return a
}

func (a *authority) sign(c *x509.Certificate, public any) *x509.Certificate {
	a.t.Helper()
	c.SerialNumber = big.NewInt(1000)
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
	}
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, public, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert
}

// svid signs a workload's certificate.
func (a *authority) svid(id string, change func(*x509.Certificate)) *x509.Certificate {
	a.t.Helper()
	u, err := url.Parse(id)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{URIs: []*url.URL{u}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	if change != nil {
		change(c)
	}
	return a.sign(c, &a.key.PublicKey)
}

// outsideWorld has the domains a.example and b.example, whose ids /robot are
// bound to the agents robot and other.
type outsideWorld struct {
	*world
	a, b  *authority
	trust *Trust
}

const robotID = "spiffe://a.example/robot"

func newOutside(t *testing.T) *outsideWorld {
	t.Helper()
	o := &outsideWorld{world: newWorld(t), a: newAuthority(t, nil), b: newAuthority(t, nil)}
	name := func(source, id string) string { return "named " + source + " " + id }
	o.trust = NewTrust(map[string]time.Duration{"a.example": time.Hour, "b.example": time.Hour}, name)
	var nouns []registry.Noun
	for domain, agent := range map[string]string{"a.example": "robot", "b.example": "other"} {
		n, err := registry.NewNoun(registry.KindForeign, name(SPIFFESource(domain), SPIFFESource(domain)+"/robot"), agent, registry.Foreign{Issuer: SPIFFESource(domain), At: now})
		if err != nil {
			t.Fatal(err)
		}
		nouns = append(nouns, n)
	}
	var err error
	if o.view, err = o.view.WithNouns(nouns, nil); err != nil {
		t.Fatal(err)
	}
	o.set("a.example", Bundle{Roots: []*x509.Certificate{o.a.cert}})
	o.set("b.example", Bundle{Roots: []*x509.Certificate{o.b.cert}})
	o.v.Trust, o.v.Root = o.trust, func(*x509.Certificate) bool { return false }
	return o
}

func (o *outsideWorld) set(domain string, b Bundle) {
	if _, err := o.trust.Set(domain, b, now); err != nil {
		panic(err)
	}
}

// TestOutsideCertificate: who shows a certificate of an outside trust domain is
// the agent that its id is bound to, and only as long as all of that holds.
func TestOutsideCertificate(t *testing.T) {
	o := newOutside(t)
	for domain, one := range map[string]struct {
		by    *authority
		agent string
	}{"a.example": {o.a, "robot"}, "b.example": {o.b, "other"}} {
		leaf := one.by.svid(SPIFFESource(domain)+"/robot", nil)
		p, err := o.v.Verify(t.Context(), Credential{Chain: []*x509.Certificate{leaf, one.by.cert}}, o.view, now)
		if err != nil || p.ID != one.agent || p.Method != ByCertificate || p.SVID.Domain != domain || p.Serial != "3e8" {
			t.Fatalf("%s: %+v %v", domain, p, err)
		}
		if !o.trust.Still(p, o.view, now) {
			t.Error("it does not hold on")
		}
	}
	p, err := o.v.Verify(t.Context(), Credential{Chain: []*x509.Certificate{o.a.svid(robotID, nil), o.a.cert}}, o.view, now)
	if err != nil {
		t.Fatal(err)
	}
	empty := registry.NewSnapshot(1, nil, []registry.Agent{{ID: "robot", State: registry.Active}}, nil, nil, nil)
	switch {
	case o.trust.Still(p, o.view, p.SVID.Ends):
		t.Error("it holds beyond its end")
	case o.trust.Still(p, o.view, now.Add(time.Hour)):
		t.Error("it holds although nobody confirmed its authority")
	case o.trust.Still(p, empty, now):
		t.Error("it holds although its id is bound no more")
	case (*Trust)(nil).Still(p, o.view, now):
		t.Error("it holds although no domain is trusted")
	}
	o.set("a.example", Bundle{Roots: []*x509.Certificate{newAuthority(t, nil).cert}})
	if o.trust.Still(p, o.view, now) {
		t.Error("it holds although its authority was taken away")
	}
}

// TestT02CrossDomain: no authority vouches for a name of another domain, of ours
// or of one that nobody trusts, whatever else is right.
func TestT02CrossDomain(t *testing.T) {
	o := newOutside(t)
	ours := "spiffe://ostiary.local/tenant/default/client/robot"
	for name, chain := range map[string][]*x509.Certificate{
		"b for a":          {o.b.svid(robotID, nil), o.b.cert},
		"a for b":          {o.a.svid("spiffe://b.example/robot", nil), o.a.cert},
		"a for us":         {o.a.svid(ours, nil), o.a.cert},
		"a for nobody's":   {o.a.svid("spiffe://c.example/robot", nil), o.a.cert},
		"a for its child":  {o.a.svid("spiffe://x.a.example/robot", nil), o.a.cert},
		"a for its parent": {o.a.svid("spiffe://example/robot", nil), o.a.cert},
		"a stranger for a": {newAuthority(t, nil).svid(robotID, nil), newAuthority(t, nil).cert},
		"a alone":          {o.a.cert},
		"a leaf alone":     {o.a.svid(robotID, nil)},
		"unbound":          {o.a.svid("spiffe://a.example/other", nil), o.a.cert},
		"longer":           {o.a.svid(robotID+"/x", nil), o.a.cert},
		"other case":       {o.a.svid("spiffe://a.example/Robot", nil), o.a.cert},
	} {
		o.refuse(t, name, Credential{Chain: chain})
	}
	// Our own certificate with the serial of a good one does not come from a.
	own := o.a.svid(ours, nil)
	own.SerialNumber = o.certs["robot"].SerialNumber
	o.refuse(t, "a for us, with a good serial", Credential{Chain: []*x509.Certificate{own, o.a.cert}})
	// Where a leaf has two chains, the one that counts is found.
	leaf := o.a.svid(robotID, nil)
	good := []*x509.Certificate{leaf, o.a.cert}
	if p, err := o.v.Verify(t.Context(), Credential{Chain: []*x509.Certificate{leaf, o.b.cert}, Others: [][]*x509.Certificate{good}}, o.view, now); err != nil || p.ID != "robot" {
		t.Errorf("by its second chain: %+v %v", p, err)
	}
	other := o.b.svid(robotID, nil)
	o.refuse(t, "another leaf's chain beside it", Credential{Chain: []*x509.Certificate{other, o.b.cert}, Others: [][]*x509.Certificate{good}})
	// An authority that says it is b's vouches for nobody of a.
	between := newAuthority(t, func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "b.example"}} })
	o.refuse(t, "through an authority of b", Credential{Chain: []*x509.Certificate{between.svid(robotID, nil), between.cert, o.a.cert}})
}

// TestT02OutsideLeaves: a leaf that is not exactly a workload's is refused.
func TestT02OutsideLeaves(t *testing.T) {
	o := newOutside(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	two := func(c *x509.Certificate) { c.URIs = append(c.URIs, c.URIs[0]) }
	for name, leaf := range map[string]*x509.Certificate{
		"two names":        o.a.svid(robotID, two),
		"no name":          o.a.svid(robotID, func(c *x509.Certificate) { c.URIs, c.DNSNames = nil, []string{"robot"} }),
		"another scheme":   o.a.svid("https://a.example/robot", nil),
		"an authority":     o.a.svid(robotID, func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }),
		"signs":            o.a.svid(robotID, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }),
		"signs lists":      o.a.svid(robotID, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }),
		"no key usage":     o.a.svid(robotID, func(c *x509.Certificate) { c.KeyUsage = 0 }),
		"for servers":      o.a.svid(robotID, func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] }),
		"for nothing":      o.a.svid(robotID, func(c *x509.Certificate) { c.ExtKeyUsage = nil }),
		"expired":          o.a.svid(robotID, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-2*time.Hour), now }),
		"not yet valid":    o.a.svid(robotID, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(time.Minute), now.Add(time.Hour) }),
		"a fragment":       o.a.svid(robotID, rawName(robotID+"#")),
		"a query":          o.a.svid(robotID+"?", nil),
		"an escape":        o.a.svid("spiffe://a.example/%72obot", nil),
		"a port":           o.a.svid("spiffe://a.example:443/robot", nil),
		"a user":           o.a.svid("spiffe://u@a.example/robot", nil),
		"the domain alone": o.a.svid("spiffe://a.example", nil),
		"a slash":          o.a.svid(robotID+"/", nil),
		"a short key":      o.a.sign(&x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "a.example", Path: "/robot"}}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, &small.PublicKey),
	} {
		if leaf != nil {
			o.refuse(t, name, Credential{Chain: []*x509.Certificate{leaf, o.a.cert}})
		}
	}
}

// rawName writes a URI name as it is, which x509 would not.
func rawName(text string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		value, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: uriTag, Bytes: []byte(text)}})
		if err != nil {
			panic(err)
		}
		c.URIs, c.ExtraExtensions = nil, []pkix.Extension{{Id: subjectAltName, Value: value}}
	}
}

func TestParseSPIFFE(t *testing.T) {
	for id, want := range map[string][2]string{"spiffe://a/b": {"a", "/b"}, "spiffe://a.b-c_d/E/f.g_h-1": {"a.b-c_d", "/E/f.g_h-1"}} {
		if d, p, err := ParseSPIFFE(id); err != nil || d != want[0] || p != want[1] {
			t.Errorf("%s: %s %s %v", id, d, p, err)
		}
	}
	for _, bad := range []string{"", "spiffe://", "spiffe:///a", "spiffe://a", "spiffe://a/", "spiffe://a//b", "spiffe://a/b/", "spiffe://a/./b", "spiffe://a/../b",
		"spiffe://A/b", "SPIFFE://a/b", "spiffe://a/b?c", "spiffe://a/b#c", "spiffe://a:1/b", "spiffe://u@a/b", "spiffe://a/%62", "spiffe://a/b c", "spiffe://a/ü",
		"spiffe://a/b\n", "https://a/b", "spiffe://" + strings.Repeat("a", 256) + "/b", "spiffe://a/" + strings.Repeat("b", 2048)} {
		if _, _, err := ParseSPIFFE(bad); err == nil {
			t.Errorf("%q is a SPIFFE id", bad)
		}
	}
}

func FuzzParseSPIFFE(f *testing.F) {
	f.Add("spiffe://a.example/robot")
	f.Fuzz(func(t *testing.T, id string) {
		if d, p, err := ParseSPIFFE(id); err == nil && ("spiffe://"+d+p != id || p == "" || d == "" || strings.ContainsAny(id, "%?# \\@")) {
			t.Errorf("%q: %q %q", id, d, p)
		}
	})
}

func pemOf(all ...*x509.Certificate) []byte {
	var out []byte
	for _, c := range all {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

func jsonOf(t *testing.T, sequence uint64, all ...*x509.Certificate) []byte {
	t.Helper()
	keys := []any{map[string]any{"kty": "EC", "use": "jwt-svid", "kid": "k"}, map[string]any{"kty": "unheard-of"}}
	for _, c := range all {
		keys = append(keys, map[string]any{"kty": "EC", "use": "x509-svid", "x5c": []string{base64.StdEncoding.EncodeToString(c.Raw)}})
	}
	text, err := json.Marshal(map[string]any{"keys": keys, "spiffe_sequence": sequence, "spiffe_refresh_hint": 600})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParseBundle(t *testing.T) {
	a, b := newAuthority(t, nil), newAuthority(t, func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "a.example"}} })
	for name, text := range map[string][]byte{"PEM": pemOf(a.cert, b.cert), "JSON": jsonOf(t, 7, a.cert, b.cert)} {
		got, err := ParseBundle(text, "a.example")
		if err != nil || len(got.Roots) != 2 || !got.Roots[0].Equal(a.cert) {
			t.Errorf("%s: %v %v", name, got, err)
		}
		if name == "JSON" && (got.Sequence != 7 || got.Refresh != 10*time.Minute) {
			t.Errorf("%+v", got)
		}
	}
	if got, err := ParseBundle([]byte(`{"keys":[]}`), "a.example"); err != nil || len(got.Roots) != 0 {
		t.Errorf("an empty SPIFFE bundle: %v %v", got, err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	weak := a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, &small.PublicKey)
	leaf := a.svid(robotID, nil)
	other := newAuthority(t, func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "b.example"}} })
	noSign := newAuthority(t, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	many := make([]*x509.Certificate, maxRoots+1)
	for i := range many {
		many[i] = a.cert
	}
	two := strings.Replace(string(jsonOf(t, 1, a.cert)), `"x5c":["`, `"x5c":["`+base64.StdEncoding.EncodeToString(a.cert.Raw)+`","`, 1)
	for name, text := range map[string][]byte{
		"nothing": nil, "blank": []byte(" \n"), "text": []byte("x"), "an array": []byte(`[]`), "no keys": []byte(`{}`), "null keys": []byte(`{"keys":null}`),
		"cut off": jsonOf(t, 1, a.cert)[:200], "a tail": append(jsonOf(t, 1, a.cert), "{}"...), "two in one": []byte(two),
		"no certificate": []byte(`{"keys":[{"use":"x509-svid"}]}`), "no DER": []byte(`{"keys":[{"use":"x509-svid","x5c":["AAAA"]}]}`),
		"a negative sequence": []byte(`{"keys":[],"spiffe_sequence":-1}`),
		"a leaf":              pemOf(a.cert, leaf), "a leaf in JSON": jsonOf(t, 1, leaf), "another domain's": pemOf(other.cert), "does not sign": pemOf(noSign.cert), "weak": pemOf(weak),
		"a key beside it":  append(pemOf(a.cert), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"...),
		"a tail after PEM": append(pemOf(a.cert), 'x'),
		"too many":         pemOf(many...),
		"too many in JSON": jsonOf(t, 1, many...),
		"too long":         make([]byte, MaxBundle+1),
	} {
		if got, err := ParseBundle(text, "a.example"); err == nil {
			t.Errorf("%s: %d authorities", name, len(got.Roots))
		}
	}
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte(`{"keys":[{"use":"x509-svid","x5c":["MIIB"]}],"spiffe_sequence":1,"spiffe_refresh_hint":2}`))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ParseBundle(text, "a.example")
		if err != nil {
			return
		}
		if len(b.Roots) > maxRoots || b.Refresh > maxRefresh {
			t.Errorf("%d authorities, again after %s", len(b.Roots), b.Refresh)
		}
		for _, c := range b.Roots {
			if !c.IsCA {
				t.Error("an authority that is none")
			}
		}
	})
}

// TestBundleOfThePast: a bundle that was replaced is not taken again, and an
// empty one is: then nobody is vouched for.
func TestBundleOfThePast(t *testing.T) {
	o := newOutside(t)
	roots := []*x509.Certificate{o.a.cert}
	o.set("a.example", Bundle{Roots: roots, Sequence: 5})
	if changed, err := o.trust.Set("a.example", Bundle{Roots: []*x509.Certificate{o.b.cert}, Sequence: 4}, now); err == nil || changed {
		t.Error("an older bundle is taken")
	}
	late := now.Add(59 * time.Minute)
	if _, err := o.trust.Set("a.example", Bundle{Roots: roots, Sequence: 4}, late); err == nil {
		t.Error("an older bundle confirms")
	}
	if _, _, counts := o.trust.State("a.example", now.Add(time.Hour)); counts {
		t.Error("it was confirmed by an older one")
	}
	if changed, err := o.trust.Set("a.example", Bundle{Roots: roots, Sequence: 5}, late); err != nil || changed {
		t.Errorf("the same again: %v %v", changed, err)
	}
	if _, _, counts := o.trust.State("a.example", now.Add(time.Hour)); !counts {
		t.Error("it was not confirmed by itself")
	}
	if _, err := o.trust.Set("c.example", Bundle{Roots: roots}, now); err == nil {
		t.Error("a domain that nobody trusts gets a bundle")
	}
	if changed, err := o.trust.Set("a.example", Bundle{Sequence: 6}, late); err != nil || !changed {
		t.Errorf("an empty one: %v %v", changed, err)
	}
	o.refuse(t, "of a domain that vouches for nobody", Credential{Chain: []*x509.Certificate{o.a.svid(robotID, nil), o.a.cert}})
	if got := o.trust.Roots(now); len(got) != 1 || !got[0].Equal(o.b.cert) {
		t.Errorf("%d authorities", len(got))
	}
	if got := strings.Join(o.trust.Domains(), " "); got != "a.example b.example" {
		t.Error(got)
	}
}
