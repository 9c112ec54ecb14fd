package interop

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

const newSuite = "node_modules/@modelcontextprotocol/conformance/dist/index.js"

// runAuth runs auth scenarios with client and returns how many checks passed
// and failed, by the suite's own count.
func runAuth(t *testing.T, client string, args ...string) (passed, failed int, output string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), suiteTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, node(t), append([]string{need(t, newSuite), "client", "--command", client}, args...)...)
	cmd.Dir = t.TempDir()
	r := doortest.Run(t, cmd)
	output = string(r.Stdout) + string(r.Stderr)
	for _, form := range []string{`Total: (\d+) passed, (\d+) failed`, `Passed: (\d+)/\d+, (\d+) failed`} {
		if m := regexp.MustCompile(form).FindStringSubmatch(output); m != nil {
			passed, _ = strconv.Atoi(m[1])
			failed, _ = strconv.Atoi(m[2])
			return passed, failed, output
		}
	}
	t.Fatalf("the suite gave no count\n%s", output)
	return 0, 0, ""
}

// The gateway as the client of servers that demand OAuth: no check of the
// suite's auth scenarios fails, and each that passes with the Go SDK's own
// client passes.
func TestUpstreamOAuthConformance(t *testing.T) {
	ours, err := doortest.Build("ostiary.dev/ostiary/test/oauthclient")
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := doortest.Build("github.com/modelcontextprotocol/go-sdk/conformance/everything-client")
	if err != nil {
		t.Fatal(err)
	}
	direct, proxied := t.TempDir(), t.TempDir()
	runAuth(t, theirs, "--suite", "auth", "-o", direct)
	passed, failed, output := runAuth(t, ours, "--suite", "auth", "-o", proxied)
	if failed > 0 {
		t.Errorf("%d passed, %d failed\n%s", passed, failed, output)
	}
	// The counts differ with the number of messages, because each is checked:
	// what must be equal is which checks pass.
	mine := readChecks(t, filepath.Join(proxied, "auth"))
	for scenario, checks := range readChecks(t, filepath.Join(direct, "auth")) {
		got := verdicts(mine[scenario])
		for c, want := range verdicts(checks) {
			if want == "SUCCESS" && got[c] != want {
				t.Errorf("%s: %s passes with the SDK's client; with ours %q", scenario, c, got[c])
			}
		}
	}
}

// What the suite keeps apart from its auth suite, by the revision it is of.
func TestUpstreamOAuthScenarios(t *testing.T) {
	ours, err := doortest.Build("ostiary.dev/ostiary/test/oauthclient")
	if err != nil {
		t.Fatal(err)
	}
	for revision, names := range map[string]string{
		"2026-07-28": "resource-mismatch offline-access-scope offline-access-not-supported authorization-server-migration iss-supported " +
			"iss-not-advertised iss-supported-missing iss-wrong-issuer iss-unexpected iss-normalized metadata-issuer-mismatch scope-step-up metadata-var3",
		"2025-03-26": "2025-03-26-oauth-metadata-backcompat 2025-03-26-oauth-endpoint-fallback",
		"":           "client-credentials-jwt client-credentials-basic enterprise-managed-authorization",
	} {
		for name := range strings.FieldsSeq(names) {
			args := []string{"--scenario", "auth/" + name}
			if revision != "" {
				args = append(args, "--spec-version", revision)
			}
			if passed, failed, output := runAuth(t, ours, args...); failed > 0 || passed == 0 {
				t.Errorf("%s: %d passed, %d failed\n%s", name, passed, failed, output)
			}
		}
	}
}
