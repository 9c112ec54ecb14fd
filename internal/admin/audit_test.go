package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
)

// openBook gives w a book with the calls of agent app, two entries each.
func openBook(t *testing.T, w *world, calls int) {
	t.Helper()
	book, err := auditlog.Open(auditlog.Config{Rows: w.store, Origin: "ostiary.dev/gw/0/default", Sealer: w.ring,
		Clock:  clock.Fixed(func() time.Time { return w.now }),
		Signer: func(origin string) note.Signer { return w.ring.LogSigner(origin) },
		VKeys:  func(origin string) []string { return []string{w.ring.LogVKey(origin)} }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.admin.Close()
		if err := book.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	app, err := w.ring.Subject("app")
	if err != nil {
		t.Fatal(err)
	}
	var last *auditlog.Ticket
	for i := range calls {
		for _, kind := range []auditlog.Kind{auditlog.CallDecided, auditlog.CallFinished} {
			last = book.Calls().Submit(auditlog.Entry{Kind: kind, Time: w.now, Exchange: fmt.Sprint("x", i), Decision: "allow", Server: "wiki",
				Part: fmt.Appendf(nil, `{"actor":%q,"decision":"allow","outcome":"ok","server":"wiki"}`, app.Pseudonym)})
		}
	}
	if last != nil {
		if _, err := last.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	w.admin.cfg.Book = book
}

// lines asks and returns every line.
func lines(t *testing.T, api API, q AuditQuery) []string {
	t.Helper()
	var all []string
	for line, err := range AuditLines(ctx, api, q) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(line))
	}
	return all
}

// A question is in the record before its first line leaves, once, with how much
// it gave; one that cannot be recorded gives nothing.
func TestEveryReadIsRecorded(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		openBook(t, w, 2500)
		if got := lines(t, api, AuditQuery{Actor: "app", Server: "wiki"}); len(got) != 2500 {
			t.Fatalf("%d lines", len(got))
		}
		if n := len(w.records.acts(auditlog.AuditRead)); n != 1 {
			t.Fatalf("%d records of one question of three pages", n)
		}
		act := w.records.acts(auditlog.AuditRead)[0]
		text, err := json.Marshal(act.Change)
		if err != nil || !strings.Contains(string(text), `"count":2500`) || !strings.Contains(string(text), `"sizes":{"calls/`) {
			t.Fatalf("recorded %s, %v", text, err)
		}
		if strings.Contains(string(text), `"app"`) {
			t.Fatalf("the record of a question names whom it was about: %s", text)
		}
		w.records.fail(errors.New("the log is closed"))
		for name, ask := range map[string]func() error{
			"query":    func() error { _, err := api.AuditQuery(ctx, AuditQuery{}); return err },
			"tail":     func() error { _, err := api.AuditFollow(ctx, AuditQuery{}); return err },
			"show":     func() error { _, err := api.AuditShow(ctx, AuditRef{Exchange: "x1"}); return err },
			"export":   func() error { _, err := api.AuditExport(ctx, AuditExport{}); return err },
			"evidence": func() error { _, err := api.AuditExport(ctx, AuditExport{Exchanges: []string{"x1"}}); return err },
		} {
			if ask() == nil {
				t.Errorf("%s: answered without a record", name)
			}
		}
	})
}

func TestQuestionsAreBounded(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		openBook(t, w, 30)
		if got := lines(t, api, AuditQuery{Limit: 7}); len(got) != 7 || !strings.Contains(got[0], `"x0"`) {
			t.Errorf("limit: %d lines", len(got))
		}
		if got := lines(t, api, AuditQuery{Last: 7}); len(got) != 7 || !strings.Contains(got[6], `"x29"`) {
			t.Errorf("last: %d lines", len(got))
		}
		at := time.Now()
		for name, q := range map[string]AuditQuery{
			"another log":     {Log: "payloads"},
			"a decision":      {Decision: "perhaps"},
			"a long filter":   {Server: strings.Repeat("x", maxText+1)},
			"a negative":      {Limit: -1},
			"too many":        {Last: maxNewest + 1},
			"both":            {Limit: 1, Last: 1},
			"a range":         {Since: &at, Until: &at},
			"a cursor and so": {Cursor: "c", Server: "wiki"},
		} {
			if _, err := api.AuditQuery(ctx, q); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
		if _, err := api.AuditQuery(ctx, AuditQuery{Cursor: "c"}); err == nil {
			t.Error("a cursor of nobody")
		}
	})
}

// An operator goes on with his own questions and exports only, and evidence
// discloses its entries and no others.
func TestAnExportGivesWhatWasRecorded(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		openBook(t, w, 10)
		x := must[AuditExported](t)(api.AuditExport(ctx, AuditExport{Exchanges: []string{"x3"}}))
		if len(x.Picked) != 2 || len(x.Logs) != 1 {
			t.Fatalf("%+v", x)
		}
		log, index := x.Picked[0].Log, x.Picked[0].Index
		all := must[[]AuditRaw](t)(api.AuditEntries(ctx, AuditEntries{Export: x.Export, Log: log, From: index, To: index + 5}))
		if len(all) != 2 || len(all[0].Key) != 32 || len(all[0].Part) == 0 {
			t.Fatalf("%d entries", len(all))
		}
		for name, q := range map[string]AuditEntries{
			"an entry beside":  {Export: x.Export, Log: log, From: 0, To: 1},
			"beyond the end":   {Export: x.Export, Log: log, From: 1000, To: 1001},
			"another log":      {Export: x.Export, Log: "control", From: 0, To: 1},
			"another export":   {Export: "none", Log: log, From: index, To: index + 1},
			"a range reversed": {Export: x.Export, Log: log, From: index, To: index},
		} {
			if got, err := api.AuditEntries(ctx, q); err == nil {
				t.Errorf("%s: %d entries", name, len(got))
			}
		}
		for _, at := range [][]int64{{-1}, {1 << 40}} {
			if _, err := api.AuditHashes(ctx, AuditHashes{Export: x.Export, Log: log, At: at}); err == nil {
				t.Errorf("hashes at %v", at)
			}
		}
		other := w.admin.As("uid:4711")
		if _, err := other.AuditEntries(ctx, AuditEntries{Export: x.Export, Log: log, From: index, To: index + 1}); err == nil {
			t.Error("another operator reads on")
		}
	})
}

func TestVerifyProveAndSign(t *testing.T) {
	faces(t, func(t *testing.T, w *world, api API) {
		openBook(t, w, 300)
		v := must[AuditVerified](t)(api.AuditVerify(ctx, AuditVerify{}))
		for !v.Finished {
			v = must[AuditVerified](t)(api.AuditVerify(ctx, AuditVerify{Job: v.Job}))
		}
		if len(v.Logs) == 0 || v.Logs[0].State != "ok" || v.Logs[0].Size != 600 {
			t.Fatalf("%+v", v)
		}
		p := must[AuditProof](t)(api.AuditProve(ctx, AuditRef{Exchange: "x299"}))
		if p.Index != 599 || !strings.HasPrefix(p.Proof, "c2sp.org/tlog-proof@v1\n") || !strings.Contains(string(p.Leaf), "call.finished") {
			t.Fatalf("%+v", p)
		}
		c := must[AuditCheckpoint](t)(api.AuditCheckpoint(ctx, AuditSign{Log: p.Log, New: true}))
		if c.Size != 600 || !strings.Contains(c.Note, "\n600\n") {
			t.Fatalf("%+v", c)
		}
		refused(t, errOf(api.AuditProve(ctx, AuditRef{Exchange: "none"})), NotFound)
		refused(t, errOf(api.AuditProve(ctx, AuditRef{Log: p.Log, Index: 600})), NotFound)
		refused(t, errOf(api.AuditProve(ctx, AuditRef{})), Invalid)
		refused(t, errOf(api.AuditVerify(ctx, AuditVerify{Log: "calls/1999"})), NotFound)
		refused(t, errOf(api.AuditVerify(ctx, AuditVerify{Job: "none"})), NotFound)
		refused(t, errOf(api.AuditCheckpoint(ctx, AuditSign{Log: "calls/1999"})), NotFound)
	})
}

func errOf[T any](_ T, err error) error { return err }

// acts returns the recorded acts of one kind.
func (r *recorder) acts(kind auditlog.Kind) (all []auditlog.Act) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.entries {
		if a.Kind == kind {
			all = append(all, a)
		}
	}
	return all
}

// fail lets every further act fail.
func (r *recorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}
