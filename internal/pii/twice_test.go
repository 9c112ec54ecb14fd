package pii

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// TestC07EncodedTwice: URL encoding hides nothing three layers deep, a form's plus
// is a space, and an identifier's key does not hide an account.
func TestC07EncodedTwice(t *testing.T) {
	s, err := New(Config{All: true})
	if err != nil {
		t.Fatal(err)
	}
	const token = "ghp_zbNHDVkPKtM4eS4etINGdZPtw2ei32h4engD"
	text := `{"full_name":"Peter Brandt","k":"` + token + `"}`
	for _, escape := range []func(string) string{url.QueryEscape, url.PathEscape} {
		for text, layers := escape(text), 1; layers <= 3; text, layers = escape(text), layers+1 {
			types := ""
			for _, sp := range s.Scan([]byte(text)) {
				types += string(sp.Type) + " "
			}
			if !strings.Contains(types, "SECRET") || !strings.Contains(types, "PERSON") {
				t.Errorf("%d layers: %sin %s", layers, types, text)
			}
		}
	}
	if got := s.ScanJSON([]byte(`{"id":"DE89370400440532013000"}`)); len(got) != 1 || got[0].Type != IBAN {
		t.Errorf("an account under the key id: %v", got)
	}
	if got := s.ScanJSON([]byte(`{"id":"DE89370400440532013001","sha":"9c1185a5c5e9fc54612808977ee8f548b2258d31"}`)); len(got) != 0 {
		t.Errorf("identifiers: %v", got)
	}
}

// TestC07EscapedKeys: a key means the same with escapes in it, in a message and in
// JSON inside a text, whatever is looked for.
func TestC07EscapedKeys(t *testing.T) {
	all, err := New(Config{All: true})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := New(Config{Types: []Type{Secret}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s   *Scanner
		typ Type
		doc string
	}{
		{all, Crypto, `{"wall\u0065t":"0x69c6a3a69ab2c0acaf45bde2d04010f2c5eaaacd"}`},
		{all, Secret, `{"p\u0061ssword":"hunter2!Xy"}`},
		{secrets, Secret, `{"p\u0061ssword":"hunter2!Xy"}`},
		{secrets, Secret, `{"\u0061\u0070\u0069\u005f\u006b\u0065\u0079":"zb1NHDVkPKtM4eS4etINGdZPtw2ei32h"}`},
		{secrets, Secret, `{"password":{"value":"hunter2!Xy"}}`},
		{all, Person, `{"lastName":{"value":"Wisniewska"}}`},
		{secrets, Secret, `{"name":"p\u0061ssword","value":"hunter2!Xy"}`},
	} {
		nested := `{"a":"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.doc) + `"}`
		again := `{"a":` + strconv.Quote(strconv.Quote(c.doc)) + `}`
		for _, doc := range []string{c.doc, nested, again} {
			if got := c.s.ScanJSON([]byte(doc)); len(got) != 1 || got[0].Type != c.typ {
				t.Errorf("%s: %v", doc, got)
			}
		}
	}
}

// TestC07RunsHideNoEncoding: what is encoded is found beside a run that decodes
// to a text of its own.
func TestC07RunsHideNoEncoding(t *testing.T) {
	s, err := New(Config{All: true})
	if err != nil {
		t.Fatal(err)
	}
	run := base64.StdEncoding.EncodeToString([]byte("some harmless words"))
	for _, text := range []string{"see%20DE90742275435546405125", "anna%40example.org " + run, run + " anna%40example.org", "anna&#64;example.org, " + run, `anna\u0040example.org, ` + run} {
		if got := s.Scan([]byte(text)); len(got) == 0 || got[0].Type != Email && got[0].Type != IBAN {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestHeadersAsMembers: a credential is found behind its scheme under the key of a
// header, as clients of HTTP and tools that fetch write it.
func TestHeadersAsMembers(t *testing.T) {
	s, err := New(Config{Types: []Type{Secret}})
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{
		`{"headers":{"Authorization":"Bearer RGYbNWVlagekzaFJpuYUqumaccZ8NfTOEgr6bB92"}}`,
		`{"headers":{"authorization":["bearer RGYbNWVlagekzaFJpuYUqumaccZ8NfTOEgr6bB92"]}}`,
		`{"Authorization":"token 4fGd83hq1Zw9Yx7Lm2Pv6Rb0"}`,
		`{"proxy_authorization":"Basic YWRtaW46aHVudGVyMiFYeQ=="}`,
		`{"name":"Authorization","value":"Bearer RGYbNWVlagekzaFJpuYUqumaccZ8NfTOEgr6bB92"}`,
	} {
		if got := s.ScanJSON([]byte(doc)); len(got) != 1 || strings.Contains(doc[got[0].Start:got[0].End], " ") {
			t.Errorf("%s: %v", doc, got)
		}
	}
	for _, doc := range []string{`{"authorization":"Bearer"}`, `{"authorization":"Bearer ${TOKEN}"}`, `{"authorization":"bearer authentication is required"}`, `{"authorization":"Basic auth"}`} {
		if got := s.ScanJSON([]byte(doc)); len(got) != 0 {
			t.Errorf("%s: %v", doc, got)
		}
	}
}
