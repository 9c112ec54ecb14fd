package admin

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"ostiary.dev/ostiary/internal/keys"
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

// AuditLog is one log of the gateway. Whoever holds VKey can verify it.
type AuditLog struct {
	Log       string `json:"log"`
	Origin    string `json:"origin"`
	VKey      string `json:"vkey"`
	Size      uint64 `json:"size"`
	Signed    uint64 `json:"signed"`    // size of the newest checkpoint
	Witnessed bool   `json:"witnessed"` // it carries the cosignatures that the policy asks for
}

// AuditRef names one entry by log and index, or the entries of an exchange.
type AuditRef struct {
	Exchange string `json:"exchange,omitempty"`
	Log      string `json:"log,omitempty"`
	Index    uint64 `json:"index,omitempty"`
}

// AuditEntry is one entry as it stands in its log.
type AuditEntry struct {
	Log   string          `json:"log"`
	Index uint64          `json:"index"`
	Leaf  json.RawMessage `json:"leaf"` // what is in the tree
	Line  json.RawMessage `json:"line"` // the whole entry, with names
}

// AuditVerify asks to verify a log from its leaves on. The first request names
// the log and gets a job; later ones name the job, at least every 30 seconds.
type AuditVerify struct {
	Log string `json:"log,omitempty"` // "" = all
	Job string `json:"job,omitempty"`
}

// AuditVerified is how far a verification has come.
type AuditVerified struct {
	Job      string       `json:"job"`
	Log      string       `json:"log"` // the one under way
	Done     uint64       `json:"done"`
	Total    uint64       `json:"total"`
	Finished bool         `json:"finished"`
	Logs     []AuditState `json:"logs"` // what is over
}

// AuditState is the outcome of one log.
type AuditState struct {
	Log   string  `json:"log"`
	Size  uint64  `json:"size"`
	State string  `json:"state"`         // "ok", or "broken"
	Bad   *uint64 `json:"bad,omitempty"` // the first index that is bad
	Why   string  `json:"why,omitempty"`
}

// AuditSign asks for a checkpoint of a log.
type AuditSign struct {
	Log string `json:"log"`
	New bool   `json:"new,omitempty"` // sign what is there now
}

// AuditCheckpoint is a signed checkpoint.
type AuditCheckpoint struct {
	Log  string `json:"log"`
	Size uint64 `json:"size"`
	Note string `json:"note"`
}

// AuditProof proves that an entry is in its log.
type AuditProof struct {
	Log   string          `json:"log"`
	Index uint64          `json:"index"`
	Leaf  json.RawMessage `json:"leaf"`
	Proof string          `json:"proof"` // c2sp.org/tlog-proof@v1
	VKey  string          `json:"vkey"`
}

// AuditExport begins to give entries away: whole logs, or the entries of some
// exchanges as evidence. It is recorded before the first entry leaves.
type AuditExport struct {
	Reason    string   `json:"reason,omitempty"`
	Recipient string   `json:"recipient,omitempty"` // who gets it, for the record
	Exchanges []string `json:"exchanges,omitempty"` // evidence: of these alone; empty = whole logs
}

// AuditExported is what is given away.
type AuditExported struct {
	Export      string          `json:"export"`
	Logs        []AuditExportOf `json:"logs"`
	Picked      []AuditRef      `json:"picked,omitempty"`
	ReceiptVKey string          `json:"receiptVKey"`
	Rotations   []keys.Rotation `json:"rotations,omitempty"` // hand-overs of signing keys, the oldest first
	Policy      string          `json:"policy,omitempty"`    // of witnesses
	Software    string          `json:"software"`
	Runner      string          `json:"runner"`
}

// AuditExportOf is one log as it is given away: up to a checkpoint.
type AuditExportOf struct {
	AuditLog
	Note string `json:"note"`
}

// AuditEntries asks for entries of an export.
type AuditEntries struct {
	Export string `json:"export"`
	Log    string `json:"log"`
	From   uint64 `json:"from"`
	To     uint64 `json:"to"` // exclusive; the answer may end earlier
}

// AuditRaw is one entry with the key that opens its commitment.
type AuditRaw struct {
	Index uint64 `json:"index"`
	Leaf  []byte `json:"leaf"`
	Part  []byte `json:"part,omitempty"` // nil: its key is gone
	Key   []byte `json:"key,omitempty"`
}

// AuditHashes asks for stored hashes of an export, by their index.
type AuditHashes struct {
	Export string  `json:"export"`
	Log    string  `json:"log"`
	At     []int64 `json:"at"`
}

// WitnessView is one witness of the policy.
type WitnessView struct {
	Name  string         `json:"name"`
	Key   string         `json:"key"`
	URL   string         `json:"url,omitempty"`
	State string         `json:"state"` // "ok", "waiting", or what went wrong
	Logs  []WitnessedLog `json:"logs"`
}

// WitnessedLog is what one witness cosigned of one log.
type WitnessedLog struct {
	Log   string     `json:"log"` // its origin
	Size  uint64     `json:"size"`
	At    *time.Time `json:"at,omitempty"` // of the last cosignature since the start
	State string     `json:"state"`        // "ok", "waiting", or what went wrong
}

// WitnessChange adds a witness to the policy file of the data directory, or
// removes one.
type WitnessChange struct {
	Change
	Name   string `json:"name"`
	Key    string `json:"key,omitempty"`
	URL    string `json:"url,omitempty"`
	Need   int    `json:"need,omitempty"` // how many witnesses are enough; 0 = all of them
	Remove bool   `json:"remove,omitempty"`
}
