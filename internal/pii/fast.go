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
	fTrig
)

var fastClass = func() (t [256]uint8) {
	for c := range t {
		if class[c]&cWord != 0 {
			t[c] = fWord
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
// find. b is a value in JSON as it is written, escapes and all, and not alone in
// its text.
func mayHoldSecret(b []byte) bool {
	if mayBeJSON(b) {
		return true
	}
	for i := 0; i < len(b); {
		c := fastClass[b[i]]
		if c&fWord != 0 {
			j := i + 1
			for j < len(b) && fastClass[b[j]]&fWord != 0 {
				j++
			}
			if tokenHolds(b, i, j) {
				return true
			}
			i = j
			continue
		}
		if c&fTrig == 0 {
			i++
			continue
		}
		if b[i] == '\\' {
			if opaqueEscape(b, i) {
				return true
			}
			i += 2
			continue
		}
		if triggerHolds(b, i) {
			return true
		}
		i++
	}
	return false
}

// mayBeJSON reports whether b begins as an object or array does.
func mayBeJSON(b []byte) bool {
	i := 0
	for i < len(b) && (b[i] <= ' ' || b[i] == '\\') {
		if b[i] == '\\' {
			if i+1 == len(b) || indexByte("nrt", b[i+1]) < 0 {
				return false // a sign, or one that opaqueEscape sees
			}
			i++
		}
		i++
	}
	return i == len(b) || b[i] == '{' || b[i] == '['
}

// opaqueEscape reports whether what the escape at i stands for has to be looked
// at decoded: all but the short ones, and a backslash that may begin another.
func opaqueEscape(b []byte, i int) bool {
	if i+1 == len(b) {
		return true
	}
	switch b[i+1] {
	case 'n', 'r', 't', 'b', 'f', '"':
		return false
	case '\\':
		return i+2 < len(b) && b[i+2] == 'u'
	}
	return true
}

// tokenHolds reports whether the word at b[i:j] may be a secret or an encoding,
// or introduces a password.
func tokenHolds(b []byte, i, j int) bool {
	if prefixStart(b, i) && formAt(b, i) {
		return true
	}
	n := j - i
	if n >= 6 && introduces(b[i:j]) {
		return true
	}
	return (n >= longToken || n >= 4 && j < len(b) && (b[j] == '+' || b[j] == '/')) && mayDecode(b, i)
}

// formAt reports whether a vendor's form may begin at b[i].
func formAt(b []byte, i int) bool {
	if b[i] == 'e' && b[i+1] == 'y' && b[i+2] == 'J' {
		return true
	}
	for _, f := range secretForms[[2]byte{b[i], b[i+1]}] {
		if len(b)-i >= f.least && hasPrefix(b[i:], f.prefix) {
			return true
		}
	}
	return false
}

// mayDecode reports whether the run at b[i] may be base64 or hex of a text. It is
// what encoded asks before it decodes.
func mayDecode(b []byte, i int) bool {
	k := i
	for k < len(b) && k-i < 65 && encodedByte(b[k]) {
		k++
	}
	t := b[i:k]
	if len(t) < longToken {
		return false
	}
	if len(t) <= 64 && len(t)%2 == 0 && allHex(t) {
		return !hexBinary(t)
	}
	if len(t) > 64 && allHex(t) {
		return true
	}
	var buf [longToken]byte
	head, ok := decode64(t[:longToken], buf[:0])
	return ok && (textual(head) || gzipped(head))
}

// introduces reports whether w is a word after which a password may stand.
func introduces(w []byte) bool {
	switch binary.LittleEndian.Uint32(w) & 0xdfdfdf {
	case 'P' | 'A'<<8 | 'S'<<16, 'K' | 'E'<<8 | 'N'<<16, 'C' | 'O'<<8 | 'N'<<16:
		return passwordWord(w)
	}
	return false
}

// triggerHolds looks at one byte that joins a name to a value or opens a form.
func triggerHolds(b []byte, i int) bool {
	next := byte(0)
	if i+1 < len(b) {
		next = b[i+1]
	}
	switch b[i] {
	case ':':
		switch {
		case next == '/' && i+2 < len(b) && b[i+2] == '/':
			return urlHolds(b, i+3)
		case next == 'A' && i > 0 && isDigit(b[i-1]):
			return true // a bot's token
		}
		return nameHolds(b, i)
	case '=', '>':
		return nameHolds(b, i)
	case ',':
		return i > 0 && (b[i-1] == '"' || b[i-1] == '\'') && nameHolds(b, i)
	case '@':
		return pairHolds(b, i)
	case '-':
		return i+4 < len(b) && next == '-' && b[i+4] == '-'
	case '%':
		return class[next]&cHex != 0
	case '&':
		_, n := entityAt(b, i)
		return n > 0
	}
	return true
}

// nameHolds reports whether the name before the sign at i may be that of a secret.
// An escape before the name leaves its letter there: both readings are asked.
func nameHolds(b []byte, i int) bool {
	hi := i
	for hi > 0 && i-hi < 24 && indexByte(" \"':?.\t\\", b[hi-1]) >= 0 {
		hi--
	}
	if i-hi == 24 {
		return true
	}
	lo := nameStart(b, hi)
	name := b[lo:hi]
	if lo > 0 && b[lo-1] == '\\' && len(name) > 0 {
		if len(name) == 1 {
			return true // a tab or line's end between name and sign
		}
		if name = name[1:]; typeWord(name) || secretName(b[lo:hi]) > 0 {
			return true
		}
	}
	return secretName(name) > 0 || typeWord(name) && lo > 0 && b[lo-1] == ' '
}

// pairHolds reports whether a password may follow the address around the "@" at i.
func pairHolds(b []byte, i int) bool {
	k := i + 1
	for k < len(b) && hostByte(b[k]) {
		k++
	}
	for n := k; n < len(b) && n-k < 3; n++ {
		switch b[n] {
		case '/', ':', '|', '\\':
			return b[n] != '\\' || n+1 < len(b) && b[n+1] == '/'
		case ' ':
		default:
			return false
		}
	}
	return false
}

// urlHolds reports whether the URL whose host begins at i may hold user info or a
// hook's path.
func urlHolds(b []byte, i int) bool {
	k := i
	for k < len(b) && k-i < maxURL && urlByte(b[k]) {
		if b[k] == '@' {
			return true
		}
		k++
	}
	return bytes.Contains(b[i:k], []byte("hook"))
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
