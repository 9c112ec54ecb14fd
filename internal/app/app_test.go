package app

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/identity"
)

// gatewayIn makes a gateway whose listeners take any free port.
func gatewayIn(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "D")
	if err := Init(dir, InitOptions{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// listing returns every path below dir.
func listing(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestInitMakesAPrivateGateway(t *testing.T) {
	dir := gatewayIn(t)
	for name, want := range map[string]fs.FileMode{".": 0o700, "keys": 0o700, ConfigName: 0o600, storeName: 0o600, reserveName: 0o600, runName: 0o700} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", name, st.Mode().Perm(), err, want)
		}
	}
	c, err := Load(dir, nil)
	if err != nil || c.Mode != "enforce" || c.Limits.CallsPerMinute != 0 {
		t.Fatalf("got %+v, %v", c, err)
	}
}

func TestInitRefuses(t *testing.T) {
	taken := gatewayIn(t)
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(open, 0o755), os.WriteFile(filepath.Join(open, "x"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "fresh")
	for name, c := range map[string]struct {
		dir  string
		o    InitOptions
		want string
	}{
		"a gateway":               {taken, InitOptions{}, "already holds a gateway"},
		"a directory of others":   {open, InitOptions{}, "chmod 700"},
		"a file":                  {file, InitOptions{}, "not a directory"},
		"an address without port": {fresh, InitOptions{Listen: "localhost"}, "must be host:port"},
		"plaintext elsewhere":     {fresh, InitOptions{LoopbackPlaintext: "0.0.0.0:1", LoopbackAgent: "a"}, "must be a loopback address"},
		"plaintext on a name":     {fresh, InitOptions{LoopbackPlaintext: "localhost:1", LoopbackAgent: "a"}, "must be a loopback address"},
		"plaintext for nobody":    {fresh, InitOptions{LoopbackPlaintext: "127.0.0.1:1"}, "belong together"},
		"an agent without it":     {fresh, InitOptions{LoopbackAgent: "a"}, "belong together"},
		"an agent with a bad id":  {fresh, InitOptions{LoopbackPlaintext: "127.0.0.1:1", LoopbackAgent: "A"}, "an id is"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := filepath.Dir(c.dir)
			before := listing(t, parent)
			err := Init(c.dir, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if after := listing(t, parent); len(after) != len(before) {
				t.Fatalf("left behind:\n%s", strings.Join(after, "\n"))
			}
		})
	}
}

// TestInitFailingHalfwayLeavesNothing makes the last move fail: a directory
// stands where the configuration belongs, made after the check.
func TestInitFailingHalfwayLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "D")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, ConfigName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	before := listing(t, dir)
	if err := build(dir, InitOptions{}); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	if after := listing(t, dir); len(after) != len(before) {
		t.Fatalf("left behind:\n%s", strings.Join(after, "\n"))
	}
}

func TestInitInAnEmptyDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := Init(dir, InitOptions{}); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(dir)
	if err != nil || st.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
}

func TestOpenIsAlone(t *testing.T) {
	dir := gatewayIn(t)
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	if _, _, err := Connect(t.Context(), dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a, err = Open(t.Context(), dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), t.TempDir(), Options{}); !errors.Is(err, ErrNoGateway) {
		t.Fatalf("got %v, want ErrNoGateway", err)
	}
}

// TestCommandsAtOnceAllSucceed starts many commands on one directory: each
// waits for the others.
func TestCommandsAtOnceAllSucceed(t *testing.T) {
	dir := gatewayIn(t)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for i := range 8 {
		wg.Go(func() {
			api, done, err := Connect(t.Context(), dir, Options{Wait: time.Minute})
			if err != nil {
				errs <- err
				return
			}
			_, err = api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: fmt.Sprintf("a%d", i)})
			errs <- errors.Join(err, done())
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	api, done, err := Connect(t.Context(), dir, Options{Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	all, err := api.Agents(t.Context(), admin.None{})
	if err := errors.Join(err, done()); err != nil || len(all) != 8 {
		t.Fatalf("%d agents, %v", len(all), err)
	}
}

// operators starts what serves operators, without a data plane, and returns
// the base URL of the admin listener.
func operators(t *testing.T, dir string, o UpOptions) (*App, string) {
	t.Helper()
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := a.startOperators(t.Context(), o)
	if err != nil {
		t.Fatal(errors.Join(err, parts.stop(), a.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(parts.stop(), a.Close()); err != nil {
			t.Error(err)
		}
	})
	return a, "https://" + a.adminAddress()
}

func TestConnectReachesTheRunningGateway(t *testing.T) {
	dir := gatewayIn(t)
	a, _ := operators(t, dir, UpOptions{})
	api, done, err := Connect(t.Context(), dir, Options{Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := api.(*admin.Client); !ok {
		t.Fatalf("got %T, want the client of the socket", api)
	}
	_, err = api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "app"})
	if err := errors.Join(err, done()); err != nil {
		t.Fatal(err)
	}
	if a.live.Load().Agent("app") == nil {
		t.Fatal("the running gateway does not see the new agent")
	}
}

func TestConnectWorksUnderALongPath(t *testing.T) {
	if maxSocket == 0 {
		t.Skip("paths of any length")
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := Init(long, InitOptions{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	if _, release, err := socketPath(long); err != nil {
		t.Skip(err) // a named limit of this system
	} else {
		release()
	}
	operators(t, long, UpOptions{})
	api, done, err := Connect(t.Context(), long, Options{Wait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	_, err = api.Status(t.Context(), admin.None{})
	if err := errors.Join(err, done()); err != nil {
		t.Fatal(err)
	}
}

// get fetches a page of the admin listener with the gateway's CA.
func get(t *testing.T, dir, url string) (int, string) {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(dir, caName))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestHealthPages(t *testing.T) {
	dir := gatewayIn(t)
	a, base := operators(t, dir, UpOptions{})
	if code, text := get(t, dir, base+"/livez"); code != 200 || text != "ok\n" {
		t.Errorf("livez: %d %q", code, text)
	}
	if code, text := get(t, dir, base+"/readyz"); code != 503 || text != "fail\n" {
		t.Errorf("readyz before serving: %d %q", code, text)
	}
	a.running.Store(true)
	a.health.Set("a check", stateDegraded, "late")
	if code, text := get(t, dir, base+"/readyz?verbose"); code != 200 || !strings.Contains(text, "degraded a check: late\n") {
		t.Errorf("readyz: %d %q", code, text)
	}
	_, text := get(t, dir, base+"/readyz?format=json")
	var v struct {
		State  string
		Checks []admin.Check
	}
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.State != stateDegraded {
		t.Errorf("readyz as JSON: %q, %v", text, err)
	}
	if code, text := get(t, dir, base+"/metrics"); code != 200 || !strings.Contains(text, "ostiary_build_info") {
		t.Errorf("metrics: %d %q", code, text)
	}
	if code, _ := get(t, dir, base+"/api/v1/status"); code != 401 {
		t.Errorf("the admin listener offers functions without credentials: %d", code)
	}
	if _, err := tls.Dial("tcp", a.adminAddress(), &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true}); err == nil {
		t.Error("TLS 1.2 is accepted")
	}
}

// write replaces the configuration as editors do: by a rename.
func write(t *testing.T, dir, text string) {
	t.Helper()
	next := filepath.Join(dir, "next")
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o600), os.Rename(next, filepath.Join(dir, ConfigName))); err != nil {
		t.Fatal(err)
	}
}

func TestReloadSwapsWhatIsHotAndReportsTheRest(t *testing.T) {
	dir := gatewayIn(t)
	a, err := Open(t.Context(), dir, Options{Environ: env("KEY", "v")})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	told := 0
	a.reloaded = func(*Config) { told++ }
	write(t, dir, head+"limits: {calls_per_minute: 600, depth: 32}\nservers: [{name: wiki, url: \"https://wiki.example.com/mcp\", headers: {X-Key: \"env:KEY\"}}]\n")
	a.Reload(t.Context())
	c := a.config.Load()
	if c.Limits.CallsPerMinute != 600 || c.Limits.Depth != 64 || told != 1 {
		t.Fatalf("got %+v, told %d times", c.Limits, told)
	}
	check := a.health.Checks()[0]
	if check.State != stateDegraded || !strings.Contains(check.Detail, "limits.depth") {
		t.Fatalf("got %+v", check)
	}
	s := a.live.Load().Server("wiki")
	if s == nil || s.State != "submitted" || s.By != "config" {
		t.Fatalf("the declared server is %+v", s)
	}
	if records := lines(t, a); !strings.Contains(records, `"config.reload"`) || !strings.Contains(records, `"config.reloaded"`) {
		t.Fatalf("no record of the reload: %s", records)
	}
	a.Reload(t.Context())
	if told != 1 {
		t.Fatal("an unchanged file was applied again")
	}
}

func TestReloadKeepsTheOldOneWhenTheFileIsBad(t *testing.T) {
	dir := gatewayIn(t)
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	old := a.config.Load()
	good, err := os.ReadFile(filepath.Join(dir, ConfigName))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"version: 1\nmode: observe\n", "{", ""} {
		write(t, dir, bad)
		a.Reload(t.Context())
		if c := a.health.Checks()[0]; a.config.Load() != old || c.State != stateDegraded {
			t.Fatalf("%q: got %+v", bad, c)
		}
	}
	write(t, dir, string(good)+"limits: {calls_per_minute: 5}\n")
	a.Reload(t.Context())
	if c := a.health.Checks()[0]; a.config.Load().Limits.CallsPerMinute != 5 || c.State != stateOK {
		t.Fatalf("after repair: got %+v", c)
	}
}

func TestFileAndSignalReload(t *testing.T) {
	dir := gatewayIn(t)
	hup := make(chan os.Signal)
	seen := make(chan *Config, 16)
	states := make(chan string, 16)
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	a.reloaded = func(c *Config) { seen <- c }
	parts, err := a.startOperators(t.Context(), UpOptions{Reload: hup, Notify: func(s string) error { states <- s; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(parts.stop(), a.Close()); err != nil {
			t.Error(err)
		}
	}()
	write(t, dir, head+"limits: {calls_per_minute: 7}\n")
	if c := <-seen; c.Limits.CallsPerMinute != 7 {
		t.Fatalf("got %d", c.Limits.CallsPerMinute)
	}
	hup <- os.Interrupt
	if got := []string{<-states, <-states}; got[0] != "RELOADING=1" || got[1] != "READY=1" {
		t.Fatalf("told %v", got)
	}
}

func TestNotifySpeaksToSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	if err := Notify(path, "READY=1"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := l.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Fatalf("got %q, %v", buf[:n], err)
	}
	if err := Notify("relative", "READY=1"); err == nil {
		t.Fatal("a relative socket was accepted")
	}
}

func TestResolveNeverGivesNothing(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"good": "s3cret\n", "empty": "\n", "big": strings.Repeat("a", maxSecretFile+1)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e := env("SET", "v", "EMPTY", "")
	for ref, want := range map[string]string{"env:SET": "v", "file:good": "s3cret", "stdin:": "piped"} {
		got, err := Resolve(ref, dir, e, strings.NewReader("piped\r\n"))
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	for _, ref := range []string{"env:MISSING", "env:EMPTY", "env:", "file:", "file:missing", "file:empty", "file:big", "canary-5", "", "http:x"} {
		got, err := Resolve(ref, dir, e, nil)
		if err == nil || len(got) > 0 {
			t.Errorf("%q gave %q", ref, got)
		} else if strings.Contains(err.Error(), "canary") {
			t.Error("the error repeats what may be a secret")
		}
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	dir := gatewayIn(t)
	state := func() map[string]Finding {
		all := map[string]Finding{}
		for _, f := range Doctor(t.Context(), dir, Options{Wait: time.Second}) {
			all[f.Check] = f
		}
		return all
	}
	if f := state()["certificate authority"]; f.State != stateOK {
		t.Fatalf("got %+v", f)
	}
	if f := state()["gateway"]; f.State != stateDegraded || f.Fix != "ostiary up" {
		t.Fatalf("got %+v", f)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if f := state()["private D"]; f.State != stateFail || f.Fix == "" {
		t.Fatalf("got %+v", f)
	}
	if err := os.Chmod(filepath.Join(dir, ConfigName), 0o666); err != nil {
		t.Fatal(err)
	}
	if f := state()["private "+ConfigName]; f.State != stateFail || f.Fix == "" {
		t.Fatalf("got %+v", f)
	}
	later := time.Now().Add(time.Hour)
	if err := errors.Join(os.Chmod(dir, 0o700), os.Chtimes(filepath.Join(dir, reserveName), later, later)); err != nil {
		t.Fatal(err)
	}
	if f := state()["clock"]; f.State != stateFail {
		t.Fatalf("got %+v", f)
	}
	if err := os.WriteFile(filepath.Join(dir, caName), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := state()["certificate authority"]; f.State != stateFail {
		t.Fatalf("got %+v", f)
	}
	write(t, dir, "nonsense: 1\n")
	if f := state()["configuration"]; f.State != stateFail {
		t.Fatalf("got %+v", f)
	}
}

func TestLocalClientBorrowsACertificate(t *testing.T) {
	dir := gatewayIn(t)
	a, _ := operators(t, dir, UpOptions{})
	api := a.API()
	if _, err := api.RegisterAgent(t.Context(), admin.RegisterAgent{ID: "app"}); err != nil {
		t.Fatal(err)
	}
	o := Options{Wait: time.Minute}
	if _, err := AttachLocal(t.Context(), dir, o, admin.Attach{}); err == nil {
		t.Fatal("attached to a gateway that does not serve")
	}
	a.running.Store(true)
	local, err := AttachLocal(t.Context(), dir, o, admin.Attach{})
	if err != nil {
		t.Fatal(err)
	}
	if local.Agent != "app" || !strings.HasSuffix(local.URL, "/mcp") || local.TLS.RootCAs == nil || local.MessageBytes != 4<<20 {
		t.Fatalf("got %+v", local)
	}
	cert, err := local.TLS.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil {
		t.Fatal(err)
	}
	v := identity.NewVerifier(a.ring.MatchToken, "ostiary.local")
	p, err := v.Verify(t.Context(), identity.Credential{Chain: []*x509.Certificate{cert.Leaf}}, a.live.Load(), a.clock.Now())
	if err != nil || p.ID != "app" {
		t.Fatalf("the borrowed certificate identifies %+v, %v", p, err)
	}
	if again, err := local.TLS.GetClientCertificate(&tls.CertificateRequestInfo{}); err != nil || again != cert {
		t.Fatal("a certificate is made for each connection")
	}
	if _, err := AttachLocal(t.Context(), dir, o, admin.Attach{Agent: "other"}); err == nil {
		t.Fatal("attached as an agent that is not registered")
	}
}

func TestWatchdogReportsOnlyALivingStore(t *testing.T) {
	dir := gatewayIn(t)
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	states := make(chan string, 64)
	stop := a.watchdog(UpOptions{Watchdog: 2 * time.Millisecond, Notify: func(s string) error {
		select {
		case states <- s:
		default: // enough of them
		}
		return nil
	}})
	if got := <-states; got != "WATCHDOG=1" {
		t.Fatalf("told %q", got)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if a.alive() == nil {
		t.Fatal("a closed store is alive")
	}
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}
