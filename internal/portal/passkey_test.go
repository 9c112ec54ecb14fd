package portal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/test/authenticator"
)

const origin = "https://gw.test:8443"

// ask posts what the script of a page posts.
func (w *world) ask(target string, body any, cookie *http.Cookie) *httptest.ResponseRecorder {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, origin+target, bytes.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.RemoteAddr = w.peer
	if cookie != nil {
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	out := httptest.NewRecorder()
	w.portal.ServeHTTP(out, r)
	return out
}

// offered is the first half of a ceremony.
type offered struct {
	ID      string
	Options json.RawMessage
}

func (w *world) begin(target string, cookie *http.Cookie) offered {
	w.t.Helper()
	out := w.ask(target, struct{}{}, cookie)
	var o offered
	if err := json.Unmarshal(out.Body.Bytes(), &o); err != nil || out.Code != http.StatusOK || o.ID == "" {
		w.t.Fatalf("%s: %d %s", target, out.Code, out.Body)
	}
	return o
}

// filled is the second half.
func filled(o offered, response []byte) map[string]any {
	return map[string]any{"id": o.ID, "response": json.RawMessage(response), "next": "/approvals", "name": "phone"}
}

// inTwoSteps signs somebody in with a password and a code.
func (w *world) inTwoSteps(name string, seed []byte) *http.Cookie {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	c := sessionCookie(w.signIn(name, goodPassword, code(seed, w.now)))
	if c == nil {
		w.t.Fatal("not signed in")
	}
	return c
}

// withKey enrols somebody, signs them in and gives them a passkey.
func (w *world) withKey(name string) (*authenticator.Device, *http.Cookie, []byte) {
	w.t.Helper()
	seed, _ := w.enrol(name)
	c := w.inTwoSteps(name, seed)
	d := &authenticator.Device{Origin: origin}
	if out := w.addKey(d, c, nil); out.Code != http.StatusOK {
		w.t.Fatalf("no passkey: %d %s", out.Code, out.Body)
	}
	return d, c, seed
}

func (w *world) addKey(d *authenticator.Device, c *http.Cookie, change func(*authenticator.Answer)) *httptest.ResponseRecorder {
	w.t.Helper()
	o := w.begin("/login/add/begin", c)
	response, err := d.Create(o.Options, change)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.ask("/login/add", filled(o, response), c)
}

func (w *world) useKey(d *authenticator.Device, change func(*authenticator.Answer)) *httptest.ResponseRecorder {
	w.t.Helper()
	o := w.begin("/login/passkey/begin", nil)
	response, err := d.Get(o.Options, change)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.ask("/login/passkey", filled(o, response), nil)
}

// TestPasskeyCeremonies adds a passkey after a sign-in with a code, signs in
// with it, and steps up: the session with the code is gone where the passkey's
// begins, and who has a passkey is known to have it.
func TestPasskeyCeremonies(t *testing.T) {
	w := newWorld(t)
	d, first, _ := w.withKey("pat")
	k := w.person("pat").Passkeys
	if len(k) != 1 || k[0].Name != "phone" {
		t.Fatalf("passkeys %+v", k)
	}
	if strings.Contains(string(d.Keys[0].User), "pat") {
		t.Error("the user handle names the person")
	}
	if v, ok := w.session(first); !ok || v.Strength != identity.TwoStep || !v.HasKey {
		t.Fatalf("%+v %t", v, ok)
	}
	w.now = w.now.Add(10 * time.Minute)
	for range 3 { // the counter grows each time
		out := w.useKey(d, nil)
		c := sessionCookie(out)
		if out.Code != http.StatusOK || c == nil || !strings.Contains(out.Body.String(), `"/approvals"`) {
			t.Fatalf("%d %s", out.Code, out.Body)
		}
		v, ok := w.session(c)
		if !ok || v.Name != "pat" || v.Strength != identity.Passkey || !v.AuthTime.Equal(w.now) {
			t.Errorf("%+v %t", v, ok)
		}
	}
	// Stepping up in the same browser ends the weaker session.
	o := w.begin("/login/passkey/begin", nil)
	response, err := d.Get(o.Options, nil)
	if err != nil {
		t.Fatal(err)
	}
	up := sessionCookie(w.ask("/login/passkey", filled(o, response), first))
	if _, ok := w.session(first); ok || up == nil {
		t.Error("the weaker session lives on")
	}
	if v, _ := w.session(up); v.Strength != identity.Passkey {
		t.Errorf("stepped up to %v", v.Strength)
	}
	if got := len(w.person("pat").Passkeys); got != 1 {
		t.Errorf("%d passkeys", got)
	}
}

// TestPasskeysThatAreRefused answers with one thing wrong each time: nobody is
// signed in, and the answer never says what was wrong.
func TestPasskeysThatAreRefused(t *testing.T) {
	w := newWorld(t)
	pats, _, _ := w.withKey("pat")
	w.peer = "192.0.2.9:5"
	sams, _, _ := w.withKey("sam")
	sam := sams.Keys[0]
	if out := w.useKey(pats, nil); out.Code != http.StatusOK { // the stored counter is 1 now
		t.Fatalf("%d %s", out.Code, out.Body)
	}
	for name, change := range map[string]func(*authenticator.Answer){
		"another origin":           func(a *authenticator.Answer) { a.Origin = "https://gw.evil.test:8443" },
		"a subdomain":              func(a *authenticator.Answer) { a.Origin = "https://a.gw.test:8443" },
		"another port":             func(a *authenticator.Answer) { a.Origin = "https://gw.test:9443" },
		"without TLS":              func(a *authenticator.Answer) { a.Origin = "http://gw.test:8443" },
		"no origin":                func(a *authenticator.Answer) { a.Origin = "" },
		"another site's id":        func(a *authenticator.Answer) { a.RPID = "evil.test" },
		"the parent's id":          func(a *authenticator.Answer) { a.RPID = "test" },
		"another challenge":        func(a *authenticator.Answer) { a.Challenge = bytes.Repeat([]byte{1}, 32) },
		"no challenge":             func(a *authenticator.Answer) { a.Challenge = nil },
		"the type of creation":     func(a *authenticator.Answer) { a.Type = "webauthn.create" },
		"in a frame":               func(a *authenticator.Answer) { a.CrossOrigin, a.TopOrigin = true, "https://evil.test" },
		"in a frame, untold":       func(a *authenticator.Answer) { a.CrossOrigin = true },
		"user not verified":        func(a *authenticator.Answer) { a.Flags = authenticator.UserPresent },
		"user not present":         func(a *authenticator.Answer) { a.Flags = authenticator.UserVerified },
		"no flags":                 func(a *authenticator.Answer) { a.Flags = 0 },
		"the counter stands still": func(a *authenticator.Answer) { a.Count = 1 },
		"the counter goes back":    func(a *authenticator.Answer) { a.Count = 0 },
		"signed by another key":    func(a *authenticator.Answer) { a.Signer = sam },
		"a spoilt signature":       func(a *authenticator.Answer) { a.Spoil = true },
		"another's handle":         func(a *authenticator.Answer) { a.User = sam.User },
		"another's credential":     func(a *authenticator.Answer) { a.Credential, a.Signer = sam.ID, sam },
		"another's, our handle":    func(a *authenticator.Answer) { a.Credential = sam.ID },
		"an unknown credential":    func(a *authenticator.Answer) { a.Credential = bytes.Repeat([]byte{7}, 32) },
		"an unknown handle":        func(a *authenticator.Answer) { a.User = []byte("pat") },
		"no handle":                func(a *authenticator.Answer) { a.User = nil },
	} {
		w.now = w.now.Add(time.Minute) // tries are counted
		out := w.useKey(pats, change)
		if out.Code != http.StatusUnauthorized || sessionCookie(out) != nil || out.Body.String() != `{"error":"The passkey is not accepted here."}` {
			t.Errorf("%s: %d %s", name, out.Code, out.Body)
		}
	}
	// What was refused changed nothing: the right answer still counts.
	if out := w.useKey(pats, func(a *authenticator.Answer) { a.Count = 1000 }); out.Code != http.StatusOK {
		t.Errorf("the right answer: %d %s", out.Code, out.Body)
	}
	if out := w.useKey(pats, func(a *authenticator.Answer) { a.Count = 999 }); out.Code != http.StatusUnauthorized {
		t.Errorf("a counter before the last one: %d", out.Code)
	}
	w.set("pat", func(p *registry.Person) { p.State = registry.PersonDisabled })
	if out := w.useKey(pats, func(a *authenticator.Answer) { a.Count = 2000 }); out.Code != http.StatusUnauthorized {
		t.Errorf("a disabled person: %d", out.Code)
	}
}

// TestPasskeyAnswerCountsOnce: an answer is good for the ceremony that it was
// made for, once, and for five minutes.
func TestPasskeyAnswerCountsOnce(t *testing.T) {
	w := newWorld(t)
	d, c, _ := w.withKey("pat")
	answer := func(o offered) []byte {
		t.Helper()
		response, err := d.Get(o.Options, nil)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	o := w.begin("/login/passkey/begin", nil)
	response := answer(o)
	if out := w.ask("/login/passkey", filled(o, response), nil); out.Code != http.StatusOK {
		t.Fatalf("%d %s", out.Code, out.Body)
	}
	if out := w.ask("/login/passkey", filled(o, response), nil); out.Code != http.StatusUnauthorized {
		t.Errorf("the same answer again: %d", out.Code)
	}
	if out := w.ask("/login/passkey", filled(w.begin("/login/passkey/begin", nil), response), nil); out.Code != http.StatusUnauthorized {
		t.Errorf("the same answer in another ceremony: %d", out.Code)
	}
	// A wrong answer spends the ceremony too.
	o = w.begin("/login/passkey/begin", nil)
	good := answer(o)
	if out := w.ask("/login/passkey", filled(o, []byte(`{}`)), nil); out.Code != http.StatusUnauthorized {
		t.Errorf("no answer: %d", out.Code)
	}
	if out := w.ask("/login/passkey", filled(o, good), nil); out.Code != http.StatusUnauthorized {
		t.Errorf("a second try in one ceremony: %d", out.Code)
	}
	for _, age := range []time.Duration{tryLife - time.Second, tryLife} {
		o = w.begin("/login/passkey/begin", nil)
		response = answer(o)
		w.now = w.now.Add(age)
		if out := w.ask("/login/passkey", filled(o, response), nil); (out.Code == http.StatusOK) != (age < tryLife) {
			t.Errorf("after %v: %d", age, out.Code)
		}
	}
	// A ceremony of adding is none of signing in.
	w.now = w.now.Add(-tryLife) // the first session is fresh again
	o = w.begin("/login/add/begin", c)
	made, err := d.Create(o.Options, func(a *authenticator.Answer) { a.Type = "webauthn.get" })
	if err != nil {
		t.Fatal(err)
	}
	if out := w.ask("/login/passkey", filled(o, made), nil); out.Code != http.StatusUnauthorized {
		t.Errorf("adding as signing in: %d", out.Code)
	}
}

// TestNewPasskeysThatAreRefused: only somebody who has just signed in adds one
// to their own account, made for this site by a device that checked its owner.
func TestNewPasskeysThatAreRefused(t *testing.T) {
	w := newWorld(t)
	d, c, _ := w.withKey("pat")
	w.peer = "192.0.2.9:5"
	seed, _ := w.enrol("sam")
	other := w.inTwoSteps("sam", seed)
	for name, change := range map[string]func(*authenticator.Answer){
		"another origin":    func(a *authenticator.Answer) { a.Origin = "https://evil.test" },
		"another site's id": func(a *authenticator.Answer) { a.RPID = "evil.test" },
		"another challenge": func(a *authenticator.Answer) { a.Challenge = bytes.Repeat([]byte{1}, 32) },
		"the wrong type":    func(a *authenticator.Answer) { a.Type = "webauthn.get" },
		"user not verified": func(a *authenticator.Answer) { a.Flags = authenticator.UserPresent },
		"user not present":  func(a *authenticator.Answer) { a.Flags = authenticator.UserVerified },
		"in a frame":        func(a *authenticator.Answer) { a.CrossOrigin, a.TopOrigin = true, "https://evil.test" },
		"no such algorithm": func(a *authenticator.Answer) { a.Algorithm = -65535 },
		"no credential id":  func(a *authenticator.Answer) { a.Credential = nil },
	} {
		if out := w.addKey(d, c, change); out.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, out.Code, out.Body)
		}
	}
	// Pat's ceremony in Sam's browser.
	o := w.begin("/login/add/begin", c)
	response, err := d.Create(o.Options, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, who := range map[string]*http.Cookie{"another's session": other, "nobody's session": nil} {
		if out := w.ask("/login/add", filled(o, response), who); out.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, out.Code)
		}
	}
	if out := w.ask("/login/add", filled(o, response), c); out.Code != http.StatusForbidden {
		t.Errorf("a spent ceremony: %d", out.Code)
	}
	w.now = w.now.Add(tryLife + time.Second)
	for name, who := range map[string]*http.Cookie{"signed in too long ago": c, "not signed in": nil} {
		if out := w.ask("/login/add/begin", struct{}{}, who); out.Code != http.StatusForbidden {
			t.Errorf("%s: %d", name, out.Code)
		}
	}
	if n := len(w.person("pat").Passkeys) + len(w.person("sam").Passkeys); n != 1 {
		t.Errorf("%d passkeys", n)
	}
}
