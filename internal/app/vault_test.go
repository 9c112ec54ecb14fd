package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/test/canary"
)

// opened opens the gateway in dir until the test ends or done is called.
func openedIn(t *testing.T, dir string) (a *App, done func()) {
	t.Helper()
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a, func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

// hideIn hides values in the gateway in dir and returns their tokens.
func hideIn(t *testing.T, dir string, values ...vault.Value) []string {
	t.Helper()
	a, done := openedIn(t, dir)
	defer done()
	out, err := a.vault.Hide(t.Context(), "scope", false, values)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// clearIn returns what tokens stand for in the gateway in dir.
func clearIn(t *testing.T, dir string, tokens ...string) (out []string) {
	t.Helper()
	a, done := openedIn(t, dir)
	defer done()
	values, err := a.vault.Restore(t.Context(), "scope", tokens)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		out = append(out, v.Value)
	}
	return out
}

// killedIn is the variable that makes a test the process that is killed.
const killedIn = "OSTIARY_TEST_HIDE_IN"

// TestHideSurvivesKill: a process that is killed at any moment has handed out no
// token that does not resolve afterwards (hostile case C13: fail closed).
func TestHideSurvivesKill(t *testing.T) {
	if dir := os.Getenv(killedIn); dir != "" {
		hideForever(t, dir)
		return
	}
	dir := gatewayIn(t)
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHideSurvivesKill$", "-test.v=false")
		cmd.Env = append(os.Environ(), killedIn+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := map[string]string{}
		for lines := bufio.NewScanner(out); len(told) < 40*(round+1) && lines.Scan(); {
			token, value, ok := strings.Cut(lines.Text(), " ")
			if ok && vault.IsToken(token) {
				told[token] = value
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if len(told) == 0 {
			t.Fatal("the process told nothing")
		}
		for token, want := range told {
			if got := clearIn(t, dir, token); !slices.Equal(got, []string{want}) {
				t.Errorf("%s gives %q, not %q", token, got, want)
			}
			break // opening is slow: one by itself, the others together
		}
		var tokens, want []string
		for token, value := range told {
			tokens, want = append(tokens, token), append(want, value)
		}
		if got := clearIn(t, dir, tokens...); !slices.Equal(got, want) {
			t.Errorf("of %d tokens some do not resolve: %q", len(tokens), got)
		}
	}
}

// hideForever hides values until it is killed, and tells each token as soon as it
// has it.
func hideForever(t *testing.T, dir string) {
	a, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		value := fmt.Sprintf("user%d-%d@example.com", os.Getpid(), i)
		out, err := a.vault.Hide(context.Background(), "scope", i%2 == 0, []vault.Value{{Type: "EMAIL", Value: value}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(out[0], value)
	}
}

// TestNoPseudonymInClear: neither data directory nor backup shows a value, a
// subject or a token, while tokens are there, after an erasure and after a
// rotation. What is looked for is found in a file that shows it.
func TestNoPseudonymInClear(t *testing.T) {
	dir := gatewayIn(t)
	var s canary.Scanner
	const value, subject = "canary-value-7431@example.com", "canary-subject-9927"
	token := hideIn(t, dir, vault.Value{Type: "EMAIL", Value: value, Subject: subject}, vault.Value{Type: "EMAIL", Value: "two-" + value})[0]
	s.Look("value", value)
	s.Look("subject", subject)
	s.Look("token", token[1:len(token)-1])
	look := func(when string) {
		t.Helper()
		saved := save(t, dir, Options{})
		for _, place := range []string{dir, filepath.Dir(saved.from)} {
			hits, seen, err := s.Tree(place)
			if err != nil || len(hits) > 0 || seen == 0 {
				t.Errorf("%s: %v (%d bytes, %v)", when, hits, seen, err)
			}
		}
	}
	look("stored")
	a, done := openedIn(t, dir)
	_, err := a.API().RotateKey(t.Context(), admin.RotateKey{Name: string(keys.Pseudonyms), Change: admin.Change{Reason: "r"}})
	if err == nil {
		err = a.store.Reseal(t.Context(), keys.Pseudonyms, nil)
	}
	done()
	if err != nil {
		t.Fatal(err)
	}
	look("sealed anew")
	a, done = openedIn(t, dir)
	_, err = a.API().EraseData(t.Context(), admin.EraseData{Change: admin.Change{Reason: "asked: " + value}, DataSubject: admin.DataSubject{Value: value}})
	done()
	if err != nil {
		t.Fatal(err)
	}
	look("erased")
	plain := t.TempDir()
	if err := os.WriteFile(filepath.Join(plain, "x"), []byte(value+subject+token), 0o600); err != nil {
		t.Fatal(err)
	}
	if hits, _, err := s.Tree(plain); err != nil || len(hits) < 3 {
		t.Errorf("the control is not found: %v, %v", hits, err)
	}
}

// TestPseudonymsRestored: tokens resolve in a gateway made from a backup, and
// those that a newer control log says were erased do not.
func TestPseudonymsRestored(t *testing.T) {
	dir := gatewayIn(t)
	tokens := hideIn(t, dir, vault.Value{Type: "EMAIL", Value: "a@example.com"}, vault.Value{Type: "EMAIL", Value: "b@example.com"})
	s := save(t, dir, Options{})
	there := filepath.Join(t.TempDir(), "R")
	if _, err := Restore(t.Context(), there, Options{}, s.options()); err != nil {
		t.Fatal(err)
	}
	if got := clearIn(t, there, tokens...); !slices.Equal(got, []string{"a@example.com", "b@example.com"}) {
		t.Errorf("restored: %q", got)
	}
	a, done := openedIn(t, there)
	found, err := a.vault.OfValue(t.Context(), "", "a@example.com")
	done()
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	line := fmt.Sprintf(`{"kind":"erasure.executed","time":"2026-11-29T10:00:00Z","part":{"change":{"pseudonym_rows":[%q,%q]}}}`, found[0].Rows()[0], found[0].Rows()[1])
	file := filepath.Join(t.TempDir(), "entries.jsonl")
	if err := os.WriteFile(file, []byte(line+"\n"+`{"kind":"admin.changed","part":{"change":7}}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := readExport(file)
	if err != nil || !slices.Equal(all.rows, found[0].Rows()) || len(all.keys) != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	a, done = openedIn(t, there)
	_, err = a.store.ErasePseudonyms(all.rows)
	err = errors.Join(err, a.store.Sweep())
	done()
	if err != nil {
		t.Fatal(err)
	}
	if got := clearIn(t, there, tokens...); !slices.Equal(got, []string{"", "b@example.com"}) {
		t.Errorf("after the replay: %q", got)
	}
}

// TestDataErasureReceipt: an erasure gives a note that the gateway's key of
// receipts verifies, and the log verifies after it.
func TestDataErasureReceipt(t *testing.T) {
	dir := gatewayIn(t)
	token := hideIn(t, dir, vault.Value{Type: "EMAIL", Value: "a@example.com", Subject: "p"})[0]
	a, done := openedIn(t, dir)
	defer done()
	d, err := a.API().EraseData(t.Context(), admin.EraseData{Change: admin.Change{Reason: "asked"}, DataSubject: admin.DataSubject{Token: token}})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(a.ring.ReceiptVKey(admin.ReceiptName(a.book.Control().Origin())))
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open([]byte(d.Item.Receipt), note.VerifierList(verifier))
	if err != nil || !strings.Contains(n.Text, d.Item.Key) || strings.Contains(n.Text, "a@example.com") || strings.Contains(n.Text, token) {
		t.Errorf("%q, %v", d.Item.Receipt, err)
	}
	v, err := a.API().AuditVerify(t.Context(), admin.AuditVerify{})
	for err == nil && !v.Finished {
		v, err = a.API().AuditVerify(t.Context(), admin.AuditVerify{Job: v.Job})
	}
	if err != nil || len(v.Logs) == 0 || slices.ContainsFunc(v.Logs, func(l admin.AuditState) bool { return l.State != "ok" }) {
		t.Errorf("%+v, %v", v, err)
	}
}
