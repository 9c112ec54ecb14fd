package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func digest(t *testing.T, text string) string {
	t.Helper()
	d, err := CanonicalDigest([]byte(text))
	if err != nil {
		t.Fatalf("%.60q: %v", text, err)
	}
	return d
}

func TestCanonicalSameMeaning(t *testing.T) {
	for _, pair := range [][2]string{
		{`{"a":1,"b":[true,null]}`, "\n{ \"b\" : [ true ,\tnull ] ,\r\n \"a\" : 1 }\n"},
		{`{"name":"x"}`, `{"\u006eame":"\u0078"}`},
		{`{"a":"é\n/"}`, `{"a":"\u00e9\u000a\/"}`},
		{`{"a":"😀"}`, `{"a":"\ud83d\ude00"}`},
		{`{"a":{"x":{},"y":[]}}`, `{"a":{"y":[ ],"x":{ }}}`},
	} {
		if digest(t, pair[0]) != digest(t, pair[1]) {
			t.Errorf("%s and %s differ", pair[0], pair[1])
		}
	}
}

func TestCanonicalOtherMeaning(t *testing.T) {
	seen := make(map[string]string)
	for _, text := range []string{
		`{}`, `{"a":1}`, `{"a":1.0}`, `{"a":1e0}`, `{"a":-0}`, `{"a":0}`, `{"a":"1"}`, `{"a":[1]}`, `{"a":[[1]]}`, `{"a":[1,2]}`, `{"a":[2,1]}`,
		`{"A":1}`, `{"a ":1}`, `{"a\u0000":1}`, `{"a":true}`, `{"a":false}`, `{"a":null}`, `{"a":""}`, `{"a":{}}`, `{"a":[]}`,
		`{"a":9007199254740993}`, `{"a":9007199254740992}`, `{"a":1e400}`, `{"a":1e401}`, `{"a":"é"}`, `{"a":"e\u0301"}`, `{"a":"\"b\":1"}`,
	} {
		d := digest(t, text)
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have one digest", text, other)
		}
		seen[d] = text
	}
}

// TestCanonicalVector is the order and the escapes of RFC 8785 (sections 3.2.2
// and 3.2.3), with numbers kept.
func TestCanonicalVector(t *testing.T) {
	in := `{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",` +
		`"\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis","n":1.50,"s":"\u000f\b\t\n\f\r\"\\\/"}`
	want := `{"\r":"Carriage Return","1":"One","n":1.50,"s":"\u000f\b\t\n\f\r\"\\/","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
		`"€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`
	c := canonicalizer{in: []byte(in)}
	out, err := c.value(nil, 0)
	if err != nil || string(out) != want {
		t.Errorf("got  %s (%v)\nwant %s", out, err, want)
	}
}

func TestCanonicalRefusals(t *testing.T) {
	nest := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + "}" }
	digest(t, nest(maxDefinitionDepth))
	for name, text := range map[string]string{
		"empty": "", "blank": " ", "array": "[]", "string": `"a"`, "number": "1", "null": "null", "two values": "{}{}", "cut": `{"a":`,
		"duplicate": `{"a":1,"a":1}`, "deep duplicate": `{"a":[{"b":{"c":1,"d":2,"c":3}}]}`, "escaped duplicate": `{"a":1,"\u0061":2}`,
		"invalid UTF-8": "{\"a\":\"\xff\"}", "overlong": "{\"a\":\"\xc0\xaf\"}", "lone high": `{"a":"\ud800"}`, "lone low": `{"a":"\udc00"}`,
		"high then text": `{"a":"\ud800x"}`, "high then escape": `{"a":"\ud800\n"}`, "two highs": `{"a":"\ud800\ud800"}`, "lone in key": `{"\ud800":1}`,
		"reversed pair": `{"a":"\udc00\ud800"}`, "comment": `{/**/}`, "trailing comma": `{"a":1,}`, "leading zero": `{"a":01}`, "BOM": "\ufeff{}",
		"too deep": nest(maxDefinitionDepth + 1), "far too deep": nest(20000), "too long": `{"a":"` + strings.Repeat("x", MaxDefinition) + `"}`,
	} {
		if d, err := CanonicalDigest([]byte(text)); !errors.Is(err, ErrDefinition) || d != "" {
			t.Errorf("%s: %q, %v", name, d, err)
		}
	}
}

// TestCanonicalOrderProperty: the digest does not depend on the order in which
// members stand.
func TestCanonicalOrderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.MapOfN(rapid.String(), rapid.Int64(), 0, 8).Draw(t, "members")
		names := make([]string, 0, len(members))
		for name := range members {
			names = append(names, name)
		}
		write := func(names []string) []byte {
			var out []byte
			for i, name := range names {
				if i > 0 {
					out = append(out, ',')
				}
				key, _ := json.Marshal(name)
				value, _ := json.Marshal(members[name])
				out = append(append(append(out, key...), ':'), value...)
			}
			return append(append([]byte("{"), out...), '}')
		}
		one, err1 := CanonicalDigest(write(names))
		two, err2 := CanonicalDigest(write(rapid.Permutation(names).Draw(t, "order")))
		if err := errors.Join(err1, err2); err != nil || one != two {
			t.Fatalf("%s and %s (%v)", one, two, err)
		}
	})
}

// FuzzCanonical: whatever has a digest is JSON, and its canonical form is its
// own canonical form with the same content.
func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1.50,"\ud83d\ude00",{"a":null}],"a":"\u0000"}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`{"a":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := CanonicalDigest(data)
		if err != nil {
			return
		}
		c := canonicalizer{in: data}
		c.space()
		out, err := c.value(nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		second, err := CanonicalDigest(out)
		if err != nil || second != first {
			t.Errorf("%q canonicalizes to %q (%v)", data, out, err)
		}
		if got, want := read(t, out), read(t, data); !bytes.Equal(got, want) {
			t.Errorf("%q becomes %q", want, got)
		}
	})
}

// read returns what another parser makes of data.
func read(t *testing.T, data []byte) []byte {
	t.Helper()
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
