package vault_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/vault"
)

var rotate = keys.RotateOptions{}

const token = "<EMAIL_7K3QX2M9PD4TBW6H>"

func TestFind(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                    nil,
		token:                                 {token},
		"to " + token + ", " + token:          {token, token},
		"<" + token + ">":                     {token},
		"<<<" + token[1:]:                     {token},
		"<US_SSN_7K3QX2M9PD4TBW6H>":           {"<US_SSN_7K3QX2M9PD4TBW6H>"},
		"<A_B_7K3QX2M9PD4TBW6H>":              {"<A_B_7K3QX2M9PD4TBW6H>"},
		"<IPV4_7K3QX2M9PD4TBW6H>":             {"<IPV4_7K3QX2M9PD4TBW6H>"},
		token[:23]:                            nil,
		token[1:]:                             nil,
		strings.ToLower(token):                nil,
		"<EMAIL_7K3QX2M9PD4TBW6>":             nil, // a digit short
		"<EMAIL_7K3QX2M9PD4TBW6HH>":           nil, // one too many
		"<EMAIL_7K3QX2M9PD4TBW6I>":            nil, // not a digit of Crockford's
		"<_7K3QX2M9PD4TBW6H>":                 nil, // no type
		"<4A_7K3QX2M9PD4TBW6H>":               nil,
		"<EMAIL 7K3QX2M9PD4TBW6H>":            nil,
		"<EMAIL_7K3QX2M9" + "\n" + "D4TBW6H>": nil,
		"<" + strings.Repeat("A", 32) + "_7K3QX2M9PD4TBW6H>": {"<" + strings.Repeat("A", 32) + "_7K3QX2M9PD4TBW6H>"},
		"<" + strings.Repeat("A", 33) + "_7K3QX2M9PD4TBW6H>": nil,
	} {
		var got []string
		for _, at := range vault.Find([]byte(in)) {
			got = append(got, in[at[0]:at[1]])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: found %q, not %q", in, got, want)
		}
		if is := len(want) == 1 && want[0] == in; vault.IsToken(in) != is {
			t.Errorf("%q: IsToken is %v", in, !is)
		}
	}
}

// FuzzFind holds Find against the grammar as an expression.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"", token, "<<" + token, token + token[1:], "<A_B_7K3QX2M9PD4TBW6H>", strings.Repeat("<A_", 40)} {
		f.Add([]byte(s))
	}
	form := regexp.MustCompile(`<[A-Z][A-Z0-9_]{0,31}_[0-9A-HJKMNP-TV-Z]{16}>`)
	f.Fuzz(func(t *testing.T, in []byte) {
		got := vault.Find(in)
		var want [][2]int
		for _, at := range form.FindAllIndex(in, -1) {
			want = append(want, [2]int{at[0], at[1]})
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, not %v", in, got, want)
		}
		for _, at := range got {
			if !vault.IsToken(string(in[at[0]:at[1]])) || bytes.ContainsAny(in[at[0]+1:at[1]-1], "<>") {
				t.Errorf("%q is no token", in[at[0]:at[1]])
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := bytes.Repeat([]byte(`{"name":"x","html":"<b>bold</b>","mail":"`+token+`"},`), 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		vault.Find(text)
	}
}
