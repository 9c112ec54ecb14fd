package hostile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// patientsProfile hides people and knows whom a record is about.
const patientsProfile = `  profile: gdpr-minimal
  zones: {model: token, core: clear}
  scope: [tenant, server]
  restore:
    - {servers: [s], paths: [text]}
  subjects:
    - {kind: patient, servers: [s], tools: [echo], paths: ["patients[*].id"]}
`

// TestC11ErasedSubjectStandsForNothing: of two people in one answer one is erased.
// Her pseudonyms resolve for nobody from then on, also after a restart; his do.
// While the server still tells of her she is met again, under the same keyed
// pseudonym, as a new subject.
func TestC11ErasedSubjectStandsForNothing(t *testing.T) {
	w := newContentWorld(t, patientsProfile)
	w.Must("agent", "set", "app", "--zone", "model", "--reason", "test")
	w.Must("server", "set", "s", "--zone", "core", "--reason", "test")
	c := w.client(t, "app", doortest.LegacyVersion)
	const hers, his, phone = "anna.berg@example.org", "bo.ek@example.org", "+49 30 901820"
	rows := `{"patients":[{"id":4711,"mail":"` + hers + `","phone":"` + phone + `"},{"id":4712,"mail":"` + his + `"}]}`
	show := func() []string {
		t.Helper()
		w.says(`"content":[{"type":"text","text":` + text(rows) + `}],"structuredContent":` + rows)
		shown := c.Tool("1", "echo", `{"text":"x"}`).Final()
		var v struct {
			Result struct {
				StructuredContent struct {
					Patients []struct{ Mail, Phone string }
				}
			}
		}
		if err := json.Unmarshal([]byte(shown), &v); err != nil || len(v.Result.StructuredContent.Patients) != 2 {
			t.Fatalf("%v: %s", err, shown)
		}
		p := v.Result.StructuredContent.Patients
		for _, token := range []string{p[0].Mail, p[0].Phone, p[1].Mail} {
			if !regexp.MustCompile(`^<(EMAIL|PHONE)_[0-9A-Z]{16}>$`).MatchString(token) {
				t.Fatalf("%q is no pseudonym: %s", token, shown)
			}
		}
		return []string{p[0].Mail, p[0].Phone, p[1].Mail}
	}
	// sent returns what the server gets of a text with pseudonyms.
	sent := func(tokens []string) string {
		t.Helper()
		w.says(`"content":[]`) // the answer must not tell of her anew
		w.up.Forget()
		c.Tool("2", "echo", fmt.Sprintf(`{"text":%s}`, text(strings.Join(tokens, " "))))
		return string(w.up.AwaitCalls("tools/call", 1)[0].Body)
	}
	tokens := show()
	if got := sent(tokens); !strings.Contains(got, hers) || !strings.Contains(got, his) || !strings.Contains(got, phone) {
		t.Fatalf("not turned back: %s", got)
	}
	dry := w.Must("privacy", "subject", "export", "--subject", "patient:4711", "-o", "json")
	if !strings.Contains(dry, tokens[0][1:23]) || strings.Contains(dry, tokens[2][1:23]) || strings.Contains(dry, hers) {
		t.Errorf("export: %s", dry)
	}
	file := filepath.Join(t.TempDir(), "who")
	if err := os.WriteFile(file, []byte("patient:4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := w.Try("privacy", "subject", "erase", "--subject-file", file, "--token", tokens[2], "--reason", "r", "--yes"); r.Code == 0 {
		t.Errorf("two are named at once: %+v", r)
	}
	said := w.Must("privacy", "subject", "erase", "--subject-file", file, "--reason", "request of patient:4711", "--yes")
	if strings.Contains(said, "4711") {
		t.Errorf("the receipt names her: %s", said)
	}
	for _, when := range []string{"after the erasure", "after a restart"} {
		got := sent(tokens)
		if strings.Contains(got, hers) || strings.Contains(got, phone) || !strings.Contains(got, his) {
			t.Errorf("%s: %s", when, got)
		}
		if when == "after the erasure" {
			w.Restart()
			c = w.client(t, "app", doortest.LegacyVersion)
		}
	}
	if r := w.Try("privacy", "vault", "reveal", tokens[0], "--purpose", "support", "--reason", "test"); r.Code == 0 || strings.Contains(r.Stdout+r.Stderr, hers) {
		t.Errorf("revealed: %+v", r)
	}
	again := show()
	if again[0] != tokens[0] || again[2] != tokens[2] {
		t.Errorf("met again: %q, then %q", tokens, again)
	}
	if got := sent(again[:1]); !strings.Contains(got, hers) {
		t.Errorf("met again and not turned back: %s", got)
	}
	for _, r := range w.Exchanges() {
		for _, secret := range []string{hers, his, "4711"} {
			if strings.Contains(string(r.Line), secret) {
				t.Fatalf("the log has %s: %s", secret, r.Line)
			}
		}
	}
}
