package hostile

import (
	"io"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// TestG09EveryExchangeOpensAndCloses: whatever becomes of an exchange, the log
// holds one opening and one closing entry with its id, and a refusal's single
// entry is both (G09).
func TestG09EveryExchangeOpensAndCloses(t *testing.T) {
	up := doortest.NewUpstream(t, doortest.Config{})
	w := &site{up: up, Door: doortest.Gateway(t, doortest.Options{
		Servers: []doortest.Server{{Name: "s", URL: up.URL()}},
		Agents:  []string{"refused", "malformed", "late", "gone", "stream", "rated"},
		Config:  limits("call_timeout: 1s", "calls_per_minute: 5"),
	})}
	w.Revoke("refused", "s")
	gate := make(chan struct{})
	defer close(gate)
	for _, c := range []struct {
		name, kind, outcome, reason string
		do                          func(*testing.T)
	}{
		{"refused", "call.decided", "refused", "server_unknown", func(t *testing.T) { w.client(t, "refused", "s").Tool("1", "echo", `{}`) }},
		{"malformed", "call.decided", "refused", "not_json", func(t *testing.T) { w.client(t, "malformed", "s").Post(`{"jsonrpc"`) }},
		{"unauthenticated", "call.decided", "refused", "unauthenticated", func(t *testing.T) {
			stranger := w.client(t, "refused", "s")
			stranger.Token = "nobody's"
			stranger.Tool("1", "echo", `{}`)
		}},
		{"rate limited", "call.decided", "refused", "rate_limited", func(t *testing.T) {
			for r := (doortest.Reply{}); r.Status != 429; {
				r = w.client(t, "rated", "s").Tool("1", "echo", `{"text":"x"}`)
			}
		}},
		{"timed out", "call.finished", "failed", "upstream_timeout", func(t *testing.T) {
			up.On("tools/call", doortest.Gated(gate))
			defer up.On("tools/call", nil)
			w.client(t, "late", "s").Tool("1", "echo", `{}`)
		}},
		{"cancelled", "call.finished", "cancelled", "client_gone", func(t *testing.T) {
			up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
				c.Event("", `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`)
				c.Wait(gate)
			})
			defer up.On("tools/call", nil)
			s := w.client(t, "gone", "s")
			stream := s.Open("POST", s.Request("1", "tools/call", `{"name":"echo","arguments":{}}`))
			stream.Close()
		}},
		{"streamed", "call.finished", "ok", "", func(t *testing.T) {
			up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
				for range 3 {
					c.Event("", `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"x"}}`)
				}
				c.Standard()
			})
			defer up.On("tools/call", nil)
			s := w.client(t, "stream", "s")
			stream := s.Open("POST", s.Request("1", "tools/call", `{"name":"echo","arguments":{"text":"x"}}`))
			for {
				if _, err := stream.Next(); err != nil {
					if err != io.EOF {
						t.Error(err)
					}
					return
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(w.Exchanges())
			c.do(t)
			var last doortest.Record
			doortest.Poll(t, "its record", func() bool {
				all := w.since(n)
				if len(all) == 0 {
					return false
				}
				last = all[len(all)-1]
				return last.Reason == c.reason
			})
			if last.Kind != c.kind || last.Outcome != c.outcome || (c.kind == "call.decided") != (last.End == 0) || last.End != 0 && last.End <= last.Index {
				t.Errorf("record %s", last.Line)
			}
		})
	}
	seen := map[string]bool{}
	for _, r := range w.Records() {
		if strings.HasPrefix(r.Kind, "call.") {
			if seen[r.Exchange] || r.Outcome == "" {
				t.Errorf("exchange %s has two lines or no end: %s", r.Exchange, r.Line)
			}
			seen[r.Exchange] = true
		}
	}
	w.verified()
}
