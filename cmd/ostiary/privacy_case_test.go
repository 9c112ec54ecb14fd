package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/app"
)

// TestPrivacyExamples: the examples show what profiles do.
func TestPrivacyExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/privacy/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	out, err := privacy(t, "", append([]string{"test"}, files...)...)
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestPrivacyTestTells what differs, and refuses files that test nothing.
func TestPrivacyTestTells(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"differs":     {"cases: [{name: a, profile: gdpr-minimal, in: 'jo@example.com', want: x}]", "1 of 1: what profiles make"},
		"not blocked": {"cases: [{name: a, profile: gdpr-minimal, in: 'jo@example.com', blocked: true}]", "1 of 1: what profiles make"},
		"no case":     {"cases: []", "holds no case"},
		"no want":     {"cases: [{name: a, in: x}]", "cases[0] needs"},
		"both":        {"cases: [{name: a, in: x, want: x, blocked: true}]", "cases[0] needs"},
		"misspelt":    {"cases: [{name: a, in: x, wants: x}]", "unknown field"},
		"profile":     {"cases: [{name: a, in: x, want: x, profile: gdpr}]", `"gdpr" is not a profile`},
		"toward":      {"cases: [{name: a, in: x, want: x, toward: up}]", "not server or client"},
		"own profile": {"profiles: [{name: p, extends: hipaa-safe-harbor, rules: [{action: mask}]}]\ncases: [{name: a, in: x, want: x, profile: p}]", "profiles.p.rules[0].action"},
		"not yaml":    {"cases: [", "not a file of cases"},
	} {
		file := filepath.Join(t.TempDir(), "cases.yaml")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := privacy(t, "", "test", file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		} else if code := describe(err).exit; code != exitOther && c.want == "1 of 1: what profiles make" {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
	if _, err := privacy(t, "", "test", filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file passes")
	}
}

func TestDifference(t *testing.T) {
	for _, c := range [][3]string{
		{"a\nb\nc", "a\nx\nc", "- b\n+ x\n"},
		{"a", "b", "- a\n+ b\n"},
		{"a\nb", "a", "- b\n"},
		{"a", "a", ""},
	} {
		if got := difference(c[0], c[1]); got != c[2] {
			t.Errorf("%q and %q: %q", c[0], c[1], got)
		}
	}
}

// TestPrivacyExplainActions: beside a rule stands what becomes of its finding.
func TestPrivacyExplainActions(t *testing.T) {
	for profile, want := range map[string]string{
		"gdpr-minimal": "\tclear keep, token token, minimal redact, sealed block\n",
		"secrets-only": "",
		"all":          "\t\n",
	} {
		out, err := privacy(t, "jo@example.com", "explain", "--profile", profile)
		if err != nil || !strings.HasSuffix(out, want) || strings.Contains(out, "jo@") {
			t.Errorf("%s: %q, %v", profile, out, err)
		}
	}
	out, err := privacy(t, "ghp_Zk3vT9qLw2Xr8Nf5Bc7Dm1Hs6Jy4Pa0Ue3Gi", "explain", "--profile", "secrets-only")
	if err != nil || !strings.HasSuffix(out, "\tclear block/redact, token block/redact, minimal block/redact, sealed block\n") {
		t.Errorf("%q, %v", out, err)
	}
}

// TestPrivacyManualExample: the configuration in docs/privacy.md is a valid one.
func TestPrivacyManualExample(t *testing.T) {
	text, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	example, _, ends := strings.Cut(rest, "```")
	if !found || !ends {
		t.Fatal("the manual has no example")
	}
	c, err := app.Parse("ostiary.yaml", []byte("version: 1\nmode: enforce\n"+example), nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Privacy.Profile != "support-desk" || len(c.Privacy.Profiles) != 1 || len(c.Privacy.Restore) != 1 {
		t.Errorf("%+v", c.Privacy)
	}
}
