package admin

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/auditlog"
)

// v7 is an exchange id of that time.
func v7(at time.Time, n int) string {
	var u uuid.UUID
	ms := at.UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6], u[8], u[14], u[15] = 0x70, 0x80, byte(n>>8), byte(n)
	return u.String()
}

// addCall adds an entry of a call to the log and waits for it.
func addCall(t *testing.T, w *world, kind auditlog.Kind, at time.Time, id, part string) {
	t.Helper()
	ticket := w.admin.cfg.Book.Calls().Submit(auditlog.Entry{Kind: kind, Time: at, Exchange: id, Decision: "allow", Server: "wiki", Part: []byte(part)})
	if _, err := ticket.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// An exchange is found from the time in its id, also when a clock was set back
// or forward, the id tells no time, or the call took a day.
func TestAnExchangeIsFoundWhateverItsClock(t *testing.T) {
	w := newWorld(t)
	openBook(t, w, 0)
	o := w.admin.As("uid:1")
	at := func(minutes int) time.Time { return w.now.Add(time.Duration(minutes) * time.Minute) }
	ids := map[string]string{
		"plain": v7(at(10), 1), "clock back": v7(at(900), 2), "clock forward": v7(at(1), 3), "no time": "x-1", "long": v7(at(0), 5),
		"under way": v7(at(60), 6),
	}
	addCall(t, w, auditlog.CallDecided, at(0), ids["long"], `{"decision":"allow"}`)
	for i := range 40 {
		addCall(t, w, auditlog.CallDecided, at(i), v7(at(i), 100+i), `{"decision":"allow"}`)
		addCall(t, w, auditlog.CallFinished, at(i), v7(at(i), 100+i), `{"decision":"allow","outcome":"ok"}`)
		switch i {
		case 10:
			addCall(t, w, auditlog.CallDecided, at(10), ids["plain"], `{"decision":"allow"}`)
			part := fmt.Sprintf(`{"decision":"allow","parent":%q}`, ids["plain"])
			addCall(t, w, auditlog.CallDecided, at(10), v7(at(10), 99), part)
			addCall(t, w, auditlog.CallFinished, at(10), v7(at(10), 99), part)
			addCall(t, w, auditlog.CallFinished, at(11), ids["plain"], `{"decision":"allow","outcome":"ok"}`)
		case 20:
			addCall(t, w, auditlog.CallDecided, at(20), ids["clock back"], `{"decision":"allow"}`)
			addCall(t, w, auditlog.CallFinished, at(20), ids["clock back"], `{"decision":"allow","outcome":"ok"}`)
		case 30:
			addCall(t, w, auditlog.CallDecided, at(1000), ids["clock forward"], `{"decision":"allow"}`)
			addCall(t, w, auditlog.CallFinished, at(1000), ids["clock forward"], `{"decision":"allow","outcome":"ok"}`)
			addCall(t, w, auditlog.CallDecided, at(30), ids["no time"], `{"decision":"allow"}`)
			addCall(t, w, auditlog.CallFinished, at(30), ids["no time"], `{"decision":"allow","outcome":"ok"}`)
		}
	}
	addCall(t, w, auditlog.CallDecided, at(60), ids["under way"], `{"decision":"allow"}`)
	addCall(t, w, auditlog.CallFinished, at(1500), ids["long"], `{"decision":"allow","outcome":"ok"}`)
	for name, id := range ids {
		want := 2
		if name == "under way" {
			want = 1
		}
		refs, err := o.(*operator).find(ctx, AuditRef{Exchange: id})
		if err != nil || len(refs) != want {
			t.Errorf("%s: %v, %v", name, refs, err)
		}
		got := lines(t, o, AuditQuery{Exchange: id, Log: "calls"})
		if name == "plain" {
			want++ // the line of its part
		}
		if len(got) != max(1, want-1) || !strings.Contains(strings.Join(got, ""), id) {
			t.Errorf("%s: lines %s", name, got)
		}
		if name != "under way" && !strings.Contains(got[0], `"outcome":"ok"`) {
			t.Errorf("%s: no outcome in %s", name, got[0])
		}
	}
	for _, id := range []string{v7(at(10), 77), "x", `x","t":1`, `"`} {
		if _, err := o.(*operator).find(ctx, AuditRef{Exchange: id}); err == nil {
			t.Errorf("%s was found", id)
		}
		if got := lines(t, o, AuditQuery{Exchange: id, Log: "calls"}); len(got) != 0 {
			t.Errorf("%s: lines %s", id, got)
		}
	}
}

// The last lines are the same as without the short way, whatever the filter.
func TestTheLastLinesAreTheLast(t *testing.T) {
	w := newWorld(t)
	openBook(t, w, 0)
	o := w.admin.As("uid:1")
	for i := range 700 {
		at, server := w.now.Add(time.Duration(i)*time.Second), "wiki"
		if i < 5 {
			server = "rare"
		}
		part := fmt.Sprintf(`{"decision":"allow","outcome":"ok","server":%q}`, server)
		book := w.admin.cfg.Book.Calls()
		book.Submit(auditlog.Entry{Kind: auditlog.CallDecided, Time: at, Exchange: v7(at, i), Decision: "allow", Server: server, Part: []byte(part)})
		last := book.Submit(auditlog.Entry{Kind: auditlog.CallFinished, Time: at, Exchange: v7(at, i), Decision: "allow", Server: server, Part: []byte(part)})
		if _, err := last.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []AuditQuery{{}, {Server: "rare"}, {Kind: "call"}, {Kind: "system"}, {Outcome: "none"}, {Log: "control"}} {
		all := lines(t, o, q)
		for _, n := range []int{1, 3, 64, 650, 5000} {
			q.Last = n
			got := lines(t, o, q)
			if want := all[max(0, len(all)-n):]; strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%+v: %d lines instead of %d", q, len(got), len(want))
			}
		}
	}
}
