package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/pii"
)

// service is a stand-in for the analyzer: answer gets the texts of a question.
func service(t testing.TB, answer func(w http.ResponseWriter, q question)) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var q question
		if err == nil {
			err = json.Unmarshal(body, &q)
		}
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("not a question: %s %v", r.Method, err)
		}
		answer(w, q)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func says(text string) func(http.ResponseWriter, question) {
	return func(w http.ResponseWriter, _ question) { _, _ = io.WriteString(w, text) }
}

// finder answers like the analyzer: it reports each occurrence of name, counted
// in code points.
func finder(name string) func(http.ResponseWriter, question) {
	return func(w http.ResponseWriter, q question) {
		out := make([][]map[string]any, len(q.Text))
		for i, t := range q.Text {
			out[i] = []map[string]any{}
			for from := 0; ; {
				at := strings.Index(t[from:], name)
				if at < 0 {
					break
				}
				start := utf8.RuneCountInString(t[:from+at])
				out[i] = append(out[i], map[string]any{"entity_type": "PERSON", "start": start, "end": start + utf8.RuneCountInString(name), "score": 0.85,
					"analysis_explanation": nil})
				from += at + len(name)
			}
		}
		_ = json.NewEncoder(w).Encode(out)
	}
}

func client(t testing.TB, url string, change func(*Config)) *Client {
	t.Helper()
	c := Config{URL: url, MinScore: DefaultScore, Do: (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do}
	if change != nil {
		change(&c)
	}
	out, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFindCountsCodePoints(t *testing.T) {
	c := client(t, service(t, finder("Zoë 😀 Ø")), nil)
	texts := []string{"nobody", "é😀 Zoë 😀 Ø and Zoë 😀 Ø", "", "Zoë 😀 Ø"}
	got, err := c.Find(t.Context(), texts, Names)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 2, 0, 1} {
		if len(got[i]) != want {
			t.Fatalf("text %d has %d findings, want %d", i, len(got[i]), want)
		}
		for _, s := range got[i] {
			if texts[i][s.Start:s.End] != "Zoë 😀 Ø" || s.Type != pii.Person {
				t.Errorf("text %d: got %q as %s", i, texts[i][s.Start:s.End], s.Type)
			}
		}
	}
}

func TestTheQuestionIsNoMoreThanNeeded(t *testing.T) {
	var seen question
	var token string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		_ = json.NewDecoder(r.Body).Decode(&seen)
		_, _ = io.WriteString(w, "[[]]")
	}))
	defer srv.Close()
	c := client(t, srv.URL, func(c *Config) {
		c.Token, c.Language, c.MinScore = "t0ken", "de", 0.7
		c.Entities = map[string]string{"DIAGNOSIS": "NRP", "NRP": Ignore}
	})
	if _, err := c.Find(t.Context(), []string{"Er sagt etwas."}, []pii.Type{pii.Person, pii.NRP}); err != nil {
		t.Fatal(err)
	}
	if token != "Bearer t0ken" || seen.Language != "de" || seen.ScoreThreshold != 0.7 || !slices.Equal(seen.Entities, []string{"DIAGNOSIS", "PERSON"}) {
		t.Errorf("asked %+v with %q", seen, token)
	}
	if _, err := c.Find(t.Context(), []string{"x"}, nil); err == nil {
		t.Error("no type is every type for the service; it was asked")
	}
}

// TestHostileAnswers gives the client every answer that is not what was asked
// for. None may count as "nothing found".
func TestHostileAnswers(t *testing.T) {
	one := func(s string) string { return `[[{"entity_type":"PERSON","start":0,"end":3,"score":0.9}],[` + s + `]]` }
	for name, answer := range map[string]string{
		"not JSON":           "<html>Ann</html>",
		"nothing":            "",
		"an object":          `{"error":"Ann was here"}`,
		"one list":           `[{"entity_type":"PERSON","start":0,"end":3,"score":0.9}]`,
		"too few lists":      `[[]]`,
		"too many lists":     `[[],[],[]]`,
		"a null list":        `[[],null]`,
		"null":               `null`,
		"two answers":        `[[],[]][[],[]]`,
		"start before":       one(`{"entity_type":"PERSON","start":-1,"end":3,"score":0.9}`),
		"end beyond":         one(`{"entity_type":"PERSON","start":0,"end":9,"score":0.9}`),
		"end in bytes":       one(`{"entity_type":"PERSON","start":0,"end":8,"score":0.9}`),
		"empty":              one(`{"entity_type":"PERSON","start":3,"end":3,"score":0.9}`),
		"backwards":          one(`{"entity_type":"PERSON","start":3,"end":1,"score":0.9}`),
		"no start":           one(`{"entity_type":"PERSON","end":1,"score":0.9}`),
		"no score":           one(`{"entity_type":"PERSON","start":0,"end":1}`),
		"no type":            one(`{"start":0,"end":1,"score":0.9}`),
		"score of 2":         one(`{"entity_type":"PERSON","start":0,"end":1,"score":2}`),
		"fraction":           one(`{"entity_type":"PERSON","start":0.5,"end":1,"score":0.9}`),
		"a number as text":   one(`{"entity_type":"PERSON","start":"0","end":1,"score":0.9}`),
		"beyond every int":   one(`{"entity_type":"PERSON","start":0,"end":99999999999999999999,"score":0.9}`),
		"an unknown entity":  one(`{"entity_type":"B-PER","start":0,"end":1,"score":0.9}`),
		"an entity of ours":  one(`{"entity_type":"US_SSNX","start":0,"end":1,"score":0.9}`),
		"huge":               "[[],[" + strings.Repeat(" ", maxAnswer) + "]]",
		"too many":           "[[" + strings.Repeat(`{"entity_type":"PERSON","start":0,"end":1,"score":0.9},`, maxFound) + `{"entity_type":"PERSON","start":0,"end":1,"score":0.9}],[]]`,
		"deep":               strings.Repeat("[", 100_000),
		"cut off":            `[[],[{"entity_type":"PERSON","start":0`,
		"a byte order mark":  "\ufeff[[],[]]",
		"a list of a string": `["",[]]`,
	} {
		c := client(t, service(t, says(answer)), nil)
		got, err := c.Find(t.Context(), []string{"Ann says it", "Zoë Ø 1"}, Names)
		if err == nil {
			t.Errorf("%s: got %v, want an error", name, got)
		} else if strings.Contains(err.Error(), "Ann") || strings.Contains(err.Error(), "B-PER") {
			t.Errorf("%s: the error repeats the answer: %v", name, err)
		}
	}
}

func TestWhatWasNotAskedForIsDropped(t *testing.T) {
	c := client(t, service(t, says(`[[{"entity_type":"US_SSN","start":0,"end":1,"score":0.9},{"entity_type":"PERSON","start":0,"end":1,"score":0.4},
		{"entity_type":"PERSON","start":1,"end":2,"score":0.5},{"entity_type":"PERSON","start":0,"end":2,"score":1}]]`)), nil)
	got, err := c.Find(t.Context(), []string{"Ann"}, []pii.Type{pii.Person})
	if err != nil || len(got[0]) != 2 {
		t.Errorf("got %v and %v, want the two findings of PERSON from .5 on, overlapping as they are", got, err)
	}
}

func TestServiceErrorsAreFailures(t *testing.T) {
	elsewhere := service(t, func(http.ResponseWriter, question) { t.Error("a redirect was followed with the texts") })
	for name, answer := range map[string]func(http.ResponseWriter, question){
		"error of the analyzer": func(w http.ResponseWriter, _ question) {
			w.WriteHeader(500)
			_, _ = io.WriteString(w, `{"error":"Ann"}`)
		},
		"no content": func(w http.ResponseWriter, _ question) { w.WriteHeader(204) },
		"a redirect": func(w http.ResponseWriter, _ question) { w.Header().Set("Location", elsewhere); w.WriteHeader(307) },
		"cut off": func(w http.ResponseWriter, _ question) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "[[]")
		},
		"closed": func(http.ResponseWriter, question) { panic(http.ErrAbortHandler) },
	} {
		c := client(t, service(t, answer), nil)
		_, err := c.Find(t.Context(), []string{"Ann says it"}, Names)
		if err == nil || strings.Contains(err.Error(), "Ann") || strings.Contains(err.Error(), "127.0.0.1") && name != "closed" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestASlowServiceIsNotWaitedFor(t *testing.T) {
	release := make(chan struct{})
	url := service(t, func(http.ResponseWriter, question) { <-release })
	defer close(release)
	c := client(t, url, func(c *Config) { c.Timeout = time.Millisecond })
	if _, err := c.Find(t.Context(), []string{"Ann says it"}, Names); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if ok, detail := c.Health(); ok || detail == "" {
		t.Error("the service is called well")
	}
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	c := client(t, service(t, func(w http.ResponseWriter, _ question) {
		entered <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "[[]]")
	}), func(c *Config) { c.Concurrency, c.Timeout = 1, time.Minute })
	done := make(chan error)
	go func() { _, err := c.Find(t.Context(), []string{"Ann"}, Names); done <- err }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Find(ctx, []string{"Bob"}, Names); err == nil {
		t.Error("a second request went out beside the first")
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if ok, _ := c.Health(); !ok {
		t.Error("who went away counts as a failure of the service")
	}
}

func TestTheBreakerOpensAndTriesAgain(t *testing.T) {
	now, calls, fail := time.Unix(1, 0), 0, true
	c := client(t, service(t, func(w http.ResponseWriter, _ question) {
		if calls++; fail {
			w.WriteHeader(503)
			return
		}
		_, _ = io.WriteString(w, "[[]]")
	}), func(c *Config) { c.Clock = clock.Fixed(func() time.Time { return now }) })
	ask := func() error { _, err := c.Find(t.Context(), []string{"Ann"}, Names); return err }
	for range tripAfter + 3 {
		if ask() == nil {
			t.Fatal("no failure")
		}
	}
	if calls != tripAfter+1 || !errors.Is(ask(), errOpen) { // and the probe
		t.Fatalf("the service was asked %d times, want %d", calls, tripAfter+1)
	}
	now = now.Add(openFor)
	if ask() == nil || calls != tripAfter+3 || !errors.Is(ask(), errOpen) {
		t.Fatalf("one try and a probe were to be made, %d were", calls-tripAfter-1)
	}
	now, fail = now.Add(openFor), false
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	if ok, detail := c.Health(); !ok || detail != "" {
		t.Errorf("still %q after an answer", detail)
	}
}

// TestLongTextsAreCut holds that every byte of every text is sent once, that no
// request is longer than allowed, and that offsets survive the cuts.
func TestLongTextsAreCut(t *testing.T) {
	requests := 0
	answer := finder("Zoë")
	c := client(t, service(t, func(w http.ResponseWriter, q question) {
		requests++
		n := 0
		for _, text := range q.Text {
			n += len(text)
			if !utf8.ValidString(text) || strings.Contains(text, "\ufffd") {
				t.Error("a character was cut")
			}
		}
		if n > 100 || len(q.Text) > maxTexts {
			t.Errorf("a request of %d bytes and %d texts", n, len(q.Text))
		}
		answer(w, q)
	}), func(c *Config) { c.Bytes = 100 })
	texts := []string{strings.Repeat("Zoë and ", 100), strings.Repeat("😀", 333), "Zoë", strings.Repeat("line\nZoë ", 40)}
	got, err := c.Find(t.Context(), texts, Names)
	if err != nil || len(got[0]) != 100 || len(got[1]) != 0 || len(got[2]) != 1 || len(got[3]) != 40 {
		t.Fatalf("found %d, %d, %d and %d; %v", len(got[0]), len(got[1]), len(got[2]), len(got[3]), err)
	}
	for i, spans := range got {
		for _, s := range spans {
			if texts[i][s.Start:s.End] != "Zoë" {
				t.Fatalf("text %d: %q", i, texts[i][s.Start:s.End])
			}
		}
	}
	if requests < 20 {
		t.Errorf("only %d requests", requests)
	}
	var all []piece
	for b := range batches([]string{strings.Repeat("x", 2*maxTexts)}, 1) {
		all = append(all, b...)
	}
	if len(all) != 2*maxTexts {
		t.Errorf("%d pieces", len(all))
	}
}

func TestNewRefuses(t *testing.T) {
	for i, c := range []Config{
		{Types: []pii.Type{"NAME"}}, {Types: []pii.Type{pii.Secret}}, {Entities: map[string]string{"X": "NAME"}},
		{Entities: map[string]string{"X": "SECRET"}}, {Entities: map[string]string{"": "PERSON"}}, {Types: []pii.Type{pii.NRP}, Entities: map[string]string{"NRP": Ignore}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("case %d was taken", i)
		}
	}
}

func TestEveryEntityHasAType(t *testing.T) {
	for name, typ := range presidio {
		if !typ.Known() || typ == pii.Secret {
			t.Errorf("%s: %q", name, typ)
		}
	}
	for _, typ := range Names {
		if len(entitiesOf(presidio, []pii.Type{typ})) == 0 {
			t.Errorf("%s has no entity", typ)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`[[{"entity_type":"PERSON","start":0,"end":3,"score":0.9}]]`), "Zoë")
	f.Add([]byte(`[[{"entity_type":"US_SSN","start":-1,"end":3,"score":1e308}]]`), "")
	f.Add([]byte(`[null]`), "x\xff")
	c := client(f, "http://127.0.0.1", nil)
	f.Fuzz(func(t *testing.T, answer []byte, text string) {
		got, err := c.read(answer, []string{text}, pii.Types())
		if err != nil {
			return
		}
		for _, s := range got[0] {
			if s.Start < 0 || s.End <= s.Start || s.End > len(text) || !s.Type.Known() || s.Score < DefaultScore || s.Score > 1 {
				t.Fatal(fmt.Sprint(s))
			}
			if utf8.ValidString(text) && !utf8.ValidString(text[s.Start:s.End]) {
				t.Fatal("a character was cut")
			}
		}
	})
}

func FuzzBatches(f *testing.F) {
	f.Add("a b\nc", "ä", 3)
	f.Fuzz(func(t *testing.T, a, b string, limit int) {
		if limit < 4 || limit > 1<<20 || len(a)+len(b) > 1<<12 {
			return
		}
		texts, next := []string{a, b}, [2]int{}
		for batch := range batches(texts, limit) {
			n := 0
			for _, p := range batch {
				if p.start != next[p.text] || p.end <= p.start {
					t.Fatal("a gap")
				}
				next[p.text] = p.end
				n += p.end - p.start
			}
			if n > limit {
				t.Fatalf("%d bytes of %d", n, limit)
			}
		}
		if next[0] != len(a) || next[1] != len(b) {
			t.Fatal("not all of it")
		}
	})
}
