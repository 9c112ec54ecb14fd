package pii

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretsIn scans what the string raw stands for as a value in JSON, without the
// way past clean text.
func secretsIn(s *Scanner, raw []byte) []Span {
	r := run{s: slow(s), src: raw}
	v := unescape(view{b: raw})
	r.text(&v)
	return r.finish()
}

// slow is s without the way past clean text.
func slow(s *Scanner) *Scanner {
	w := *s
	w.slow = true
	return &w
}

// holdsAll fails when the way past clean text would pass a string in which the
// scan finds a secret.
func holdsAll(t *testing.T, s *Scanner, raw []byte) {
	t.Helper()
	if !mayHoldSecret(raw) {
		if found := secretsIn(s, raw); len(found) > 0 && len(raw) >= leastSecret {
			t.Errorf("%q would be passed unscanned, but %q is in it", raw, show(string(raw), found))
		}
	}
}

// quotings write a text as a JSON string's inside, as different servers do.
func quotings(text string) []string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	html := string(quoted[1 : len(quoted)-1]) // with \u003c for "<"
	plain := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(html)
	return []string{html, plain, strings.ReplaceAll(plain, "/", `\/`), strings.ReplaceAll(plain, " ", `\t`),
		base64.StdEncoding.EncodeToString([]byte(text)), "see " + base64.RawURLEncoding.EncodeToString([]byte(text)) + " there", hex.EncodeToString([]byte(text))}
}

// secretPieces are what secrets and their surroundings are made of.
var secretPieces = []string{ghToken, "AKIAZ3MSDF7YQ2LPWX4C", "password", "Passwort", "kennwort", "contrasena", "api_key", "token", "secret", "hunter2!Xy", "S3cr3t#99aB", "is ",
	" ", ":", "=", ": ", "=>", "\"", "'", ",", ">", "<", "/", "://", "@", "user", "https", "host.example.com", "discord.com/api/webhooks/123456789012345678/aXQ9zbvWpLmKsjHgTrEq1234aXQ9", "acme.webhook.office.com/webhookb2/0199c0de-1234-7000-8000-00000000ffff@0199c0de-1234-7000-8000-00000000ffff/IncomingWebhook/a",
	"hooks.slack.com/services/T0AAAAAAA/B0BBBBBBB/abcdefghijklmnopqrstuvwx",
	"-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
	"123456789:AAE0x9q1z2w3e4r5t6y7u8i9o0p1a2s3d4f", "%41KIA", "&#65;KIA", "QUtJQVozTVNERjdZUTJMUFdYNEM=", "414b49415a334d5344463759513" + "24c50575834430a", "words of no meaning", "\t", "\\", "\\n", "string", "const ", "+", "AB+", "x@example.com", "12:30:59", "display", "webmaster", "sk-", "xoxb-79262243933-kVO8JmR8y4EMfAdggcG9qpVT", "\n", "Bearer ", ";", "&", "?", "(", ")"}

// TestFastMissesNothing: whatever a profile of secrets alone passes unscanned has no
// secret that the scan would find.
func TestFastMissesNothing(t *testing.T) {
	s := scanner(t, Secret)
	rng := rand.New(rand.NewPCG(11, 3))
	passed := 0
	for range 60000 {
		var b strings.Builder
		for range 1 + rng.IntN(7) {
			b.WriteString(secretPieces[rng.IntN(len(secretPieces))])
		}
		for _, raw := range quotings(b.String()) {
			holdsAll(t, s, []byte(raw))
			if !mayHoldSecret([]byte(raw)) {
				passed++
			}
		}
	}
	if passed < 1000 {
		t.Errorf("only %d texts were passed: the test says little", passed)
	}
	names, err := filepath.Glob("testdata/labelled/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no labelled results: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.FieldsFunc(string(text), func(r rune) bool { return r == '"' || r == '\n' }) {
			for _, raw := range quotings(part) {
				holdsAll(t, s, []byte(raw))
			}
		}
	}
}

// document builds JSON of pieces: members, lists, numbers, and JSON as text in it.
func document(rng *rand.Rand, depth int) any {
	text := func() string {
		var b strings.Builder
		for range rng.IntN(4) {
			b.WriteString(secretPieces[rng.IntN(len(secretPieces))])
		}
		return b.String()
	}
	key := func() string { return keyPieces[rng.IntN(len(keyPieces))] }
	switch k := rng.IntN(9); {
	case depth > 0 && k < 3:
		m := map[string]any{}
		for range rng.IntN(4) {
			m[key()] = document(rng, depth-1)
		}
		return m
	case depth > 0 && k == 3:
		return []any{document(rng, depth-1), document(rng, depth-1)}
	case depth > 0 && k == 4:
		inner, err := json.MarshalIndent(document(rng, depth-1), "", strings.Repeat(" ", rng.IntN(2)))
		if err != nil {
			panic(err)
		}
		return string(inner)
	case k == 5:
		return rng.IntN(1e9)
	case k == 6:
		return key()
	}
	return text()
}

// keyPieces are keys that hide, that name what a sibling is, and that do neither.
var keyPieces = []string{"password", "api key", "api_key", "pin code", "mot de passe", "user pin code", "name", "type", "value", "content", "id", "text", "count", "note",
	"max_tokens", "say \"password\" twice", "line\ntoken", "pass\u0077ord é", "clientSecret", "key", strings.Repeat("long", 17) + "secret", "PinCode", "x"}

// TestFastMissesNoMember: the same over whole documents, in which keys say what a
// value is, however deep one document stands in another.
func TestFastMissesNoMember(t *testing.T) {
	s := scanner(t, Secret)
	rng := rand.New(rand.NewPCG(4, 9))
	passed, held := 0, 0
	for range 40000 {
		raw, err := json.Marshal(map[string]any{"result": document(rng, 5)})
		if err != nil {
			t.Fatal(err)
		}
		if rng.IntN(2) == 0 {
			raw = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `":`, `" : `).Replace(string(raw)))
		}
		found := slow(s).ScanJSON(raw)
		if mayHoldSecret(raw) {
			held++
			continue
		}
		passed++
		if len(found) > 0 {
			t.Fatalf("%s would be passed unscanned, but %q is in it", raw, show(string(raw), found))
		}
	}
	if passed < 5000 || held < 5000 {
		t.Errorf("%d passed, %d held: the test says little", passed, held)
	}
}

// TestFastPassesClean: the way past clean text is worth nothing if it passes
// nothing.
func TestFastPassesClean(t *testing.T) {
	for _, clean := range []string{"parser fails on nested arrays", "https://code.example.com/acme/widget/issues/1347", "2026-03-08T12:48:44Z",
		"8117766da5cfb8632539ddcdaa392e33", "internal/parser/array.go", "the reader returns early, see below"} {
		if mayHoldSecret([]byte(clean)) {
			t.Errorf("%q is scanned", clean)
		}
	}
}

// FuzzFast holds the same over arbitrary bytes.
func FuzzFast(f *testing.F) {
	for _, p := range secretPieces {
		f.Add([]byte(p + " " + p))
	}
	s := scanner(f, Secret)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		holdsAll(t, s, b)
		for _, raw := range quotings(string(b)) {
			holdsAll(t, s, []byte(raw))
		}
	})
}

// FuzzFastMember holds whole documents to the same.
func FuzzFastMember(f *testing.F) {
	for _, p := range secretPieces {
		for _, key := range []string{"note", "api key", "name", "pin code"} {
			raw, err := json.Marshal(map[string]any{key: p, "value": p, "text": `{"` + key + `":"` + p + `"}`})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(raw)
		}
	}
	s := scanner(f, Secret)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 4096 || !json.Valid(raw) || mayHoldSecret(raw) {
			return
		}
		if found := slow(s).ScanJSON(raw); len(found) > 0 {
			t.Fatalf("%s would be passed unscanned, but %q is in it", raw, show(string(raw), found))
		}
	})
}

// TestHookWithoutScheme: an address that lets anybody post is a secret with and
// without its scheme, also for a profile of secrets alone.
func TestHookWithoutScheme(t *testing.T) {
	s := scanner(t, Secret)
	for _, p := range secretPieces {
		if !strings.Contains(p, "hook") {
			continue
		}
		for _, text := range []string{p, "https://" + p, "post to " + p + " now", "é" + p, "https://" + strings.ToUpper(p[:24]) + p[24:]} {
			if found := s.ScanJSON(fmt.Appendf(nil, `{"note":%q}`, text)); len(found) != 1 {
				t.Errorf("%s: %v", text, found)
			}
		}
	}
}
