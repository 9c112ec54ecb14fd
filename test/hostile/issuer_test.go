package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"ostiary.dev/ostiary/test/doortest"
)

// issued is a gateway that takes tokens of two outside issuers; agent "robot"
// is subject "s-1" of the first.
type issued struct {
	site
	idp, other *doortest.IDP
}

func newIssued(t *testing.T, more string) *issued {
	t.Helper()
	return newIssuedWith(t, "", more)
}

// newIssuedWith has further lines of the section identity, and more in the
// first issuer's entry.
func newIssuedWith(t *testing.T, lines string, more ...string) *issued {
	t.Helper()
	up := doortest.NewUpstream(t, doortest.Config{})
	w := &issued{idp: doortest.NewIDP(t), other: doortest.NewIDP(t)}
	w.site = site{up: up, Door: doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"helper"},
		Config: func(yaml string) string {
			return strings.Replace(yaml, "identity:\n", "identity:\n"+lines+"  issuers:\n"+w.idp.Entry(strings.Join(more, ""))+w.other.Entry(""), 1)
		},
	})}
	w.Bind("robot", w.idp.URL, "s-1")
	w.Grant("robot", "s", "modify")
	return w
}

// with is a client that shows a token.
func (w *issued) with(t *testing.T, token string) *doortest.Client {
	c := w.client(t, "helper", "s")
	c.Token = token
	return c
}

func (w *issued) claims() map[string]any { return w.idp.Claims("s-1", w.URL("s")) }

// TestA01ToA09OutsideTokens: a token of an outside issuer is the agent's that
// is registered for its subject; whatever is wrong with another one, the answer
// is the same, byte for byte but for the id of the exchange, and the server
// hears nothing (A01 to A04, A07, A08).
func TestA01ToA09OutsideTokens(t *testing.T) {
	w := newIssued(t, "")
	if r := w.with(t, w.idp.Token(w.claims(), nil)).Tool("1", "echo", `{"text":"x"}`); r.Status != 200 || r.Code() != 0 {
		t.Fatalf("a good token: %d %s", r.Status, r.Body)
	}
	for name, aud := range map[string]any{"/mcp": w.URL(""), "a list": []string{"https://elsewhere.example", w.URL("s")}} {
		if r := w.with(t, w.idp.Token(w.claims(), map[string]any{"aud": aud})).Tool("1", "echo", `{}`); r.Status != 200 {
			t.Errorf("audience %s: %d", name, r.Status)
		}
	}
	before, fetched := len(w.up.Calls("tools/call")), w.idp.Fetched("/jwks")
	var first doortest.Reply
	for name, token := range w.bad(t) {
		r := w.with(t, token).Tool("1", "echo", `{}`)
		if first.Status == 0 {
			first = r
		}
		if r.Status != 401 || r.Header.Get("WWW-Authenticate") != first.Header.Get("WWW-Authenticate") || scrub(r.Body) != scrub(first.Body) {
			t.Errorf("%s: %d %s %s", name, r.Status, r.Header.Get("WWW-Authenticate"), r.Body)
		}
	}
	challenge := first.Header.Get("WWW-Authenticate")
	if !strings.Contains(challenge, `error="invalid_token"`) || !strings.Contains(challenge, `resource_metadata="https://`+w.Data+`/.well-known/oauth-protected-resource/s/s/mcp"`) {
		t.Errorf("the challenge is %s", challenge)
	}
	if n := len(w.up.Calls("tools/call")); n != before {
		t.Errorf("%d refused calls reached the server", n-before)
	}
	if n := w.idp.Fetched("/jwks"); n > fetched+1 {
		t.Errorf("unknown keys made %d fetches", n-fetched)
	}
	for _, path := range []string{"/attacker", "/jku", "/x5u"} {
		if w.idp.Fetched(path) > 0 {
			t.Errorf("%s was fetched", path)
		}
	}
}

// scrub takes the id of the exchange out of an error.
func scrub(body []byte) string {
	var doc map[string]any
	if json.Unmarshal(body, &doc) != nil {
		return string(body)
	}
	if e, ok := doc["error"].(map[string]any); ok {
		delete(e, "data")
	}
	b, _ := json.Marshal(doc)
	return string(b)
}

// bad are tokens that are nearly right.
func (w *issued) bad(t *testing.T) map[string]string {
	now := time.Now().Unix()
	out := map[string]string{}
	for name, change := range map[string]map[string]any{
		"issuer unknown": {"iss": "https://idp.example"}, "issuer with slash": {"iss": w.idp.URL + "/"}, "no issuer": {"iss": nil}, "issuer a list": {"iss": []string{w.idp.URL}},
		"other issuer, our key": {"iss": w.other.URL}, "unknown subject": {"sub": "s-2"}, "subject case": {"sub": "S-1"}, "no subject": {"sub": nil},
		"audience prefix": {"aud": w.URL("s") + "/"}, "audience of another server": {"aud": w.URL("t")}, "audience case": {"aud": strings.ToUpper(w.URL("s"))},
		"no audience": {"aud": nil}, "audience mixed": {"aud": []any{w.URL("s"), 1}},
		"expired": {"exp": now - 62}, "no exp": {"exp": nil}, "exp text": {"exp": "2000000000"}, "exp 1e20": {"exp": 1e20}, "exp fraction": {"exp": float64(now) + 60.5},
		"exp negative": {"exp": -1}, "nbf ahead": {"nbf": now + 120}, "iat tomorrow": {"iat": now + 86400, "exp": now + 86460}, "life": {"exp": now + 90000},
		"ID token": {"at_hash": "x"}, "ID token by use": {"token_use": "id"}, "ID token by claim": {"typ": "ID"}, "refresh token": {"typ": "Refresh"}, "logout token": {"events": map[string]any{}}, "bound to a key": {"cnf": map[string]any{"jkt": "x"}}, "bound to a certificate": {"cnf": map[string]any{"x5t#S256": "x"}},
		"bound unknowably": {"cnf": map[string]any{"kid": "x"}},
	} {
		out[name] = w.idp.Token(w.claims(), change)
	}
	key := w.idp.Key()
	jwk := jose.JSONWebKey{Key: key.Public()}
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]map[string]any{
		"kid path": {"kid": "../../dev/null"}, "kid SQL": {"kid": "' OR 1=1 --"}, "kid URL": {"kid": w.idp.URL + "/attacker"}, "kid long": {"kid": strings.Repeat("k", 4096)},
		"jku": {"jku": w.idp.URL + "/jku", "kid": "key-0"}, "x5u": {"x5u": w.idp.URL + "/x5u", "kid": "key-0"}, "jwk": {"jwk": jwk, "kid": "key-0"}, "zip": {"zip": "DEF", "kid": "key-0"},
		"x5c": {"x5c": []string{"AAAA"}, "kid": "key-0"}, "crit": {"crit": []string{"exp"}, "kid": "key-0"}, "typ": {"typ": "dpop+jwt", "kid": "key-0"}, "logout": {"typ": "logout+jwt", "kid": "key-0"},
	} {
		full := map[string]any{"typ": "at+jwt"}
		maps.Copy(full, h)
		out["header "+name] = doortest.Sign(t, key, full, w.claims())
	}
	out["stranger's key"] = doortest.Sign(t, stranger, map[string]any{"typ": "at+jwt", "kid": "key-0"}, w.claims())
	out["no typ"] = doortest.Sign(t, key, map[string]any{"kid": "key-0"}, w.claims())
	good := w.idp.Token(w.claims(), nil)
	parts := strings.Split(good, ".")
	enc := base64.RawURLEncoding.EncodeToString
	for _, alg := range []string{"none", "None", "nOnE", "", "HS256", "ES384", "RS256", "EdDSA"} {
		header := `{"typ":"at+jwt","kid":"key-0","alg":"` + alg + `"}`
		out["alg "+alg] = enc([]byte(header)) + "." + parts[1] + "." + parts[2]
		out["alg unsigned "+alg] = enc([]byte(header)) + "." + parts[1] + "."
	}
	hmac, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: must(jwk.MarshalJSON())}, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "key-0"))
	if err != nil {
		t.Fatal(err)
	}
	body, _ := base64.RawURLEncoding.DecodeString(parts[1])
	signed, err := hmac.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	out["HMAC with the public key"], _ = signed.CompactSerialize()
	out["zero signature"] = parts[0] + "." + parts[1] + "." + enc(make([]byte, 64))
	out["empty signature"] = parts[0] + "." + parts[1] + "."
	out["no alg"] = enc([]byte(`{"typ":"at+jwt","kid":"key-0"}`)) + "." + parts[1] + "." + parts[2]
	out["two algs"] = enc([]byte(`{"typ":"at+jwt","kid":"key-0","alg":"none","alg":"ES256"}`)) + "." + parts[1] + "." + parts[2]
	out["padded"] = good + "="
	out["four parts"] = good + ".x"
	return out
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestA10RevokedJTI: a jti that is revoked, and an agent that is suspended, end
// calls and open streams of the token (A10).
func TestA10RevokedJTI(t *testing.T) {
	w := newIssued(t, "")
	token := w.idp.Token(w.claims(), map[string]any{"jti": "token-1"})
	c := w.with(t, token)
	gate := make(chan struct{})
	defer close(gate)
	w.up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
		c.Event("", `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`)
		c.Wait(gate)
	})
	stream := c.Open("POST", c.Request("1", "tools/call", `{"name":"echo","arguments":{}}`))
	defer stream.Close()
	w.Must("token", "revoke", "token-1", "--jwt", "--yes", "--reason", "lost")
	for {
		if _, err := stream.Next(); err != nil {
			break // it ends; Next fails the test when it does not
		}
	}
	if r := c.Tool("2", "echo", `{}`); r.Status != 401 {
		t.Errorf("after revocation: %d", r.Status)
	}
	w.up.On("tools/call", nil)
	c = w.with(t, w.idp.Token(w.claims(), nil))
	if r := c.Tool("3", "echo", `{}`); r.Status != 200 {
		t.Errorf("another token: %d %s", r.Status, r.Body)
	}
	w.Must("agent", "suspend", "robot", "--reason", "x")
	if r := c.Tool("4", "echo", `{}`); r.Status != 401 {
		t.Errorf("suspended: %d", r.Status)
	}
}

// TestS05NarrowerToken: what a token may do is asked with each request; a newer
// token of fewer scopes does not inherit what an earlier one began (S05).
func TestS05NarrowerToken(t *testing.T) {
	w := newIssued(t, "")
	wide := w.with(t, w.idp.Token(w.claims(), map[string]any{"scope": "openid mcp:modify"}))
	wide.Version = "2025-11-25"
	if r := wide.Initialize("2025-11-25", `{}`); r.Status != 200 {
		t.Fatalf("initialize: %d %s", r.Status, r.Body)
	}
	if r := wide.Tool("1", "echo", `{"text":"x"}`); r.Status != 200 || r.Code() != 0 {
		t.Fatalf("wide: %d %s", r.Status, r.Body)
	}
	narrow := w.with(t, w.idp.Token(w.claims(), map[string]any{"scope": "mcp:read"}))
	narrow.Version, narrow.Session = "2025-11-25", wide.Session
	r := narrow.Tool("2", "echo", `{"text":"x"}`)
	if got := r.Header.Get("WWW-Authenticate"); r.Status != 403 || !strings.Contains(got, `error="insufficient_scope"`) || !strings.Contains(got, "mcp:read mcp:write") {
		t.Errorf("narrow: %d %s %s", r.Status, got, r.Body)
	}
}

// proof signs a proof of possession for a request.
func proof(t *testing.T, key *ecdsa.PrivateKey, uri, token string, change map[string]any) doortest.Header {
	t.Helper()
	ath := sha256.Sum256([]byte(token))
	c := map[string]any{"htm": "POST", "htu": uri, "iat": time.Now().Unix(), "jti": rand.Text(), "ath": base64.RawURLEncoding.EncodeToString(ath[:])}
	for k, v := range change {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return doortest.Header{Name: "DPoP", Value: doortest.Sign(t, key, map[string]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: key.Public()}}, c)}
}

// TestA10BoundTokens: a token that its issuer bound to a key is good with a
// fresh proof of that key for this request, and in no other way (RFC 9449).
func TestA10BoundTokens(t *testing.T) {
	w := newIssued(t, "")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	thief := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	token := w.idp.Token(w.claims(), map[string]any{"cnf": map[string]any{"jkt": doortest.Thumbprint(t, key)}})
	free := w.idp.Token(w.claims(), nil)
	uri := w.URL("s")
	call := func(token string, headers ...doortest.Header) int {
		c := w.with(t, "")
		return c.Tool("1", "echo", `{"text":"x"}`, append([]doortest.Header{{Name: "Authorization", Value: token}}, headers...)...).Status
	}
	good := proof(t, key, uri, token, nil)
	if got := call("DPoP "+token, good); got != 200 {
		t.Fatalf("a good proof: %d", got)
	}
	old, ahead := time.Now().Unix()-400, time.Now().Unix()+400
	for name, got := range map[string]int{
		"used again": call("DPoP "+token, good), "as bearer": call("Bearer " + token), "as bearer with a proof": call("Bearer "+token, proof(t, key, uri, token, nil)),
		"no proof": call("DPoP " + token), "another key": call("DPoP "+token, proof(t, thief, uri, token, nil)), "another token": call("DPoP "+token, proof(t, key, uri, free, nil)),
		"another method": call("DPoP "+token, proof(t, key, uri, token, map[string]any{"htm": "GET"})), "another URI": call("DPoP "+token, proof(t, key, w.URL(""), token, nil)),
		"too old": call("DPoP "+token, proof(t, key, uri, token, map[string]any{"iat": old})), "ahead": call("DPoP "+token, proof(t, key, uri, token, map[string]any{"iat": ahead})),
		"no jti": call("DPoP "+token, proof(t, key, uri, token, map[string]any{"jti": nil})), "no ath": call("DPoP "+token, proof(t, key, uri, token, map[string]any{"ath": nil})),
		"a token that is not bound": call("DPoP "+free, proof(t, key, uri, free, nil)),
		"an API token":              call("DPoP "+w.Agents["helper"].Token, proof(t, key, uri, w.Agents["helper"].Token, nil)),
	} {
		if got != 401 {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestDoctorAuth: an operator is told which part of a token is wrong, and what
// to do, while the caller is told nothing (A07).
func TestDoctorAuth(t *testing.T) {
	w := newIssued(t, "")
	for name, c := range map[string]struct{ token, decision, says string }{
		"good":     {"Bearer " + w.idp.Token(w.claims(), nil), "allow", "robot"},
		"audience": {w.idp.Token(w.claims(), map[string]any{"aud": "https://elsewhere.example"}), "deny", "audience"},
		"subject":  {w.idp.Token(w.claims(), map[string]any{"sub": "s-9"}), "deny", "agent register"},
		"issuer":   {w.idp.Token(w.claims(), map[string]any{"iss": "https://idp.example"}), "deny", "identity.issuers"},
		"expired":  {w.idp.Token(w.claims(), map[string]any{"exp": 1}), "deny", "clocks"},
		"API":      {w.Agents["helper"].Token, "allow", "helper"},
		"not one":  {"hello", "deny", "form"},
	} {
		cmd := w.Command("doctor", "auth", "--server", "s", "-o", "json")
		cmd.Stdin = strings.NewReader(c.token + "\n")
		r := doortest.Run(t, cmd)
		out := r.Stdout + r.Stderr
		if !strings.Contains(r.Stdout, `"`+c.decision+`"`) || !strings.Contains(out, c.says) {
			t.Errorf("%s: %s", name, out)
		}
		if sig := c.token[strings.LastIndexByte(c.token, '.')+1:]; len(sig) > 40 && strings.Contains(out, sig) {
			t.Errorf("%s: the token is repeated", name)
		}
	}
}

// TestA01Metadata: the challenge leads to the metadata of the resource with
// every method, and what is said of a server that is not there is what is said
// of one that is (A01).
func TestA01Metadata(t *testing.T) {
	w := newIssued(t, "")
	read := func(server string) string {
		c := w.client(t, "helper", "s")
		c.URL, c.Token = "https://"+w.Data+"/.well-known/oauth-protected-resource/s/"+server+"/mcp", ""
		r := c.Send("GET", "")
		if r.Status != 200 {
			t.Errorf("metadata of %s: %d", server, r.Status)
		}
		return strings.ReplaceAll(string(r.Body), "/s/"+server+"/", "/s/NAME/")
	}
	there := read("s")
	if there != read("nowhere") {
		t.Error("the metadata tells which servers there are")
	}
	for _, want := range []string{`"resource":"https://` + w.Data + `/s/NAME/mcp"`, w.idp.URL, w.other.URL, "dpop_signing_alg_values_supported", `"header"`} {
		if !strings.Contains(there, want) {
			t.Errorf("the metadata lacks %s: %s", want, there)
		}
	}
	var first string
	for _, server := range []string{"s", "nowhere"} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			c := w.client(t, "helper", server)
			c.Token = ""
			r := c.Send(method, map[string]string{"POST": c.Request("1", "tools/list", "")}[method])
			got := strings.ReplaceAll(r.Header.Get("WWW-Authenticate"), "/s/"+server+"/", "/s/NAME/")
			if first == "" {
				first = got
			}
			if r.Status != 401 || got != first || strings.Contains(got, "error=") || !strings.Contains(got, "scope=") {
				t.Errorf("%s %s: %d %s", method, server, r.Status, got)
			}
		}
	}
}

// TestLimitedTokens: an API token that was made for reading, or for one server,
// does nothing more, whatever its agent may.
func TestLimitedTokens(t *testing.T) {
	w := newIssued(t, "")
	w.Grant("helper", "s", "modify")
	token := func(flags ...string) *doortest.Client {
		return w.with(t, strings.TrimSpace(w.Must(append([]string{"token", "create", "helper", "--reason", "x"}, flags...)...)))
	}
	if r := token().Tool("1", "echo", `{}`); r.Status != 200 {
		t.Errorf("without limits: %d", r.Status)
	}
	if r := token("--scope", "modify", "--server", "s").Tool("1", "echo", `{}`); r.Status != 200 {
		t.Errorf("for this server: %d", r.Status)
	}
	if r := token("--scope", "read").Tool("1", "echo", `{}`); r.Status != 403 {
		t.Errorf("for reading: %d", r.Status)
	}
	if r := token("--server", "t").Tool("1", "echo", `{}`); r.Status != 401 {
		t.Errorf("for another server: %d", r.Status)
	}
	all := token("--server", "s")
	all.URL = w.URL("")
	if r := all.Tool("1", "s__echo", `{}`); r.Status != 401 {
		t.Errorf("for this server, at /mcp: %d", r.Status)
	}
	if r := w.Try("token", "create", "helper", "--scope", "all", "--reason", "x"); r.Code == 0 {
		t.Error("an unknown scope is taken")
	}
}
