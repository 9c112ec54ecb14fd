package portal

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// code is RFC 6238 once more, as an app on a phone has it.
func code(seed []byte, now time.Time) string {
	mac := hmac.New(sha1.New, seed)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(now.Unix()/30)))
	sum := mac.Sum(nil)
	at := sum[19] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

func readSeed(t *testing.T, text string) []byte {
	seed, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

func TestEnrolAndSignIn(t *testing.T) {
	w := newWorld(t)
	seed, codes := w.enrol("pat")
	if out := w.signIn("pat", goodPassword, code(seed, w.now)); out.Code == http.StatusSeeOther {
		t.Error("the code of the enrolment signs in as well")
	}
	w.now = w.now.Add(time.Minute)
	out := w.signIn("pat", goodPassword, code(seed, w.now))
	c := sessionCookie(out)
	if out.Code != http.StatusSeeOther || out.Header().Get("Location") != "/oauth/authorize?x=1" || c == nil {
		t.Fatalf("%d %v", out.Code, out.Header())
	}
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %v", c)
	}
	v, ok := w.session(c)
	if !ok || v.Name != "pat" || v.Strength != identity.TwoStep || v.Pseudonym == "pat" || !v.AuthTime.Equal(w.now) {
		t.Errorf("%+v %t", v, ok)
	}
	if out := w.signIn("pat", goodPassword, code(seed, w.now)); out.Code == http.StatusSeeOther {
		t.Error("a code counts twice")
	}
	w.now = w.now.Add(time.Minute)
	if out := w.signIn("pat", goodPassword, codes[0]); out.Code != http.StatusSeeOther {
		t.Errorf("a recovery code is refused: %d", out.Code)
	}
	w.now = w.now.Add(time.Minute)
	if out := w.signIn("pat", goodPassword, codes[0]); out.Code == http.StatusSeeOther {
		t.Error("a recovery code counts twice")
	}
	if n := len(w.person("pat").Recovery); n != 7 {
		t.Errorf("%d recovery codes are left", n)
	}
}

func TestX01SameAnswerForUnknownName(t *testing.T) {
	w := newWorld(t)
	seed, _ := w.enrol("pat")
	w.now = w.now.Add(time.Minute)
	good := code(seed, w.now)
	want := ""
	for _, try := range [][3]string{{"pat", "another password", good}, {"pat", goodPassword, "000000"}, {"nobody", goodPassword, good}, {"", goodPassword, good},
		{"pat", goodPassword, ""}, {"pat", "", good}} {
		w.peer = fmt.Sprintf("192.0.2.%d:5", len(w.acts)+10)
		out := w.signIn(try[0], try[1], try[2])
		if want == "" {
			want = out.Body.String()
		}
		if out.Code != http.StatusUnauthorized || out.Body.String() != want || sessionCookie(out) != nil {
			t.Errorf("%q: %d", try, out.Code)
		}
	}
	for _, a := range w.acts {
		if a.By != "" && a.By != "pat" {
			t.Errorf("the record names %q, which somebody typed", a.By)
		}
	}
}

func TestStrangersCannotLockOut(t *testing.T) {
	w := newWorld(t)
	seed, _ := w.enrol("pat")
	w.now = w.now.Add(time.Minute)
	for i := range 12 {
		w.peer = fmt.Sprintf("198.51.100.%d:5", i%2)
		out := w.signIn("pat", "another password", "000000")
		if i >= 10 && out.Code != http.StatusTooManyRequests {
			t.Errorf("try %d: %d", i, out.Code)
		}
	}
	w.peer = "192.0.2.77:5"
	if out := w.signIn("pat", goodPassword, code(seed, w.now)); out.Code != http.StatusSeeOther {
		t.Errorf("the person herself is refused: %d", out.Code)
	}
}

func TestK02SessionEndsWithPerson(t *testing.T) {
	for name, end := range map[string]func(*world){
		"disabled": func(w *world) { w.set("pat", func(p *registry.Person) { p.State = registry.PersonDisabled }) },
		"reset":    func(w *world) { w.set("pat", func(p *registry.Person) { p.Generation++ }) },
		"removed":  func(w *world) { delete(w.nouns, "pat"); w.show() },
		"idle":     func(w *world) { w.now = w.now.Add(31 * time.Minute) },
	} {
		w := newWorld(t)
		seed, _ := w.enrol("pat")
		w.now = w.now.Add(time.Minute)
		c := sessionCookie(w.signIn("pat", goodPassword, code(seed, w.now)))
		if _, ok := w.session(c); !ok {
			t.Fatalf("%s: not signed in", name)
		}
		end(w)
		if _, ok := w.session(c); ok {
			t.Errorf("%s: still signed in", name)
		}
	}
}

func TestCookieIsNewAfterSignIn(t *testing.T) {
	w := newWorld(t)
	seed, _ := w.enrol("pat")
	w.now = w.now.Add(time.Minute)
	planted := &http.Cookie{Name: cookieName, Value: "planted"}
	form := url.Values{"name": {"pat"}, "password": {goodPassword}, "code": {code(seed, w.now)}}
	out := w.send("POST", "/login", form, func(r *http.Request) { r.AddCookie(planted) })
	c := sessionCookie(out)
	if c == nil || c.Value == planted.Value {
		t.Fatal("the cookie is not a new one")
	}
	if _, ok := w.session(planted); ok {
		t.Error("the planted cookie is signed in")
	}
	if out = w.send("POST", "/login/logout", url.Values{}, func(r *http.Request) { r.AddCookie(c) }); out.Code != 200 {
		t.Errorf("sign out: %d", out.Code)
	}
	if _, ok := w.session(c); ok {
		t.Error("signed out, and still signed in")
	}
}

func TestK02LoginCSRF(t *testing.T) {
	w := newWorld(t)
	for _, target := range []string{"/login", "/login/passkey", "/login/passkey/begin", "/login/enrol", "/login/enrol/confirm", "/login/add", "/login/logout"} {
		for name, change := range map[string]func(*http.Request){
			"cross-site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"origin":     func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "https://evil.test") },
		} {
			if out := w.send("POST", target, url.Values{"name": {"pat"}}, change); out.Code != http.StatusForbidden || sessionCookie(out) != nil {
				t.Errorf("%s %s: %d", name, target, out.Code)
			}
		}
		w.now = w.now.Add(time.Minute)
	}
}

func TestK02LoginPagePolicy(t *testing.T) {
	w := newWorld(t)
	out := w.send("GET", "/login?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E", nil, nil)
	body, policy := out.Body.String(), out.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", hashOf(script), hashOf(style)} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(body, "alert(1)") || !strings.Contains(body, "<script>"+script+"</script>") ||
		!strings.Contains(body, "<style>"+style+"</style>") || strings.Count(body, "<script") != 1 {
		t.Errorf("the page is not what its policy allows: %s", body)
	}
	if out.Header().Get("X-Frame-Options") != "DENY" || out.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v", out.Header())
	}
}

func TestInvitationsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.enrol("pat") // spends hers
	form := url.Values{"token": {"invitation-of-pat"}, "password": {goodPassword}, "again": {goodPassword}}
	if out := w.send("POST", "/login/enrol", form, nil); out.Code != http.StatusForbidden {
		t.Errorf("spent: %d", out.Code)
	}
	w.set("sam", func(p *registry.Person) {
		*p = registry.Person{State: registry.PersonInvited, Enrol: &registry.Enrol{Hash: InvitationHash(w.ring, "sams"), Expires: w.now.Add(time.Minute)}}
	})
	for name, f := range map[string]url.Values{
		"short":     {"token": {"sams"}, "password": {"short"}, "again": {"short"}},
		"different": {"token": {"sams"}, "password": {goodPassword}, "again": {"a quiet green cart"}},
	} {
		if out := w.send("POST", "/login/enrol", f, nil); out.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", name, out.Code)
		}
	}
	w.now = w.now.Add(2 * time.Minute)
	form.Set("token", "sams")
	if out := w.send("POST", "/login/enrol", form, nil); out.Code != http.StatusForbidden {
		t.Errorf("expired: %d", out.Code)
	}
	if out := w.signIn("sam", goodPassword, "000000"); out.Code != http.StatusUnauthorized {
		t.Errorf("signed in before enrolment: %d", out.Code)
	}
}
