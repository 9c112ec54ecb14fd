// Package export writes what leaves the gateway to be verified elsewhere: the
// static C2SP directory of a log, proofs of inclusion, evidence packs and
// receipts (docs/formats/export.md, evidence.md, receipt.md). It follows
// https://c2sp.org/tlog-tiles and https://c2sp.org/tlog-proof as of 2026-11.
//
// It touches the folder or writer that it is given. It deliberately holds no
// key, reads no store and judges nothing: it writes what a log holds, also when
// that is wrong, so that the package verify, which shares no line with it, can
// say what is wrong.
package export

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"golang.org/x/mod/sumdb/tlog"
)

// Source is one log to write from. The book of the gateway is one, and so is
// the operators' client of a gateway that runs.
type Source interface {
	// Log is the short name: "control", "calls/2026".
	Log() string
	// Origin is the name on the checkpoints and of the key that signs them.
	Origin() string
	// VKey is the public key that verifies the checkpoints, as one line.
	VKey() string
	// Checkpoint returns a signed checkpoint, with the cosignatures that there
	// are, and its size. Entries and hashes below the size stay readable.
	Checkpoint(context.Context) (note []byte, size uint64, err error)
	// Entries calls fn for the entries from..to-1 in order. Slices are valid
	// until fn returns. An error of fn ends the reading and is returned.
	Entries(ctx context.Context, from, to uint64, fn func(Entry) error) error
	// Hashes returns stored hashes of the tree by their tlog.StoredHashIndex.
	Hashes(ctx context.Context, at []int64) ([]tlog.Hash, error)
}

// Rotated is a Source whose key has handed over to another before. Its
// hand-overs go along, so that whoever has an earlier key can follow.
type Rotated interface {
	// Rotations returns the hand-overs of signing keys, one JSON object a line,
	// the oldest first (docs/formats/keystore.md); empty when there are none.
	Rotations() []byte
}

// rotations returns the hand-overs of a source.
func rotations(s Source) []byte {
	if r, ok := s.(Rotated); ok {
		return r.Rotations()
	}
	return nil
}

// Entry is one entry as it is disclosed.
type Entry struct {
	Index uint64
	Leaf  []byte   // the exact bytes in the tree
	Part  []byte   // the header part, a JSON object on one line; nil when its key is gone
	Key   [32]byte // of the commitment to Part
}

// Errors of this package.
var (
	ErrNotEmpty = errors.New("the folder is not empty")
	ErrBehind   = errors.New("the newest checkpoint does not cover the entry yet")
	ErrNoPlace  = errors.New("the answer has no place for a receipt")
)

// logName is what names of logs look like; folders are named after them.
var logName = regexp.MustCompile(`^[a-z]{1,32}(/[0-9a-z]{1,32})?$`)

// checkName refuses a name of a log that is no safe name of a folder. A hostile
// gateway could otherwise lead an operator's client out of its folder
// (TestDirectoryRefusesNames).
func checkName(log string) error {
	if !logName.MatchString(log) {
		return fmt.Errorf("%q is no name of a log", log)
	}
	return nil
}

// Folder returns the name of the folder and of the files of a log.
func Folder(log string) string {
	b := []byte(log)
	for i := range b {
		if b[i] == '/' {
			b[i] = '-'
		}
	}
	return string(b)
}
