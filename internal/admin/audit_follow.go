package admin

import (
	"context"
	"encoding/json"
	"time"

	"ostiary.dev/ostiary/internal/trail"
)

// AuditFollow returns what was added to the logs since the page before, and
// waits a moment for it. The first call begins at the end of the logs and is
// recorded; a follower that does not come back within minutes is forgotten.
func (o *operator) AuditFollow(ctx context.Context, q AuditQuery) (AuditPage, error) {
	if o.cfg.Book == nil {
		return AuditPage{}, noBook()
	}
	r, err := o.follower(q)
	if err != nil {
		return AuditPage{}, asError("the log", err)
	}
	p := AuditPage{Lines: []json.RawMessage{}}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 10 {
		logs, err := o.chosen(r.which)
		if err != nil {
			return AuditPage{}, asError("the log", err)
		}
		lines, err := r.follow.Poll(logs, pageLines)
		if err != nil {
			return AuditPage{}, asError("the log", err)
		}
		for _, line := range lines {
			p.Lines = append(p.Lines, line.JSON)
		}
		if len(p.Lines) > 0 || ctx.Err() != nil {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	p.Cursor = o.reads.keep(r, o.cfg.Clock.Now())
	return p, nil
}

func (o *operator) follower(q AuditQuery) (*reading, error) {
	if q.Cursor != "" {
		r, err := o.reads.take(q.Cursor, o.by)
		if err == nil && r.follow == nil {
			err = invalid("ask again", "this reading does not follow the log")
		}
		return r, err
	}
	if err := q.check(); err != nil {
		return nil, err
	}
	logs, err := o.chosen(q.Log)
	if err != nil {
		return nil, err
	}
	if err := o.noteRead("audit.tail", q, logs, 0); err != nil {
		return nil, err
	}
	return &reading{by: o.by, which: q.Log, follow: trail.NewFollow(logs, q.trail(), o.names())}, nil
}
