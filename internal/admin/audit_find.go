package admin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/trail"
)

// How far the clock of an entry may be off that of its exchange's id, and how
// long after the end of a call its parts may still end.
const (
	idMargin   = 5 * time.Second
	partMargin = 2 * time.Minute
)

// found is where an exchange stands in the logs of the calls.
type found struct {
	refs  []AuditRef
	end   time.Time                       // of a call that is over
	start map[auditlog.Name]uint64        // where the search began
	logs  map[auditlog.Name]*auditlog.Log // that were searched
}

// findExchange finds the entries of an exchange: its decision and its end. The
// id of an exchange tells when it began, so the search begins there. What is
// not found from there on is looked for in everything else before it is said
// not to be there, whatever a clock did (TestAnExchangeIsFoundWhateverItsClock).
func (o *operator) findExchange(ctx context.Context, id string) (found, error) {
	f := found{start: map[auditlog.Name]uint64{}, logs: map[auditlog.Name]*auditlog.Log{}}
	var names []auditlog.Name
	for _, info := range o.cfg.Book.Logs() {
		if !info.Name.IsCalls() {
			continue
		}
		l, err := o.log(string(info.Name))
		if err != nil {
			return f, err
		}
		if f.start[info.Name], err = startOf(l, id); err != nil {
			return f, asError("log "+string(info.Name), err)
		}
		f.logs[info.Name] = l
		names = append(names, info.Name)
	}
	slices.Sort(names)
	decided, err := f.scan(ctx, id, names, false)
	if err == nil && !decided {
		f.refs, f.end = nil, time.Time{}
		if _, err = f.scan(ctx, id, names, true); err == nil {
			clear(f.start)
		}
	}
	if err != nil {
		return f, asError("the exchange", err)
	}
	if len(f.refs) == 0 {
		return f, &Error{Code: NotFound, Message: "the log has no exchange of this id", Fix: "see: ostiary audit query"}
	}
	return f, nil
}

// startOf returns where entries of id may stand at the earliest.
func startOf(l *auditlog.Log, id string) (uint64, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return 0, nil
	}
	return l.Since(time.Unix(u.Time().UnixTime()).Add(-idMargin))
}

// scan collects the entries of id, from where the search begins or from the
// first on, and stops at the end of the call. It reports whether it saw the
// decision.
func (f *found) scan(ctx context.Context, id string, names []auditlog.Name, whole bool) (decided bool, err error) {
	// No other member of a leaf holds quotes (auditlog.Leaf).
	want := []byte(`"x":"` + id + `"`)
	for _, name := range names {
		from, l := f.start[name], f.logs[name]
		if whole {
			from = 0
		}
		err := l.Leaves(from, l.Size(), func(index uint64, raw []byte) error {
			if index%4096 == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if !bytes.Contains(raw, want) {
				return nil
			}
			leaf, err := auditlog.ParseLeaf(raw)
			if err != nil || leaf.Exchange != id {
				return err
			}
			f.refs = append(f.refs, AuditRef{Log: string(name), Index: index})
			begins := leaf.Kind == auditlog.CallDecided
			decided = decided || begins
			if begins && leaf.Decision != "deny" || !decided {
				return nil
			}
			f.end = leaf.Time
			return io.EOF
		})
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return decided, nil
}

// within returns the parts of the logs that hold the exchange and its parts:
// those that a call to /mcp has begin after it and are over soon after it is.
// It is empty when the whole logs must be read.
func (o *operator) within(ctx context.Context, id string) (map[auditlog.Name]trail.Range, error) {
	if id == "" || strings.ContainsAny(id, `"\`) {
		return nil, nil
	}
	f, err := o.findExchange(ctx, id)
	var known *Error
	if errors.As(err, &known) && known.Code == NotFound {
		return nil, nil
	}
	if err != nil || len(f.start) == 0 {
		return nil, err
	}
	all := map[auditlog.Name]trail.Range{}
	for name, l := range f.logs {
		r := trail.Range{From: f.start[name], To: l.Size()}
		if !f.end.IsZero() {
			to, err := l.Since(f.end.Add(partMargin))
			if err != nil {
				return nil, err
			}
			r.To = max(r.From, to)
		}
		for _, ref := range f.refs {
			if ref.Log == string(name) {
				r.To = max(r.To, ref.Index+1)
			}
		}
		all[name] = r
	}
	return all, nil
}
