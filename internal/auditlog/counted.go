package auditlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Counted is what the control log says of a log at one moment: what somebody
// deletes of one log with its checkpoints, or the whole of it, another still
// counts (TestDeletedLogs in internal/app).
type Counted struct {
	Log    Name   `json:"log"`
	Size   uint64 `json:"size"`
	Root   []byte `json:"root"`
	Signed uint64 `json:"signed"` // size of the newest checkpoint
}

// countedPart is the part of an entry that counts the logs.
type countedPart struct {
	Change struct {
		Heads []Counted `json:"heads"`
	} `json:"change"`
}

// Counted counts the logs for an entry of the control log; empty ones are left
// out.
func (b *Book) Counted() ([]Counted, error) {
	heads, err := b.c.Rows.AuditHeads()
	if err != nil {
		return nil, fmt.Errorf("count the logs: %w", err)
	}
	all := []Counted{}
	for _, h := range heads {
		if h.Size == 0 {
			continue
		}
		root, err := tlog.TreeHash(int64(h.Size), hashReader(b.c.Rows, h.Log))
		if err != nil {
			return nil, fmt.Errorf("root of %s: %w", h.Log, err)
		}
		newest, err := b.c.Rows.LatestCheckpoint(h.Log)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("newest checkpoint of %s: %w", h.Log, err)
		}
		all = append(all, Counted{h.Log, h.Size, root[:], newest.Size})
	}
	return all, nil
}

// Lost returns the logs that were not, when the book was opened, what the newest
// entry of the control log that counts them says. They take nothing and are not
// signed.
func (b *Book) Lost() []*Broken { return b.lost }

func (b *Book) isLost(n Name) bool {
	return slices.ContainsFunc(b.lost, func(l *Broken) bool { return l.Log == n })
}

// recount compares the logs with what the control log counts, before anything
// is signed. Without a whole control log nothing can be recorded, so that is an
// error.
func (b *Book) recount() (err error) {
	if b.lost, err = recount(b.c.Rows, b.Control()); err != nil {
		return err
	}
	for _, l := range b.lost {
		if l.Log == b.control() {
			return l
		}
	}
	return nil
}

// RecountRows is what Lost says, also on a book that Open refuses.
func RecountRows(c Config) ([]*Broken, error) {
	heads, err := c.Rows.AuditHeads()
	if err != nil {
		return nil, fmt.Errorf("list the logs: %w", err)
	}
	var control Name
	for _, h := range heads {
		if h.Log.valid() && h.Log.IsControl() && (control == "" || h.Log.Restored() > control.Restored()) {
			control = h.Log
		}
	}
	if control == "" {
		return []*Broken{{Control, 0, "the control log is missing"}}, nil
	}
	b := &Book{c: c.withDefaults(), calls: newOpenCalls()}
	return recount(c.Rows, b.newLog(control))
}

func recount(rows Rows, control *Log) (all []*Broken, err error) {
	said, err := control.counts()
	if err != nil {
		return nil, err
	}
	for _, c := range said {
		why, size, err := c.compare(rows)
		if err != nil {
			return nil, err
		}
		if why != "" {
			all = append(all, &Broken{c.Log, size, why})
		}
	}
	return all, nil
}

// compare says what is wrong with the log, and the size that it has now.
func (c Counted) compare(rows Rows) (why string, size uint64, err error) {
	if size, err = rows.AuditSize(c.Log); err != nil {
		return "", 0, fmt.Errorf("size of %s: %w", c.Log, err)
	}
	if size < c.Size {
		return fmt.Sprintf("the control log counts %d entries, and %d are stored: entries are missing", c.Size, size), size, nil
	}
	root, err := tlog.TreeHash(int64(c.Size), hashReader(rows, c.Log))
	if errors.Is(err, ErrNotFound) || err == nil && string(root[:]) != string(c.Root) {
		return fmt.Sprintf("the first %d entries are not those that the control log counts", c.Size), size, nil
	}
	if err != nil {
		return "", size, fmt.Errorf("root of %s: %w", c.Log, err)
	}
	newest, err := rows.LatestCheckpoint(c.Log)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", size, fmt.Errorf("newest checkpoint of %s: %w", c.Log, err)
	}
	if newest.Size < c.Signed {
		return fmt.Sprintf("the checkpoint of %d entries is missing", c.Signed), size, nil
	}
	return "", size, nil
}

// counts returns what the newest entry that counts the logs says; nil when none
// does. It opens the parts of starts and stops alone.
func (l *Log) counts() (said []Counted, err error) {
	to, err := l.book.c.Rows.AuditSize(l.name)
	if err != nil {
		return nil, fmt.Errorf("size of %s: %w", l.name, err)
	}
	for to > 0 && said == nil {
		from := to - min(to, lookBack)
		var candidates []uint64
		err := l.Leaves(from, to, func(index uint64, leaf []byte) error {
			one, err := ParseLeaf(leaf)
			if err != nil {
				return &Broken{l.name, index, "the entry does not have the form of one of this log"}
			}
			if one.Kind == SystemStarted || one.Kind == SystemStopped {
				candidates = append(candidates, index)
			}
			return nil
		})
		for i := len(candidates) - 1; i >= 0 && err == nil && said == nil; i-- {
			err = l.Read(candidates[i], candidates[i]+1, func(r Record) error {
				var p countedPart
				if r.Part == nil {
					return nil
				}
				err := json.Unmarshal(r.Part, &p)
				said = p.Change.Heads
				return err
			})
		}
		if err != nil {
			return nil, fmt.Errorf("look for the counts of the logs: %w", err)
		}
		to = from
	}
	return said, nil
}
