package kms

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/test/transit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secret is what no error may repeat.
var secret = []byte("canary-key-material-0123456789ab")

// means resolves references from a map and dials through the real guard.
func means(values map[string]string) Means {
	guard := egress.New(egress.Config{})
	return Means{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return guard.Dial(ctx, network, address, true)
		},
		Secret: func(ref string) ([]byte, error) {
			if v, ok := values[ref]; ok {
				return []byte(v), nil
			}
			return nil, fmt.Errorf("%s is not set", ref)
		},
		Pause: func(context.Context, time.Duration) error { return nil },
	}
}

// standIn serves a stand-in over TLS and returns how it is reached.
func standIn(t *testing.T) (*transit.Engine, Vault, map[string]string) {
	t.Helper()
	s := transit.New()
	srv := httptest.NewTLSServer(s)
	t.Cleanup(srv.Close)
	values := map[string]string{"env:TOKEN": "test-root-token", "file:ca.pem": caOf(srv)}
	return s, Vault{Address: srv.URL, Key: "ostiary", Token: "env:TOKEN", CA: "file:ca.pem"}, values
}

func caOf(srv *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
}

func openRoot(t *testing.T, c Vault, m Means) Root {
	t.Helper()
	root, err := Open(Config{Provider: ProviderVault, Vault: c}, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return root
}

// refused demands that err is of the wanted kind, has a next step, and repeats
// no secret.
func refused(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
		return
	}
	if Fix(err) == "" {
		t.Errorf("%v has no next step", err)
	}
	for _, s := range []string{string(secret), "test-root-token", "test-secret", "s.login-"} {
		if strings.Contains(err.Error(), s) {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

func TestVaultCredentialsAreRefused(t *testing.T) {
	s, c, values := standIn(t)
	root := openRoot(t, c, means(values))
	values["env:TOKEN"] = "another-token"
	refused(t, root.Check(t.Context()), ErrAccess)
	values["env:TOKEN"] = "test-root-token\r\nX-Evil: 1"
	refused(t, root.Check(t.Context()), ErrCredential)
	delete(values, "env:TOKEN")
	refused(t, root.Check(t.Context()), ErrCredential)
	values["env:TOKEN"] = "test-root-token" // it is read anew for each use
	if err := root.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if n := len(s.Keys); n != 1 {
		t.Errorf("there are %d keys", n)
	}
}

func TestWhatCannotBeOpenedIsNotKept(t *testing.T) {
	s, c, values := standIn(t)
	s.Tokens["half"], values["env:TOKEN"] = "wrap-only", "half"
	root := openRoot(t, c, means(values))
	_, err := root.Wrap(t.Context(), []byte("place"), secret)
	refused(t, err, ErrAccess)
	for _, plain := range [][]byte{nil, make([]byte, maxKey+1)} {
		_, err := root.Wrap(t.Context(), []byte("place"), plain)
		refused(t, err, ErrConfig)
	}
}

func TestVaultAppRoleLogsInAgain(t *testing.T) {
	s, c, values := standIn(t)
	c.Token, c.RoleID, c.SecretID = "", "env:ROLE", "file:secret"
	values["env:ROLE"], values["file:secret"] = "test-role", "test-secret"
	root := openRoot(t, c, means(values))
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil || s.Logins != 1 {
		t.Fatalf("%v after %d logins", err, s.Logins)
	}
	delete(s.Tokens, "s.login-1") // it ended
	if plain, err := root.Unwrap(t.Context(), []byte("place"), wrapped); err != nil || !bytes.Equal(plain, secret) || s.Logins != 2 {
		t.Errorf("%v after %d logins", err, s.Logins)
	}
	values["file:secret"] = "wrong"
	delete(s.Tokens, "s.login-2")
	_, err = root.Unwrap(t.Context(), []byte("place"), wrapped)
	refused(t, err, ErrAccess)
}

func TestVaultNamespaceIsSent(t *testing.T) {
	s, c, values := standIn(t)
	c.Namespace = "team/one"
	root := openRoot(t, c, means(values))
	if err := root.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Spaces {
		if n != "team/one" {
			t.Errorf("a request went to the namespace %q", n)
		}
	}
	if !strings.HasSuffix(root.ID(), "/team/one/transit/ostiary") {
		t.Errorf("the id is %q", root.ID())
	}
}

func TestVaultIsAskedAgainAndNotForEver(t *testing.T) {
	s, c, values := standIn(t)
	m := means(values)
	var waits []time.Duration
	m.Pause = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	root := openRoot(t, c, m)
	s.Fail = []int{503, 429, 500}
	if err := root.Check(t.Context()); err != nil || fmt.Sprint(waits) != "[200ms 400ms 800ms]" {
		t.Errorf("%v after waiting %v", err, waits)
	}
	s.Fail = []int{503, 503, 503, 503, 503, 503, 503, 503}
	s.Seen = nil
	refused(t, root.Check(t.Context()), ErrUnreachable)
	if len(s.Seen) != attempts {
		t.Errorf("it was asked %d times", len(s.Seen))
	}
	s.Fail, s.Seen = []int{503, 503}, nil
	m.Pause = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	refused(t, openRoot(t, c, m).Check(ctx), ErrUnreachable)
}

func TestVaultOutOfReach(t *testing.T) {
	_, c, values := standIn(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Address = "https://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, openRoot(t, c, means(values)).Check(t.Context()), ErrUnreachable)
	c.Address = "https://169.254.169.254" // the guard refuses metadata services
	refused(t, openRoot(t, c, means(values)).Check(t.Context()), ErrConfig)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	_, c, values := standIn(t)
	hits := 0
	other := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer other.Close()
	first := httptest.NewTLSServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer first.Close()
	c.Address, values["file:ca.pem"] = first.URL, caOf(first)+caOf(other)
	refused(t, openRoot(t, c, means(values)).Check(t.Context()), ErrAnswer)
	if hits != 0 {
		t.Errorf("the other server was asked %d times", hits)
	}
}

func TestTheServerIsVerified(t *testing.T) {
	_, c, values := standIn(t)
	for name, ca := range map[string]string{"": "", "file:none": "", "file:empty": "-----"} {
		c.CA, values["file:empty"] = name, ca
		root, err := Open(Config{Provider: ProviderVault, Vault: c}, means(values))
		switch name {
		case "": // the system's authorities do not know it
			if err != nil {
				t.Fatal(err)
			}
			refused(t, root.Check(t.Context()), ErrUntrusted)
		case "file:none":
			refused(t, err, ErrCredential)
		default:
			refused(t, err, ErrConfig)
		}
	}
	old := httptest.NewUnstartedServer(transit.New())
	old.TLS = tls12()
	old.StartTLS()
	defer old.Close()
	c.CA, c.Address, values["file:ca.pem"] = "file:ca.pem", old.URL, caOf(old)
	refused(t, openRoot(t, c, means(values)).Check(t.Context()), ErrUnreachable)
	c.TLS12 = true
	if err := openRoot(t, c, means(values)).Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStrangeAnswers(t *testing.T) {
	_, c, values := standIn(t)
	for name, body := range map[string]string{
		"not JSON": "<html>hello</html>", "empty": "", "no data": `{}`, "data of another kind": `{"data":[1]}`,
		"endless": `{"data":{"type":"` + strings.Repeat("a", 2*maxAnswer) + `"}}`, "null": "null",
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
			defer srv.Close()
			c.Address, values["file:ca.pem"] = srv.URL, caOf(srv)
			err := openRoot(t, c, means(values)).Check(t.Context())
			if !errors.Is(err, ErrUnfit) { // data without a type of key
				refused(t, err, ErrAnswer)
			}
		})
	}
}

func TestAnotherAnswerIsNoticed(t *testing.T) {
	_, c, values := standIn(t)
	inner := transit.New()
	first := inner.Keys["ostiary"].Encrypt(frame([]byte("place"), []byte("another key, of the same length!")))
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/encrypt/") {
			transit.Reply(w, http.StatusOK, map[string]any{"data": map[string]any{"ciphertext": first}})
			return
		}
		inner.ServeHTTP(w, r)
	}))
	defer srv.Close()
	c.Address, values["file:ca.pem"] = srv.URL, caOf(srv)
	_, err := openRoot(t, c, means(values)).Wrap(t.Context(), []byte("place"), secret)
	refused(t, err, ErrAnswer)
}

func TestVaultProblemsAreNamedTogether(t *testing.T) {
	for _, bad := range []string{"", "vault.example.com", "http://vault.example.com:8200", "https://u:p@v.example/", "https://v.example/v1", "https://v.example/?a=b",
		"http://localhost:8200", "ftp://127.0.0.1"} {
		if (Vault{Address: bad, Key: "k", Token: "env:T"}).Problems()["address"] == "" {
			t.Errorf("the address %q is accepted", bad)
		}
	}
	for _, good := range []string{"https://vault.example.com:8200", "http://127.0.0.1:8200", "http://[::1]:8200/"} {
		if p := (Vault{Address: good, Key: "k", Token: "env:T"}).Problems(); len(p) != 0 {
			t.Errorf("%s: %v", good, p)
		}
	}
	c := Vault{Address: "https://v.example", Key: "../sys/raw", Mount: "a//b", AuthMount: "../x", Namespace: "/x/", RoleID: "env:R"}
	if p := c.Problems(); len(p) != 5 {
		t.Errorf("problems: %v", p)
	}
	_, err := Open(Config{Provider: ProviderVault, Vault: c}, means(nil))
	refused(t, err, ErrConfig)
	if n := strings.Count(err.Error(), "keys.root.vault."); n != 5 {
		t.Errorf("%d problems are named: %v", n, err)
	}
	_, err = Open(Config{Provider: "shell"}, means(nil))
	refused(t, err, ErrConfig)
}

func TestARootPrintsAsItsName(t *testing.T) {
	s, c, values := standIn(t)
	c.Token, c.RoleID, c.SecretID = "", "env:ROLE", "file:secret"
	values["env:ROLE"], values["file:secret"] = "test-role", "test-secret"
	root := openRoot(t, c, means(values))
	if err := root.Check(t.Context()); err != nil || s.Logins == 0 {
		t.Fatal(err)
	}
	inner := root.(careful).Root
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, inner); text != root.ID() {
			t.Errorf("%s prints %q", verb, text)
		}
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("place"), frame([]byte("place"), secret))
	f.Add([]byte(""), []byte(frameHead))
	f.Fuzz(func(t *testing.T, aad, framed []byte) {
		plain, err := unframe(aad, framed)
		if err == nil && !bytes.Equal(frame(aad, plain), framed) {
			t.Errorf("%q opens %q, which is not its frame", aad, framed)
		}
		if back, err := unframe(aad, frame(aad, framed)); len(framed) > 0 && (err != nil || !bytes.Equal(back, framed)) {
			t.Errorf("what was framed comes back as %q, %v", back, err)
		}
	})
}

func FuzzVaultAnswer(f *testing.F) {
	for status, text := range map[int]string{200: `{"data":{"ciphertext":"vault:v1:aa"}}`, 400: `{"errors":["key not found"]}`, 503: "", 204: "x",
		302: `{"errors":["\u0000\u001b[2J"]}`} {
		f.Add(status, []byte(text))
	}
	v := &vault{conf: Vault{Address: "https://v.example", Mount: "transit", Key: "k"}}
	f.Fuzz(func(t *testing.T, status int, text []byte) {
		_, err := v.read(status, text)
		if err == nil && status != 200 && status != 204 {
			t.Errorf("status %d is taken for success", status)
		}
		if err != nil && (len(err.Error()) > 2048 || strings.ContainsAny(err.Error(), "\x00\x1b\r")) {
			t.Errorf("the error carries the server's bytes: %q", err)
		}
	})
}

func TestACiphertextHasOneForm(t *testing.T) {
	for _, good := range []string{"vault:v1:AAAA", "vault:v12:AAA=", "vault:v1:AA=="} {
		if !isVaultText([]byte(good)) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "vault:v1:", "vault:v0:AAAA", "vault:v01:AAAA", "vault:v1:AAAA\n", "vault:v1:AAB=", "vault:v1:AAA", "vault:v1:A\nAAA", " vault:v1:AAAA",
		"vault:v-1:AAAA", "vault:v1:AAAA==", "vault:v9999999999:AAAA", "vault:v1:" + strings.Repeat("A", maxWrapped)} {
		if isVaultText([]byte(bad)) {
			t.Errorf("%.30q is accepted", bad)
		}
	}
}
