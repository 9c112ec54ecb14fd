package wire_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// mutator makes messages from the seeds. The same seed gives the same messages.
type mutator struct{ *rand.Rand }

// nastyKeys and nastyValues are where parsers have been seen to disagree.
var (
	nastyKeys = []string{`""`, `"__proto__"`, `"constructor"`, `"10"`, `"2"`, `"-1"`, `"name"`, `"Name"`, `"n\u0061me"`, `"method"`, `"METHOD"`,
		`"\u017f"`, "\"\u017f\"", `"par\u0061ms"`, `"a\u0000"`, `"\ud83d\ude00"`, "\"\U0001F600\"", "\"\uff5e\"", "\"e\u0301\"", `"\u00e9"`, `"\\"`, `"\/"`, `"toString"`, `"$ref"`}
	nastyValues = []string{`0`, `-0`, `1.0`, `1`, `1e400`, `-1e-400`, `1E+2`, `0.10`, `9007199254740993`, `12345678901234567890123`, `1e0`, `-0.0e-0`,
		`123456789.123456789e-12`, `4.9e-324`, `1.7976931348623159e308`, `true`, `false`, `null`, `""`, `[]`, `{}`, `[[]]`, `"\u2028\u2029"`, "\"\u2028\"", `"\ud800\udc00"`, `"\uD83D\uDE00"`,
		`"\ud800"`, `"\udc00\ud800"`, `"\u0000"`, "\"\x7f\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", `"\b\f\n\r\t\"\\\/"`, `"\x41"`, `01`, `+1`, `.5`, `1.`, `NaN`, `Infinity`, `'a'`, "\"\t\"",
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":1,"A":2}`, `"\ufeff"`, "\"\ufffe\"", "\"\U0010FFFF\"", `1 2`, `[1,]`, `/**/1`, "\u00a01"}
)

// message returns one message, mutated up to four times.
func (g mutator) message() []byte {
	raw := []byte(g.seed())
	for range g.IntN(5) {
		raw = g.mutate(raw)
	}
	return raw
}

func (g mutator) seed() string { return seeds[g.IntN(len(seeds))] }

// mutate changes one thing. Half the mutations know the structure, so that
// many of their results are accepted and compared.
func (g mutator) mutate(raw []byte) []byte {
	v, err := wire.ParseValue(raw, wire.DefaultLimits())
	if err != nil || g.IntN(12) == 0 {
		return g.bytes(raw)
	}
	values, objects := walk(v, nil, nil)
	if len(objects) == 0 {
		return g.bytes(raw)
	}
	at := values[g.IntN(len(values))]
	switch g.IntN(8) {
	case 0: // a value of another message
		if other, err := wire.ParseValue([]byte(g.seed()), wire.DefaultLimits()); err == nil {
			from, _ := walk(other, nil, nil)
			return replace(raw, at, from[g.IntN(len(from))].Raw())
		}
	case 1:
		return replace(raw, at, []byte(nastyValues[g.IntN(len(nastyValues))]))
	case 2:
		return replace(raw, at, g.number())
	case 3: // a new member, perhaps a duplicate
		obj := objects[g.IntN(len(objects))]
		start, _ := obj.Range()
		member := nastyKeys[g.IntN(len(nastyKeys))] + ":" + nastyValues[g.IntN(len(nastyValues))]
		if obj.Len() > 0 {
			member += ","
		}
		return insert(raw, start+1, member)
	case 4: // a member once more
		obj := objects[g.IntN(len(objects))]
		start, _ := obj.Range()
		for k, member := range obj.Members() {
			if g.IntN(2) == 0 {
				return insert(raw, start+1, g.spell(k.Key)+":"+string(member.Raw())+",")
			}
		}
	case 5: // another spelling of a string
		for _, s := range values {
			if text, ok := s.Text(); ok && g.IntN(3) == 0 {
				return replace(raw, s, []byte(g.spell(text)))
			}
		}
	case 6:
		n := 1 + g.IntN(70)
		if g.IntN(2) == 0 {
			return replace(raw, at, []byte(strings.Repeat("[", n)+string(at.Raw())+strings.Repeat("]", n)))
		}
		return replace(raw, at, []byte(strings.Repeat(`{"k":`, n)+string(at.Raw())+strings.Repeat("}", n)))
	case 7: // white space around a value
		start, end := at.Range()
		space := []string{" ", "\t", "\n", "\r\n", "\v", "\u00a0"}[g.IntN(6)]
		return insert(insert(raw, end, space), start, space)
	}
	return raw
}

// bytes changes, adds or removes some bytes anywhere.
func (g mutator) bytes(raw []byte) []byte {
	if len(raw) == 0 {
		return []byte("{}")
	}
	i := g.IntN(len(raw))
	j := min(len(raw), i+1+g.IntN(4))
	switch g.IntN(5) {
	case 0:
		return append(bytes.Clone(raw[:i]), raw[j:]...)
	case 1:
		return raw[:i]
	case 2:
		return insert(raw, i, string(raw[i:j]))
	case 3:
		return insert(raw, i, string([]byte{byte(g.IntN(256))}))
	}
	out := bytes.Clone(raw)
	out[i] ^= 1 << g.IntN(8)
	return out
}

// number returns a number in a random spelling, at times a broken one.
func (g mutator) number() []byte {
	var b strings.Builder
	if g.IntN(3) == 0 {
		b.WriteByte('-')
	}
	digits := func(max int) {
		for range 1 + g.IntN(max) {
			b.WriteByte(byte('0' + g.IntN(10)))
		}
	}
	digits(25)
	if g.IntN(50) == 0 {
		b.WriteString(strings.Repeat("7", 3900)) // below the 4,000 digits up to which integers are compared
	}
	if g.IntN(3) == 0 {
		b.WriteByte('.')
		digits(20)
	}
	if g.IntN(3) == 0 {
		b.WriteString([]string{"e", "E", "e+", "E-"}[g.IntN(4)])
		digits(4)
	}
	return []byte(b.String())
}

// spell returns text as a JSON string, with needless escapes here and there.
func (g mutator) spell(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case g.IntN(3) > 0 && r < 0x10000:
			quoted := wire.Quote(string(r))
			b.Write(quoted[1 : len(quoted)-1])
		case r >= 0x10000:
			fmt.Fprintf(&b, `\u%04x\u%04X`, 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String() + `"`
}

// walk returns all values of a text, and those that are objects.
func walk(v wire.Value, values, objects []wire.Value) (all, maps []wire.Value) {
	values = append(values, v)
	if v.Kind() == wire.Object {
		objects = append(objects, v)
	}
	for _, member := range v.Members() {
		values, objects = walk(member, values, objects)
	}
	for element := range v.Elements() {
		values, objects = walk(element, values, objects)
	}
	return values, objects
}

func replace(raw []byte, v wire.Value, text []byte) []byte {
	start, end := v.Range()
	return append(append(bytes.Clone(raw[:start]), text...), raw[end:]...)
}

func insert(raw []byte, at int, text string) []byte {
	return append(append(bytes.Clone(raw[:at]), text...), raw[at:]...)
}
