package pii

import (
	"bytes"
	"encoding/binary"
)

// The way past clean text: a profile of secrets alone is switched on everywhere,
// so most strings it sees hold nothing. mayHoldSecret looks at every byte once and
// says so; only strings that may hold a secret are scanned. It may be wrong in one
// direction only, which TestFastMissesNothing and FuzzFast hold it to.

// fastClass has fTrig for bytes at which the scan of secrets looks closer.
const (
	fWord = 1 << iota
	fDigit
	fTrig
	fHigh
)

var fastClass = func() (t [256]uint8) {
	for c := range t {
		if class[c]&cWord != 0 {
			t[c] = fWord
		}
		if isDigit(byte(c)) {
			t[c] |= fDigit
		}
		if c >= 0x80 {
			t[c] |= fHigh
		}
	}
	for _, c := range "@:=>,\\-%&" {
		t[c] |= fTrig
	}
	return t
}()

// longToken is the length from which a run of word bytes may be an encoding.
const longToken = 16

// mayHoldSecret reports whether b has anything that the scan for secrets could
// find. b is a value in JSON without escapes, and not alone in its text.
func mayHoldSecret(b []byte) bool {
	if len(b) > 0 && (b[0] == '{' || b[0] == '[' || b[0] <= ' ') {
		return true
	}
	for i := 0; i < len(b); {
		c := fastClass[b[i]]
		if c&fWord != 0 {
			j := i + 1
			for j < len(b) && fastClass[b[j]]&fWord != 0 {
				j++
			}
			if j-i >= longToken && !plainRun(b[i:j]) || c&fHigh != 0 || i+8 <= len(b) && tokenHolds(b, i, j) {
				return true
			}
			i = j
			continue
		}
		if c&fTrig != 0 && triggerHolds(b, i) {
			return true
		}
		i++
	}
	return false
}

// plainRun reports whether a long token is hex of a hash or trace: it decodes to
// bytes that are no text, so the layers have nothing to look into.
func plainRun(t []byte) bool {
	return len(t)%2 == 0 && len(t) <= 64 && allHex(t) && hexBinary(t)
}

// tokenHolds reports whether a vendor's prefix or a word for a password begins at i.
func tokenHolds(b []byte, i, j int) bool {
	if prefixStart(b, i) {
		if b[i] == 'e' && b[i+1] == 'y' {
			return true
		}
		for _, f := range secretForms[[2]byte{b[i], b[i+1]}] {
			if hasPrefix(b[i:], f.prefix) && len(b)-i >= f.least {
				return true
			}
		}
	}
	if j-i < 6 || j-i > 24 {
		return false
	}
	switch binary.LittleEndian.Uint32(b[i:]) & 0xdfdfdf {
	case 'P' | 'A'<<8 | 'S'<<16, 'K' | 'E'<<8 | 'N'<<16, 'C' | 'O'<<8 | 'N'<<16:
		return true
	}
	return false
}

// triggerHolds looks at one byte that joins a name to a value or opens a form.
func triggerHolds(b []byte, i int) bool {
	switch b[i] {
	case ':':
		if i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/' {
			return urlHolds(b[i+3:])
		}
		if i > 0 && i+1 < len(b) && isDigit(b[i-1]) && isDigit(b[i+1]) {
			return lettersBefore(b, i) // a time of day, unless a name ends here
		}
		return i+1 < len(b) && (i > 0 || b[i+1] != ' ')
	case ',':
		return i > 0 && (b[i-1] == '"' || b[i-1] == '\'')
	case '-':
		return i+4 < len(b) && b[i+1] == '-' && b[i+4] == '-'
	case '%':
		return i+2 < len(b) && class[b[i+1]]&cHex != 0
	case '&':
		return i+2 < len(b) && b[i+1] != ' '
	}
	return true
}

// urlHolds reports whether what follows "://" may hold user info, a query or a
// hook's path.
func urlHolds(b []byte) bool {
	b = b[:min(len(b), maxURL)]
	return bytes.IndexByte(b, '@') >= 0 || bytes.Contains(b, []byte("hook"))
}

// lettersBefore reports whether the name that ends at i has three letters.
func lettersBefore(b []byte, i int) bool {
	n := 0
	for k := i - 1; k >= 0 && i-k < 64 && (isAlnum(b[k]) || b[k] == '_' || b[k] == '-' || b[k] == '.' || b[k] >= 0x80); k-- {
		if !isDigit(b[k]) && isAlnum(b[k]) || b[k] >= 0x80 {
			n++
		}
	}
	return n >= 3
}

// Masks for eight bytes at a time.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain8 reports whether eight bytes have neither a quote nor a backslash, a
// control character or a byte beyond ASCII.
func plain8(x uint64) bool {
	quote, slash := x^(ones*'"'), x^(ones*'\\')
	low := (x - ones*' ') | (quote - ones) | (slash - ones) | x
	return low&highs == 0
}
