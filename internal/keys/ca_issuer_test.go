package keys

import (
	"bytes"
	"crypto/fips140"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stolen signs a leaf with the key of an issuer, as its thief could: past every
// check of ours.
func stolen(t *testing.T, c *CA, use IssuerUse, change func(*x509.Certificate)) []*x509.Certificate {
	t.Helper()
	s, err := c.current(use, epoch)
	if err != nil {
		t.Fatal(err)
	}
	key, err := newPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	leaf := leafTemplate(time.Hour, epoch)
	leaf.URIs = []*url.URL{c.ID("client", "robot")}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	change(leaf)
	made, err := sign(leaf, s, key)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.Certificate{made.cert, s.cert}
}

// opensslVerify asks openssl, when it is there, whether a chain holds.
func opensslVerify(t *testing.T, c *CA, chain []*x509.Certificate, args ...string) (holds, asked bool) {
	t.Helper()
	program, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%v: make programs installs it", err)
		}
		return false, false
	}
	dir := t.TempDir()
	put := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	args = append([]string{"verify", "-attime", strconv.FormatInt(epoch.Unix(), 10), "-x509_strict", "-CAfile", put("root.pem", c.RootPEM()),
		"-untrusted", put("issuer.pem", certPEM(chain[1].Raw))}, args...)
	out, err := exec.CommandContext(t.Context(), program, append(args, put("leaf.pem", certPEM(chain[0].Raw)))...).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "verif") {
		t.Fatalf("openssl: %v %s", err, out)
	}
	return err == nil, true
}

// TestIssuersKeepApart: whoever steals an issuer can name nothing that the other
// one is for. Go and openssl both refuse (T02).
func TestIssuersKeepApart(t *testing.T) {
	c := newTestRing(t).CA()
	for name, one := range map[string]struct {
		use    IssuerUse
		change func(*x509.Certificate)
		holds  bool
	}{
		"agents: an agent":          {ForAgents, func(l *x509.Certificate) {}, true},
		"agents: a host":            {ForAgents, func(l *x509.Certificate) { l.DNSNames = []string{"gw.example.com"} }, false},
		"agents: one label":         {ForAgents, func(l *x509.Certificate) { l.DNSNames = []string{"localhost"} }, false},
		"agents: an address":        {ForAgents, func(l *x509.Certificate) { l.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }, false},
		"agents: a v6 address":      {ForAgents, func(l *x509.Certificate) { l.IPAddresses = []net.IP{net.IPv6loopback} }, false},
		"agents: another domain":    {ForAgents, func(l *x509.Certificate) { l.URIs[0].Host = "elsewhere.example" }, false},
		"agents: a second domain":   {ForAgents, func(l *x509.Certificate) { l.URIs = append(l.URIs, idIn("elsewhere.example", "a", "b", "c")) }, false},
		"listeners: a host":         {ForListeners, func(l *x509.Certificate) { l.URIs, l.DNSNames = nil, []string{"gw.example.com"} }, true},
		"listeners: an address":     {ForListeners, func(l *x509.Certificate) { l.URIs, l.IPAddresses = nil, []net.IP{net.IPv4(10, 0, 0, 1)} }, true},
		"listeners: another domain": {ForListeners, func(l *x509.Certificate) { l.URIs[0].Host = "elsewhere.example" }, false},
	} {
		chain := stolen(t, c, one.use, one.change)
		uses := x509.ExtKeyUsageClientAuth
		if one.use == ForListeners {
			uses = x509.ExtKeyUsageServerAuth
		}
		if err := verify(c, chain, uses, "", epoch); (err == nil) != one.holds {
			t.Errorf("%s: Go says %v", name, err)
		}
		if holds, asked := opensslVerify(t, c, chain); asked && holds != one.holds {
			t.Errorf("%s: openssl says %v", name, holds)
		}
	}
	// The issuer of agents signs no server, whatever the leaf says.
	if err := verify(c, stolen(t, c, ForAgents, func(*x509.Certificate) {}), x509.ExtKeyUsageServerAuth, "", epoch); err == nil {
		t.Error("the issuer of agents signs a server")
	}
	if holds, asked := opensslVerify(t, c, stolen(t, c, ForAgents, func(*x509.Certificate) {}), "-purpose", "sslserver"); asked && holds {
		t.Error("openssl takes a server of the issuer of agents")
	}
}

// TestOneIssuerBecomesTwo: an authority from before there were two goes on, and
// gets its second issuer and a narrower first one as soon as one is needed; what
// the old one signed stays good.
func TestOneIssuerBecomesTwo(t *testing.T) {
	r := newTestRing(t)
	c := r.CA()
	root, err := c.load(caRootFile)
	if err != nil {
		t.Fatal(err)
	}
	key, err := newPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	old := authorityTemplate(agentsIssuer, TrustDomain, epoch)
	old.NotAfter, old.MaxPathLenZero = epoch.Add(caIssuerLife), true
	old.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	single, err := sign(old, root, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.save(caIssuerFile, single); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(c.folder, caListenerFile)); err != nil {
		t.Fatal(err)
	}
	beside, err := openWith(filepath.Dir(c.folder), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := beside.CA().IssueServer([]string{"localhost"}, time.Hour, epoch); err != nil {
		t.Errorf("a follower has no listener's certificate until then: %v", err)
	}
	before, _, _, _, err := beside.CA().IssueAgent("robot", time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	c = reopen(t, r).CA()
	after, _, _, _, err := c.IssueAgent("robot", time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if fitsUse(parsePEM(t, before)[1], ForAgents) == nil || fitsUse(parsePEM(t, after)[1], ForAgents) != nil {
		t.Error("the issuer was not replaced")
	}
	server, err := c.IssueServer([]string{"localhost"}, time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if issuer, err := x509.ParseCertificate(server.Certificate[1]); err != nil || !SignsListeners(issuer) {
		t.Errorf("the listener's issuer: %v", err)
	}
	for _, chain := range [][]byte{before, after} {
		if err := verify(c, parsePEM(t, chain), x509.ExtKeyUsageClientAuth, "", epoch); err != nil {
			t.Error(err)
		}
	}
	if err := beside.Refresh(); err != nil {
		t.Fatal(err)
	}
	followed, _, _, _, err := beside.CA().IssueAgent("robot", time.Hour, epoch)
	if err != nil || !parsePEM(t, followed)[1].Equal(parsePEM(t, after)[1]) {
		t.Errorf("the follower has another issuer (%v)", err)
	}
}

// TestTrustDomain: a gateway's own domain is chosen when it is made, and is that
// of everything that it signs.
func TestTrustDomain(t *testing.T) {
	dir := t.TempDir()
	if _, err := createWith(dir, Options{Domain: "agents.example.com"}, epoch); err != nil {
		t.Fatal(err)
	}
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := r.CA()
	chain, _, _, _, err := c.IssueAgent("robot", time.Hour, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if got := parsePEM(t, chain)[0].URIs[0].String(); c.Domain() != "agents.example.com" || got != "spiffe://agents.example.com/tenant/default/client/robot" {
		t.Errorf("%s names %s", c.Domain(), got)
	}
	if err := verify(c, parsePEM(t, chain), x509.ExtKeyUsageClientAuth, "", epoch); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"Example.com", "a_b", "10.0.0.1", "::1", "a..b", ".a", "a.", "-a", "a/b", "a:1", "a b", strings.Repeat("a", 64), strings.Repeat("a.", 128) + "a", "ä"} {
		if CheckTrustDomain(bad) == nil {
			t.Errorf("%q is a trust domain", bad)
		}
		if _, err := createWith(t.TempDir(), Options{Domain: bad}, epoch); err == nil {
			t.Errorf("an authority of %q is made", bad)
		}
	}
}

// offline exports the root of a new gateway and removes its key.
func offline(t *testing.T) (*Ring, *OfflineRoot) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("strict mode exports no root (TestK06ExportedRoot)")
	}
	r := newTestRing(t)
	identity, to, err := NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := r.CA().ExportRoot(Sealing{Recipient: to})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CA().DropRoot(epoch); err != nil {
		t.Fatal(err)
	}
	root, err := OpenOfflineRoot(sealed, Unsealing{Identities: []byte(identity)})
	if err != nil {
		t.Fatal(err)
	}
	return r, root
}

// TestOfflineRoot: a gateway whose root is elsewhere signs on with its issuers,
// makes none itself, and takes those that the root makes.
func TestOfflineRoot(t *testing.T) {
	r, root := offline(t)
	before := r.CA().RootPEM()
	r = reopen(t, r)
	c := r.CA()
	if string(c.RootPEM()) != string(before) || !c.Describe().Offline {
		t.Fatal("it is another authority, or still has the root's key")
	}
	for _, text := range []error{c.DropRoot(epoch), func() error { _, err := c.ExportRoot(Sealing{Passphrase: []byte("correct horse")}); return err }()} {
		if !errors.Is(text, ErrRootAway) {
			t.Errorf("a root that is not here: %v", text)
		}
	}
	late := epoch.Add(caIssuerLife * 9 / 10)
	old, _, _, until, err := c.IssueAgent("robot", 365*24*time.Hour, late)
	if err != nil || until.After(parsePEM(t, old)[1].NotAfter) {
		t.Fatalf("until %v, %v", until, err)
	}
	after := epoch.Add(caIssuerLife + time.Hour)
	if _, _, _, _, err := c.IssueAgent("robot", time.Hour, after); !errors.Is(err, ErrIssuerEnded) {
		t.Errorf("an issuer that ended signs: %v", err)
	}
	requests, err := c.RequestIssuers()
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Describe().Waiting; len(got) != 2 {
		t.Errorf("waiting: %v", got)
	}
	c = reopen(t, r).CA() // the keys wait on the disk
	chain, made, err := root.Issue(requests, IssuerTerms{}, after)
	if err != nil || len(made) != 2 {
		t.Fatal(made, err)
	}
	if taken, err := c.ImportIssuers(chain, nil, after); err != nil || len(taken) != 2 {
		t.Fatal(taken, err)
	}
	c = reopen(t, r).CA()
	leaf, _, _, _, err := c.IssueAgent("robot", time.Hour, after)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(c, parsePEM(t, leaf), x509.ExtKeyUsageClientAuth, "", after); err != nil {
		t.Error(err)
	}
	if _, err := c.IssueServer([]string{"gw.example.com"}, time.Hour, after); err != nil {
		t.Error(err)
	}
	if _, err := c.ImportIssuers(chain, nil, after); !errors.Is(err, ErrNoRequest) {
		t.Errorf("imported twice: %v", err)
	}
}

// TestRootKeyIsGone: no file of the gateway opens to the root's key any more.
func TestRootKeyIsGone(t *testing.T) {
	r, root := offline(t)
	der, err := x509.MarshalPKCS8PrivateKey(root.s.key)
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		plain, err := r.CA().open(f.Name)
		if err == nil && strings.Contains(string(plain), string(der[36:68])) {
			t.Errorf("%s holds the root's key", f.Name)
		}
	}
}

// TestListenerLimits: an issuer that was bound to names and networks signs no
// other, and what it would sign is refused when it is asked for.
func TestListenerLimits(t *testing.T) {
	r, root := offline(t)
	c := r.CA()
	requests, err := c.RequestIssuers()
	if err != nil {
		t.Fatal(err)
	}
	_, network, err := net.ParseCIDR("10.1.0.0/16")
	if err != nil {
		t.Fatal(err)
	}
	chain, _, err := root.Issue(requests, IssuerTerms{Names: []string{"example.com"}, Networks: []*net.IPNet{network}}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range [][]string{{"localhost"}, {"gw.example.com", "10.2.0.1"}, {"example.org"}} {
		if _, err := c.ImportIssuers(chain, own, epoch); !errors.Is(err, ErrBadIssuer) {
			t.Errorf("an issuer that cannot name our listeners %v: %v", own, err)
		}
	}
	if _, err := c.ImportIssuers(chain, []string{"gw.example.com", "10.1.0.1"}, epoch); err != nil {
		t.Fatal(err)
	}
	for host, allowed := range map[string]bool{"example.com": true, "gw.example.com": true, "10.1.2.3": true,
		"localhost": false, "example.org": false, "badexample.com": false, "10.2.0.1": false, "::1": false} {
		_, err := c.IssueServer([]string{host}, time.Hour, epoch)
		if (err == nil) != allowed || err != nil && !errors.Is(err, ErrLimits) {
			t.Errorf("%s: %v", host, err)
		}
		thief := stolen(t, c, ForListeners, func(l *x509.Certificate) { l.URIs = nil; addHosts(l, []string{host}) })
		if err := verify(c, thief, x509.ExtKeyUsageServerAuth, "", epoch); (err == nil) != allowed {
			t.Errorf("stolen, %s: Go says %v", host, err)
		}
		if holds, asked := opensslVerify(t, c, thief); asked && holds != allowed {
			t.Errorf("stolen, %s: openssl says %v", host, holds)
		}
	}
}

// TestImportRefuses: an issuer that could do more than one of our own is not
// taken, and nothing changes.
func TestImportRefuses(t *testing.T) {
	r, root := offline(t)
	c := r.CA()
	requests, err := c.RequestIssuers()
	if err != nil {
		t.Fatal(err)
	}
	before := map[IssuerUse][]byte{}
	for _, use := range issuerUses {
		if before[use], err = c.IssuerPEM(use, epoch); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func(use IssuerUse) *signer {
		der, err := c.open(use.waiting())
		if err != nil {
			t.Fatal(err)
		}
		key, err := parseKey(der)
		if err != nil {
			t.Fatal(err)
		}
		return &signer{key: key}
	}
	stranger, err := newRoot(TrustDomain, epoch)
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range map[string]struct {
		use    IssuerUse
		by     *signer
		change func(*x509.Certificate)
	}{
		"another root":           {ForAgents, stranger, func(*x509.Certificate) {}},
		"no limits of hosts":     {ForAgents, root.s, func(x *x509.Certificate) { x.ExcludedDNSDomains = nil }},
		"no limits of addresses": {ForAgents, root.s, func(x *x509.Certificate) { x.ExcludedIPRanges = nil }},
		"half of the addresses":  {ForAgents, root.s, func(x *x509.Certificate) { x.ExcludedIPRanges = x.ExcludedIPRanges[:1] }},
		"servers":                {ForAgents, root.s, func(x *x509.Certificate) { x.ExtKeyUsage = append(x.ExtKeyUsage, x509.ExtKeyUsageServerAuth) }},
		"every use":              {ForAgents, root.s, func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }},
		"no uses":                {ForAgents, root.s, func(x *x509.Certificate) { x.ExtKeyUsage = nil }},
		"another domain":         {ForListeners, root.s, func(x *x509.Certificate) { x.PermittedURIDomains = []string{"elsewhere.example"} }},
		"two domains":            {ForListeners, root.s, func(x *x509.Certificate) { x.PermittedURIDomains = append(x.PermittedURIDomains, "elsewhere.example") }},
		"no domain":              {ForListeners, root.s, func(x *x509.Certificate) { x.PermittedURIDomains = nil }},
		"the other one's name":   {ForListeners, root.s, func(x *x509.Certificate) { x.Subject.CommonName = agentsIssuer }},
		"issuers below":          {ForAgents, root.s, func(x *x509.Certificate) { x.MaxPathLen, x.MaxPathLenZero = 1, false }},
		"a leaf": {ForAgents, root.s, func(x *x509.Certificate) {
			x.IsCA, x.MaxPathLenZero = false, false
			x.KeyUsage = x509.KeyUsageDigitalSignature
		}},
		"expired":              {ForAgents, root.s, func(x *x509.Certificate) { x.NotAfter = epoch }},
		"not yet valid":        {ForAgents, root.s, func(x *x509.Certificate) { x.NotBefore = epoch.Add(time.Hour) }},
		"longer than the root": {ForAgents, root.s, func(x *x509.Certificate) { x.NotAfter = epoch.Add(2 * caRootLife) }},
	} {
		x := issuerTemplate(one.use, TrustDomain, epoch.Add(time.Hour), epoch)
		one.change(x)
		made, err := sign(x, one.by, waiting(one.use).key)
		if err != nil {
			continue // Go does not even sign it
		}
		if _, err := c.ImportIssuers(certPEM(made.cert.Raw), nil, epoch); !errors.Is(err, ErrBadIssuer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, _, err := root.Issue(requests, IssuerTerms{}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	first, rest := pem.Decode(good)
	for name, text := range map[string][]byte{"nothing": nil, "no PEM": []byte("x"), "twice the same": append(certPEM(first.Bytes), certPEM(first.Bytes)...),
		"three": append(good[:len(good):len(good)], good...), "a tail": append(good[:len(good):len(good)], 'x'), "long": make([]byte, maxIssuers+1),
		"the root": r.CA().RootPEM(), "one good and one of the root": append(certPEM(first.Bytes), r.CA().RootPEM()...), "requests": requests} {
		if _, err := c.ImportIssuers(text, nil, epoch); err == nil {
			t.Errorf("%s: imported", name)
		}
	}
	for _, use := range issuerUses {
		if after, err := c.IssuerPEM(use, epoch); err != nil || string(after) != string(before[use]) {
			t.Errorf("%s was changed by a refused import (%v)", use, err)
		}
	}
	// One alone is taken; the other one stays and waits.
	if taken, err := c.ImportIssuers(certPEM(first.Bytes), nil, epoch); err != nil || len(taken) != 1 || taken[0] != ForAgents {
		t.Errorf("%v %v", taken, err)
	}
	if taken, err := c.ImportIssuers(rest, nil, epoch); err != nil || len(taken) != 1 || taken[0] != ForListeners {
		t.Errorf("%v %v", taken, err)
	}
}

// TestK06ExportedRoot: an exported root holds its key sealed only, and opens to
// whom it was sealed alone, with a passphrase as well as with an identity.
func TestK06ExportedRoot(t *testing.T) {
	c := newTestRing(t).CA()
	phrase := []byte("a passphrase of some length")
	sealed, err := c.exportRoot(Sealing{Passphrase: phrase}, Options{factor: 10})
	if fips140.Enforced() { // age's primitives are not those of the module
		if err == nil {
			t.Error("a root is sealed in strict mode")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	root, err := OpenOfflineRoot(sealed, Unsealing{Passphrase: append(phrase, '\n')})
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(root.s.key)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, der[36:68]) || bytes.Contains(sealed, []byte("PRIVATE KEY")) {
		t.Error("the export shows the key")
	}
	if !c.IsRoot(root.Cert()) || root.Domain() != TrustDomain || root.String() != "[root key]" || root.GoString() != "[root key]" {
		t.Error("it is another root, or prints its key")
	}
	stranger, _, err := NewRecovery()
	if err != nil {
		t.Fatal(err)
	}
	for name, with := range map[string]Unsealing{"another passphrase": {Passphrase: []byte("another passphrase")}, "nothing": {},
		"another identity": {Identities: []byte(stranger)}, "no identity": {Identities: []byte("x")}} {
		if _, err := OpenOfflineRoot(sealed, with); err == nil {
			t.Errorf("%s opens it", name)
		}
	}
	for name, to := range map[string]Sealing{"nobody": {}, "a short passphrase": {Passphrase: []byte("short")}, "no recipient": {Recipient: "age1x"}} {
		if _, err := c.ExportRoot(to); err == nil {
			t.Errorf("exported to %s", name)
		}
	}
	for name, at := range map[string]int{"its head": 3, "its end": len(sealed) - 1} {
		bad := append([]byte{}, sealed...)
		bad[at] ^= 1
		if _, err := OpenOfflineRoot(bad, Unsealing{Passphrase: phrase}); err == nil {
			t.Errorf("it opens with %s changed", name)
		}
	}
	other, err := createWith(t.TempDir(), Options{Domain: "other.example"}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	requests, err := other.CA().RequestIssuers()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := root.Issue(requests, IssuerTerms{}, epoch); err == nil {
		t.Error("a root signs the issuers of another domain")
	}
	for _, life := range []time.Duration{time.Minute, -1, 4 * 365 * 24 * time.Hour} {
		if _, _, err := root.Issue(requests, IssuerTerms{Life: life}, epoch); err == nil {
			t.Errorf("an issuer of %s is made", life)
		}
	}
}

// FuzzOfflineRoot: whatever an opened export holds, it is refused or a root with
// its own key.
func FuzzOfflineRoot(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, plain []byte) {
		if r, err := parseOfflineRoot(plain); err == nil && (r.s.key == nil || !r.s.key.PublicKey.Equal(r.s.cert.PublicKey) || r.Domain() == "") {
			t.Error("accepted without its own key")
		}
	})
}

// FuzzIssuers: whatever is imported, the issuers stay those that the root signed.
func FuzzIssuers(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		certs, err := parseCertificates(text)
		if err == nil && (len(certs) == 0 || len(certs) > len(issuerUses)) {
			t.Errorf("%d certificates", len(certs))
		}
	})
}
