// Package trail reads the logs for people: it folds the two entries of a call
// into one line, puts names in place of pseudonyms, filters, and merges the
// logs of a tenant by time, holding a bounded part of them at once.
//
// It may touch the logs and the names that it is given. It deliberately writes
// nothing, decides nothing about who may read, and resolves no pseudonym that
// was erased.
package trail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
)

// Log is one log, as far as reading needs it; *auditlog.Log is one.
type Log interface {
	Name() auditlog.Name
	Size() uint64
	Read(from, to uint64, fn func(auditlog.Record) error) error
}

// Names turns pseudonyms into names, and back. Either function may be nil.
type Names struct {
	Of   func(pseudonym string) (name string, ok bool)
	Find func(name string) (pseudonym string, ok bool)
}

// Query selects lines. The zero value of a field selects everything.
type Query struct {
	Since    time.Time
	Until    time.Time // exclusive
	Kind     string    // a kind, or the part before its dot
	Actor    string    // name or pseudonym
	Server   string
	Decision string
	Outcome  string
	Exchange string // also as parent
	Newest   int    // begin so many entries before the end; 0 = with the first
	Within   map[auditlog.Name]Range
}

// Range is a part of a log that is known to hold what is asked for.
type Range struct{ From, To uint64 }

// Line is one line of the answer.
type Line struct {
	Log   auditlog.Name
	Index uint64
	Time  time.Time
	JSON  []byte // an object without line breaks
}

// Reader yields lines, oldest first. It sees the logs as they were when it was
// made. It is not safe for concurrent use.
type Reader struct {
	sources []source
	heads   []*entry // next entry of each source; nil: not read yet
	done    []bool
	query   Query
	names   Names
}

// source yields entries in the order of its log, folded.
type source interface {
	next() (*entry, error) // io.EOF at the end
}

// New returns a reader over logs: at most one control log, and calls logs, which
// it reads as one in the order of their names.
func New(logs []Log, q Query, names Names) *Reader {
	r := &Reader{query: q, names: names}
	if q.Actor != "" && names.Find != nil {
		if p, ok := names.Find(q.Actor); ok {
			r.query.Actor = p
		}
	}
	var calls []Log
	for _, l := range logs {
		if l.Name().IsCalls() {
			calls = append(calls, l)
		} else {
			r.sources = append(r.sources, newWalk([]Log{l}, uint64(q.Newest), q.Within))
		}
	}
	if len(calls) > 0 {
		slices.SortFunc(calls, func(a, b Log) int { return strings.Compare(string(a.Name()), string(b.Name())) })
		r.sources = append(r.sources, newFold(newWalk(calls, 4*uint64(q.Newest), q.Within)))
	}
	r.heads, r.done = make([]*entry, len(r.sources)), make([]bool, len(r.sources))
	return r
}

// Next returns the next line that the query selects, or io.EOF.
func (r *Reader) Next() (Line, error) {
	for {
		e, err := r.pull()
		if err != nil {
			return Line{}, err
		}
		if !r.likely(e) {
			continue
		}
		line, fits, err := r.line(e)
		if err != nil || fits {
			return line, err
		}
	}
}

// Skip leaves out the next n lines.
func (r *Reader) Skip(ctx context.Context, n int) error {
	for ; n > 0; n-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := r.Next(); err != nil {
			return err
		}
	}
	return nil
}

// pull returns the oldest of the heads. Within one log the order is by index
// alone, whatever its clock did.
func (r *Reader) pull() (*entry, error) {
	best := -1
	for i, s := range r.sources {
		if r.heads[i] == nil && !r.done[i] {
			e, err := s.next()
			if errors.Is(err, io.EOF) {
				r.done[i] = true
			} else if err != nil {
				return nil, err
			}
			r.heads[i] = e
		}
		if e := r.heads[i]; e != nil && (best < 0 || e.leaf.Time < r.heads[best].leaf.Time) {
			best = i
		}
	}
	if best < 0 {
		return nil, io.EOF
	}
	e := r.heads[best]
	r.heads[best] = nil
	return e, nil
}

// likely drops what the leaf alone excludes, before its part is taken apart.
func (r *Reader) likely(e *entry) bool {
	t := e.time()
	if !r.query.Since.IsZero() && t.Before(r.query.Since) || !r.query.Until.IsZero() && !t.Before(r.query.Until) {
		return false
	}
	return r.query.Server == "" || e.leaf.Server == "" || e.leaf.Server == r.query.Server
}

// leaf is what a leaf says.
type leaf struct {
	Time     int64  `json:"t"` // ms
	Kind     string `json:"kind"`
	Exchange string `json:"x"`
	Decision string `json:"dec"`
	Server   string `json:"srv"`
	Policy   uint64 `json:"pol"`
}

// entry is one entry of a log, or the two of a call.
type entry struct {
	seq   uint64 // place in the walk
	log   auditlog.Name
	index uint64
	leaf  leaf
	part  []byte
	end   *entry // how the call ended, when it is known
}

func (e *entry) time() time.Time { return time.UnixMilli(e.leaf.Time).UTC() }

func (e *entry) kind() string {
	if e.end != nil {
		return e.end.leaf.Kind
	}
	return e.leaf.Kind
}

// opens reports whether e is a decision that another entry ends.
func (e *entry) opens() bool {
	return e.leaf.Kind == string(auditlog.CallDecided) && e.leaf.Decision != "deny" && e.leaf.Exchange != ""
}

// ends reports whether e says how a call ended.
func (e *entry) ends() bool {
	return (e.leaf.Kind == string(auditlog.CallFinished) || e.leaf.Kind == string(auditlog.CallOutcomeUnknown)) && e.leaf.Exchange != ""
}

func parse(log auditlog.Name, r auditlog.Record) (*entry, error) {
	e := &entry{log: log, index: r.Index, part: r.Part}
	if err := json.Unmarshal(r.Leaf, &e.leaf); err != nil {
		return nil, fmt.Errorf("%s, entry %d: its leaf cannot be read: %w", log, r.Index, err)
	}
	return e, nil
}
