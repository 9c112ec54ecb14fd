package pii

import (
	"bytes"
	"encoding/binary"
)

// What a look stops at. Each of these says no only where the scan finds nothing.

// opens reports whether a vendor's token, a word that introduces a password or the
// title of a key block begins at b[i].
func (l *look) opens(i int) bool {
	b := l.b
	if f, _ := l.vain.form(b, i); f != nil {
		return true
	}
	return l.vain.jwt(b, i) > i || introduces(b, i) || hasPrefix(b[i:], "BEGIN ") && i > 0 && b[i-1] == '-'
}

// wordHolds reports whether the word that begins at b[i] may be a secret, an
// encoding of one, or introduce it.
func (l *look) wordHolds(i int) bool {
	b := l.b
	j := i
	for j < len(b) && j-i < longToken && isWord(b[j]) {
		j++
	}
	return j > i && (prefixStart(b, i) && l.opens(i) || j-i == longToken && l.runHolds(i))
}

// runHolds reports whether the run at b[i] is base64 or hex of a text that may hold
// a secret. What is not judged here is left to the scan: compressed data, hex, what
// is too deep, and a run that began so before.
func (l *look) runHolds(i int) bool {
	if !mayDecode(l.b, i) {
		return false
	}
	k := runEnd(l.b, i, maxEncoded)
	t := l.b[i:k]
	if l.depth == maxLayers || k-i == maxEncoded || i < l.vain.run || allHex(t) {
		return true
	}
	l.vain.misled(i, k)
	out, ok := decode64(t, make([]byte, 0, len(t)*3/4))
	if !ok || !gzipped(out) && !textual(out) {
		return false
	}
	if gzipped(out) {
		return true
	}
	inner := look{b: out, depth: l.depth + 1}
	return inner.all()
}

// mayDecode reports whether the run at b[i] may be base64 or hex of a text. It is
// what encoded asks before it decodes.
func mayDecode(b []byte, i int) bool {
	t := b[i:runEnd(b, i, 65)]
	if len(t) < longToken {
		return false
	}
	if allHex(t) {
		return len(t) > 64 || len(t)%2 == 0 && !hexBinary(t)
	}
	var buf [longToken]byte
	head, ok := decode64(t[:longToken], buf[:0])
	return ok && (textual(head) || gzipped(head))
}

// introduces reports whether a word for a password begins at b[i]. Accents fold away.
func introduces(b []byte, i int) bool {
	switch binary.LittleEndian.Uint32(b[i:]) & 0xdfdfdf {
	case 'P' | 'A'<<8 | 'S'<<16, 'K' | 'E'<<8 | 'N'<<16, 'C' | 'O'<<8 | 'N'<<16:
	default:
		if b[i+1]|b[i+2] < 0x80 {
			return false
		}
	}
	j := i
	for j < len(b) && j-i <= 24 && isWord(b[j]) {
		j++
	}
	return passwordWord(b[i:j])
}

// sign looks at one byte that joins a name to a value or opens a form.
func (l *look) sign(i int) bool {
	b, next := l.b, byte(0)
	if i+1 < len(b) {
		next = b[i+1]
	}
	switch b[i] {
	case ':':
		switch {
		case next == '/' && i+2 < len(b) && b[i+2] == '/':
			return l.urlHolds(i + 3)
		case next == 'A' && i > 0 && isDigit(b[i-1]):
			return true // a bot's token
		}
		return l.colon(i)
	case '=', '>':
		return nameHolds(b, i)
	case '\'':
		return next == ',' && nameHolds(b, i+1)
	case '@':
		return pairHolds(b, i)
	case '%':
		return class[next]&cHex != 0
	case '&':
		_, n := entityAt(b, i)
		return n > 0
	case '+':
		return l.signed(i)
	case '/':
		return l.signed(i) || hookHolds(b, i)
	case '\\':
		return l.escapeHolds(i)
	}
	return false
}

// escapeHolds reports whether what the backslash at i escapes must be looked at
// decoded, or whether a word behind it may be a secret.
func (l *look) escapeHolds(i int) bool {
	b := l.b
	if i+1 == len(b) {
		return true
	}
	switch b[i+1] {
	case 'u':
		_, ok := hex4(b, i+2)
		return ok
	case '/':
		return true
	}
	l.depths(i)
	if i+2 == len(b) {
		return false
	}
	return l.wordHolds(i+2) || b[i+1] == '"' && b[i+2] == ',' && nameHolds(b, i+2)
}

// depths notes how deep a string would begin at the quote behind the backslash at
// i, or how deep an escape is none of JSON's. There the scan passes over the
// backslash, and what stands around it is one word.
func (l *look) depths(i int) {
	c := l.b[i+1]
	if indexByte(`\bfnrt`, c) >= 0 {
		return
	}
	n := slashes(l.b, i) + 1
	if c != '"' {
		l.broken |= n & -n
	} else if n&(n+1) == 0 {
		l.strings |= n + 1
	}
}

// signed reports whether the word before the sign at i may be the first of a run
// of base64.
func (l *look) signed(i int) bool {
	b := l.b
	j, upper := i, false
	for j > 0 && i-j < longToken && isWord(b[j-1]) {
		j--
		upper = upper || class[b[j]]&cUpper != 0
	}
	if i-j < 4 || !upper || j > 0 && (b[j-1] == '+' || b[j-1] == '/') {
		return false
	}
	return i-j < longToken && l.runHolds(j) || j > 0 && b[j-1] == '\\' && l.runHolds(j+1)
}

// colon looks at the name before a colon: that of a member, or of an assignment
// in a text.
func (l *look) colon(i int) bool {
	b, q := l.b, i-1
	for q > 0 && i-q < 24 && b[q] <= ' ' {
		q--
	}
	if i-q == 24 {
		return true
	}
	if q < 1 || b[q] != '"' {
		return nameHolds(b, i)
	}
	return l.member(q, i) || (l.depth > 0 || b[q-1] == '\\') && nameHolds(b, i)
}

// member looks at the key whose closing quote is at q, and at the value behind the
// colon at i if the key may name what its sibling is.
func (l *look) member(q, i int) bool {
	b := l.b
	if key := l.foreseen(q); key != nil {
		return key.hides() || key.namer && l.names(i+1, 0)
	}
	e, depth := q, 0 // backslashes before the quote say how deep it stands
	for e > 0 && b[e-1] == '\\' {
		e, depth = e-1, depth+1
	}
	k := e - 1
	for k >= 0 && e-k < 68 && b[k] != '"' {
		k--
	}
	if k < 0 || b[k] != '"' {
		return bytes.IndexByte(b[max(k, 0):e], '\\') >= 0 // else it is too long to be read
	}
	if slashes(b, k) != depth {
		return true // a quote inside the key
	}
	if bytes.IndexByte(b[k+1:e], '\\') >= 0 {
		return true // it is read without its escapes
	}
	cache := l.cache()
	s := cache.slot(b[k+1 : e])
	l.follows[l.last], l.last = uint8(s), uint8(s)
	key := cache.info[s]
	return key.hides() || key.namer && l.names(i+1, depth)
}

// foreseen returns what the key says whose closing quote is at q, if it is the one
// that came after the last key before: rows have the same keys in the same order.
func (l *look) foreseen(q int) *keyInfo {
	if l.keys == nil || l.keys.lost {
		return nil
	}
	s := l.follows[l.last]
	raw := l.keys.raw[s]
	k := q - len(raw) - 1
	if len(raw) == 0 || k < 1 || l.b[k] != '"' || l.b[k-1] == '\\' || string(l.b[k+1:q]) != string(raw) {
		return nil
	}
	l.last = s
	return l.keys.info[s]
}

// names reports whether the string at i is the name of a secret.
func (l *look) names(i, depth int) bool {
	b := l.b
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	if i+depth >= len(b) || b[i+depth] != '"' {
		return depth > 0 && i < len(b) && b[i] == '\\' // a tab or line's end before it
	}
	i += depth + 1
	window := b[i:min(len(b), i+44+depth)]
	n := bytes.IndexByte(window, '"')
	if n < 0 {
		return bytes.IndexByte(window, '\\') >= 0 // else longer than a name
	}
	if slashes(b, i+n) != depth {
		return true // a quote inside the name
	}
	if n >= depth && bytes.IndexByte(b[i:i+n-depth], '\\') >= 0 {
		return true
	}
	return n >= depth && l.key(b[i:i+n-depth]).hides()
}

// hookHolds reports whether the slash at i ends the host of a hook.
func hookHolds(b []byte, i int) bool {
	if i < 4 || b[i-4] != '.' || b[i-1]|0x20 != 'm' {
		return false
	}
	for _, p := range hooks {
		at := i - indexByte(p, '/')
		if at >= 0 && at+len(p) <= len(b) && bytes.EqualFold(b[at:at+len(p)], []byte(p)) {
			return true
		}
	}
	return false
}

// slashes counts the backslashes before b[i].
func slashes(b []byte, i int) (n int) {
	for i > n && b[i-n-1] == '\\' {
		n++
	}
	return n
}

func (l *look) key(raw []byte) *keyInfo { return l.cache().get(raw) }

func (l *look) cache() *keyCache {
	if l.keys == nil {
		l.keys = keyCaches.Get().(*keyCache)
	}
	return l.keys
}

// nameHolds reports whether the name before the sign at i may be that of a secret.
// An escape before the name leaves its letter there: both readings are asked.
func nameHolds(b []byte, i int) bool {
	hi := i
	for hi > 0 && i-hi < 24 && looseByte[b[hi-1]] {
		hi--
	}
	if i-hi == 24 {
		return true
	}
	lo := nameStart(b, hi)
	name, escaped := b[lo:hi], lo > 0 && b[lo-1] == '\\'
	if len(name) < 2 {
		return escaped && len(name) == 1 // a tab or line's end between name and sign
	}
	if mayNameSecret(name) && (secretName(name) > 0 || escaped && secretName(name[1:]) > 0) {
		return true
	}
	return lo > 0 && b[lo-1] == ' ' && typeWord(name) || escaped && typeWord(name[1:])
}

// looseByte has what may stand between a name and its sign, nameByte what is of a
// name: see nameBefore and nameStart.
var looseByte, nameByte = func() (l, n [256]bool) {
	for c := range l {
		l[c] = indexByte(" \"':?.\t\\", byte(c)) >= 0
		n[c] = isAlnum(byte(c)) || indexByte("_-.", byte(c)) >= 0 || c >= 0x80
	}
	return l, n
}()

// pairHolds reports whether a password may follow the address around the "@" at i.
func pairHolds(b []byte, i int) bool {
	k := i + 1
	for k < len(b) && hostByte(b[k]) {
		k++
	}
	if k-i > maxHost {
		return true // the scan goes on inside the word
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

// urlHolds reports whether the URL whose host begins at i may hold user info.
func (l *look) urlHolds(i int) bool {
	b, k := l.b, i
	if i < l.url {
		return false // inside a URL that has been read
	}
	for k < len(b) && k-i < maxURL && urlByte(b[k]) {
		if b[k] == '@' {
			return true
		}
		k++
	}
	if l.url = k; k-i == maxURL {
		l.url -= 32 // the scan counts from the scheme
	}
	return false
}
