package hostile

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

var tokenForm = regexp.MustCompile(`<[A-Z_]+_[0-9A-Z]{16}>`)

// shownTokens has the server tell values and returns the pseudonyms that the
// client sees, in order.
func (w *contentWorld) shownTokens(c *doortest.Client, rows string) []string {
	w.t.Helper()
	w.says(`"content":[],"structuredContent":` + rows)
	final := c.Tool("1", "echo", `{"text":"x"}`).Final()
	var v struct {
		Result struct{ StructuredContent any }
	}
	if err := json.Unmarshal([]byte(final), &v); err != nil {
		w.t.Fatalf("%v: %s", err, final)
	}
	return tokenForm.FindAllString(fmt.Sprint(v.Result.StructuredContent), -1)
}

// newPatients is a gateway that hides people and knows whom a record is about.
func newPatients(t *testing.T, more string) (*contentWorld, *doortest.Client) {
	t.Helper()
	w := newContentWorld(t, patientsProfile+more)
	w.Must("agent", "set", "app", "--zone", "model", "--reason", "test")
	w.Must("server", "set", "s", "--zone", "core", "--reason", "test")
	return w, w.client(t, "app", doortest.LegacyVersion)
}

// askReveal is the body of vault.reveal.
type askReveal struct {
	Token   string `json:"token"`
	Purpose string `json:"purpose"`
	Reason  string `json:"reason"`
}

// TestC11RevealIsAPersonsAct: while nobody is enrolled the operator at the socket
// reveals a value, for a reason; from then on people with the role admin do, signed
// in, and nobody else. Each time is in the control log, without the value. An
// admin erases over the same listener.
func TestC11RevealIsAPersonsAct(t *testing.T) {
	w, c := newPatients(t, "")
	const hers, his = "anna.berg@example.org", "bo.ek@example.org"
	tokens := w.shownTokens(c, `{"patients":[{"id":4711,"mail":"`+hers+`"},{"id":4712,"mail":"`+his+`"}]}`)
	if len(tokens) != 2 {
		t.Fatalf("%q", tokens)
	}
	for _, args := range [][]string{{"--purpose", "support"}, {"--reason", "ticket"}} {
		if r := w.Try(append([]string{"privacy", "vault", "reveal", tokens[0]}, args...)...); r.Code == 0 || strings.Contains(r.Stdout+r.Stderr, hers) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := w.Must("privacy", "vault", "reveal", tokens[0], "--purpose", "support", "--reason", "she is "+hers); !strings.Contains(r, hers) {
		t.Errorf("the operator is shown %s", r)
	}
	ada := w.Enrol(w.AdminBrowser(), "ada", "--role", "admin")
	pat := w.Enrol(w.AdminBrowser(), "pat", "--role", "approver")
	if r := w.Try("privacy", "vault", "reveal", tokens[0], "--purpose", "support", "--reason", "r"); r.Code == 0 || strings.Contains(r.Stdout+r.Stderr, hers) {
		t.Errorf("the operator at the socket, beside people: %+v", r)
	}
	ask := askReveal{tokens[0], "support", "ticket 4 of " + hers}
	if page := api(ada.Browser, "vault.reveal", ask); page.Status != 401 {
		t.Errorf("not signed in: %d", page.Status)
	}
	ada.SignIn("/login/account")
	pat.SignIn("/login/account")
	if page := api(pat.Browser, "vault.reveal", ask); page.Status != 403 || strings.Contains(page.Body, hers) {
		t.Errorf("another role: %d %s", page.Status, page.Body)
	}
	if page := api(w.Browser("127.0.0.1"), "vault.reveal", ask); page.Status != 404 {
		t.Errorf("on the listener of clients: %d", page.Status)
	}
	if page := api(ada.Browser, "vault.reveal", ask); page.Status != 200 || !strings.Contains(page.Body, hers) {
		t.Errorf("an admin, signed in: %d %s", page.Status, page.Body)
	}
	erase := map[string]string{"subject": "patient:4711", "reason": "request of patient:4711"}
	if page := api(pat.Browser, "data.erase", erase); page.Status != 403 {
		t.Errorf("another role erases: %d %s", page.Status, page.Body)
	}
	if page := api(ada.Browser, "data.erase", erase); page.Status != 200 || !strings.Contains(page.Body, "ostiary.dev/erasure/v1") {
		t.Errorf("an admin erases: %d %s", page.Status, page.Body)
	}
	if page := api(ada.Browser, "vault.reveal", ask); page.Status != 404 || strings.Contains(page.Body, `"value":"`+hers) {
		t.Errorf("after the erasure: %d %s", page.Status, page.Body)
	}
	if page := api(ada.Browser, "vault.reveal", askReveal{tokens[1], "support", "r"}); page.Status != 200 || !strings.Contains(page.Body, his) {
		t.Errorf("somebody else: %d %s", page.Status, page.Body)
	}
	log := w.Must("audit", "query", "--log", "control", "-o", "jsonl")
	if n := strings.Count(log, `"pseudonym.revealed"`); n != 3 {
		t.Errorf("%d entries tell of three reveals", n)
	}
	if strings.Contains(log, hers) || strings.Contains(log, his) || strings.Contains(log, "4711") || !strings.Contains(log, `"erasure.executed"`) {
		t.Errorf("the control log: %s", log)
	}
	w.Must("audit", "verify")
}

// TestC11RevealByTwo: with reveal: two the first one asks, another person agrees,
// and the value is shown once; whoever asked cannot agree.
func TestC11RevealByTwo(t *testing.T) {
	w, c := newPatients(t, "  reveal: two\n")
	const hers = "anna.berg@example.org"
	tokens := w.shownTokens(c, `{"patients":[{"id":4711,"mail":"`+hers+`"}]}`)
	ada := w.Enrol(w.AdminBrowser(), "ada", "--role", "admin", "--role", "approver")
	pat := w.Enrol(w.AdminBrowser(), "pat", "--role", "approver")
	ada.SignIn("/login/account")
	pat.SignIn("/login/account")
	ask := askReveal{tokens[0], "support", "ticket 4"}
	first := api(ada.Browser, "vault.reveal", ask)
	m := regexp.MustCompile(`"request":"([^"]+)"`).FindStringSubmatch(first.Body)
	if first.Status != 200 || m == nil || strings.Contains(first.Body, hers) {
		t.Fatalf("the request: %d %s", first.Status, first.Body)
	}
	if page := api(ada.Browser, "vault.decide", yes{m[1], true, "r"}); page.Status == 200 {
		t.Errorf("who asked agrees: %s", page.Body)
	}
	if page := api(ada.Browser, "vault.reveal", ask); strings.Contains(page.Body, hers) {
		t.Errorf("before anybody agreed: %s", page.Body)
	}
	if page := api(pat.Browser, "vault.decide", yes{m[1], true, "as asked"}); page.Status != 200 || strings.Contains(page.Body, hers) {
		t.Errorf("another person agrees: %d %s", page.Status, page.Body)
	}
	if page := api(pat.Browser, "vault.reveal", ask); page.Status != 403 {
		t.Errorf("who agreed reveals: %d %s", page.Status, page.Body)
	}
	if page := api(ada.Browser, "vault.reveal", ask); page.Status != 200 || !strings.Contains(page.Body, hers) {
		t.Errorf("after it: %d %s", page.Status, page.Body)
	}
	if page := api(ada.Browser, "vault.reveal", ask); strings.Contains(page.Body, hers) {
		t.Errorf("a second time: %s", page.Body)
	}
}

// TestC11ErasureSurvivesARestore: a backup from before an erasure, restored with
// the control log from after it, gives nobody back who was erased: neither by a
// subject's key nor by rows.
func TestC11ErasureSurvivesARestore(t *testing.T) {
	w, c := newPatients(t, "")
	const hers, his, front = "anna.berg@example.org", "bo.ek@example.org", "front.desk@example.org"
	tokens := w.shownTokens(c, `{"patients":[{"id":4711,"mail":"`+hers+`"},{"id":4712,"mail":"`+his+`"}],"z":"`+front+`"}`)
	if len(tokens) != 3 {
		t.Fatalf("%q", tokens)
	}
	identity, recipient := keeper(t)
	work := t.TempDir()
	w.Must("backup", "--to", filepath.Join(work, "b"), "--recipient", recipient)
	w.Must("privacy", "subject", "erase", "--subject", "patient:4711", "--reason", "asked", "--yes")
	w.Must("privacy", "subject", "erase", "--token", tokens[2], "--reason", "asked", "--yes")
	w.Must("audit", "export", "--out", filepath.Join(work, "newer"))
	if err := w.Process().Stop(); err != nil {
		t.Fatal(err)
	}
	reveal := func(dir, token string) doortest.Result {
		return doortest.Run(t, elsewhere(w.Door, dir, "privacy", "vault", "reveal", token, "--purpose", "p", "--reason", "r"))
	}
	old := filepath.Join(t.TempDir(), "old") // the restore that knows nothing of it, so that the test can fail
	at(t, w.Door, old, "restore", "--from", filepath.Join(work, "b"), "--identity", identity)
	for i, value := range []string{hers, his, front} {
		if r := reveal(old, tokens[i]); !strings.Contains(r.Stdout, value) {
			t.Errorf("without the newer log, %s: %+v", value, r)
		}
	}
	there := filepath.Join(t.TempDir(), "R")
	at(t, w.Door, there, "restore", "--from", filepath.Join(work, "b"), "--identity", identity, "--control", filepath.Join(work, "newer"))
	for i, value := range []string{hers, "", front} {
		if r := reveal(there, tokens[i]); value != "" && (r.Code == 0 || strings.Contains(r.Stdout+r.Stderr, value)) {
			t.Errorf("%s is back: %+v", value, r)
		}
	}
	if r := reveal(there, tokens[1]); !strings.Contains(r.Stdout, his) {
		t.Errorf("who was not erased: %+v", r)
	}
	if r := doortest.Run(t, elsewhere(w.Door, there, "privacy", "subject", "export", "--subject", "patient:4711")); r.Code == 0 {
		t.Errorf("the subject is back: %s", r.Stdout)
	}
	at(t, w.Door, there, "audit", "verify")
}
