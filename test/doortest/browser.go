package doortest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/test/authenticator"
)

// Named makes the gateway's public name localhost: browsers have no passkeys
// for a bare address. It is for Options.Config.
func Named(yaml string) string {
	return regexp.MustCompile(`(?m)^  data:\n    address: "?127\.0\.0\.1:(\d+)"?.*$`).ReplaceAllString(yaml, "$0\n    public_url: https://localhost:$1")
}

// Browser is one browser of a person, at one listener of a gateway. It keeps
// cookies, says where its forms come from, and follows no redirect.
type Browser struct {
	tb     testing.TB
	Origin string // https://host:port
	client *http.Client
	Device *authenticator.Device
}

// Shown is what a browser got.
type Shown struct {
	Status         int
	Location, Body string
	Header         http.Header
}

// Browser opens a browser at the data listener, under the name host.
func (d *Door) Browser(host string) *Browser {
	d.tb.Helper()
	_, port, _ := strings.Cut(d.Data, ":")
	return d.browser("https://" + host + ":" + port)
}

// AdminBrowser opens one at the admin listener.
func (d *Door) AdminBrowser() *Browser { return d.browser("https://" + d.Admin) }

func (d *Door) browser(origin string) *Browser {
	d.tb.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	for _, a := range d.Agents {
		config.RootCAs = a.CA
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		d.tb.Fatal(err)
	}
	t := &http.Transport{TLSClientConfig: config}
	d.tb.Cleanup(t.CloseIdleConnections)
	return &Browser{tb: d.tb, Origin: origin, Device: &authenticator.Device{Origin: origin}, client: &http.Client{Transport: t, Jar: jar, Timeout: commandTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Open follows a link.
func (b *Browser) Open(path string) Shown {
	b.tb.Helper()
	return b.do(http.MethodGet, path, "", nil)
}

// Send sends a form of a page.
func (b *Browser) Send(path string, form url.Values) Shown {
	b.tb.Helper()
	return b.do(http.MethodPost, path, "application/x-www-form-urlencoded", []byte(form.Encode()))
}

// Ask sends what the script of a page sends.
func (b *Browser) Ask(path string, body any) Shown {
	b.tb.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return b.do(http.MethodPost, path, "application/json", text)
}

func (b *Browser) do(method, path, kind string, body []byte) Shown {
	b.tb.Helper()
	r, err := http.NewRequestWithContext(b.tb.Context(), method, b.Origin+path, bytes.NewReader(body))
	if err != nil {
		b.tb.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Origin", b.Origin)
		r.Header.Set("Ostiary-CSRF", "1")
	}
	resp, err := b.client.Do(r)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return Shown{resp.StatusCode, resp.Header.Get("Location"), string(text), resp.Header}
}

// Person is somebody who has enrolled.
type Person struct {
	*Browser
	Name     string
	Recovery []string // codes that replace the app's once
	seed     []byte
	step     int64
}

const personPassword = "correct horse battery staple"

var (
	enrolState = regexp.MustCompile(`name="state" value="([^"]+)"`)
	enrolSeed  = regexp.MustCompile(`<code>([A-Z2-7 ]+)</code>`)
	recovery   = regexp.MustCompile(`<li>([0-9a-f-]{17})</li>`)
)

// Enrol invites somebody with the flags of user invite and sets a password and
// codes in their browser.
func (d *Door) Enrol(b *Browser, name string, flags ...string) *Person {
	d.tb.Helper()
	said := d.Must(append([]string{"user", "invite", name, "--reason", "test", "-o", "json"}, flags...)...)
	m := regexp.MustCompile(`"token": ?"([^"]+)"`).FindStringSubmatch(said)
	if m == nil {
		d.tb.Fatalf("no invitation: %s", said)
	}
	page := b.Send("/login/enrol", url.Values{"token": {m[1]}, "password": {personPassword}, "again": {personPassword}})
	state, seed := enrolState.FindStringSubmatch(page.Body), enrolSeed.FindStringSubmatch(page.Body)
	if state == nil || seed == nil {
		d.tb.Fatalf("enrolment: %d %s", page.Status, page.Body)
	}
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(seed[1], " ", ""))
	if err != nil {
		d.tb.Fatal(err)
	}
	p := &Person{Browser: b, Name: name, seed: raw, step: -1}
	page = b.Send("/login/enrol/confirm", url.Values{"token": {m[1]}, "state": {html.UnescapeString(state[1])}, "code": {p.code()}})
	for _, one := range recovery.FindAllStringSubmatch(page.Body, -1) {
		p.Recovery = append(p.Recovery, one[1])
	}
	if page.Status != http.StatusOK || len(p.Recovery) == 0 {
		d.tb.Fatalf("enrolment: %d %s", page.Status, page.Body)
	}
	return p
}

// code is the next one of the app (RFC 6238). Each counts once, and one step
// each way is taken: that is enough for an enrolment and a sign-in without a
// wait.
func (p *Person) code() string {
	mac := hmac.New(sha1.New, p.seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix()/30+p.step)))
	p.step++
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)
}

// SignIn signs in with the password and a code, on the way to next: the app's
// code first, a recovery code from the second time on.
func (p *Person) SignIn(next string) {
	p.tb.Helper()
	var code string
	if p.step == 0 {
		code = p.code()
	} else {
		code, p.Recovery = p.Recovery[0], p.Recovery[1:]
	}
	page := p.Send("/login", url.Values{"name": {p.Name}, "password": {personPassword}, "code": {code}, "next": {next}})
	if page.Status != http.StatusSeeOther || page.Location != next {
		p.tb.Fatalf("%s signs in: %d %s %s", p.Name, page.Status, page.Location, page.Body)
	}
}

// AddPasskey gives the person who has just signed in a passkey of the browser.
func (p *Person) AddPasskey() {
	p.tb.Helper()
	if page := p.ceremony("/login/add/begin", "/login/add", p.Device.Create, nil); page.Status != http.StatusOK {
		p.tb.Fatalf("%s adds a passkey: %d %s", p.Name, page.Status, page.Body)
	}
}

// UsePasskey signs in with a passkey of the browser; change spoils the answer.
func (b *Browser) UsePasskey(change func(*authenticator.Answer)) Shown {
	b.tb.Helper()
	return b.ceremony("/login/passkey/begin", "/login/passkey", b.Device.Get, change)
}

func (b *Browser) ceremony(begin, end string, answer func([]byte, func(*authenticator.Answer)) ([]byte, error), change func(*authenticator.Answer)) Shown {
	b.tb.Helper()
	page := b.Ask(begin, struct{}{})
	var o struct {
		ID      string
		Options json.RawMessage
	}
	if err := json.Unmarshal([]byte(page.Body), &o); err != nil || page.Status != http.StatusOK {
		b.tb.Fatalf("%s: %d %s", begin, page.Status, page.Body)
	}
	response, err := answer(o.Options, change)
	if err != nil {
		b.tb.Fatal(err)
	}
	return b.Ask(end, map[string]any{"id": o.ID, "response": json.RawMessage(response)})
}
