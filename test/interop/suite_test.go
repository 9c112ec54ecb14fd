package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/test/doortest"
)

// suiteTime bounds one run of a conformance suite; direct runs need seconds.
const suiteTime = 3 * time.Minute

// check is one line of a scenario's checks.json.
type check struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
	Error  string `json:"errorMessage"`
}

// outcome is what a suite found: the checks of each scenario, in order.
type outcome map[string][]check

// count returns how many checks have passed and failed.
func (o outcome) count() (passed, failed int) {
	for _, checks := range o {
		for _, c := range checks {
			switch c.Status {
			case "SUCCESS":
				passed++
			case "FAILURE":
				failed++
			}
		}
	}
	return passed, failed
}

// suite is one way to run a conformance package.
type suite struct {
	dist string   // entry point of the package
	args []string // what to run
}

var (
	legacySuite = suite{"node_modules/@modelcontextprotocol/conformance/dist/index.js", []string{"--requirements", "2025-11-25"}}
	modernSuite = suite{"node_modules/@modelcontextprotocol/conformance/dist/index.js", []string{"--requirements", "2026-07-28"}}
	stableSuite = suite{"old/node_modules/@modelcontextprotocol/conformance/dist/index.js", []string{"--suite", "all"}}
)

// only is the suite cut down to one scenario.
func (s suite) only(scenario string) suite {
	if slices.Contains(s.args, "--suite") {
		return suite{s.dist, []string{"--scenario", scenario}}
	}
	return suite{s.dist, []string{"--scenario", scenario, "--spec-version", s.args[1]}}
}

// server runs the suite against a server.
func (s suite) server(t *testing.T, url string) (outcome, doortest.Result) {
	t.Helper()
	return s.run(t, "server", "--url", url)
}

func (s suite) run(t *testing.T, role string, args ...string) (outcome, doortest.Result) {
	t.Helper()
	out := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	full := append([]string{need(t, s.dist), role}, args...)
	full = append(append(full, s.args...), "-o", out)
	cmd := exec.CommandContext(ctx, node(t), full...)
	cmd.Dir = t.TempDir()
	r := doortest.Run(t, cmd)
	return readChecks(t, out), r
}

// stamped is a result folder: role, scenario, time.
var stamped = regexp.MustCompile(`^(?:server-|client-)?(.+)-\d{4}-\d\d-\d\dT[0-9-]+Z$`)

func readChecks(t *testing.T, dir string) outcome {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	if err != nil {
		t.Fatal(err)
	}
	all := outcome{}
	for _, path := range paths {
		m := stamped.FindStringSubmatch(filepath.Base(filepath.Dir(path)))
		if m == nil {
			t.Fatalf("unexpected result folder %s", path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var checks []check
		if err := json.Unmarshal(b, &checks); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[m[1]] = checks
	}
	return all
}

// differences compares the check ids and states, scenario by scenario.
func differences(direct, proxied outcome) map[string]string {
	out := map[string]string{}
	for name, want := range direct {
		got, ok := proxied[name]
		if !ok {
			out[name] = "did not run"
			continue
		}
		if a, b := states(want), states(got); !slices.Equal(a, b) {
			out[name] = fmt.Sprintf("only directly: %s\nonly proxied:  %s", without(want, got), without(got, want))
		}
	}
	for name := range proxied {
		if _, ok := direct[name]; !ok {
			out[name] = "ran only through the gateway"
		}
	}
	return out
}

func (c check) state() string { return c.ID + "=" + c.Status }

func states(checks []check) []string {
	out := make([]string, 0, len(checks))
	for _, c := range checks {
		out = append(out, c.state())
	}
	slices.Sort(out)
	return out
}

// without lists the checks of one run that another run does not have.
func without(some, other []check) string {
	left := states(other)
	var out []string
	for _, c := range some {
		if i := slices.Index(left, c.state()); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		text := c.state()
		if c.Error != "" {
			text += " (" + c.Error + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// localhost is the URL of an address by the name localhost: the suites test
// the Host header.
func localhost(addr, path string) string {
	_, port, _ := net.SplitHostPort(addr) // made by this package
	return (&url.URL{Scheme: "http", Host: "localhost:" + port, Path: path}).String()
}
