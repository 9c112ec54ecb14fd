package verify

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// maxLine bounds a line of entries.jsonl: a leaf in base64, a part, and what
// stands around them.
const maxLine = maxPart + 8<<10

// lineChecker checks lines of readable entries against their leaves.
type lineChecker struct{ want []byte }

// check says whether line (without its newline) is the line of the entry at
// index. Everything on it follows from the leaf, but for the part and its key;
// and those must make the commitment in the leaf. readable tells whether the
// part is there.
func (c *lineChecker) check(line []byte, index uint64, raw []byte, l leaf) (readable bool, err error) {
	c.want = appendHead(c.want[:0], index, raw, l)
	rest, ok := bytes.CutPrefix(line, c.want)
	if !ok {
		return false, differs(line, index)
	}
	if string(rest) == `,"part":null}` {
		return false, nil
	}
	const before, chars, between = `,"key":"`, 44, `","part":`
	if rest, ok = bytes.CutPrefix(rest, []byte(before)); !ok || len(rest) < chars {
		return false, errors.New("its line has neither a part nor the mark that the part is gone")
	}
	key, err := decode32(string(rest[:chars]))
	if err != nil {
		return false, errors.New("the key on its line is not 32 bytes in base64")
	}
	part, ok := bytes.CutPrefix(rest[chars:], []byte(between))
	if !ok || len(part) < 3 || part[len(part)-1] != '}' {
		return false, errors.New("its line has no part after the key")
	}
	return true, checkPart(part[:len(part)-1], key, l.commitment)
}

// checkPart checks the commitment to a part: HMAC-SHA256 under the entry's key.
func checkPart(part []byte, key, commitment [32]byte) error {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(part)
	var sum [32]byte
	if !hmac.Equal(mac.Sum(sum[:0]), commitment[:]) {
		return errors.New("the part on its line is not the one that the log committed to")
	}
	if part[0] != '{' || !json.Valid(part) {
		return errors.New("the part on its line is no JSON object")
	}
	return nil
}

// appendHead appends the beginning of the line of an entry, up to its leaf.
func appendHead(b []byte, index uint64, raw []byte, l leaf) []byte {
	b = strconv.AppendUint(append(b, `{"index":`...), index, 10)
	b = time.UnixMilli(l.time).UTC().AppendFormat(append(b, `,"time":"`...), `2006-01-02T15:04:05.000Z"`)
	b = append(append(b, `,"kind":`...), l.kind...)
	if l.exchange != nil {
		b = append(append(b, `,"exchange":`...), l.exchange...)
	}
	if l.server != nil {
		b = append(append(b, `,"server":`...), l.server...)
	}
	if l.decision != nil {
		b = append(append(b, `,"decision":`...), l.decision...)
	}
	b = base64.StdEncoding.AppendEncode(append(b, `,"leaf":"`...), raw)
	return append(b, '"')
}

// differs says how a line differs from that of the entry at index.
func differs(line []byte, index uint64) error {
	var seen struct {
		Index *uint64 `json:"index"`
	}
	if json.Unmarshal(line, &seen) == nil && seen.Index != nil && *seen.Index != index {
		return fmt.Errorf("entries.jsonl has the line of entry %d in its place", *seen.Index)
	}
	return errors.New("its line in entries.jsonl does not say what its leaf says")
}

// Entry is one readable entry, checked against its leaf.
type Entry struct {
	Index uint64
	Leaf  []byte
	Part  []byte // nil: gone
	Log   string // as the leaf has it
	Kind  string
}

// parseLine reads one line of readable entries that stands alone: its leaf is
// the one on the line, and a proof has to show that it is in a log.
func parseLine(line []byte) (Entry, error) {
	if len(line) > maxLine {
		return Entry{}, errors.New("the line is too long")
	}
	var seen struct {
		Index *uint64         `json:"index"`
		Leaf  *string         `json:"leaf"`
		Part  json.RawMessage `json:"part"`
	}
	if json.Unmarshal(line, &seen) != nil || seen.Index == nil || seen.Leaf == nil {
		return Entry{}, errors.New("the line is no readable entry")
	}
	raw, err := decode64(*seen.Leaf)
	if err != nil {
		return Entry{}, errors.New("the leaf on the line is not base64")
	}
	e := Entry{Index: *seen.Index, Leaf: raw}
	l, err := parseLeaf(raw)
	if err != nil {
		return e, err
	}
	e.Log, e.Kind = unquote(l.log), unquote(l.kind)
	var c lineChecker
	readable, err := c.check(line, e.Index, raw, l)
	if readable {
		e.Part = seen.Part
	}
	return e, err
}
