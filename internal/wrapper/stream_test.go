package wrapper

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// lastIDs lists the Last-Event-ID of each GET.
func (a *app) lastIDs() []string {
	var ids []string
	for _, r := range a.requests() {
		if r.method == "GET" {
			ids = append(ids, r.head.Get("Last-Event-ID"))
		}
	}
	return ids
}

func TestBrokenStreamIsResumed(t *testing.T) {
	note := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`
	waits := make(chan time.Duration, 10)
	gets := 0
	a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, body string) {
		if r.Method == "POST" {
			events(w)("id: a\nretry: 20\ndata:\n\n") // primed, then closed to be polled
			return
		}
		switch gets++; gets {
		case 1:
			events(w)("id: b\ndata: " + note + "\n\ndata: {\"unfinished")
		case 2:
			w.WriteHeader(503)
		default:
			events(w)("id: c\ndata: " + result("1") + "\n\n")
		}
	}), func(c *Config) { c.pause = noPause(waits) })
	a.shake()
	a.send(callLine("1", "t"))
	a.want(note)
	a.want(result("1"))
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(a.lastIDs(), func(id string) bool { return id == "" })
	if !slices.Equal(got, []string{"a", "b", "b"}) {
		t.Errorf("Last-Event-ID %q", got)
	}
	if w := <-waits; w != 20*time.Millisecond {
		t.Errorf("the first wait is %v, the server said 20 ms", w)
	}
	for _, r := range a.requests() {
		if r.method == "GET" && (r.head.Get("Mcp-Session-Id") != sessionID || r.head.Get("Accept") != "text/event-stream") {
			t.Errorf("GET with %v", r.head)
		}
	}
}

func TestStreamThatCannotBeResumedIsAnError(t *testing.T) {
	for name, tc := range map[string]struct {
		first string
		later func(w http.ResponseWriter)
		want  []string
	}{
		"no event id": {": hello\n\n", nil, []string{`"id":1,`, "ended before the answer"}},
		"always 503":  {"id: a\ndata:\n\n", func(w http.ResponseWriter) { w.WriteHeader(503) }, []string{`"id":1,`, `31032`}},
		"forgotten":   {"id: a\ndata:\n\n", func(w http.ResponseWriter) { w.WriteHeader(404) }, []string{`"id":1,`, `31009`}},
		"not JSON":    {"data: {]\n\n", nil, []string{`"id":1,`, `31051`}},
		"other id":    {"data: " + result("2") + "\n\n", nil, []string{`"id":1,`, `31051`}},
		"two values":  {"data: " + result("1") + "\ndata: " + result("1") + "\n\n", nil, []string{`"id":1,`, `31051`}},
		"odd event":   {"event: endpoint2\ndata: {}\n\n", nil, []string{`"id":1,`, `31051`}},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t, noStream(func(w http.ResponseWriter, r *http.Request, body string) {
				if r.Method == "POST" {
					events(w)(tc.first)
					return
				}
				tc.later(w)
			}), func(c *Config) { c.pause = noPause(nil) })
			a.shake()
			a.send(callLine("1", "t"))
			a.wantLike(tc.want...)
			if err := a.end(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAfterTheAnswerNothingPasses(t *testing.T) {
	a := open(t, noStream(func(w http.ResponseWriter, _ *http.Request, _ string) {
		events(w)("data: " + result("1") + "\n\ndata: " + result("1") + "\n\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n")
	}), nil)
	a.shake()
	a.send(callLine("1", "t"))
	a.want(result("1"))
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
}

func TestSessionStreamReconnectsWhereItLeftOff(t *testing.T) {
	note := func(n string) string {
		return `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":` + n + `}}`
	}
	gets := 0
	a := open(t, legacy(func(w http.ResponseWriter, r *http.Request, body string) {
		switch gets++; gets {
		case 1:
			events(w)("id: 1\ndata: " + note("1") + "\n\n")
		case 2:
			w.WriteHeader(409)
		case 3:
			events(w)("id: 3\ndata: " + note("3") + "\n\ndata: " + result("5") + "\n\ndata: nonsense\n\ndata: " + note("4") + "\n\n")
		default:
			w.WriteHeader(405)
		}
	}), func(c *Config) { c.pause = noPause(nil) })
	a.shake()
	for _, n := range []string{"1", "3", "4"} {
		a.want(note(n))
	}
	if err := a.end(); err != nil {
		t.Fatal(err)
	}
	if ids := a.lastIDs(); len(ids) < 3 || ids[0] != "" || ids[1] != "1" || ids[2] != "1" {
		t.Errorf("Last-Event-ID %q", ids)
	}
	if log := a.log.String(); strings.Count(log, "dropped") != 2 {
		t.Errorf("log %s", log)
	}
}

func TestHintIsBounded(t *testing.T) {
	for digits, want := range map[string]time.Duration{
		"0": 0, "1500": 1500 * time.Millisecond, "999999": longest, "9999999999": longest,
	} {
		if got := hint(digits); got != want {
			t.Errorf("hint(%s) = %v", digits, got)
		}
	}
}
