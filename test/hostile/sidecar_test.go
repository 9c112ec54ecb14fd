package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// analyzer stands in for a detector outside: it knows one name.
type analyzer struct {
	mu     sync.Mutex
	seen   []string
	broken bool
}

func (a *analyzer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var q struct{ Text []string }
	a.mu.Lock()
	defer a.mu.Unlock()
	if json.Unmarshal(body, &q) != nil || a.broken {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	a.seen = append(a.seen, q.Text...)
	lists := make([]string, len(q.Text))
	for i, t := range q.Text {
		if at := strings.Index(t, "Qzymba Wroth"); at >= 0 {
			start := len([]rune(t[:at]))
			lists[i] = fmt.Sprintf(`{"entity_type":"PERSON","start":%d,"end":%d,"score":0.85}`, start, start+12)
		}
		lists[i] = "[" + lists[i] + "]"
	}
	_, _ = io.WriteString(w, "["+strings.Join(lists, ",")+"]")
}

func (a *analyzer) set(broken bool) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.broken = broken
	return slices.Clone(a.seen)
}

// TestSidecarAtTheDoor asks a detector outside: what it finds is hidden both
// ways, it is sent no secret, and without its answer nothing passes (C13).
func TestSidecarAtTheDoor(t *testing.T) {
	a := &analyzer{}
	srv := httptest.NewServer(a)
	defer srv.Close()
	w := newContentWorld(t, peopleProfile+"  sidecar: {url: \""+srv.URL+"/analyze\", private: true, types: [PERSON]}\n")
	w.Must("agent", "set", "app", "--zone", "model", "--reason", "test")
	w.Must("server", "set", "s", "--zone", "model", "--reason", "test")
	c := w.client(t, "app", doortest.LegacyVersion)
	const note = "Zwölf 😀: Qzymba Wroth has the key " + leak
	w.says(`"content":[{"type":"text","text":` + text(note) + `}]`)
	got := c.Tool("1", "echo", `{"text":"Ask Qzymba Wroth."}`).Final()
	if strings.Contains(got, "Qzymba") || !strings.Contains(got, "Zwölf 😀: <PERSON_") {
		t.Errorf("%s", got)
	}
	if sent := string(w.up.Received()); strings.Contains(sent, "Qzymba") {
		t.Errorf("the server received %s", sent)
	}
	seen := a.set(true)
	if !slices.Contains(seen, "Ask Qzymba Wroth.") || strings.Contains(strings.Join(seen, "\n"), leak[4:]) {
		t.Errorf("the detector was sent %q", seen)
	}
	r := c.Tool("2", "echo", `{"text":"Plain Words pass."}`)
	if kindOf(r) != "unscannable" || strings.Contains(string(w.up.Received()), "Plain Words") {
		t.Errorf("a failure let through %s", r.Body)
	}
	if out := w.Must("status", "-o", "json"); !strings.Contains(out, "sidecar detector") {
		t.Errorf("status says nothing of it: %s", out)
	}
	if strings.Contains(w.Process().Output(), "Plain Words") {
		t.Error("the log holds what was sent")
	}
	a.set(false)
	if got := c.Tool("3", "echo", `{"text":"Plain Words pass."}`).Final(); !strings.Contains(got, "<PERSON_") {
		t.Errorf("after it came back: %s", got)
	}
}

// TestSidecarIsReachedSafely: plain text goes to loopback only, and only where
// the operator said so; a certificate that nobody vouches for ends it.
func TestSidecarIsReachedSafely(t *testing.T) {
	tlsServer := httptest.NewTLSServer(&analyzer{})
	defer tlsServer.Close()
	w := newContentWorld(t, peopleProfile+"  sidecar: {url: \""+tlsServer.URL+"/analyze\", private: true}\n")
	c := w.client(t, "app", doortest.LegacyVersion)
	if r := c.Tool("1", "echo", `{"text":"Ask Qzymba Wroth."}`); kindOf(r) != "unscannable" {
		t.Errorf("an unknown authority was believed: %s", r.Body)
	}
	for section, want := range map[string]string{
		"{url: 'http://127.0.0.1:1/analyze'}":                              "private",
		"{url: 'http://10.0.0.1:1/analyze', private: true}":                "loopback",
		"{url: 'https://x.example/analyze', token: clear-text}":            "reference",
		"{url: 'https://x.example/analyze', types: [SECRET]}":              "secrets are found here",
		"{url: 'https://x.example/analyze', types: [NAME]}":                "not a type",
		"{url: 'https://x.example/analyze', entities: {BIRD: SPARROW}}":    "must be a type",
		"{url: 'https://x.example/analyze', min_score: 1.5}":               "between 0 and 1",
		"{url: 'https://x.example/analyze', on_error: ignore}":             "block or flag",
		"{url: 'https://user:pw@x.example/analyze'}":                       "user name",
		"{url: 'https://169.254.169.254/analyze', private: true}":          "does not connect",
		"{url: 'https://x.example/analyze', max_bytes: 1, concurrency: 0}": "max_bytes",
	} {
		path := t.TempDir() + "/ostiary.yaml"
		write(t, path, "version: 1\nmode: enforce\nprivacy:\n  sidecar: "+section+"\n")
		if r := w.Try("config", "validate", path); r.Code == 0 || !strings.Contains(r.Stdout+r.Stderr, want) {
			t.Errorf("%s: %d %s%s, want %q", section, r.Code, r.Stdout, r.Stderr, want)
		}
	}
}
