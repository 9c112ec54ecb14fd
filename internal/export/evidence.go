package export

import (
	"context"
	"errors"
	"io"
)

// Pack is what an evidence pack shall hold.
type Pack struct {
	Sources  []Source
	Picked   []Pick
	Run      Run
	Policy   []byte   // the witness policy; nil: none
	Receipts string   // the public key of receipts; "": none
	Extra    []Attach // further files, which no signature covers
}

// Pick is one entry to disclose.
type Pick struct {
	Log   string
	Index uint64
}

// Run is how the pack came to be: what an auditor asks of a report.
type Run struct {
	Report   string `json:"report"`
	Query    string `json:"query"`
	Timezone string `json:"timezone"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Time     string `json:"time"`
	Runner   string `json:"runner"`
	Software string `json:"software"`
}

// Attach is a further file of a pack, below attachments/.
type Attach struct {
	Name string
	Data []byte
}

// Evidence writes an evidence pack: the picked entries with their keys, a proof
// of each, the checkpoints, the public keys and how to verify it. The same
// inputs give the same bytes.
func Evidence(ctx context.Context, w io.Writer, p Pack) error {
	return errors.New("evidence: not yet")
}
