package forward

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

func TestCredentialsAreStripped(t *testing.T) {
	var c credentials
	c = c.with("Authorization", "Bearer abcdefgh-1234")
	c = c.with("API_KEY", "k\"ey/öwith\\odd")
	c = c.with("DOCS_DIR", "/srv/documents")
	c = c.with("TOKEN", "short")
	cases := map[string]struct{ in, out string }{
		"plain":     {`"a abcdefgh-1234 b"`, `"a [redacted] b"`},
		"scheme":    {`"Bearer abcdefgh-1234"`, `"Bearer [redacted]"`},
		"escaped":   {`"\u0061bcdefgh\u002d1234"`, `"[redacted]"`},
		"odd":       {`"k\"ey/\u00f6with\\odd"`, `"[redacted]"`},
		"deep":      {`{"a":[1,{"b":"abcdefgh-1234abcdefgh-1234"}]}`, `{"a":[1,{"b":"[redacted][redacted]"}]}`},
		"folder":    {`"/srv/documents/a\n"`, `"/srv/documents/a\n"`},
		"too short": {`"a short walk"`, `"a short walk"`},
		"case":      {`"ABCDEFGH-1234"`, `"ABCDEFGH-1234"`},
		"number":    {`1e400`, `1e400`},
	}
	for name, k := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := c.strip(answer(t, k.in))
			if err != nil || string(got.Raw()) != string(answer(t, k.out).Raw()) {
				t.Errorf("%s %v", got.Raw(), err)
			}
		})
	}
	for _, in := range []string{`{"abcdefgh-1234":1}`, `[{"x":{"\u0061bcdefgh-1234 ":null}}]`} {
		if got, err := c.strip(answer(t, in)); err == nil {
			t.Errorf("%s passed as %s", in, got.Raw())
		}
	}
}

func FuzzCredentialsAreStripped(f *testing.F) {
	f.Add(`"secret-value-1"`)
	f.Add(`{"a":"\u0073ecret-value-1","b":["x\\secret-value-1"]}`)
	c := credentials{}.with("token", "secret-value-1")
	f.Fuzz(func(t *testing.T, in string) {
		m, err := wire.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":`+in+`}}`), wire.DefaultLimits(), wire.FromServer)
		if err != nil {
			return
		}
		if m, err = c.strip(m); err != nil {
			return
		}
		var all strings.Builder
		spell(m.Root(), &all)
		if strings.Contains(all.String(), "secret-value-1") {
			t.Errorf("%s", m.Raw())
		}
	})
}

// spell writes every decoded string below v, each on a line of its own.
func spell(v wire.Value, out *strings.Builder) {
	if text, ok := v.Text(); ok {
		out.WriteString(strings.ReplaceAll(text, "\n", " ") + "\n")
	}
	for e := range v.Elements() {
		spell(e, out)
	}
	for m, e := range v.Members() {
		out.WriteString(strings.ReplaceAll(m.Key, "\n", " ") + "\n")
		spell(e, out)
	}
}

func answer(t *testing.T, value string) *wire.Message {
	t.Helper()
	m, err := wire.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":{"structuredContent":`+value+`}}`), wire.DefaultLimits(), wire.FromServer)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
