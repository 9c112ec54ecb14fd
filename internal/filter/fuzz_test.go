package filter

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
)

// FuzzParse demands of every file that it is read within its bounds, and of
// what it says that the same text says it again.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"filter:\n  - server: crm\n    keep: [id, \"l[*].x\"]\n    rows: {path: l, where: 'a == 1 and not exists(b)', max: 3}\n",
		"filter: [{drop: '**.ssn', text: 4KiB, meta: strip, blocks: {drop: [image/*]}}]",
		"filter:\n  - cap:\n      - {path: '$', count: 1}\n      - {path: \"a.\\\"b c\\\"\", length: 2}\n    errors: strip\n",
		"filter: &a [*a]", "- - - -", "filter: {}", "%", "filter: |\n  x", "? a\n: b", "{", "\"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := Parse("f", []byte(text))
		if (err == nil) == (len(rules) == 0) {
			t.Fatalf("%d rules and %v", len(rules), err)
		}
		for _, r := range rules {
			for _, p := range append(r.keep, r.drop...) {
				again, err := parsePath(p.String())
				if err != nil || again.String() != p.String() {
					t.Fatalf("%s reads again as %s: %v", p, again, err)
				}
			}
		}
	})
}

// FuzzWhere demands of every predicate that it is read or refused with a place
// in it, and that it judges any row.
func FuzzWhere(f *testing.F) {
	for _, s := range []string{`a == 1`, `not (a.b in ["x", null] or exists(@.c)) and d >= -1.5e3`, `@ != ""`, `"a b" < "c"`, `((`, `a in [`, `not not`} {
		f.Add(s, row)
	}
	f.Fuzz(func(t *testing.T, text, json string) {
		w, err := parseWhere(text)
		if err != nil {
			if m, ok := err.(*misread); ok && (m.at < 0 || m.at > len(text)) {
				t.Fatalf("the place %d is not in %q", m.at, text)
			}
			return
		}
		if v, err := wire.ParseValue([]byte(json), wire.DefaultLimits()); err == nil {
			if got := w.of(v); got < isFalse || got > isTrue {
				t.Fatalf("the outcome is %d", got)
			}
		}
	})
}

// fuzzRules have one of everything.
var fuzzRules = []string{
	`filter: [{drop: ["**.ssn", "a.b"]}]`,
	`filter: [{keep: ["**.id", "l[*].n"], rows: {path: l, where: "n > 1", max: 2}}]`,
	`filter: [{cap: [{path: "**.t", length: 3}, {path: "**.l", count: 1}], text: 9, meta: strip, annotations: strip}]`,
	`filter: [{errors: strip, links: strip, blocks: {drop: [image, "audio/*"]}}, {drop: ["*"]}]`,
	`filter: [{rows: {path: $, where: "ok == true"}, keep: $, meta: [a/*]}]`,
}

// FuzzApply demands of every result that the edits fit it, that the outcome is a
// message, and that no string called CANARY below a dropped member stays.
func FuzzApply(f *testing.F) {
	for _, s := range []string{
		`{"content":[{"type":"text","text":"{\"ssn\":\"CANARY\",\"id\":1}"}],"structuredContent":{"ssn":"CANARY","l":[{"n":1},{"n":2}]}}`,
		`{"isError":true,"content":[{"type":"text","text":"at x (/a/b/c.js:1:2)\n/etc/passwd/x"}],"_meta":{"a":1}}`,
		`{"contents":[{"uri":"https://u:p@h/?token=x#sig=y","text":"{\"ok\":true}\n{\"ok\":false}\n"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"image","data":"","mimeType":"image/png","annotations":{}}]}]}`,
		`{"taskId":"t","status":"failed","error":{"code":1,"message":"/a/b/c","data":{"stack":"x"}},"result":{"content":[]}}`,
		`{"content":[{"type":"resource","resource":{"uri":"a:b","text":"\"{\\\"ssn\\\":\\\"CANARY\\\"}\""}}]}`,
	} {
		f.Add(s)
	}
	var sets []*Set
	for _, text := range fuzzRules {
		rules, err := Parse("f", []byte(text))
		if err != nil {
			f.Fatal(err)
		}
		sets = append(sets, New(rules))
	}
	f.Fuzz(func(t *testing.T, result string) {
		m, err := wire.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":`+result+`}`), wire.DefaultLimits(), wire.FromServer)
		if err != nil || m.Kind() != wire.Response {
			return
		}
		for i, s := range sets {
			for _, method := range []string{"tools/call", "GET"} {
				edits, r, err := s.For(Match{Method: method}).Apply(m.Result(), nil)
				if err != nil || r.Unfit != "" {
					continue
				}
				out, err := m.Rewrite(edits...)
				if err != nil {
					t.Fatalf("%s: the edits %v make no message: %v", fuzzRules[i], edits, err)
				}
				if i == 0 && method == "tools/call" && strings.Contains(string(out.Result().Get("structuredContent").Raw()), `"ssn":"CANARY"`) {
					t.Fatalf("%s stays in %s", result, out.Raw())
				}
			}
		}
	})
}

// FuzzTexts demands of links and of the texts of failures that cleaning ends,
// takes away only, and finds nothing more the second time.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{
		"https://a:b@c/d?token=e&f=g#h", "//@@/", "a?token&&;key=;x", "x:?%74oken=1",
		"Error\n    at f (/a/b.js:1:1)\nTraceback (most recent call last):\n  File \"x\", line 1\nValueError: y",
		`C:\a\b and \\host\share\x and file:///etc/x and ~/a/b.`, "\tmain.go:1 +0x1\n#0 /a/b", "/", "//", "a/b/c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		bare := bareLink(text)
		if len(bare) > len(text) || bareLink(bare) != bare && !strings.Contains(text, "@") {
			t.Fatalf("%q becomes %q, then %q", text, bare, bareLink(bare))
		}
		if said := withoutTraces(text); strings.Count(said, "\n") > strings.Count(text, "\n") {
			t.Fatalf("%q becomes %q", text, said)
		}
	})
}
