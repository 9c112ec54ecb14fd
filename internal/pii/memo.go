package pii

import (
	"encoding/binary"
	"sync"
)

// Tables repeat their cells: a state, a category, a currency stands in every row.
// memo remembers short strings in which one scan found nothing, with all that the
// keys above said of them, so that the same string in the same place of the next
// row is not looked at again.
type memo [256]tableCell

// tableCell is a string and its circumstances.
type tableCell struct {
	text   []byte
	info   *keyInfo
	set    ctxSet
	person bool
}

// Lengths of strings that are remembered: a shorter one is as quickly scanned.
const (
	leastCell = 3
	mostCell  = 64
)

// leastTable is the size from which a document is worth remembering cells of.
const leastTable = 2 << 10

// memos holds scratch memory between scans, and no text of them.
var memos = sync.Pool{New: func() any { return new(memo) }}

// cell returns the cell of a string, or nil if such strings are not remembered.
// What a key says is known by its place, which no other key gets in one scan.
func (w *walker) cell(m *member, i, j int, kind strKind) *tableCell {
	if w.r.cells == nil || w.v.layers > 0 || kind != 0 || m.named != nil || j-i < leastCell || j-i > mostCell {
		return nil
	}
	return &w.r.cells[hashCell(w.v.b[i:j])]
}

// is reports whether the cell remembers text under m.
func (c *tableCell) is(text []byte, m *member) bool {
	return string(c.text) == string(text) && c.info == m.info && c.set == m.set && c.person == m.person
}

// hashCell mixes the length, both ends and what is between them of a text.
func hashCell(text []byte) uint8 {
	h := uint64(len(text))
	for len(text) >= 8 {
		h = (h ^ binary.LittleEndian.Uint64(text)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
		text = text[8:]
	}
	for _, c := range text {
		h = (h ^ uint64(c)) * fnvPrime
	}
	h ^= h >> 23
	return uint8(h * 0x9e3779b97f4a7c15 >> 56)
}
