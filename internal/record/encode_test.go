package record

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/auditlog"
)

// fill sets every field of e: a field that part forgets would be lost.
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
		case reflect.Array:
			f.Set(reflect.ValueOf(Sum{byte(n)}))
		case reflect.Struct:
			f.Set(reflect.ValueOf(time.UnixMicro(n % 1e15).UTC()))
		default:
			panic("a field of another kind: " + v.Type().Field(i).Name)
		}
	}
}

// sameAsJSON compares a part with what encoding/json reads of it.
func sameAsJSON(t *testing.T, e *Entry) {
	t.Helper()
	part, err := e.part()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(part, "\n\r\x1b\x00") || !utf8.Valid(part) {
		t.Fatalf("it is not one plain line: %q", part)
	}
	var s said
	d := json.NewDecoder(bytes.NewReader(part))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		t.Fatalf("part %q: %v", part, err)
	}
	text := strings.ToValidUTF8
	for name, c := range map[string][2]string{
		"kind": {s.Kind, string(e.Kind)}, "exchange": {s.Exchange, e.Exchange}, "parent": {s.Parent, e.Parent}, "actor": {s.Actor, e.Actor},
		"actor_by": {s.ActorBy, e.ActorBy}, "token": {s.Token, e.Token}, "serial": {s.Serial, e.Serial}, "peer": {s.Peer, e.Peer},
		"server": {s.Server, e.Server}, "method": {s.Method, e.Method}, "name": {s.Name, e.Name}, "era": {s.Era, e.Era},
		"version": {s.Version, e.Version}, "session": {s.Session, e.Session}, "decision": {s.Decision, e.Decision}, "need": {s.Need, e.Need},
		"detail": {s.Detail, e.Detail}, "policy": {s.Policy, e.Policy}, "rules": {s.Rules, e.Rules}, "person": {s.Person, e.Person}, "jti": {s.JTI, e.JTI}, "agent": {s.Agent, e.Agent}, "before": {s.Before, e.Before}, "after": {s.After, e.After}, "rows": {s.Rows, e.Rows},
	} {
		if text(c[0], "\ufffd") != json1(c[1]) {
			t.Errorf("%s: %q, want %q", name, c[0], c[1])
		}
	}
	if s.Registry != e.Registry || s.Count != e.Count || s.Keys != e.Keys || s.Subjects != e.Subjects || (s.Outcome != nil) != e.Closed {
		t.Errorf("part %s of %+v", part, e)
	}
	if e.Closed && (s.ended() != json1(e.Outcome) || s.Reason != json1(e.Reason) || s.DropWhy != json1(e.DropWhy) || s.Status != e.Status ||
		s.BytesIn != e.BytesIn || s.BytesOut != e.BytesOut || s.Passed != e.Passed || s.Dropped != e.Dropped || s.Sent != e.Sent || s.Elapsed != e.Elapsed) {
		t.Errorf("part %s of %+v", part, e)
	}
	at, err := time.Parse(time.RFC3339Nano, s.Time)
	if err != nil || !at.Equal(e.Time.Truncate(time.Microsecond)) {
		t.Errorf("time %q of %s: %v", s.Time, e.Time, err)
	}
}

// json1 is what JSON makes of a string.
func json1(s string) string {
	b, _ := json.Marshal(s)
	var out string
	_ = json.Unmarshal(b, &out)
	return out
}

func TestPartIsWhatJSONReads(t *testing.T) {
	for _, s := range []string{"", "plain", `q"uo\te`, "line\nfeed\u2028", "\x1b[31m", "nul\x00", "ümläut 🦀", "bad\xff", "<script>&"} {
		for _, n := range []int64{0, 1, -7, 1<<62 + 1} {
			var e Entry
			fill(&e, s, n)
			sameAsJSON(t, &e)
		}
	}
	if _, err := (&Entry{Change: func() {}}).part(); err == nil {
		t.Error("a change that cannot be written was")
	}
}

func FuzzPart(f *testing.F) {
	f.Add("a", int64(1))
	f.Add("\u2028\"", int64(-1))
	f.Fuzz(func(t *testing.T, s string, n int64) {
		var e Entry
		fill(&e, s, n)
		sameAsJSON(t, &e)
	})
}

func BenchmarkPart(b *testing.B) {
	e := Entry{Time: noon, Kind: auditlog.CallFinished, Exchange: "0199c0de-0000-7000-8000-000000000000", Actor: "s-abcdefghijklmnopqrstuvwxyz",
		ActorBy: "token", Token: "t1", Peer: "127.0.0.1", Server: "wiki", Method: "tools/call", Name: "search", Era: "legacy",
		Version: "2025-11-25", Session: "s1", Decision: "allow", Need: "read", Registry: 7, Request: Sum{1}, Closed: true,
		Outcome: "ok", BytesIn: 120, BytesOut: 300, Sent: true, Elapsed: 300, Answer: Sum{2}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.part(); err != nil {
			b.Fatal(err)
		}
	}
}
