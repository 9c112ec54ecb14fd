package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestP01NoPolicyFiles: a path without policies, or with more than can be, is an
// error and never the same as no policies.
func TestP01NoPolicyFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"empty directory": dir,
		"missing":         filepath.Join(dir, "nothing"),
		"too long":        write("long.txt", strings.Repeat("/", MaxPolicyText+1)),
	} {
		if all, err := PolicyFiles(path); err == nil || len(all) != 0 {
			t.Errorf("%s: %d files, %v", name, len(all), err)
		}
	}
	write("b.cedar", "// b")
	write("a.cedar", "// a")
	all, err := PolicyFiles(dir)
	if err != nil || len(all) != 2 || all[0].Name != "a.cedar" || all[1].Text != "// b" {
		t.Errorf("%+v, %v", all, err)
	}
}

func FuzzPolicyCases(f *testing.F) {
	f.Add("- {agent: a, server: s, tool: t, args: {p: 1}, expect: allow}")
	f.Add(`[{"agent":"a","expect":"deny"}]`)
	f.Add("- agnet: a")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := PolicyCases([]byte(text))
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("%d cases and %v", len(all), err)
		}
	})
}

// TestPolicyCasesAreStrict: a misspelt condition is not a case without it.
func TestPolicyCasesAreStrict(t *testing.T) {
	for _, text := range []string{"", "[]", "a: b", "- agnet: a", "- {agent: a, strength: much}", "\t"} {
		if _, err := PolicyCases([]byte(text)); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
