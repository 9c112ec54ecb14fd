package interop

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/test/doortest"
)

// TestPersonLogin: the whole way with the built gateway. An operator invites
// Alice and opens an agent to her; she sets a password and a one-time code; the
// OAuth client of the TypeScript SDK sends her browser to the gateway, she signs
// in and allows it, and it calls a tool. Disabled, she and it are out at once.
func TestPersonLogin(t *testing.T) {
	door := doortest.Gateway(t, doortest.Options{Agents: []string{"helper"},
		Servers: []doortest.Server{{Name: "everything", URL: "http://" + startGoServer(t, true)}}})
	g := &oauthGate{url: "https://" + door.Data + "/mcp", issuer: "https://" + door.Data, ca: filepath.Join(door.Dir, "ca.pem")}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: door.Agents["helper"].CA, MinVersion: tls.VersionTLS13}}
	t.Cleanup(transport.CloseIdleConnections)
	g.client = &http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	seed := g.enrol(t, invitation(t, door))
	signIn := func(back string) string { // from the login page to the consent page
		u, err := url.Parse(back)
		if err != nil || u.Path != "/login" {
			t.Errorf("sent to %q", back)
			return ""
		}
		form := url.Values{"name": {"alice"}, "password": {personPassword}, "code": {oneTime(seed, 0)}, "next": {u.Query().Get("next")}}
		return g.open(t, "POST", g.issuer+"/login", form.Encode()).location
	}
	g.serveBrowser(t, func(target string) string {
		if to := g.open(t, "GET", target, "").location; to != "" {
			target = g.issuer + signIn(to)
		}
		return g.browse(t, target)
	})
	if got := g.script(t, node(t), "clients/oauth.mjs", 1); got.Text != oauthText || got.Again != oauthText || !got.Refreshed {
		t.Errorf("%+v", got)
	}
	token := g.token(t, "mcp:read") // she is signed in already
	if status, _ := g.try(t, token); status != http.StatusOK {
		t.Fatalf("with a token: %d", status)
	}
	door.Must("user", "disable", "alice", "--reason", "test")
	if status, _ := g.try(t, token); status != http.StatusUnauthorized {
		t.Errorf("of a disabled person: %d", status)
	}
	if to := g.open(t, "GET", g.issuer+"/oauth/device", "").location; !strings.HasPrefix(to, "/login") {
		t.Errorf("her browser is still signed in: sent to %q", to)
	}
}

const personPassword = "correct horse battery staple"

// invitation invites Alice.
func invitation(t *testing.T, door *doortest.Door) string {
	t.Helper()
	r := door.Try("user", "invite", "alice", "--agent", "helper", "--reason", "test", "-o", "json")
	m := regexp.MustCompile(`"token": ?"([^"]+)"`).FindStringSubmatch(r.Stdout)
	if r.Code != 0 || m == nil {
		t.Fatalf("no invitation: exit %d %s%s", r.Code, r.Stdout, r.Stderr)
	}
	return m[1]
}

// enrol sets Alice's factors and returns the seed of her codes.
func (g *oauthGate) enrol(t *testing.T, token string) []byte {
	t.Helper()
	page := g.open(t, "POST", g.issuer+"/login/enrol", url.Values{"token": {token}, "password": {personPassword}, "again": {personPassword}}.Encode())
	state := regexp.MustCompile(`name="state" value="([^"]+)"`).FindStringSubmatch(page.body)
	secret := regexp.MustCompile(`<code>([A-Z2-7 ]+)</code>`).FindStringSubmatch(page.body)
	if state == nil || secret == nil {
		t.Fatalf("enrolment: %d %s", page.status, page.body)
	}
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(secret[1], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	// The code before the present one: each counts once, and the sign-in needs
	// a later one without a wait.
	form := url.Values{"token": {token}, "state": {html.UnescapeString(state[1])}, "code": {oneTime(seed, -1)}}
	if page = g.open(t, "POST", g.issuer+"/login/enrol/confirm", form.Encode()); page.status != http.StatusOK {
		t.Fatalf("enrolment: %d %s", page.status, page.body)
	}
	return seed
}

// oneTime is the code of RFC 6238 some steps from now.
func oneTime(seed []byte, steps int64) string {
	mac := hmac.New(sha1.New, seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix()/30+steps)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)
}
