package record

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// fill sets every field of e: a field that line forgets would be lost.
func fill(e *Entry, s string, n int64) {
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(s)
		case reflect.Int, reflect.Int64:
			f.SetInt(n)
		case reflect.Uint64:
			f.SetUint(uint64(max(n, -n)) >> 1)
		case reflect.Bool:
			f.SetBool(n != 0)
		case reflect.Interface:
			if s != "" {
				f.Set(reflect.ValueOf(any(s)))
			}
		default:
			panic("a field of another kind: " + v.Type().Field(i).Name)
		}
	}
}

func sameAsJSON(t *testing.T, e *Entry) {
	t.Helper()
	line, err := e.line()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
		t.Fatalf("not one line: %q", line)
	}
	want, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var a, b Entry
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Fatalf("line says\n%+v, encoding/json\n%+v", a, b)
	}
}

func TestLineIsWhatJSONReads(t *testing.T) {
	for _, s := range []string{"", "plain", `q"uo\te`, "line\nfeed\u2028", "\x1b[31m", "nul\x00", "ümläut 🦀", "bad\xff", "<script>&"} {
		for _, n := range []int64{0, 1, -7, 1<<62 + 1} {
			var e Entry
			fill(&e, s, n)
			sameAsJSON(t, &e)
		}
	}
	if _, err := (&Entry{Change: func() {}}).line(); err == nil {
		t.Error("a change that cannot be written was")
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a", int64(1))
	f.Add("\u2028\"", int64(-1))
	f.Fuzz(func(t *testing.T, s string, n int64) {
		var e Entry
		fill(&e, s, n)
		sameAsJSON(t, &e)
	})
}

func BenchmarkLine(b *testing.B) {
	e := Entry{Time: "2026-11-24T12:00:00.000000Z", Kind: "exchange", Exchange: "0199c0de-0000-7000-8000-000000000000", Actor: "app",
		ActorBy: "token", Token: "t1", Peer: "127.0.0.1", Server: "wiki", Method: "tools/call", Name: "search", Era: "legacy",
		Version: "2025-11-25", Session: "s1", Decision: "allow", Need: "read", Registry: 7, Outcome: "ok", BytesIn: 120, BytesOut: 300, Sent: true, Elapsed: 300}
	for b.Loop() {
		if _, err := e.line(); err != nil {
			b.Fatal(err)
		}
	}
}
