package pii

import "encoding/binary"

// Eight bytes are looked at in one word, a byte a lane: adding to a lane carries
// into its highest bit exactly when the byte is over a bound. Eight such words
// make a block, of which every byte is a bit of a mask.

const (
	block = 64
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// masks has the bytes of a block that are part of words, that may join or open
// something, and whether any is beyond ASCII.
type masks struct {
	word, sign uint64
	high       bool
}

// masksAt returns the masks of up to a block of b from i on.
func masksAt(b []byte, i int) (m masks) {
	if len(b)-i >= block {
		return masksOf((*[block]byte)(b[i:]))
	}
	var last [block]byte
	copy(last[:], b[i:])
	return masksOf(&last)
}

// masksOf is written as one loop because it is the hot path. In word the highest
// bits are those of lanes that hold a letter, digit, underscore or part of a
// character beyond ASCII; in sign, of one of % & ' + / : ; < = > ? @ and the
// backslash.
func masksOf(b *[block]byte) (m masks) {
	var seen uint64
	for n := 0; n < block; n += 8 {
		x := binary.LittleEndian.Uint64(b[n : n+8])
		low := x &^ highs
		folded := low | ones*0x20
		fromColon := low + ones*(0x80-':')
		letter := (folded + ones*(0x80-'a')) &^ (folded + ones*(0x80-'z'-1))
		digit := (low + ones*(0x80-'0')) &^ fromColon
		line := ^((low ^ ones*'_') + ones*0x7f)
		sign := (low+ones*(0x80-'%'))&^(low+ones*(0x80-'\''-1)) |
			fromColon&^(low+ones*(0x80-'@'-1)) |
			^(((low | ones*('+'^'/')) ^ ones*'/') + ones*0x7f) | // "+" or "/"
			^((low ^ ones*'\\') + ones*0x7f)
		m.word |= gather((letter|digit|line|x)&highs) << n
		m.sign |= gather(sign&highs&^x) << n
		seen |= x
	}
	m.high = seen&highs != 0
	return m
}

// gather moves the highest bits of eight lanes into the lowest byte.
func gather(x uint64) uint64 { return x >> 7 * 0x0102040810204080 >> 56 }

// plain8 reports whether eight bytes have neither a quote nor a backslash, a
// control character or a byte beyond ASCII.
func plain8(x uint64) bool {
	quote, slash := x^(ones*'"'), x^(ones*'\\')
	low := (x - ones*' ') | (quote - ones) | (slash - ones) | x
	return low&highs == 0
}

// runs returns the positions in m from which longToken word bytes follow each
// other; next is the block after it.
func runs(m, next uint64) uint64 {
	for n := 1; n < longToken; n *= 2 {
		m &= m>>n | next<<(64-n)
		next &= next >> n
	}
	return m
}
