package interop

import (
	"flag"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

var soak = flag.Bool("soak", false, "repeat the flaky and the timing-dependent parts many times")

func TestMain(m *testing.M) {
	doortest.Main()
	takeDetour()
	os.Exit(m.Run())
}

// install installs the pinned peers; an unchanged set costs a tenth of a second.
var install = sync.OnceValue(func() error {
	cmd := exec.Command("sh", "install.sh")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
})

// need returns the path of an installed file, or skips the test; in CI it
// fails instead.
func need(t *testing.T, path string) string {
	t.Helper()
	if err := install(); err != nil {
		t.Fatalf("install.sh: %v", err)
	}
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(full); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", path)
		}
		t.Skipf("SKIPPED: %s is not installed; see install.sh", path)
	}
	return full
}

// node returns the pinned Node, which both conformance suites need.
func node(t *testing.T) string {
	t.Helper()
	arch := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if runtime.GOOS == "linux" {
		return need(t, "node_modules/node-linux-"+arch+"/bin/node")
	}
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("SKIPPED: no node of version 22 or newer")
	}
	return path
}

// goServer returns the Go SDK's everything-server as a program.
func goServer(t *testing.T) string {
	t.Helper()
	path, err := doortest.Build("github.com/modelcontextprotocol/go-sdk/conformance/everything-server")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startGoServer serves the Go SDK's everything-server over HTTP and returns
// its address.
func startGoServer(t *testing.T, stateless bool) string {
	t.Helper()
	addr := doortest.FreeAddr(t)
	flag := "-stateless=false"
	if stateless {
		flag = "-stateless=true"
	}
	doortest.Start(t, exec.Command(goServer(t), "-http="+addr, flag)).Accepts(addr)
	return addr
}

// everything and filesystem are the npm servers' entry points.
const (
	everything = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
	filesystem = "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
)

// startEverything serves npm server-everything over a transport of its,
// streamableHttp (at /mcp) or sse (at /sse), and returns its address.
func startEverything(t *testing.T, transport string) string {
	t.Helper()
	addr := doortest.FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(node(t), need(t, everything), transport)
	cmd.Env = append(os.Environ(), "PORT="+port)
	doortest.Start(t, cmd).Accepts(addr)
	return addr
}
