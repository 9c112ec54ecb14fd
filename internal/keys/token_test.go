package keys

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var tokenForm = regexp.MustCompile(`^ost_[a-z2-7]{16}_[a-z2-7]{51}[aq]$`)

func tokenRing(seed byte) *Ring {
	r := &Ring{}
	r.macs.Store(newTokenMACs(&state{keys: map[Purpose][]*version{TokenHash: {{key: fixed(seed), state: Current}}}}))
	return r
}

func TestNewToken(t *testing.T) {
	r := tokenRing(1)
	seen := make(map[string]bool)
	for range 200 {
		token, id, hash := r.NewToken()
		if !tokenForm.MatchString(token) {
			t.Fatalf("form of %q", token)
		}
		if got, ok := TokenID(token); !ok || got != id {
			t.Errorf("id of %q is %q (%v), want %q", token, got, ok, id)
		}
		if !EqualHash(hash, r.HashToken(token)) || len(hash) != 32 {
			t.Error("the hash is not the token's")
		}
		if seen[token] || seen[id] {
			t.Fatal("a token or id came twice")
		}
		seen[token], seen[id] = true, true
	}
}

// TestA18TokenForm: a token has exactly one spelling.
func TestA18TokenForm(t *testing.T) {
	token, _, _ := tokenRing(1).NewToken()
	secret := token[len(token)-tokenKeyChars:]
	bad := map[string]string{
		"empty": "", "prefix": "ost_", "upper case": strings.ToUpper(token), "first upper": "O" + token[1:],
		"leading space": " " + token, "trailing space": token + " ", "trailing newline": token + "\n", "tab": "\t" + token,
		"url encoded": url.QueryEscape(token[:3]+"%5F") + token[4:], "other prefix": "osu_" + token[4:], "no prefix": token[4:],
		"short": token[:len(token)-1], "long": token + "a", "dash": token[:20] + "-" + token[21:],
		"digit outside": token[:5] + "1" + token[6:], "digit zero": token[:25] + "0" + token[26:], "nul": token[:10] + "\x00" + token[11:],
		"padding": token[:len(token)-1] + "=", "unused bits": token[:len(token)-1] + "b", "non ascii": token[:4] + "ä" + token[6:],
		"secret alone": secret, "twice": token + token, "bearer": "Bearer " + token,
	}
	for name, text := range bad {
		if id, ok := TokenID(text); ok || id != "" {
			t.Errorf("%s: %q is accepted as %q", name, text, id)
		}
	}
}

func TestHashIsKeyed(t *testing.T) {
	token, _, hash := tokenRing(1).NewToken()
	if EqualHash(hash, tokenRing(2).HashToken(token)) {
		t.Error("another key gives the same hash")
	}
	if EqualHash(hash, tokenRing(1).HashToken(token+"a")) {
		t.Error("another token gives the same hash")
	}
	for _, pair := range [][2][]byte{{nil, nil}, {{}, {}}, {hash, nil}, {nil, hash}, {hash, hash[:31]}} {
		if EqualHash(pair[0], pair[1]) {
			t.Errorf("%x equals %x", pair[0], pair[1])
		}
	}
}

func FuzzTokenID(f *testing.F) {
	token, _, _ := tokenRing(1).NewToken()
	f.Add(token)
	f.Add(strings.ToUpper(token))
	f.Add(token[:len(token)-1] + "b")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := TokenID(text)
		if ok != tokenForm.MatchString(text) || (ok && id != text[4:20]) || (!ok && id != "") {
			t.Errorf("%q gives %q, %v", text, id, ok)
		}
	})
}
