package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// addSeeds gives a fuzz target the corpus of realistic messages.
func addSeeds(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	for _, s := range []string{"", "{", "[]", `{"a":1,"\u0061":2}`, "\xef\xbb\xbf{}", `{"a":"\ud800"}`, `{"a":1e400,"b":-0}`, "[[[[[[[["} {
		f.Add([]byte(s))
	}
}

// FuzzParse holds that whatever is accepted is JSON to encoding/json too, keeps
// its bytes, and reads the same when it is read again.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		lim := wire.DefaultLimits()
		lim.Bytes, lim.Depth, lim.Members, lim.Elements = 64<<10, 16, 64, 64
		for _, side := range []wire.Side{wire.FromClient, wire.FromServer} {
			m, err := wire.Parse(raw, lim, side)
			if err != nil {
				var refusal *fault.Error
				if !errors.As(err, &refusal) || m != nil && (m.ID().IsZero() || m.Root().Exists()) {
					t.Fatalf("%v: message %v", err, m)
				}
				continue
			}
			if !json.Valid(raw) || !utf8.Valid(raw) {
				t.Fatalf("accepted what encoding/json refuses: %q", raw)
			}
			again, err := wire.Parse(m.Raw(), lim, side)
			if err != nil || again.ID() != m.ID() || again.Method() != m.Method() || again.Name() != m.Name() || again.Kind() != m.Kind() ||
				!bytes.Equal(again.Root().Raw(), m.Root().Raw()) {
				t.Fatalf("reading again differs: %v", err)
			}
			if id := m.Root().Get("id"); id.Exists() && wire.ParseID(m.ID().Raw()) != m.ID() {
				t.Fatalf("id %s does not survive its text", id.Raw())
			}
		}
		if batch, err := wire.ParseBatch(raw, lim, 10); err == nil && (len(batch) == 0 || len(batch) > 10 || !wire.IsBatch(raw)) {
			t.Fatalf("batch of %d", len(batch))
		}
	})
}

// FuzzRewrite holds that removing every member and element that is there, and
// setting one that is not, always gives a message again or a refusal, and that
// one line means one line.
func FuzzRewrite(f *testing.F) {
	for i, s := range seeds {
		f.Add([]byte(s), "key", []byte(`{"a":[1]}`), uint8(i))
	}
	f.Fuzz(func(t *testing.T, raw []byte, key string, text []byte, pick uint8) {
		lim := wire.DefaultLimits()
		m, err := wire.Parse(raw, lim, wire.FromClient)
		if err != nil {
			return
		}
		if one := m.OneLine().Raw(); len(one) != len(raw) || bytes.ContainsAny(one, "\r\n") {
			t.Fatalf("OneLine gives %q", one)
		}
		obj := m.Params()
		if obj.Kind() != wire.Object {
			return
		}
		if n, err := m.Rewrite(wire.SetMember(obj, key, text)); err == nil {
			got := n.Params().Get(key)
			if _, valid := wire.ParseValue(text, lim); utf8.ValidString(key) && valid == nil && !bytes.Equal(got.Raw(), bytes.Trim(text, " \t\r\n")) {
				t.Fatalf("member %q is %q, want %q", key, got.Raw(), text)
			}
		}
		before := obj.Get("arguments")
		if before.Kind() != wire.Object {
			return
		}
		i := 0
		edits := wire.RemoveMembers(before, func(wire.Member, wire.Value) bool { i++; return pick>>(i%8)&1 == 1 })
		n, err := m.Rewrite(edits...)
		if err != nil {
			t.Fatalf("removing members of %q: %v", raw, err)
		}
		if got := n.Params().Get("arguments").Len(); got != before.Len()-len(edits) {
			t.Fatalf("%d members are left of %d less %d", got, before.Len(), len(edits))
		}
	})
}

// FuzzEvents holds that events do not depend on how the bytes arrive, stay
// within the limit, and read the same after they were written again.
func FuzzEvents(f *testing.F) {
	for _, c := range framings {
		f.Add([]byte(c.stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		const max = 1 << 10
		whole, end := readAll(bytes.NewReader(stream), max)
		bytewise, end2 := readAll(iotest.OneByteReader(bytes.NewReader(stream)), max)
		if len(whole) != len(bytewise) || fault.As(end).Kind != fault.As(end2).Kind || errors.Is(end, io.EOF) != errors.Is(end2, io.EOF) {
			t.Fatalf("%d events, %v in one piece; %d events, %v byte by byte", len(whole), end, len(bytewise), end2)
		}
		for i, e := range whole {
			if b := bytewise[i]; b.Name != e.Name || b.ID != e.ID || b.HasID != e.HasID || !bytes.Equal(b.Data, e.Data) || b.Comment != e.Comment {
				t.Fatalf("%+v in one piece, %+v byte by byte", e, b)
			}
			if len(e.Data) > max || e.Comment && (e.Data != nil || e.HasID) {
				t.Fatalf("event %+v", e)
			}
			back, err := readAll(bytes.NewReader(wire.AppendEvent(nil, e)), max)
			if bytes.ContainsAny(e.Data, "\r\n") || len(e.Data) == max {
				continue // more than one line, which OneLine prevents
			}
			if !errors.Is(err, io.EOF) || len(back) != 1 || !bytes.Equal(back[0].Data, e.Data) || back[0].ID != e.ID || back[0].Name != e.Name {
				t.Fatalf("%+v is read back as %+v, %v", e, back, err)
			}
		}
	})
}

// FuzzHeader holds that encoding is inverted by decoding, that an encoded value
// is safe in a header, and that two texts never share one.
func FuzzHeader(f *testing.F) {
	for _, s := range []string{"a", " a", "é", "=?base64?YQ==?=", "=?base64?YQ?=", "a\r\nb", "", "\x00", "=?base64??="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		encoded := wire.EncodeHeader(s)
		if i := slices.IndexFunc([]byte(encoded), func(c byte) bool { return c != '\t' && (c < ' ' || c > '~') }); i >= 0 {
			t.Fatalf("%q is encoded as %q", s, encoded)
		}
		back, err := wire.DecodeHeader(encoded)
		refused := !utf8.ValidString(s) || bytes.ContainsAny([]byte(s), "\r\n\x00")
		if refused != (err != nil) || err == nil && back != s {
			t.Fatalf("%q is encoded as %q and decoded to %q, %v", s, encoded, back, err)
		}
		if text, err := wire.DecodeHeader(s); err == nil && text != s && wire.EncodeHeader(text) != s && !bytes.HasPrefix([]byte(s), []byte("=?base64?")) {
			t.Fatalf("%q decodes to %q", s, text)
		}
	})
}

// FuzzSchema holds that no schema makes the search for annotations panic, and
// that what it finds is fit for a header.
func FuzzSchema(f *testing.F) {
	f.Add([]byte(annotated))
	f.Add([]byte(`{"properties":{"a":{"items":[{"x-mcp-header":"A"}]}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := wire.ParseValue(raw, wire.DefaultLimits())
		if err != nil {
			return
		}
		params, err := wire.HeaderParams(v)
		for _, p := range params {
			if err != nil || len(p.Path) == 0 || wire.EncodeHeader(p.Header) != p.Header || len(p.Header) <= len("Mcp-Param-") {
				t.Fatalf("%+v, %v", p, err)
			}
		}
	})
}
