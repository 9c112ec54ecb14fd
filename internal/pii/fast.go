package pii

import (
	"bytes"
	"math/bits"
)

// The way past clean text: a profile of secrets alone is switched on everywhere,
// and most messages hold none. mayHoldSecret looks at a text once, as it is written
// and without walking it; only what may hold a secret is scanned. It may be wrong in
// one direction only, which TestFastMissesNothing and FuzzFast hold it to.

// longToken is the length from which a run of word bytes may be an encoding.
const longToken = 16

// look is one look over a text. Strings are read with their escapes, strings in
// strings too: a letter after a backslash may stand for a line's end, and then the
// word begins behind it.
type look struct {
	b     []byte
	keys  *keyCache // of the JSON's keys; nil before the first
	vain  vain
	url   int // where the last URL ended
	depth int // encodings undone: what is deeper is a text with quotes of its own

	follows [128]uint8 // the slot of the key that came after the one in a slot
	last    uint8      // the slot of the last key

	// Bits of how deep strings begin, and how deep escapes are none: see depths.
	strings, broken int
}

// mayHoldSecret reports whether b has anything that the scan for secrets could
// find. b is one JSON value, or a string's inside as it is written.
func mayHoldSecret(b []byte) bool {
	l := look{b: b}
	return l.all()
}

// all looks over all of the text. In one that was decoded no backslash tells a
// quote of the text's own from one that ends a member.
func (l *look) all() bool {
	if l.depth > 0 && bytes.Contains(l.b, []byte(`",`)) {
		return true
	}
	holds := l.over()
	if l.keys != nil {
		l.keys.giveBack()
	}
	return holds
}

func (l *look) over() bool {
	b, high, before := l.b, false, uint64(0)
	m := masksAt(b, 0)
	for base := 0; base < len(b); base += block {
		var next masks
		if base+block < len(b) {
			next = masksAt(b, base+block)
		}
		starts := m.word &^ (m.word<<1 | before)
		for s := starts; s != 0; s &= s - 1 {
			if i := base + bits.TrailingZeros64(s); prefixStart(b, i) && l.opens(i) {
				return true
			}
		}
		for s := starts & runs(m.word, next.word); s != 0; s &= s - 1 {
			if l.runHolds(base + bits.TrailingZeros64(s)) {
				return true
			}
		}
		for s := m.sign; s != 0; s &= s - 1 {
			if l.sign(base + bits.TrailingZeros64(s)) {
				return true
			}
		}
		high = high || m.high
		before, m = m.word>>63, next
	}
	return high && needsFold(b) || l.broken&(l.strings|1) != 0
}
