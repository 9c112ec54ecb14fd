package pii

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// within checks a view's way back: offsets rise, stay inside the source, and there
// is one for every byte and for the end.
func within(t *testing.T, v *view, n int) {
	t.Helper()
	last := 0
	for i := range len(v.b) + 1 {
		at := v.src(i)
		if at < last || at > n {
			t.Fatalf("byte %d comes from %d, after %d, of %d bytes", i, at, last, n)
		}
		last = at
	}
}

// composed checks that the way back through two decodings is one after the other.
func composed(t *testing.T, b []byte, first, second func(view) view) {
	t.Helper()
	one := first(view{b: b})
	both, alone := second(one), second(view{b: one.b})
	for i := range len(both.b) + 1 {
		if got, want := both.src(i), one.src(alone.src(i)); got != want {
			t.Fatalf("byte %d of %q leads to %d, want %d", i, both.b, got, want)
		}
	}
}

// FuzzFold: folding keeps its way back, twice gives the same, and plain text is
// left alone.
func FuzzFold(f *testing.F) {
	for _, s := range []string{"４１１１", "ＡＫＩＡ", "p\u0430ssword", "a\u0301b", "\u200bx\u200d", "𝐀𝟏", "①Ⓐⓑ", "\U000E0041x", "\xff\xfe", "٤١", "e\u0301"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v := fold(view{b: b})
		within(t, &v, len(b))
		if again := fold(view{b: v.b}); utf8.Valid(b) && len(again.b) > len(v.b) {
			t.Fatalf("%q grows to %q", v.b, again.b)
		}
		if !needsFold(b) && utf8.Valid(b) && isASCII(b) && string(v.b) != string(b) {
			t.Fatalf("%q became %q", b, v.b)
		}
	})
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// FuzzUnescape: the three undoings keep their ways back and never grow a text.
func FuzzUnescape(f *testing.F) {
	for _, s := range []string{`\u0041`, `\ud83d\ude00`, `\ud83d`, `\n\t\"\\`, `\`, `\u12`, "%41%4", "%", "&#65;&#x41;&amp;", "&#x110000;", "&", "&#;"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, undo := range map[string]func(view) view{"escape": unescape, "percent": unpercent, "entity": unentity} {
			v := undo(view{b: b})
			within(t, &v, len(b))
			if len(v.b) > len(b) {
				t.Fatalf("%s: %q grew to %q", name, b, v.b)
			}
			composed(t, b, unescape, undo)
			composed(t, b, undo, fold)
		}
	})
}

// FuzzLayers: whatever is wrapped, spans stay in the source.
func FuzzLayers(f *testing.F) {
	for _, s := range []string{"QUtJQVozTVNERjdZUTJMUFdYNEM=", "H4sIAAAAAAAAA0tMSgYAwkEkNQMAAAA=", "414b4941", `{"a":"{\"b\":\"{\\\"c\\\":1}\"}"}`, "%25%34%31"} {
		f.Add([]byte(s))
	}
	s := scanner(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<14 {
			return
		}
		if err := valid(string(b), s.Scan(b)); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzStream: whatever the cuts, what leaves a stream is the text, and what the
// whole text shows is found before its last byte leaves.
func FuzzStream(f *testing.F) {
	f.Add([]byte("key "+ghToken+" and card "+card+" and more words after it"), uint8(7))
	f.Add([]byte(strings.Repeat("words ", 120)+ghToken+strings.Repeat(" words", 120)), uint8(1))
	s := scanner(f, Secret)
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		if len(b) > 1<<12 || step == 0 {
			return
		}
		st := s.NewStream()
		var out []byte
		var spans []Span
		for at := 0; at < len(b); at += int(step) {
			o, p, err := st.Write(b[at:min(len(b), at+int(step))])
			if err != nil {
				t.Fatal(err)
			}
			out, spans = append(out, o...), append(spans, p...)
		}
		o, p := st.Close()
		out, spans = append(out, o...), append(spans, p...)
		if string(out) != string(b) {
			t.Fatalf("%d bytes left of %d", len(out), len(b))
		}
		for _, x := range spans {
			if x.Start < 0 || x.End > len(b) || x.Start >= x.End {
				t.Fatalf("bad span %+v", x)
			}
		}
	})
}
