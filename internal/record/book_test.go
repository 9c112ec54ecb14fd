package record

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// said is a part as a reader sees it.
type said struct {
	Log      string          `json:"-"`
	Time     string          `json:"time"`
	Kind     string          `json:"kind"`
	Exchange string          `json:"exchange"`
	Parent   string          `json:"parent"`
	Actor    string          `json:"actor"`
	ActorBy  string          `json:"actor_by"`
	Token    string          `json:"token"`
	Serial   string          `json:"serial"`
	Peer     string          `json:"peer"`
	Server   string          `json:"server"`
	Method   string          `json:"method"`
	Name     string          `json:"name"`
	Era      string          `json:"era"`
	Version  string          `json:"version"`
	Session  string          `json:"session"`
	Decision string          `json:"decision"`
	Need     string          `json:"need"`
	Registry uint64          `json:"registry"`
	Detail   string          `json:"detail"`
	Policy   string          `json:"policy"`
	Rules    string          `json:"rules"`
	Person   string          `json:"person"`
	JTI      string          `json:"jti"`
	Request  string          `json:"request_sha256"`
	Outcome  *string         `json:"outcome"`
	Reason   string          `json:"reason"`
	Status   int             `json:"status"`
	BytesIn  int             `json:"bytes_in"`
	BytesOut int             `json:"bytes_out"`
	Passed   int             `json:"passed"`
	Dropped  int             `json:"dropped"`
	DropWhy  string          `json:"drop_reason"`
	Sent     bool            `json:"sent"`
	Elapsed  int64           `json:"elapsed_us"`
	Answer   string          `json:"answer_sha256"`
	Stream   string          `json:"stream_sha256"`
	Count    int             `json:"count"`
	Agent    string          `json:"agent"`
	Before   string          `json:"before"`
	After    string          `json:"after"`
	Rows     string          `json:"rows"`
	Keys     uint64          `json:"keys"`
	Subjects uint64          `json:"subjects"`
	Change   json.RawMessage `json:"change"`
	Privacy  any             `json:"privacy"`
}

// ended returns the outcome, "" when the entry has none.
func (s said) ended() string {
	if s.Outcome == nil {
		return ""
	}
	return *s.Outcome
}

// world is a recorder over logs in memory.
type world struct {
	*Step
	t    *testing.T
	rows *logtest.Rows
	keys *logtest.Keys
	now  time.Time
	full atomic.Bool // every append fails
}

var errDisk = errors.New("database or disk is full")

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, rows: &logtest.Rows{}, keys: &logtest.Keys{}, now: noon}
	w.rows.Before = func(auditlog.Batch) error {
		if w.full.Load() {
			return errDisk
		}
		return nil
	}
	w.open(nil)
	return w
}

// open opens the logs, as a start of the gateway does.
func (w *world) open(reserve *Reserve) {
	w.t.Helper()
	clock := clock.Fixed(func() time.Time { return w.now })
	book, err := auditlog.Open(w.keys.Config(reserve.Guard(w.rows), clock))
	if err != nil {
		w.t.Fatal(err)
	}
	w.Step = New(Config{
		Book: book, Clock: clock, Reserve: reserve,
		InTx:      func(fn func(auditlog.Rows) error) error { return fn(w.rows) },
		Pseudonym: func(name string) (string, error) { return "s-" + name, nil },
	})
	w.t.Cleanup(func() { book.Close(context.Background()) })
}

// crash opens the logs anew without a word to the old ones.
func (w *world) reopen() {
	w.t.Helper()
	if err := w.c.Book.Close(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.open(w.c.Reserve)
}

func (w *world) reserve() *Reserve {
	w.t.Helper()
	r, err := OpenReserve(filepath.Join(w.t.TempDir(), "reserve"), 1<<20)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// entries reads every entry of every log; it settles what trails first.
func (w *world) entries() []said {
	w.t.Helper()
	w.settle()
	var all []said
	for _, info := range w.c.Book.Logs() {
		l, err := w.c.Book.Log(info.Name)
		if err != nil {
			w.t.Fatal(err)
		}
		err = l.Read(0, l.Size(), func(r auditlog.Record) error {
			s := said{Log: string(info.Name)}
			all = append(all, s)
			return json.Unmarshal(r.Part, &all[len(all)-1])
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

// settle waits for what nobody waits for.
func (w *world) settle() {
	w.trail.mu.Lock()
	all := w.trail.all
	w.trail.mu.Unlock()
	for _, one := range all {
		_, _ = one.ticket.Wait(context.Background()) // its error is Flush's business
	}
}

// call returns an exchange that was let through: a call of a tool of a class.
func call(id string, need registry.Access) *exchange.Exchange {
	return &exchange.Exchange{ID: id, Start: noon, Endpoint: "wiki", Server: &registry.Server{ID: "wiki"},
		Principal: identity.Principal{Kind: identity.Client, ID: "app", Pseudonym: "s-app", Method: identity.ByToken, TokenID: "t1"},
		Era:       wire.Modern, Version: wire.V20260728, Fact: wire.Fact{Method: "tools/call", Action: wire.ActTool, Routed: "name"},
		View: &registry.Snapshot{}, Decision: policy.Decision{Allow: true, Reason: policy.ReasonGranted, Need: need, Version: 7}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
