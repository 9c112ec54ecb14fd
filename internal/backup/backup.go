// Package backup writes what a gateway has into files that only the holders of
// age identities open, and reads them back: an archive of the data (sealed
// rows, logs, configuration), and, apart from it, a short-lived one of the
// keys. docs/formats/backup.md has the bytes; the files can be opened with the
// age and tar of anybody.
//
// It touches rows through store.Raw and the files that it is given. It
// deliberately opens no seal, puts no key into an archive of data, repairs
// nothing, and trusts no archive: what it read counts when the manifest at the
// end fits, and a log counts when auditlog has verified it.
package backup

import (
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
)

// Format is what every archive begins with.
const Format = "ostiary-backup/1"

// Kind tells the two archives apart.
type Kind string

// The kinds.
const (
	Data Kind = "data"
	Keys Kind = "keys"
)

// Bounds of an archive. What is larger is not one of ours.
const (
	maxHead     = 64 << 10 // bytes of head.json
	maxFile     = 16 << 20 // of one file of the configuration
	maxKeyFile  = 256 << 20
	maxChunk    = 96 << 20 // of a chunk of rows or entries: it ends after the row that fills it
	maxManifest = 64 << 20
	maxMembers  = 1 << 20
	fullChunk   = 1 << 20   // a chunk that has as much is written
	maxRows     = 256 << 20 // bytes of all sealed rows, which are held in memory
)

// Errors of reading an archive.
var (
	ErrNotOurs  = errors.New("this is not a backup of an Ostiary gateway")
	ErrFormat   = errors.New("a newer version of this program wrote the backup; use that version")
	ErrDamaged  = errors.New("the backup is damaged or was changed")
	ErrKind     = errors.New("this is the other of a backup's two files")
	ErrIdentity = errors.New("the identity does not open this backup")
	ErrForeign  = errors.New("the two files are not of one gateway")
	ErrExpired  = errors.New("the backup of the keys has expired")
	ErrStrict   = errors.New("age is not available in FIPS 140-3 strict mode")
	ErrExists   = errors.New("the file exists already")
	ErrTooLarge = errors.New("the gateway has more rows than a backup takes")
)

// Head is the first member of an archive.
type Head struct {
	Format  string     `json:"format"`
	Kind    Kind       `json:"kind"`
	ID      string     `json:"id"`      // of the backup: both of its files have it
	Gateway string     `json:"gateway"` // what the origins of its logs begin with
	Time    time.Time  `json:"time"`
	Expires *time.Time `json:"expires,omitempty"` // keys only
	Version string     `json:"version"`           // of the program that wrote it
}

// Member is one file inside an archive.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // lower-case hex
}

// LogState is a log as a backup has it.
type LogState struct {
	Name auditlog.Name `json:"name"`
	Size uint64        `json:"size"`
	Root string        `json:"root"`           // base64 of the tree's hash at Size
	Note string        `json:"note,omitempty"` // newest checkpoint
}

// Manifest is the last member but its signature.
type Manifest struct {
	Head    Head       `json:"head"`
	Members []Member   `json:"members"` // all before it, in order
	Logs    []LogState `json:"logs,omitempty"`
	Rows    int64      `json:"rows"`
	Entries uint64     `json:"entries"`
}

// Progress is told how far work has come; it may be nil.
type Progress func(done, total int64)
