package admin

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// AuditQuery selects lines of the record, oldest first. The zero value of a
// field selects everything. A call has one line: what was decided and how it
// ended, folded.
type AuditQuery struct {
	Log      string     `json:"log,omitempty"` // calls, control, all ("")
	Since    *time.Time `json:"since,omitempty"`
	Until    *time.Time `json:"until,omitempty"`    // exclusive
	Kind     string     `json:"kind,omitempty"`     // call.finished, or call for every kind of that family
	Actor    string     `json:"actor,omitempty"`    // name or pseudonym
	Server   string     `json:"server,omitempty"`   // id
	Decision string     `json:"decision,omitempty"` // allow, deny
	Outcome  string     `json:"outcome,omitempty"`
	Exchange string     `json:"exchange,omitempty"` // id; also the parts of a call to /mcp
	Limit    int        `json:"limit,omitempty"`    // at most this many lines, the oldest; 0 = all
	Last     int        `json:"last,omitempty"`     // only the newest lines; at most 10000, not with Limit
	Cursor   string     `json:"cursor,omitempty"`   // of the page before; every other field is then empty
}

// AuditPage is a part of an answer. Each line is one JSON object with index,
// log, time, kind, exchange, actor, server, method, name, decision, outcome and
// reason, and then what else was recorded.
type AuditPage struct {
	Lines  []json.RawMessage `json:"lines"`
	Cursor string            `json:"cursor,omitempty"` // "" after the last page
}

// AuditLines asks api for every line of q, page by page.
func AuditLines(ctx context.Context, api API, q AuditQuery) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for {
			p, err := api.AuditQuery(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, line := range p.Lines {
				if !yield(line, nil) {
					return
				}
			}
			if p.Cursor == "" {
				return
			}
			q = AuditQuery{Cursor: p.Cursor}
		}
	}
}
