package hostile

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// carriedProfile hides with what carries its value along, and gives it back.
const carriedProfile = `  profile: own
  zones: {model: token, core: clear}
  scope: [tenant, server]
  new_values: 3
  profiles:
    - name: own
      extends: gdpr-minimal
      sure: {PERSON: 0.8}
      rules:
        - {types: [EMAIL], action: siv}
        - {types: [PHONE], action: ff1}
  restore:
    - {servers: [s], paths: [text], types: [EMAIL, IBAN]}
    - {servers: [s], paths: [call], types: [PHONE], ff1: true}
`

// TestC11CarriedValuesComeBack: what siv and ff1 hid comes back through the door at
// the arguments that rules name and nowhere else; a text of siv also after a
// rotation of the key, which a number of ff1 does not tell; and a caller's new
// pseudonyms are bounded.
func TestC11CarriedValuesComeBack(t *testing.T) {
	w := newContentWorld(t, carriedProfile)
	w.Must("agent", "set", "app", "--zone", "model", "--reason", "test")
	w.Must("server", "set", "s", "--zone", "core", "--reason", "test")
	c := w.client(t, "app", doortest.LegacyVersion)
	const mail, phone = "anna.berg@example.org", "+49 30 9018201"
	w.says(`"content":[],"structuredContent":{"mail":"` + mail + `","phone":"` + phone + `"}`)
	final := c.Tool("1", "echo", `{"text":"x"}`).Final()
	var v struct {
		Result struct {
			StructuredContent struct{ Mail, Phone string }
		}
	}
	if err := json.Unmarshal([]byte(final), &v); err != nil {
		t.Fatalf("%v: %s", err, final)
	}
	code, number := v.Result.StructuredContent.Mail, v.Result.StructuredContent.Phone
	if !strings.HasPrefix(code, "[EMAIL~") || len(number) != len(phone) || number == phone || !strings.HasPrefix(number, "+") || strings.Contains(final, mail) {
		t.Fatalf("%s", final)
	}
	w.says(`"content":[]`)
	sent := func(arguments string) string {
		t.Helper()
		w.up.Forget()
		c.Tool("2", "echo", arguments)
		return string(w.up.AwaitCalls("tools/call", 1)[0].Body)
	}
	for _, when := range []string{"at once", "after a rotation", "after a restart"} {
		if got := sent(fmt.Sprintf(`{"text":%s,"call":"%s"}`, text("mail "+code), number)); !strings.Contains(got, "mail "+mail) || when == "at once" && !strings.Contains(got, phone) {
			t.Errorf("%s: %s", when, got)
		}
		if got := sent(fmt.Sprintf(`{"text":"%s","call":%s,"cc":%s,"z":"%s"}`, number, text(code), text(code), number)); strings.Contains(got, mail) || strings.Contains(got, phone) {
			t.Errorf("%s, in other arguments: %s", when, got)
		}
		switch when {
		case "at once":
			w.Must("privacy", "vault", "rotate", "--reason", "test")
		case "after a rotation":
			w.Restart()
			c = w.client(t, "app", doortest.LegacyVersion)
		}
	}
	w.Must("server", "set", "s", "--zone", "model", "--reason", "test")
	if got := sent(fmt.Sprintf(`{"text":%s,"call":"%s"}`, text(code), number)); strings.Contains(got, mail) || strings.Contains(got, phone) {
		t.Errorf("for a server that is not entitled: %s", got)
	}
	ibans := []string{"DE89370400440532013000", "GB82WEST12345698765432", "FR1420041010050500013M02606", "BE68539007547034", "AT611904300234573201"}
	for i, iban := range ibans {
		w.says(`"content":[{"type":"text","text":"account ` + iban + `"}]`)
		r := c.Tool("3", "echo", `{"text":"x"}`)
		if limited := kindOf(r) == "rate_limited"; limited != (i >= 3) || strings.Contains(string(r.Body), iban) {
			t.Errorf("new value %d: %d %s", i, r.Status, r.Body)
		}
	}
	w.says(`"content":[{"type":"text","text":"account ` + ibans[0] + `"}]`)
	if r := c.Tool("4", "echo", `{"text":"x"}`); !strings.Contains(r.Final(), "IBAN_") {
		t.Errorf("a known value beyond the bound: %s", r.Body)
	}
	if m := w.Metrics(); m["ostiary_pseudonyms_refused_total"] != 2 || m["ostiary_pseudonyms_made_total"] != 3 {
		t.Errorf("%v refused, %v made", m["ostiary_pseudonyms_refused_total"], m["ostiary_pseudonyms_made_total"])
	}
}
