package pii

import (
	"strings"
	"testing"
)

func withPatterns(t testing.TB, types []Type, list ...Pattern) *Scanner {
	t.Helper()
	s, err := New(Config{Types: types, Patterns: list})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPatternUnion: every pattern of the union is found under its own name and type,
// whatever groups the others have.
func TestPatternUnion(t *testing.T) {
	s := withPatterns(t, nil,
		Pattern{Name: "badge", Type: OtherID, Expr: `(?P<x>EMP)-(\d{3})(\d{3})`},
		Pattern{Name: "project", Type: Organization, Expr: `(?i)project (?P<x>falcon|eagle)`},
		Pattern{Name: "case", Expr: `\bCASE/\d+\b`})
	for text, want := range map[string]string{
		"EMP-123456 left":            "badge EMP-123456",
		"about Project EAGLE and":    "project Project EAGLE",
		"see CASE/17, not XCASE/18":  "case CASE/17",
		"EMP-12345 and project crow": "",
		"EMP-111111 CASE/2":          "badge EMP-111111|case CASE/2",
		"project falconCASE/3":       "project project falcon",
	} {
		var got []string
		for _, f := range s.Scan([]byte(text)) {
			got = append(got, f.Sub+" "+text[f.Start:f.End])
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if f := s.Scan([]byte("project eagle")); f[0].Type != Organization || s.Scan([]byte("CASE/1"))[0].Type != OtherID {
		t.Error("a pattern's type is lost")
	}
}

// TestPatternsSeeLayers: patterns see values of JSON, decoded, and go with the
// profile of secrets, whose way past clean text must not pass them.
func TestPatternsSeeLayers(t *testing.T) {
	s := withPatterns(t, []Type{Secret}, Pattern{Name: "badge", Expr: `EMP-\d{6}`})
	for _, text := range []string{`{"a":"EMP-123456"}`, `{"a":["x EMP-123456 y"]}`, `{"a":"EMP-12345\u0036"}`, `{"a":"RU1QLTEyMzQ1NiBhbmQgbW9yZQ=="}`, "%45MP-123456"} {
		if got := s.Scan([]byte(text)); len(got) != 1 || got[0].Sub != "badge" {
			t.Errorf("%s: got %q", text, show(text, got))
		}
	}
}

// TestC13Patterns: patterns that make backtracking matchers run for ages are linear
// here: a mebibyte of each would outlast any test's limit otherwise.
func TestC13Patterns(t *testing.T) {
	s := withPatterns(t, nil,
		Pattern{Name: "a", Expr: `(a+)+$`}, Pattern{Name: "b", Expr: `(x|xx)+y`}, Pattern{Name: "c", Expr: `(.*a){12}b`}, Pattern{Name: "d", Expr: `(\w+\s?)*!`})
	for _, seed := range []string{"a", "x", "ax", "word "} {
		if err := valid(strings.Repeat(seed, 1<<20/len(seed)), s.Scan([]byte(strings.Repeat(seed, 1<<20/len(seed))))); err != nil {
			t.Error(err)
		}
	}
}

// TestPatternsRefused: what RE2 has not, what matches nothing, what is too much.
func TestPatternsRefused(t *testing.T) {
	many := make([]Pattern, maxPatterns+1)
	for i := range many {
		many[i] = Pattern{Name: "n", Expr: "x"}
	}
	for name, list := range map[string][]Pattern{
		"back reference": {{Name: "n", Expr: `(a)\1`}}, "look ahead": {{Name: "n", Expr: `a(?=b)`}}, "empty": {{Name: "n", Expr: `a?`}},
		"repeat": {{Name: "n", Expr: `a{1001}`}}, "type": {{Name: "n", Type: "X", Expr: `a`}}, "many": many,
	} {
		if _, err := New(Config{Patterns: list}); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
}

// BenchmarkPatterns is what ten patterns add to a profile of secrets.
func BenchmarkPatterns(b *testing.B) {
	var list []Pattern
	for _, e := range []string{`\bEMP-\d{6}\b`, `\bPRJ-[A-Z]{3}-\d{4}\b`, `(?i)\binternal use only\b`, `\bKD\d{8}\b`, `\bcase no\. \d+/\d{4}\b`,
		`\b[A-Z]{2}\d{2}-[A-Z0-9]{8}\b`, `\bTCK\d+\b`, `\bproject (falcon|eagle)\b`, `\bcust_[a-z0-9]{16}\b`, `\b\d{2}-\d{7}\b`} {
		list = append(list, Pattern{Name: "p", Expr: e})
	}
	benchScan(b, Config{Types: []Type{Secret}, Patterns: list}, cleanJSON(64<<10))
}
