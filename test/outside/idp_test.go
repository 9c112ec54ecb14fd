package outside

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// startIDP builds and starts the provider in the module idp, and returns its
// issuer.
func startIDP(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "idp")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
	build.Dir = "idp"
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the provider cannot be built: %s", out)
		}
		t.Skipf("the provider cannot be built (go mod download in test/outside/idp): %s", out)
	}
	cmd := exec.Command(path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// tokenOf gets an access token by client credentials.
func tokenOf(t *testing.T, issuer string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer+"oauth/token",
		strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "scope": {"profile"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("sid1", "verysecret")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var given struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&given); err != nil || strings.Count(given.Token, ".") != 2 {
		t.Fatalf("no JWT: %v", err)
	}
	return given.Token
}

// TestTokenOfAnotherProvider: a token that somebody else's OpenID provider
// issued, found by its metadata and keys, calls a tool; with another audience
// configured, or an issuer that differs by a slash, the same token does not
// (A07).
func TestTokenOfAnotherProvider(t *testing.T) {
	issuer := startIDP(t)
	for name, c := range map[string]struct {
		url, audience string
		status        int
	}{
		"as it is": {issuer, "sid1", 200}, "another audience": {issuer, "sid2", 401}, "our own audience": {issuer, "", 401},
		"no slash": {strings.TrimSuffix(issuer, "/"), "sid1", 401},
	} {
		t.Run(name, func(t *testing.T) {
			up := doortest.NewUpstream(t, doortest.Config{})
			d := doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"other"},
				Config: func(yaml string) string {
					entry := fmt.Sprintf("identity:\n  issuers:\n    - {url: %q, audience: %q, algorithms: [RS256]}\n", c.url, c.audience)
					return strings.Replace(yaml, "identity:\n", entry, 1)
				}})
			d.Bind("robot", c.url, "sid1")
			d.Grant("robot", "s", "modify")
			client := doortest.NewClient(t, d.URL("s"))
			client.Token, client.TLS = tokenOf(t, issuer), &tls.Config{RootCAs: d.Agents["other"].CA, MinVersion: tls.VersionTLS13}
			if r := client.Tool("1", "echo", `{"text":"x"}`); r.Status != c.status {
				t.Errorf("status %d, want %d: %s", r.Status, c.status, r.Body)
			}
		})
	}
}
