package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/trail"
)

// Bounds of one page and of one question.
const (
	pageLines   = 1000
	pageBytes   = 1 << 20
	maxNewest   = 10_000
	leastNewest = 64   // entries that are read at once for the last lines
	maxText     = 1024 // bytes of a filter
	mostReads   = 16   // questions under way
	readExpiry  = 5 * time.Minute
)

// noBook says that there is no log to read.
func noBook() *Error {
	return &Error{Code: Unavailable, Message: "the log is not open", Fix: "check with: ostiary doctor"}
}

// reading is a question under way: the lines that are still to come.
type reading struct {
	by     string
	reader *trail.Reader // nil: a follower
	follow *trail.Follow
	which  string // logs that are followed
	left   int    // lines that may still come; < 0: any number
	used   time.Time
}

// AuditQuery returns the first page of the lines that q selects, or the next
// page of an earlier question. The question stands in the control log before
// the first line is given away (TestEveryReadIsRecorded).
func (o *operator) AuditQuery(ctx context.Context, q AuditQuery) (AuditPage, error) {
	if o.cfg.Book == nil {
		return AuditPage{}, noBook()
	}
	if q.Cursor != "" {
		if q != (AuditQuery{Cursor: q.Cursor}) {
			return AuditPage{}, invalid("leave the other fields out", "a cursor goes on with its own question")
		}
		r, err := o.reads.take(q.Cursor, o.by)
		if err == nil && r.reader == nil {
			err = invalid("ask again", "this reading follows the log")
		}
		if err != nil {
			return AuditPage{}, err
		}
		return o.page(ctx, r)
	}
	if err := q.check(); err != nil {
		return AuditPage{}, err
	}
	r, err := o.ask(ctx, q)
	if err != nil {
		return AuditPage{}, asError("the log", err)
	}
	return o.page(ctx, r)
}

// check refuses what no question can be.
func (q AuditQuery) check() error {
	switch q.Log {
	case "", "all", "calls", "control":
	default:
		return invalid("use calls, control or all", "%q is not a log", q.Log)
	}
	switch q.Decision {
	case "", "allow", "deny":
	default:
		return invalid("use allow or deny", "%q is not a decision", q.Decision)
	}
	for _, text := range []string{q.Kind, q.Actor, q.Server, q.Outcome, q.Exchange} {
		if len(text) > maxText {
			return invalid("shorten it", "a filter is longer than %d bytes", maxText)
		}
	}
	if q.Limit < 0 || q.Last < 0 || q.Last > maxNewest || q.Limit > 0 && q.Last > 0 {
		return invalid("use --limit for the oldest lines or at most the last 10000", "the number of lines cannot be right")
	}
	if q.Since != nil && q.Until != nil && !q.Since.Before(*q.Until) {
		return invalid("exchange them", "the time range ends before it begins")
	}
	return nil
}

// ask begins to answer q. It counts the lines first, so that what is recorded
// of the reading is what will be read, and then begins anew over the same
// range: the log only grows behind it.
func (o *operator) ask(ctx context.Context, q AuditQuery) (*reading, error) {
	// What callers were told already is in the answer, also the outcome of a
	// read that still trails.
	if err := o.cfg.Book.Flush(ctx); err != nil {
		return nil, err
	}
	logs, err := o.chosen(q.Log)
	if err != nil {
		return nil, err
	}
	t := q.trail()
	if t.Within, err = o.within(ctx, q.Exchange); err != nil {
		return nil, err
	}
	count, err := o.count(ctx, logs, &t, q)
	if err != nil {
		return nil, err
	}
	r := &reading{by: o.by, left: -1}
	if q.Limit > 0 {
		r.left = q.Limit
	}
	r.reader = trail.New(logs, t, o.names())
	if q.Last > 0 {
		if err := r.reader.Skip(ctx, max(0, count-q.Last)); err != nil {
			return nil, err
		}
		count = min(count, q.Last)
	}
	return r, o.noteRead("audit.query", q, logs, count)
}

// count returns how many lines q selects. For the last ones it begins near the
// end, and goes back as far as it must: until the calls and the control log
// gave that many each, or were read whole.
func (o *operator) count(ctx context.Context, logs []trail.Log, t *trail.Query, q AuditQuery) (int, error) {
	if q.Last > 0 {
		t.Newest = max(q.Last, leastNewest)
	}
	var calls, control uint64 // entries
	for _, l := range logs {
		if l.Name().IsCalls() {
			calls += l.Size()
		} else {
			control += l.Size()
		}
	}
	for {
		ofCalls, ofControl, err := o.countOnce(ctx, logs, *t, q.Limit)
		newest := uint64(t.Newest)
		switch {
		case err != nil || newest == 0:
			return ofCalls + ofControl, err
		case (ofCalls >= q.Last || 4*newest >= calls) && (ofControl >= q.Last || newest >= control):
			return ofCalls + ofControl, nil
		}
		t.Newest *= 8
	}
}

func (o *operator) countOnce(ctx context.Context, logs []trail.Log, t trail.Query, limit int) (calls, control int, err error) {
	r := trail.New(logs, t, o.names())
	for n := 0; limit == 0 || n < limit; n++ {
		if n%pageLines == 0 && ctx.Err() != nil {
			return 0, 0, context.Cause(ctx)
		}
		line, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return calls, control, nil
		case err != nil:
			return 0, 0, err
		case line.Log.IsCalls():
			calls++
		default:
			control++
		}
	}
	return calls, control, nil
}

func (q AuditQuery) trail() trail.Query {
	t := trail.Query{Kind: q.Kind, Actor: q.Actor, Server: q.Server, Decision: q.Decision, Outcome: q.Outcome, Exchange: q.Exchange}
	if q.Since != nil {
		t.Since = *q.Since
	}
	if q.Until != nil {
		t.Until = *q.Until
	}
	return t
}

// names resolves pseudonyms of subjects that were not erased.
func (o *operator) names() trail.Names {
	return trail.Names{
		Of: func(p string) (string, bool) {
			s, ok := o.cfg.Ring.SubjectOf(p)
			if !ok {
				return "", false
			}
			return s.Name(), true
		},
		Find: func(name string) (string, bool) {
			s, ok := o.cfg.Ring.FindSubject(name)
			return s.Pseudonym, ok
		},
	}
}

// fixed is a log that does not grow: every pass sees the same entries.
type fixed struct {
	*auditlog.Log
	size uint64
}

func (f fixed) Size() uint64 { return f.size }

// chosen returns the logs that a question is about, as they are now.
func (o *operator) chosen(which string) ([]trail.Log, error) {
	var all []trail.Log
	for _, info := range o.cfg.Book.Logs() {
		if which == "calls" && !info.Name.IsCalls() || which == "control" && info.Name.IsCalls() {
			continue
		}
		l, err := o.cfg.Book.Log(info.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, fixed{l, l.Size()})
	}
	return all, nil
}

// readRange is what stands in the control log of a reading.
type readRange struct {
	Query json.RawMessage   `json:"query"`
	Sizes map[string]uint64 `json:"sizes"` // of the logs that were read
	Count int               `json:"count"` // lines
}

func (o *operator) noteRead(action string, q AuditQuery, logs []trail.Log, count int) error {
	// The name of a person is looked for by pseudonym, and recorded so: an
	// erased name must not come back through the questions about it.
	if s, ok := o.cfg.Ring.FindSubject(q.Actor); ok {
		q.Actor = s.Pseudonym
	} else if q.Actor != "" && !trail.IsPseudonym(q.Actor) {
		q.Actor = "(unknown)"
	}
	text, err := json.Marshal(q)
	if err != nil {
		return err
	}
	sizes := map[string]uint64{}
	for _, l := range logs {
		sizes[string(l.Name())] = l.Size()
	}
	return o.cfg.Recorder.Act(auditlog.Act{Kind: auditlog.AuditRead, Action: action, By: o.by,
		Change: readRange{Query: text, Sizes: sizes, Count: count}})
}

// page returns the next lines of r.
func (o *operator) page(ctx context.Context, r *reading) (AuditPage, error) {
	p := AuditPage{Lines: []json.RawMessage{}}
	for bytes := 0; len(p.Lines) < pageLines && bytes < pageBytes; r.left-- {
		if r.left == 0 {
			return p, nil
		}
		line, err := r.reader.Next()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return AuditPage{}, asError("the log", err)
		}
		p.Lines = append(p.Lines, line.JSON)
		bytes += len(line.JSON)
	}
	if ctx.Err() != nil {
		return AuditPage{}, asError("the log", context.Cause(ctx))
	}
	p.Cursor = o.reads.keep(r, o.cfg.Clock.Now())
	return p, nil
}
