package trail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/auditlog"
)

// fake is a log in memory that counts what is read of it.
type fake struct {
	name  auditlog.Name
	rows  []auditlog.Record
	reads int
}

func (f *fake) Name() auditlog.Name { return f.name }
func (f *fake) Size() uint64        { return uint64(len(f.rows)) }
func (f *fake) Read(from, to uint64, fn func(auditlog.Record) error) error {
	for _, r := range f.rows[from:to] {
		f.reads++
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

const noon = 1795910259000

// add appends an entry; part "" is one whose key is gone.
func (f *fake) add(ms int64, kind, x, dec, part string) {
	r := auditlog.Record{Index: uint64(len(f.rows))}
	leaf := map[string]any{"t": noon + ms, "kind": kind, "log": f.name, "v": 1, "h": "x"}
	if x != "" {
		leaf["x"] = x
	}
	if dec != "" {
		leaf["dec"] = dec
	}
	var err error
	if r.Leaf, err = json.Marshal(leaf); err != nil {
		panic(err)
	}
	if part != "" {
		r.Part = []byte(part)
	}
	f.rows = append(f.rows, r)
}

func calls() *fake { return &fake{name: "calls/2026"} }

func read(t *testing.T, q Query, names Names, logs ...Log) []map[string]any {
	t.Helper()
	r := New(logs, q, names)
	var out []map[string]any
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(line.JSON, &m); err != nil {
			t.Fatalf("line %s: %v", line.JSON, err)
		}
		out = append(out, m)
	}
}

// brief writes lines as "index kind exchange".
func brief(lines []map[string]any) string {
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprintf("%v %v %v", l["index"], l["kind"], l["exchange"]))
	}
	return strings.Join(all, "; ")
}

func TestACallIsOneLineAtThePlaceOfItsDecision(t *testing.T) {
	l := calls()
	l.add(0, "call.decided", "a", "allow", `{"actor":"x","method":"tools/call","decision":"allow","outcome":""}`)
	l.add(1, "call.decided", "b", "deny", `{"actor":"x","decision":"deny","outcome":"refused","reason":"denied"}`)
	l.add(2, "call.decided", "c", "allow", `{"decision":"allow"}`)
	l.add(3, "call.finished", "c", "allow", `{"decision":"allow","outcome":"ok"}`)
	l.add(4, "call.finished", "a", "allow", `{"actor":"x","decision":"allow","outcome":"tool_error","status":200}`)
	l.add(5, "call.decided", "d", "allow", `{"decision":"allow"}`)
	l.add(6, "call.decided", "e", "allow", `{"decision":"allow"}`)
	l.add(7, "call.outcome_unknown", "e", "allow", `{"outcome":"unknown"}`)
	l.add(8, "flood.summarised", "", "", `{"count":7}`)
	got := read(t, Query{}, Names{}, l)
	if want := "0 call.finished a; 1 call.decided b; 2 call.finished c; 5 call.decided d; 6 call.outcome_unknown e; 8 flood.summarised "; brief(got) != want {
		t.Fatalf("got  %s\nwant %s", brief(got), want)
	}
	a := got[0]
	if a["outcome"] != "tool_error" || a["method"] != "tools/call" || a["actor"] != "x" || a["finished_index"] != 4.0 || a["time"] != "2026-11-28T23:57:39.000Z" {
		t.Fatalf("folded line %v", a)
	}
	for _, name := range []string{"index", "time", "kind", "exchange", "actor", "server", "method", "name", "decision", "outcome", "reason"} {
		for _, line := range got {
			if _, ok := line[name]; !ok {
				t.Errorf("%s is missing in %v", name, line)
			}
		}
	}
}

// A call that outlives the window is still one line, and nothing else changes.
func TestLongCallsAreFolded(t *testing.T) {
	l := calls()
	l.add(0, "call.decided", "long", "allow", `{}`)
	l.add(0, "call.decided", "open", "allow", `{}`)
	n := 2
	for i := range 3 * window {
		x := fmt.Sprint(i)
		l.add(1, "call.decided", x, "allow", `{}`)
		l.add(1, "call.finished", x, "allow", `{"outcome":"ok"}`)
		n++
		if i == window {
			l.add(1, "call.finished", "long", "allow", `{"outcome":"late"}`)
		}
	}
	got := read(t, Query{}, Names{}, l)
	if len(got) != n {
		t.Fatalf("%d lines of %d calls", len(got), n)
	}
	if got[0]["outcome"] != "late" || got[0]["kind"] != "call.finished" || got[1]["kind"] != "call.decided" {
		t.Fatalf("%v\n%v", got[0], got[1])
	}
	for _, line := range got[2:] {
		if line["kind"] != "call.finished" || line["outcome"] != "ok" {
			t.Fatalf("line %v", line)
		}
	}
	if l.reads > 3*len(l.rows) {
		t.Fatalf("%d reads of %d entries", l.reads, len(l.rows))
	}
}

func TestYearsAreOneSequenceAndControlIsMerged(t *testing.T) {
	old, now, control := &fake{name: "calls/2025"}, calls(), &fake{name: auditlog.Control}
	old.add(10, "call.decided", "a", "allow", `{}`)
	now.add(30, "call.finished", "a", "allow", `{"outcome":"ok"}`)
	now.add(40, "call.decided", "b", "deny", `{}`)
	control.add(5, "system.started", "", "", `{}`)
	control.add(35, "admin.changed", "", "", `{"by":"uid:0"}`)
	got := read(t, Query{}, Names{}, now, control, old)
	if want := "0 system.started ; 0 call.finished a; 1 admin.changed ; 1 call.decided b"; brief(got) != want {
		t.Fatalf("got  %s\nwant %s", brief(got), want)
	}
	if got[1]["log"] != "calls/2025" {
		t.Fatalf("line %v", got[1])
	}
}

// Order is by index, also when the clock went back.
func TestAClockThatGoesBackChangesNoOrder(t *testing.T) {
	l := calls()
	l.add(1000, "call.decided", "a", "deny", `{}`)
	l.add(-5000, "call.decided", "b", "deny", `{}`)
	l.add(2000, "call.decided", "c", "deny", `{}`)
	if got := brief(read(t, Query{}, Names{}, l)); got != "0 call.decided a; 1 call.decided b; 2 call.decided c" {
		t.Fatal(got)
	}
}

func TestFilters(t *testing.T) {
	l, control := calls(), &fake{name: auditlog.Control}
	const p = "s-abcdefghijklmnopqrstuvwxyz"
	l.add(0, "call.decided", "a", "allow", `{"actor":"`+p+`","server":"wiki"}`)
	l.add(1, "call.finished", "a", "allow", `{"actor":"`+p+`","server":"wiki","outcome":"ok","decision":"allow"}`)
	l.add(1000, "call.decided", "b", "deny", `{"actor":"s-bbbbbbbbbbbbbbbbbbbbbbbbbb","server":"git","parent":"a","outcome":"refused","decision":"deny"}`)
	l.add(2000, "session.started", "", "", `{"actor":"`+p+`"}`)
	control.add(3000, "admin.changed", "", "", `{"by":"uid:0","server":"wiki"}`)
	names := Names{
		Of:   func(s string) (string, bool) { return "app", s == p },
		Find: func(s string) (string, bool) { return p, s == "app" },
	}
	at := func(ms int64) time.Time { return time.UnixMilli(noon + ms) }
	for name, c := range map[string]struct {
		q    Query
		want string
	}{
		"everything":      {Query{}, "0 call.finished a; 2 call.decided b; 3 session.started ; 0 admin.changed "},
		"kind":            {Query{Kind: "call.decided"}, "2 call.decided b"},
		"family":          {Query{Kind: "call"}, "0 call.finished a; 2 call.decided b"},
		"no such kind":    {Query{Kind: "cal"}, ""},
		"actor by name":   {Query{Actor: "app"}, "0 call.finished a; 3 session.started "},
		"actor by token":  {Query{Actor: "s-bbbbbbbbbbbbbbbbbbbbbbbbbb"}, "2 call.decided b"},
		"operator":        {Query{Actor: "uid:0"}, "0 admin.changed "},
		"server":          {Query{Server: "wiki"}, "0 call.finished a; 0 admin.changed "},
		"decision":        {Query{Decision: "deny"}, "2 call.decided b"},
		"outcome":         {Query{Outcome: "ok"}, "0 call.finished a"},
		"exchange, parts": {Query{Exchange: "a"}, "0 call.finished a; 2 call.decided b"},
		"since":           {Query{Since: at(1000)}, "2 call.decided b; 3 session.started ; 0 admin.changed "},
		"until":           {Query{Until: at(1000)}, "0 call.finished a"},
		"two at once":     {Query{Server: "wiki", Kind: "admin"}, "0 admin.changed "},
		"nobody":          {Query{Actor: "nobody"}, ""},
	} {
		if got := brief(read(t, c.q, names, l, control)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestNamesStandForPseudonymsAndErasedOnesStay(t *testing.T) {
	l := calls()
	const known, gone = "s-abcdefghijklmnopqrstuvwxyz", "s-22222222222222222222222222"
	l.add(0, "call.decided", "a", "deny", `{"actor":"`+known+`","change":{"agent":"`+known+`"},"note":"see \"`+known+`\" s-short \"s-","name":"s-abc"}`)
	l.add(1, "call.decided", "b", "deny", `{"actor":"`+gone+`"}`)
	l.add(2, "call.decided", "c", "deny", ``)
	names := Names{Of: func(s string) (string, bool) { return "ann \"<b>\u2028", s == known }}
	got := read(t, Query{}, names, l)
	if got[0]["actor"] != "ann \"<b>\u2028" || got[0]["erased"] != nil || got[0]["name"] != "s-abc" {
		t.Errorf("line %v", got[0])
	}
	if change, ok := got[0]["change"].(map[string]any); !ok || change["agent"] != "ann \"<b>\u2028" {
		t.Errorf("inside: %v", got[0]["change"])
	}
	if got[1]["actor"] != gone || got[1]["erased"] != true {
		t.Errorf("line %v", got[1])
	}
	if got[2]["readable"] != false || got[2]["exchange"] != "c" || got[2]["decision"] != "deny" {
		t.Errorf("line %v", got[2])
	}
}

// G07: what a caller chose cannot end the line, nor claim a member of ours.
func TestG07LinesAreOneObjectEach(t *testing.T) {
	l := calls()
	l.add(0, "call.decided", "a", "deny", `{"name":"x\n{\"index\":9}\u2028\u001b[31m","index":99,"time":"never","kind":"admin.changed","log":"control"}`)
	r := New([]Log{l}, Query{}, Names{})
	line, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(line.JSON), "\n\u2028\x1b") {
		t.Fatalf("line %q", line.JSON)
	}
	var m map[string]any
	if err := json.Unmarshal(line.JSON, &m); err != nil || m["index"] != 0.0 || m["log"] != "calls/2026" || m["kind"] != "call.decided" {
		t.Fatalf("%v, %v", m, err)
	}
}

func TestNewestReadsTheEnd(t *testing.T) {
	l := calls()
	for i := range 5000 {
		l.add(int64(i), "call.decided", fmt.Sprint(i), "allow", `{}`)
		l.add(int64(i), "call.finished", fmt.Sprint(i), "allow", `{"outcome":"ok"}`)
	}
	got := read(t, Query{Newest: 10}, Names{}, l)
	if len(got) < 10 || len(got) > 40 || got[len(got)-1]["exchange"] != "4999" {
		t.Fatalf("%d lines: %s", len(got), brief(got))
	}
	if l.reads > 200 {
		t.Fatalf("%d entries were read for the last 10 lines", l.reads)
	}
	for _, line := range got {
		if line["outcome"] != "ok" {
			t.Fatalf("line %v", line)
		}
	}
}

func TestDamagedEntriesAreErrors(t *testing.T) {
	for name, part := range map[string]string{"no object": `[1]`, "cut": `{"a":`, "text": `x`} {
		l := calls()
		l.add(0, "call.decided", "a", "deny", part)
		if _, err := New([]Log{l}, Query{}, Names{}).Next(); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	l := calls()
	l.rows = []auditlog.Record{{Leaf: []byte("{")}}
	if _, err := New([]Log{l}, Query{}, Names{}).Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a damaged leaf: %v", err)
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"24h": "2026-11-28T12:00:00Z", "2026-11-01": "2026-11-01T00:00:00Z", "2026-11-01T10:00:00+02:00": "2026-11-01T08:00:00Z",
	} {
		if got, err := ParseTime(text, now); err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1h", "yesterday", "2026-13-01"} {
		if got, err := ParseTime(text, now); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// Every member that encoding/json finds is found, with the same bytes.
func FuzzSplit(f *testing.F) {
	f.Add([]byte(` {"a":1,"b" : [1,{"c":"]}\\""}] , "\u0064\"":null,"e":{},"f":"x","g":-1.5e3 } `))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"a":true}`))
	f.Fuzz(func(t *testing.T, part []byte) {
		var want map[string]json.RawMessage
		wrong := json.Unmarshal(part, &want) != nil || want == nil
		all, err := split(part)
		if (err != nil) != wrong {
			if part == nil {
				return
			}
			t.Fatalf("split %q: %v", part, err)
		}
		got := map[string]string{}
		for _, m := range all {
			got[strings.ToValidUTF8(m.name, "\ufffd")] = string(m.value)
		}
		if utf8.Valid(part) && len(got) != len(want) {
			t.Fatalf("split %q: %d members, want %d", part, len(got), len(want))
		}
		for name, v := range want {
			if utf8.Valid(part) && got[name] != string(v) {
				t.Fatalf("split %q: %s is %q, want %q", part, name, got[name], v)
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"actor":"s-abcdefghijklmnopqrstuvwxyz","a":"\"s-abcdefghijklmnopqrstuvwxyz"}`))
	f.Add([]byte(`{"kind":1,"kind":{}}`))
	f.Fuzz(func(t *testing.T, part []byte) {
		l := calls()
		l.add(0, "call.decided", "a", "deny", string(part))
		line, err := New([]Log{l}, Query{}, Names{Of: func(string) (string, bool) { return "n\"\n", true }}).Next()
		if err != nil {
			return
		}
		if !json.Valid(line.JSON) {
			t.Fatalf("part %q gives %q", part, line.JSON)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	l := calls()
	for i := range 50_000 {
		part := `{"actor":"s-abcdefghijklmnopqrstuvwxyz","actor_by":"token","token":"t1","peer":"127.0.0.1","server":"wiki","method":"tools/call","name":"search","era":"legacy","version":"2025-11-25","decision":"allow","need":"read","registry":7,"outcome":"ok","bytes_in":120,"bytes_out":300,"sent":true,"elapsed_us":300}`
		l.add(int64(i), "call.decided", fmt.Sprint(i), "allow", part)
		l.add(int64(i), "call.finished", fmt.Sprint(i), "allow", part)
	}
	for b.Loop() {
		r := New([]Log{l}, Query{}, Names{Of: func(string) (string, bool) { return "app", true }})
		for {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/entry")
}

func TestFollowTellsWhatIsOver(t *testing.T) {
	l, control := calls(), &fake{name: auditlog.Control}
	l.add(0, "call.decided", "old", "deny", `{}`)
	f := NewFollow([]Log{l, control}, Query{Decision: "allow"}, Names{})
	poll := func(logs ...Log) string {
		t.Helper()
		lines, err := f.Poll(logs, 1000)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, line := range lines {
			all = append(all, fmt.Sprintf("%s/%d", line.Log, line.Index))
		}
		return strings.Join(all, " ")
	}
	if got := poll(l, control); got != "" {
		t.Fatal(got)
	}
	l.add(1, "call.decided", "a", "allow", `{"decision":"allow"}`)
	l.add(2, "call.decided", "b", "deny", `{"decision":"deny"}`)
	if got := poll(l, control); got != "" {
		t.Fatalf("a call under way, and one that the filter drops: %s", got)
	}
	l.add(3, "call.finished", "a", "allow", `{"decision":"allow"}`)
	next := &fake{name: "calls/2027"}
	next.add(2, "call.finished", "c", "allow", `{"decision":"allow"}`)
	if got := poll(l, control, next); got != "calls/2027/0 calls/2026/3" {
		t.Fatal(got)
	}
	if got := poll(l, control, next); got != "" {
		t.Fatalf("told twice: %s", got)
	}
}
