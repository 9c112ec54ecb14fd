package forward

import (
	"context"
	"io"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// old is a server of HTTP+SSE (2024-11-05): first is what its stream begins
// with; answers to what is posted come on the stream.
type old struct {
	*upstream
	stream chan string
}

func newOld(t *testing.T, first string) *old {
	t.Helper()
	o := &old{stream: make(chan string, 16)}
	o.upstream = newUpstream(t, http1.ServerConfig{}, func(http1.Response, *http1.Request, string) {})
	o.handle = func(w http1.Response, r *http1.Request, body string) {
		if r.Method == "POST" {
			if r.Path != "/post" {
				respond(t, w, 404, "", "")
				return
			}
			if m, err := wire.Parse([]byte(body), wire.DefaultLimits(), wire.FromClient); err == nil && m.Kind() == wire.Request {
				o.stream <- "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":" + m.ID().Raw() + ",\"result\":" + initialized + "}\n\n"
			}
			respond(t, w, 202, "", "")
			return
		}
		if err := w.Start(200, http1.Header{{Name: "Content-Type", Value: "text/event-stream"}}, -1); err != nil {
			t.Error(err)
		}
		for text := range o.stream {
			if text == "" {
				return
			}
			if _, err := io.WriteString(w, text); err != nil || w.Flush() != nil {
				return
			}
		}
	}
	o.stream <- first
	t.Cleanup(func() { o.stream <- "" })
	return o
}

func (o *old) row() *registry.Server {
	return o.server(func(s *registry.Server) { s.Transport = registry.SSE })
}

// TestOldTransport: a session over HTTP+SSE, from initialize to its end.
func TestOldTransport(t *testing.T) {
	o, h := newOld(t, ": hello\n\nevent: endpoint\ndata: /post?session=1\n\n"), newHouse(t)
	x := legacy(t, o.row(), initializeText)
	if got := lastOf(t, h, x); !strings.Contains(got, `"id":1`) || !x.Session.Bound {
		t.Error(got)
	}
	if got := lastOf(t, h, legacy(t, o.row(), `"id":"q","method":"tools/list","params":{}`)); !strings.Contains(got, `"id":"q"`) {
		t.Error(got)
	}
	for _, r := range o.requests()[1:] {
		if r.target != "/post?session=1" {
			t.Errorf("%s %s", r.method, r.target)
		}
	}
	o.stream <- ": alive\n\ndata: junk\n\n"
	b := h.backends["up"].backend.(*piped)
	<-b.sessions["s-1"].done
	wantKind(t, "a stream of junk", b.sessions["s-1"].broken(), fault.UpstreamBad)
	_, err := newHouse(t).asker(o.row(), wire.Modern)
	wantKind(t, "the modern era", err, fault.EraMismatch)
}

// TestOldRefusals is U03 and U12 for the stream's first event.
func TestOldRefusals(t *testing.T) {
	for name, first := range map[string]string{
		"elsewhere": "event: endpoint\ndata: http://127.0.0.1:1/post\n\n", "file": "event: endpoint\ndata: file:///etc/passwd\n\n", "no endpoint": "data: {}\n\n",
		"with a user": "event: endpoint\ndata: //user@127.0.0.1/\n\n",
	} {
		o, h := newOld(t, first), newHouse(t)
		_, err := sent(t, h, legacy(t, o.row(), initializeText))
		wantKind(t, name, err, fault.UpstreamBad)
		if len(o.requests()) != 1 {
			t.Errorf("%s: %d requests", name, len(o.requests()))
		}
	}
	for name, up := range map[string]*upstream{
		"json": always(t, 200, "application/json", "{}"), "a page": always(t, 200, "text/html", ""), "404": always(t, 404, "", ""),
	} {
		_, err := sent(t, newHouse(t), legacy(t, up.server(func(s *registry.Server) { s.Transport = registry.SSE }), initializeText))
		wantKind(t, name, err, fault.UpstreamBad)
	}
	up := always(t, 200, "text/event-stream", "")
	_, err := sent(t, newHouse(t), legacy(t, up.server(func(s *registry.Server) { s.Transport = registry.SSE }), initializeText))
	wantKind(t, "an empty stream", err, fault.UpstreamGone)
	srv := &registry.Server{ID: "s", Transport: registry.SSE, URL: "http://127.0.0.1:1/", Private: true}
	_, err = sent(t, newHouse(t), legacy(t, srv, initializeText))
	wantKind(t, "nobody there", err, fault.UpstreamUnreachable)
	o := newOld(t, "event: endpoint\ndata: /refused\n\n")
	_, err = sent(t, newHouse(t), legacy(t, o.row(), initializeText))
	wantKind(t, "a refused message", err, fault.UpstreamGone)
}

// TestOldStreamReads: what the stream may hold.
func TestOldStreamReads(t *testing.T) {
	read := func(text string) ([]byte, error) {
		c := &sse{events: wire.NewEvents(strings.NewReader(text), 1000), ctx: context.Background()}
		return c.Read()
	}
	if line, err := read(": x\n\nid: 1\n\ndata: {}\n\n"); err != nil || string(line) != "{}" {
		t.Errorf("%s, %v", line, err)
	}
	_, err := read("")
	wantKind(t, "the end", err, fault.UpstreamGone)
	_, err = read("event: endpoint\ndata: /x\n\n")
	wantKind(t, "a second endpoint", err, fault.UpstreamBad)
	_, err = read("data: x")
	wantKind(t, "half an event", err, fault.UpstreamGone)
}
