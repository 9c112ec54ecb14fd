package protect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// model is a detector outside that finds words it was given.
type model struct {
	words    map[string]pii.Type
	fail     error
	optional bool
	seen     []string
	types    []pii.Type
	answer   func(texts []string) [][]pii.Span
}

func (m *model) Types() []pii.Type { return []pii.Type{pii.Person, pii.Organization, pii.Location} }
func (m *model) Optional() bool    { return m.optional }

func (m *model) Find(_ context.Context, texts []string, types []pii.Type) ([][]pii.Span, error) {
	m.seen, m.types = append(m.seen, texts...), types
	if m.fail != nil {
		return nil, m.fail
	}
	if m.answer != nil {
		return m.answer(texts), nil
	}
	out := make([][]pii.Span, len(texts))
	for i, t := range texts {
		for word, typ := range m.words {
			for from := 0; ; {
				at := strings.Index(t[from:], word)
				if at < 0 {
					break
				}
				out[i] = append(out[i], pii.Span{Start: from + at, End: from + at + len(word), Type: typ, Score: .9})
				from += at + len(word)
			}
		}
	}
	return out, nil
}

func modelWorld(t testing.TB, m *model) *world {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "token")
	w.c.Outside = m
	return w
}

// TestOutsideFindsMore hides what only the detector outside knows, through
// escapes and JSON in texts, and leaves every other byte as it was.
func TestOutsideFindsMore(t *testing.T) {
	const name = "gleeb vrax"
	for in, want := range map[string]string{
		`"content":[{"type":"text","text":"Then gleeb vrax came."}]`:                              `"text":"Then <PERSON_0000000000000001> came."`,
		`"content":[{"type":"text","text":"\u00c9t\u00e9 \ud83d\ude00 gl\u0065eb vr\u0061x \n"}]`: `"text":"\u00c9t\u00e9 \ud83d\ude00 <PERSON_0000000000000001> \n"`,
		`"content":[{"type":"text","text":"{\"Note\":\"Then \\u0067leeb vrax \\\"came\\\".\"}"}]`: `"text":"{\"Note\":\"Then <PERSON_0000000000000001> \\\"came\\\".\"}"`,
		`"structuredContent":{"a":[{"b":"Then gleeb vrax came."}]},"content":[]`:                  `{"b":"Then <PERSON_0000000000000001> came."}`,
	} {
		w := modelWorld(t, &model{words: map[string]pii.Type{name: pii.Person}})
		got, err := w.answered(t, w.call(t, `{}`), result(in))
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s:\n%s\n%v", in, got, err)
		}
		if v := w.vault.byToken; len(v) != 1 {
			t.Errorf("%s: %d pseudonyms", in, len(v))
		}
	}
	w := modelWorld(t, &model{words: map[string]pii.Type{name: pii.Person}})
	x := w.call(t, `{"note":"Tell gleeb vrax to come."}`)
	if err := w.Request(t.Context(), x); err != nil || strings.Contains(string(x.Request.Raw()), name) {
		t.Errorf("arguments: %s %v", x.Request.Raw(), err)
	}
}

// TestOutsideSeesNoSecret holds what is sent: prose without what we know.
func TestOutsideSeesNoSecret(t *testing.T) {
	m := &model{}
	w := modelWorld(t, m)
	_, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"My key é is `+secret+` and card 4111 1111 1111 1111, <PERSON_0123456789ABCDEF> too."},`+
		`{"type":"image","data":"QWJjZGVm","mimeType":"image/png"},{"type":"text","text":"no capital here"}],"nextCursor":"A secret cursor"`))
	if err != nil || len(m.seen) != 1 {
		t.Fatalf("%d texts, %v", len(m.seen), err)
	}
	for _, bad := range []string{secret, secret[8:16], "4111", "0123456789ABCDEF"} {
		if strings.Contains(m.seen[0], bad) {
			t.Errorf("%q was sent in %q", bad, m.seen[0])
		}
	}
	if !strings.HasPrefix(m.seen[0], "My key é is **") || !strings.HasSuffix(m.seen[0], "** too.") {
		t.Errorf("sent %q", m.seen[0])
	}
	if !slices.Equal(m.types, []pii.Type{pii.Person, pii.Location}) {
		t.Errorf("asked for %v, but the profile keeps organisations", m.types)
	}
	m = &model{}
	w = newWorld(t, secretsOnly, "token", "token")
	w.c.Outside = m
	if _, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"Ann Miller came."}]`)); err != nil || len(m.seen) != 0 {
		t.Errorf("a profile that looks for no name sent %q, %v", m.seen, err)
	}
}

// TestOutsideFailsClosed: what it could not examine does not pass, unless the
// operator said so, which the record shows; our own findings are hidden then too.
func TestOutsideFailsClosed(t *testing.T) {
	const text = `"content":[{"type":"text","text":"Mail ann@example.com to Some Body."}]`
	beyond := func(spans ...pii.Span) func([]string) [][]pii.Span {
		return func([]string) [][]pii.Span { return [][]pii.Span{spans} }
	}
	for name, m := range map[string]*model{
		"error":          {fail: errors.New("down")},
		"beyond the end": {answer: beyond(pii.Span{Start: 0, End: 1 << 20, Type: pii.Person})},
		"negative":       {answer: beyond(pii.Span{Start: -1, End: 3, Type: pii.Person})},
		"backwards":      {answer: beyond(pii.Span{Start: 3, End: 3, Type: pii.Person})},
		"no such type":   {answer: beyond(pii.Span{Start: 0, End: 3, Type: "NAME"})},
		"no answer":      {answer: func([]string) [][]pii.Span { return nil }},
	} {
		w := modelWorld(t, m)
		if _, err := w.answered(t, w.call(t, `{}`), result(text)); !fault.Is(err, fault.Unscannable) {
			t.Errorf("%s: got %v", name, err)
		}
		x := w.call(t, `{"note":"Mail Some Body."}`)
		if err := w.Request(t.Context(), x); !fault.Is(err, fault.Unscannable) {
			t.Errorf("%s: a request got %v", name, err)
		}
		m.optional = true
		x = w.call(t, `{}`)
		got, err := w.answered(t, x, result(text))
		if err != nil || !x.Privacy.Degraded || strings.Contains(got, "ann@example.com") {
			t.Errorf("%s, optional: degraded %v, %s %v", name, x.Privacy.Degraded, got, err)
		}
	}
}

// TestMergeLosesNothing checks by random findings of both sides that no two of
// the result overlap, that ours which are proven are whole, and that every byte
// that somebody wants changed is changed.
func TestMergeLosesNothing(t *testing.T) {
	w := modelWorld(t, &model{})
	x := w.call(t, `{}`)
	j := w.job(x, w.c.Profile(), privacy.Client)
	texts := []prose{{text: strings.Repeat("x", 60), path: "result.a"}}
	types := []pii.Type{pii.Person, pii.Organization, pii.Location, pii.Email, pii.NRP}
	seed := uint32(1)
	next := func(n int) int { seed = seed*1664525 + 1013904223; return int(seed>>8) % n }
	for range 20_000 {
		var ours []pii.Span
		for at := next(8); at < 50; at += next(8) {
			sp := pii.Span{Start: at, End: at + 1 + next(6), Type: types[next(len(types))], Score: 0.9}
			ours = append(ours, sp)
			at = sp.End
		}
		var theirs []placed
		for range next(6) {
			at := next(50)
			theirs = append(theirs, placed{pii.Span{Start: at, End: at + 1 + next(9), Type: types[next(len(types))]}, "result.a"})
		}
		walls := w.walls(j, []byte(texts[0].text), ours)
		got := j.merge(ours, slices.Clone(theirs), texts, walls)
		mark := func(spans []pii.Span) (any, changed [60]bool) {
			for _, sp := range spans {
				for i := sp.Start; i < sp.End; i++ {
					any[i] = true
					changed[i] = changed[i] || j.changed(placed{sp, "result.a"})
				}
			}
			return any, changed
		}
		all := slices.Clone(ours)
		for _, sp := range theirs {
			all = append(all, sp.Span)
		}
		for i := 1; i < len(got); i++ {
			if got[i].Start < got[i-1].End {
				t.Fatalf("overlap of %v and %v", got[i-1], got[i])
			}
		}
		a, b := mark(all)
		c, d := mark(got)
		if a != c || b != d {
			t.Fatalf("ours %v theirs %v: got %v", ours, theirs, got)
		}
		for _, sp := range ours {
			if proven(sp) && !slices.Contains(got, sp) {
				t.Fatalf("%v is proven and gone", sp)
			}
		}
	}
}

// FuzzProse holds the way back: what a text of a message says at a place is what
// the message has written there.
func FuzzProse(f *testing.F) {
	f.Add(`A \u00e9 \ud83d\ude00 b`)
	f.Add(`{\"a\":\"B \\u00e9 c\"}`)
	f.Add(`[\"A \\\\u0041 b\"]`)
	f.Fuzz(func(t *testing.T, inside string) {
		m, err := wire.Parse([]byte(`{"jsonrpc":"2.0","id":1,"result":{"a":"`+inside+`"}}`), wire.DefaultLimits(), wire.FromServer)
		if err != nil {
			return
		}
		texts, err := proseOf(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range texts {
			last := p.at(0)
			for i := range p.text {
				at := p.at(i)
				if at < last || at >= len(m.Raw()) {
					t.Fatalf("byte %d of %q is at %d", i, p.text, at)
				}
				last = at
				if c := m.Raw()[at]; c != '\\' && c != p.text[i] {
					t.Fatalf("%q has %q where the message has %q", p.text, p.text[i], c)
				}
			}
			if end := p.at(len(p.text)); end < last || end >= len(m.Raw()) {
				t.Fatal("the end is elsewhere")
			}
		}
	})
}
