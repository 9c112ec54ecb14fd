package hostile

import (
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/wire"
	"ostiary.dev/ostiary/test/doortest"
)

var matrix = shared("")

// TestP03Refusals is the part of the matrix in which everything is refused:
// every method that any version knows, in every version, on both endpoints, by
// callers that nobody knows and by an agent without a grant. The rows come from
// the protocol's own table, so a new method has its row at once.
func TestP03Refusals(t *testing.T) {
	w := matrix(t)
	if w.door.Agents["nobody"] == nil {
		w.door.Register("nobody")
	}
	methods := map[string]bool{}
	for _, f := range wire.Facts() {
		if f.From&wire.FromClient != 0 && !f.Notification {
			methods[f.Method] = true
		}
	}
	for _, who := range []string{"none", "unknown", "nobody"} {
		for _, server := range []string{"s", ""} {
			for _, version := range versions {
				t.Run(fmt.Sprintf("%s %q %s", who, server, version), func(t *testing.T) {
					refuses(t, w, caller{who, server, version}, methods)
				})
			}
		}
	}
}

type caller struct{ who, server, version string }

// refuses sends every method as the caller and demands that no byte reaches the
// server and that nothing but the empty lists of /mcp is answered.
func refuses(t *testing.T, w *world, of caller, methods map[string]bool) {
	c := w.clientOf(t, "nobody", of.version)
	c.URL = w.door.URL(of.server)
	switch of.who {
	case "none":
		c.Token = ""
	case "unknown":
		c.Token = c.Token[:len(c.Token)-6] + "AAAAAA"
	}
	w.up.Forget()
	for m := range methods {
		got := c.Call("1", m, `{"name":"s__echo","uri":"test://one","taskId":"t","arguments":{}}`)
		if of.who != "nobody" && (got.Status != 401 || got.Header.Get("WWW-Authenticate") == "") {
			t.Errorf("%s: answered %d with challenge %q, want 401 and one", m, got.Status, got.Header.Get("WWW-Authenticate"))
		}
		if of.server == "s" && got.Message().Result != nil {
			t.Errorf("%s: answered %.200s", m, got.Body)
		}
	}
	if n := w.up.Bytes(); n != 0 {
		t.Errorf("%d bytes reached the server: %.300q", n, w.up.Received())
	}
}

// TestP03Permits is the other side: one call that is granted goes through in
// every version on both endpoints, so the refusals above have another cause.
func TestP03Permits(t *testing.T) {
	w := matrix(t)
	for _, version := range versions {
		for server, tool := range map[string]string{"s": "echo", "": "s__echo"} {
			c := w.clientOf(t, "app", version)
			c.URL = w.door.URL(server)
			if version != doortest.ModernVersion {
				c.Initialize(version, `{}`)
			}
			if got := c.Tool("1", tool, `{"text":"x"}`); got.Text() != "x" {
				t.Errorf("%s on %q: %d %.300s", version, server, got.Status, got.Body)
			}
		}
	}
}
