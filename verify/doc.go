// Package verify checks what an Ostiary gateway gives away to be checked: an
// exported log, a proof that an entry is in a log, a receipt of an answer, an
// evidence pack. It needs the public keys and nothing else: no gateway, no
// network, no secret.
//
// What a caller knows from elsewhere makes the verdict worth something: the
// public keys, an earlier checkpoint of the log ([LogOptions].Old), witnesses
// that signed the checkpoint ([Policy]). All else is read as if an attacker had
// written it: sizes are bounded, encodings are accepted in one spelling, and
// what does not fit is a [*Broken] that names the first index that is bad.
//
// The formats are documented in docs/formats of the project: export.md,
// log.md, receipt.md, evidence.md. Trees are those of RFC 6962, checkpoints are
// https://c2sp.org/tlog-checkpoint, tiles https://c2sp.org/tlog-tiles, proofs
// https://c2sp.org/tlog-proof, cosignatures https://c2sp.org/tlog-cosignature
// (cosignature/v1, Ed25519) and policies https://c2sp.org/tlog-policy, as of
// 2026-11; other tools that know these read the same files.
//
// The package deliberately imports nothing of the gateway, writes nothing, and
// says nothing of what was never written into a log.
package verify

import "fmt"

// NoIndex is the Index of a Broken that is not about one entry.
const NoIndex = -1

// Broken says that something does not verify.
type Broken struct {
	Log   string // the origin of the log, when it is known
	Index int64  // the first entry that is bad; NoIndex: none can be named
	Why   string // a sentence without line breaks or control characters
}

func (b *Broken) Error() string {
	at := ""
	if b.Log != "" {
		at = printable(b.Log) + ": "
	}
	if b.Index != NoIndex {
		at += fmt.Sprintf("entry %d: ", b.Index)
	}
	return at + b.Why
}

// broken makes a Broken about the entry index.
func broken(index int64, format string, args ...any) *Broken {
	return &Broken{Index: index, Why: printable(fmt.Sprintf(format, args...))}
}

// printable makes text that an attacker may have written safe for a terminal
// and one line: only printable ASCII stays (TestMessagesArePrintable).
func printable(s string) string {
	b := []byte(s)
	if len(b) > 512 {
		b = append(b[:512], "..."...)
	}
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
