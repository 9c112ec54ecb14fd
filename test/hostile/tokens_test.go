package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/test/doortest"
)

// TestA10ExpiryUnderWay: a token that ends ends what it opened: a stream on
// which nothing is sent and a call that hangs. Issuers' clocks may be 30 s off,
// so the token here is one that has ended 24 s ago.
func TestA10ExpiryUnderWay(t *testing.T) {
	w := newIssued(t, "")
	w.up.On("tools/call", doortest.Hang)
	c := w.with(t, w.idp.Token(w.claims(), map[string]any{"exp": time.Now().Unix() - 24, "iat": time.Now().Unix() - 60, "nbf": nil}))
	listen := c.Open("POST", listenTo(c, "1", `{"toolsListChanged":true}`))
	if e, err := listen.Next(); err != nil || !strings.Contains(e.Data, "acknowledged") {
		t.Fatalf("%d %q %v", listen.Status, e.Data, err)
	}
	if r := c.Tool("2", "echo", `{}`); r.Status != 401 { // waits until the token ends
		t.Errorf("the call: %d %s", r.Status, r.Body)
	}
	for {
		if _, err := listen.Next(); err != nil {
			break // Open's own bound fails the test when it does not end
		}
	}
	if r := c.Call("3", "tools/list", `{}`); r.Status != 401 {
		t.Errorf("afterwards: %d", r.Status)
	}
	for _, method := range []string{"tools/call", "subscriptions/listen"} {
		w.AwaitRecord("the end of "+method, func(r doortest.Record) bool {
			return r.Method == method && r.Decision == "allow" && r.Reason == "revoked_live"
		})
	}
}

// TestS05ExpiredToken: a session goes on with the next token of the same
// subject, within the scopes of that one; another subject's does not open it.
func TestS05ExpiredToken(t *testing.T) {
	w := newIssued(t, "")
	w.Bind("second", w.idp.URL, "s-2")
	w.Grant("second", "s", "modify")
	at := func(sub, scope string, exp int64) *doortest.Client {
		now := time.Now().Unix()
		return w.with(t, w.idp.Token(w.claims(), map[string]any{"sub": sub, "scope": scope, "iat": now - 60, "nbf": nil, "exp": now + exp}))
	}
	first := at("s-1", "mcp:modify", -26)
	first.Initialize(doortest.LegacyVersion, `{}`)
	doortest.Poll(t, "the token to end", func() bool { return first.Call("1", "ping", "{}").Status == 401 })
	for name, c := range map[string]struct {
		client *doortest.Client
		status int
	}{
		"the same, narrower": {at("s-1", "mcp:read", 60), 403}, "another subject": {at("s-2", "mcp:modify", 60), 404}, "the same": {at("s-1", "mcp:modify", 60), 200},
	} {
		c.client.Version, c.client.Session = doortest.LegacyVersion, first.Session
		if r := c.client.Tool("2", "echo", `{"text":"x"}`); r.Status != c.status {
			t.Errorf("%s: %d %s, want %d", name, r.Status, r.Body, c.status)
		}
	}
}

// TestA13ProofsStayHere: a client that is asked for a nonce repeats its request
// with one, and neither its token nor the proof, nor the header that brings it,
// reaches the server (A13; RFC 9449 sections 7 to 9).
func TestA13ProofsStayHere(t *testing.T) {
	w := newIssuedWith(t, "  dpop_nonce: true\n")
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	token := w.idp.Token(w.claims(), map[string]any{"cnf": map[string]any{"jkt": doortest.Thumbprint(t, key)}})
	uri := w.URL("s")
	call := func(p doortest.Header) doortest.Reply {
		return w.with(t, "").Tool("1", "echo", `{"text":"x"}`, doortest.Header{Name: "Authorization", Value: "DPoP " + token}, p)
	}
	w.up.Forget()
	first := call(proof(t, key, uri, token, nil))
	nonce := first.Header.Get("DPoP-Nonce")
	if got := first.Header.Get("WWW-Authenticate"); first.Status != 401 || nonce == "" || !strings.HasPrefix(got, "DPoP ") || !strings.Contains(got, `error="use_dpop_nonce"`) {
		t.Fatalf("without a nonce: %d %q %s", first.Status, nonce, got)
	}
	if n := w.up.Bytes(); n != 0 {
		t.Errorf("%d bytes reached the server", n)
	}
	good := proof(t, key, uri, token, map[string]any{"nonce": nonce})
	if r := call(good); r.Status != 200 {
		t.Fatalf("with the nonce: %d %s", r.Status, r.Body)
	}
	sent := string(w.up.Received())
	for what, canary := range map[string]string{"the token": token, "the proof": good.Value, "the header": "dpop", "a header of ours": "authorization"} {
		if strings.Contains(strings.ToLower(sent), strings.ToLower(canary)) {
			t.Errorf("%s reached the server: %s", what, sent)
		}
	}
	if r := call(good); r.Status != 401 || !strings.Contains(r.Header.Get("WWW-Authenticate"), `error="invalid_token"`) {
		t.Errorf("the same proof again: %d %s", r.Status, r.Header.Get("WWW-Authenticate"))
	}
	// What is said about a proof is the same for a token that is not one.
	stranger := w.with(t, "").Tool("1", "echo", `{}`, doortest.Header{Name: "Authorization", Value: "DPoP no-token"}, proof(t, key, uri, "x", nil))
	if stranger.Header.Get("WWW-Authenticate") != first.Header.Get("WWW-Authenticate") {
		t.Errorf("a stranger is told %s", stranger.Header.Get("WWW-Authenticate"))
	}
	w.Restart()
	if r := call(proof(t, key, uri, token, map[string]any{"nonce": nonce})); r.Status != 401 || r.Header.Get("DPoP-Nonce") == nonce {
		t.Errorf("a nonce from before the restart: %d", r.Status)
	}
}

// TestA10CertificateBoundTokens: a token that its issuer bound to a certificate
// is good on connections with that certificate alone (RFC 8705 section 3).
func TestA10CertificateBoundTokens(t *testing.T) {
	w := newIssued(t, "")
	out := t.TempDir()
	w.Must("cert", "issue", "--agent", "robot", "--out", out, "--reason", "test")
	cert := must(tls.LoadX509KeyPair(out+"/cert.pem", out+"/cert.key"))
	sum := sha256.Sum256(cert.Certificate[0])
	bound := w.idp.Token(w.claims(), map[string]any{"cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(sum[:])}})
	call := func(token string, certs ...tls.Certificate) int {
		c := w.with(t, token)
		c.TLS.Certificates = certs
		return c.Tool("1", "echo", `{"text":"x"}`).Status
	}
	if got := call(bound, cert); got != 200 {
		t.Fatalf("with its certificate: %d", got)
	}
	w.Must("cert", "issue", "--agent", "robot", "--out", t.TempDir(), "--reason", "test")
	for name, got := range map[string]int{"without": call(bound), "with another agent's": call(bound, w.Agents["helper"].Cert)} {
		if got != 401 {
			t.Errorf("%s: %d", name, got)
		}
	}
	w.Must("cert", "revoke", strings.ToLower(cert.Leaf.SerialNumber.Text(16)), "--reason", "test", "--yes")
	c := w.with(t, bound)
	c.TLS.Certificates = []tls.Certificate{cert}
	if r, err := c.Attempt(c.Request("1", "tools/list", "{}")); err == nil && r.Status != 401 {
		t.Errorf("after the certificate was revoked: %d", r.Status)
	}
}
