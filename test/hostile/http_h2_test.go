package hostile

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"ostiary.dev/ostiary/test/doortest"
)

// frames is a client that writes HTTP/2 frames as it likes.
type frames struct {
	*http2.Framer
	t    *testing.T
	head bytes.Buffer
	enc  *hpack.Encoder
}

func (w *world) frames(t *testing.T) *frames {
	t.Helper()
	c := w.clientOf(t, "app", "").Dial("h2").(*tls.Conn)
	if err := c.SetDeadline(time.Now().Add(doortest.Patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := &frames{Framer: http2.NewFramer(c, c), t: t}
	f.enc = hpack.NewEncoder(&f.head)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// block is the head of a good call with length, changed by pairs: each replaces
// the field of its name or, for "+name", is added.
func (f *frames) block(w *world, length int, pairs ...string) []byte {
	f.t.Helper()
	fields := [][2]string{
		{":method", "POST"}, {":scheme", "https"}, {":authority", w.door.Data}, {":path", "/s/s/mcp"},
		{"authorization", "Bearer " + w.door.Agents["app"].Token}, {"content-type", "application/json"},
		{"accept", "application/json, text/event-stream"}, {"content-length", fmt.Sprint(length)},
		{"mcp-protocol-version", "2026-07-28"}, {"mcp-method", "tools/call"}, {"mcp-name", "echo"},
	}
	for i := 0; i < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		if name[0] == '+' {
			fields = append(fields, [2]string{name[1:], value})
			continue
		}
		for j := range fields {
			if fields[j][0] == name {
				fields[j][1] = value
			}
		}
	}
	f.head.Reset()
	for _, h := range fields {
		if err := f.enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}); err != nil {
			f.t.Fatal(err)
		}
	}
	return bytes.Clone(f.head.Bytes())
}

// outcome reads until a stream has a status, is reset, or the connection ends.
func (f *frames) outcome(id uint32) string {
	f.t.Helper()
	dec := hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "closed"
		}
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			fields, err := dec.DecodeFull(frame.HeaderBlockFragment())
			if err != nil {
				f.t.Fatal(err)
			}
			if frame.StreamID == id {
				return fields[0].Value
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == id {
				return "reset"
			}
		case *http2.GoAwayFrame:
			return "closed"
		}
	}
}

// TestH05PseudoHeaders holds that a malformed HTTP/2 head matches no route.
func TestH05PseudoHeaders(t *testing.T) {
	w := httpWorld(t)
	bad := []string{"400", "reset", "closed"}
	for name, c := range map[string]struct {
		want   []string
		fields []string
	}{
		"as it should be":     {[]string{"200"}, nil},
		"path without slash":  {bad, []string{":path", "s/s/mcp"}},
		"empty path":          {bad, []string{":path", ""}},
		"CR LF in the path":   {bad, []string{":path", "/s/s/mcp\r\nX: y"}},
		"NUL in the path":     {bad, []string{":path", "/s/s/mcp\x00"}},
		"space in the path":   {bad, []string{":path", "/s/s/mcp HTTP/1.1"}},
		"absolute path":       {bad, []string{":path", "https://evil.example/s/s/mcp"}},
		"two paths":           {bad, []string{"+:path", "/s/s/mcp"}},
		"LF in the method":    {bad, []string{":method", "POST\n"}},
		"CONNECT":             {bad, []string{":method", "CONNECT"}},
		"two authorities":     {bad, []string{"+host", "evil.example"}},
		"foreign authority":   {[]string{"421"}, []string{":authority", "evil.example"}},
		"user in authority":   {bad, []string{":authority", "a@" + w.door.Data}},
		"transfer-encoding":   {bad, []string{"+transfer-encoding", "chunked"}},
		"connection":          {bad, []string{"+connection", "upgrade"}},
		"CR LF in a field":    {bad, []string{"+x", "a\r\nmcp-name: add"}},
		"upper case in field": {bad, []string{"+X", "a"}},
		"length too small":    {bad, []string{"content-length", "5"}},
		"length too large":    {bad, []string{"content-length", "5000"}},
		"two lengths":         {bad, []string{"+content-length", "5"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := w.frames(t)
			block := f.block(w, len(call), c.fields...)
			if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}); err != nil {
				t.Fatal(err)
			}
			if err := f.WriteData(1, true, []byte(call)); err != nil {
				t.Fatal(err)
			}
			got := f.outcome(1)
			if !slices.Contains(c.want, got) {
				t.Errorf("%s, want one of %s", got, c.want)
			}
			if n := w.up.Bytes(); (n == 0) == (got == "200") {
				t.Errorf("%d bytes reached the server", n)
			}
			for _, r := range w.exchanges()[w.seen:] {
				if (r.Outcome == "ok") != (got == "200") {
					t.Errorf("recorded as %s", r.Line)
				}
			}
			w.mark()
		})
	}
}

// TestH06Floods holds that a connection of reset streams, or of a head without
// end, is dropped while others are served.
func TestH06Floods(t *testing.T) {
	w := httpWorld(t)
	c := w.client(t, doortest.ModernVersion)
	f := w.frames(t)
	dropped := make(chan struct{})
	go func() { // owned by this test, which waits for it below
		defer close(dropped)
		f.outcome(0)
	}()
	opened := 0
	for ; opened < 10_000; opened++ {
		id := uint32(2*opened + 1)
		block := f.block(w, len(call))
		if f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true}) != nil ||
			f.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			break
		}
	}
	<-dropped
	if got := c.Post(good("2026-07-28")); got.Status != 200 || got.Text() != "x" {
		t.Errorf("another connection got %d %s", got.Status, got.Body)
	}

	before := w.resident(t)
	f = w.frames(t)
	err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.block(w, len(call))})
	junk := make([]byte, 16_000)
	sent := 0
	for ; err == nil && sent < 4_096; sent++ {
		err = f.WriteContinuation(1, false, junk)
	}
	if err == nil {
		t.Error("64 MiB of a head went through")
	}
	w.flat(t, before, 64<<20)
	if got := c.Post(good("2026-07-28")); got.Status != 200 || got.Text() != "x" {
		t.Errorf("another connection got %d %s", got.Status, got.Body)
	}
	if n := len(w.up.Calls("tools/call")); n != 2 {
		t.Errorf("%d calls reached the server, want 2", n)
	}
}
