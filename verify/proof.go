package verify

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// maxProof bounds a proof file: hashes, a leaf and a checkpoint.
const maxProof = maxCheckpoint + 16<<10

// maxPath bounds the hashes of a proof; 64 are enough for any tree.
const maxPath = 64

// ProofOptions is what the caller knows of the log that a proof is about.
type ProofOptions struct {
	Keys   []Key
	Policy *Policy // nil: no witnesses are demanded
	Leaf   []byte  // the entry, when it is known; nil: the one in the proof's extra line
	Line   []byte  // the readable entry to check against the leaf; nil: none
}

// ProofReport says what a proof shows.
type ProofReport struct {
	Origin    string    `json:"origin"`
	Index     uint64    `json:"index"`
	Size      uint64    `json:"size"`
	Leaf      string    `json:"leaf"` // as text
	Readable  bool      `json:"readable"`
	Witnesses []Witness `json:"witnesses,omitempty"`
}

// Proof verifies that an entry is in a log: a c2sp.org/tlog-proof@v1. The leaf
// in the extra line of proofs of ours is as good as one from elsewhere, since
// the proof is about its hash. The error is a *Broken when it does not verify.
func Proof(file []byte, o ProofOptions) (ProofReport, error) {
	p, err := parseProof(file)
	if err != nil {
		return ProofReport{}, broken(NoIndex, "%s", err)
	}
	at := int64(p.index)
	c, err := ParseCheckpoint(p.checkpoint, o.Keys, o.Policy)
	if err != nil {
		return ProofReport{}, broken(at, "%s", err)
	}
	raw := o.Leaf
	if raw == nil {
		raw = p.extra
	}
	b := broken(at, "the proof does not show that this entry is in the log")
	b.Log = c.Origin
	switch {
	case raw == nil:
		b.Why = "the proof holds no entry; give the entry that it is about"
		return ProofReport{}, b
	case p.index >= c.Size:
		b.Why = "the proof is of an entry after the end of the log"
		return ProofReport{}, b
	case !c.includes(p.path, p.index, raw):
		return ProofReport{}, b
	}
	r := ProofReport{Origin: c.Origin, Index: p.index, Size: c.Size, Leaf: string(raw), Witnesses: c.Witnesses}
	r.Readable, err = checkEntry(c.Origin, p.index, raw, o.Line)
	if err != nil {
		b.Why = printable(err.Error())
		return ProofReport{}, b
	}
	return r, nil
}

// includes reports whether the path proves that the leaf is at index of the
// tree that c signs.
func (c Checkpoint) includes(path tlog.RecordProof, index uint64, leaf []byte) bool {
	return index < c.Size && tlog.CheckRecord(path, int64(c.Size), c.Root, int64(index), tlog.RecordHash(leaf)) == nil
}

// checkEntry checks the form of a leaf that is proven to be in a log, and the
// readable line that somebody says is its.
func checkEntry(origin string, index uint64, raw, line []byte) (readable bool, err error) {
	l, err := parseLeaf(raw)
	if err != nil {
		return false, err
	}
	if !strings.HasSuffix(origin, "/"+unquote(l.log)) {
		return false, errors.New("the leaf is of another log")
	}
	if line == nil {
		return false, nil
	}
	var c lineChecker
	return c.check([]byte(strings.TrimRight(string(line), "\r\n")), index, raw, l)
}

// proof is a proof file, read.
type proof struct {
	extra      []byte // nil: none
	index      uint64
	path       tlog.RecordProof
	checkpoint []byte
}

func parseProof(file []byte) (proof, error) {
	var p proof
	if len(file) > maxProof {
		return p, errors.New("the proof is too long")
	}
	rest, ok := strings.CutPrefix(string(file), "c2sp.org/tlog-proof@v1\n")
	if !ok {
		return p, errors.New("the file is no c2sp.org/tlog-proof@v1")
	}
	line, rest, _ := strings.Cut(rest, "\n")
	if text, ok := strings.CutPrefix(line, "extra "); ok {
		extra, err := decode64(text)
		if err != nil {
			return p, errors.New("the extra line of the proof is not base64")
		}
		p.extra = append([]byte{}, extra...)
		line, rest, _ = strings.Cut(rest, "\n")
	}
	text, ok := strings.CutPrefix(line, "index ")
	index, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil || strconv.FormatUint(index, 10) != text || index >= maxSize {
		return p, errors.New("the proof has no index where it belongs")
	}
	p.index = index
	for {
		line, rest, ok = strings.Cut(rest, "\n")
		if !ok {
			return p, errors.New("the proof is cut off")
		}
		if line == "" {
			break
		}
		h, err := decode32(line)
		if err != nil || len(p.path) == maxPath {
			return p, errors.New("the proof has a line that is no hash, or too many")
		}
		p.path = append(p.path, h)
	}
	p.checkpoint = []byte(rest)
	return p, nil
}
