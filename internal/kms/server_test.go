package kms

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// server is the program of a real OpenBao or Vault: what OSTIARY_BAO names, or
// the first of the two on the path.
func server(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("OSTIARY_BAO"); path != "" {
		return path
	}
	for _, name := range []string{"bao", "vault"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("SKIPPED: neither OSTIARY_BAO nor bao or vault on the path; the transit client met its stand-in only")
	return ""
}

// startServer runs a development server over TLS on loopback until the test
// ends, with a transit engine and a key.
func startServer(t *testing.T) engine {
	t.Helper()
	path, dir := server(t), t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "server", "-dev-tls", "-dev-tls-cert-dir="+dir, "-dev-no-store-token",
		"-dev-root-token-id=test-root-token", "-dev-listen-address="+address)
	cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, drained := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(drained)
		defer func() { ready <- false }()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), "Development mode should NOT") {
				ready <- true
				break
			}
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-drained
		_ = cmd.Wait()
	})
	if !<-ready {
		t.Fatal("the server ended before it was ready")
	}
	found, err := filepath.Glob(filepath.Join(dir, "*-ca.pem"))
	if err != nil || len(found) != 1 {
		t.Fatalf("authorities: %v, %v", found, err)
	}
	ca, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"env:TOKEN": "test-root-token", "file:ca.pem": string(ca)}
	e := engine{conf: Vault{Address: "https://" + address, Key: "ostiary", Token: "env:TOKEN", CA: "file:ca.pem"}, means: means(values), values: values}
	e.admin(t, http.MethodPost, "sys/mounts/transit", map[string]any{"type": "transit"})
	e.admin(t, http.MethodPost, "transit/keys/ostiary", nil)
	return e
}

// TestVaultServer runs the suite on a real server.
func TestVaultServer(t *testing.T) {
	e := startServer(t)
	suite(t, e)
	for _, one := range []struct {
		name string
		test func(*testing.T, engine)
	}{
		{"the policy of the documents suffices", serverPolicy}, {"a token that may only encrypt keeps nothing", serverHalf},
		{"AppRole", serverAppRole}, {"rewrap takes no associated data", serverRewrapTakesNoData}, {"a sealed server is out of reach", serverSealed},
	} {
		t.Run(one.name, func(t *testing.T) { one.test(t, e) })
	}
}

// policy is the one of docs/keys.md.
const policy = `path "transit/keys/ostiary" { capabilities = ["read"] }
path "transit/encrypt/ostiary" { capabilities = ["update"] }
path "transit/decrypt/ostiary" { capabilities = ["update"] }
path "transit/rewrap/ostiary" { capabilities = ["update"] }`

// tokenFor makes a token under a policy.
func (e engine) tokenFor(t *testing.T, name, text string) string {
	t.Helper()
	e.admin(t, http.MethodPost, "sys/policies/acl/"+name, map[string]any{"policy": text})
	answer := e.admin(t, http.MethodPost, "auth/token/create", map[string]any{"policies": []string{name}, "no_default_policy": true})
	if answer.Auth == nil {
		t.Fatal("no token was made")
	}
	return answer.Auth.Token
}

func serverPolicy(t *testing.T, e engine) {
	e.values["env:GATEWAY"] = e.tokenFor(t, "gateway", policy)
	c := e.conf
	c.Token = "env:GATEWAY"
	suiteRoundTrip(t, engine{conf: c, means: e.means, values: e.values})
	root := openRoot(t, c, e.means)
	wrapped, err := root.Wrap(t.Context(), []byte("place"), secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := root.Rewrap(t.Context(), []byte("place"), wrapped); err != nil {
		t.Error(err)
	}
	_, err = root.Destroy(t.Context())
	refused(t, err, ErrKept)
	c.Key = "other"
	refused(t, openRoot(t, c, e.means).Check(t.Context()), ErrAccess)
}

func serverHalf(t *testing.T, e engine) {
	lines := strings.Split(policy, "\n")
	e.values["env:HALF"] = e.tokenFor(t, "half", strings.Join(lines[:2], "\n"))
	c := e.conf
	c.Token = "env:HALF"
	_, err := openRoot(t, c, e.means).Wrap(t.Context(), []byte("place"), secret)
	refused(t, err, ErrAccess)
}

func serverAppRole(t *testing.T, e engine) {
	e.tokenFor(t, "gateway", policy)
	e.admin(t, http.MethodPost, "sys/auth/approle", map[string]any{"type": "approle"})
	e.admin(t, http.MethodPost, "auth/approle/role/gateway", map[string]any{"token_policies": "gateway"})
	e.values["env:ROLE"] = field(t, e.admin(t, http.MethodGet, "auth/approle/role/gateway/role-id", nil), "role_id")
	e.values["env:SECRET"] = field(t, e.admin(t, http.MethodPost, "auth/approle/role/gateway/secret-id", nil), "secret_id")
	c := e.conf
	c.Token, c.RoleID, c.SecretID = "", "env:ROLE", "env:SECRET"
	root := openRoot(t, c, e.means)
	if err := root.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := root.(careful).Root.(*vault)
	e.admin(t, http.MethodPost, "auth/token/revoke", map[string]any{"token": string(v.token)})
	if err := root.Check(t.Context()); err != nil {
		t.Errorf("it does not log in again: %v", err)
	}
	e.values["env:SECRET"] = "00000000-0000-0000-0000-000000000000"
	refused(t, openRoot(t, c, e.means).Check(t.Context()), ErrAccess)
}

func field(t *testing.T, a vaultAnswer, name string) string {
	t.Helper()
	var data map[string]any
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatal(err)
	}
	text, _ := data[name].(string)
	if text == "" {
		t.Fatalf("%s is missing", name)
	}
	return text
}

// serverRewrapTakesNoData is why the place is written into the plaintext. When
// it fails, the engine has learnt to do better, and decision 0014 is due.
func serverRewrapTakesNoData(t *testing.T, e engine) {
	data := base64.StdEncoding.EncodeToString([]byte("place"))
	answer := e.admin(t, http.MethodPost, "transit/encrypt/ostiary", map[string]any{"plaintext": data, "associated_data": data})
	v, err := openVault(e.conf, e.means)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := adminCall(t, v.(*vault), http.MethodPost, "transit/rewrap/ostiary",
		map[string]any{"ciphertext": field(t, answer, "ciphertext"), "associated_data": data}); err == nil {
		t.Error("rewrap takes associated data now")
	}
}

func serverSealed(t *testing.T, e engine) {
	root := openRoot(t, e.conf, e.means)
	if err := root.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.admin(t, http.MethodPost, "sys/seal", nil)
	refused(t, root.Check(t.Context()), ErrUnreachable)
}
