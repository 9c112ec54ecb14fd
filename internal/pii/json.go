package pii

import "encoding/binary"

// leastSecret is the length under which nothing is a secret without a key.
const leastSecret = 8

// leastKey is the length under which an object's key is no secret itself.
const leastKey = 14

const maxDepth = 64 // nesting of JSON that is walked; deeper text is scanned flat

// looksJSON is a cheap test before a walk.
func looksJSON(b []byte) bool {
	i, j := trim(b, 0, len(b))
	if j-i < 2 {
		return false
	}
	if b[i] == '"' && b[j-1] == '"' { // JSON that was written as a string, and as a string again
		return j-i > 3 && (b[i+1] == '{' || b[i+1] == '[' || b[i+1] == '%' || b[i+1] == '\\')
	}
	return b[i] == '{' && b[j-1] == '}' || b[i] == '[' && b[j-1] == ']'
}

// walker walks the JSON in v.b.
type walker struct {
	r *run
	v *view
	i int
}

// member is what surrounds a value: the key above it and its siblings.
type member struct {
	info   *keyInfo
	person bool   // an object above describes a person
	set    ctxSet // groups of the keys above
	named  *keyInfo
}

// json walks v.b as JSON and scans every key, string and number in it. It
// reports false, leaving no spans, if the text is not one JSON value.
func (r *run) json(v *view) bool {
	mark := len(r.spans)
	w := walker{r: r, v: v}
	if r.keys == nil {
		r.keys = keyCaches.Get().(*keyCache)
	}
	if r.cells == nil && len(v.b) >= leastTable && !r.s.secretsOnly() && !r.s.slow {
		r.cells = memos.Get().(*memo)
	}
	w.space()
	ok := w.value(member{set: v.key}, 0)
	w.space()
	if !ok || w.i != len(v.b) {
		r.spans = r.spans[:mark]
		return false
	}
	return true
}

func (w *walker) space() {
	if w.i < len(w.v.b) && w.v.b[w.i] <= ' ' {
		w.spaces()
	}
}

func (w *walker) spaces() {
	b := w.v.b
	for w.i < len(b) && (b[w.i] == ' ' || b[w.i] == '\n' || b[w.i] == '\r' || b[w.i] == '\t') {
		w.i++
	}
}

func (w *walker) value(m member, depth int) bool {
	b := w.v.b
	if w.i >= len(b) || depth > maxDepth {
		return false
	}
	switch c := b[w.i]; {
	case c == '{':
		return w.object(m, depth)
	case c == '[':
		return w.array(m, depth)
	case c == '"':
		i, j, kind := w.str()
		if i < 0 {
			return false
		}
		w.scan(m, i, j, kind)
		return true
	case c == '-' || isDigit(c):
		i := w.i
		for w.i < len(b) && (isDigit(b[w.i]) || b[w.i] == '.' || b[w.i] == 'e' || b[w.i] == 'E' || b[w.i] == '+' || b[w.i] == '-') {
			w.i++
		}
		if w.i-i >= 2 {
			w.scan(m, i, w.i, strNumber)
		}
		return true
	}
	for _, lit := range [...]string{"true", "false", "null"} {
		if hasPrefix(b[w.i:], lit) {
			w.i += len(lit)
			return true
		}
	}
	return false
}

func (w *walker) array(m member, depth int) bool {
	b := w.v.b
	w.i++
	w.space()
	if w.i < len(b) && b[w.i] == ']' {
		w.i++
		return true
	}
	for {
		w.space()
		if !w.value(m, depth+1) {
			return false
		}
		w.space()
		if w.i >= len(b) {
			return false
		}
		w.i++
		switch b[w.i-1] {
		case ']':
			return true
		case ',':
		default:
			return false
		}
	}
}

func (w *walker) object(m member, depth int) bool {
	b := w.v.b
	w.i++
	inner := member{person: m.person || m.info != nil && m.info.person, set: m.set}
	if m.info != nil {
		inner.set = m.set.or(m.info.set)
	}
	named := m.info // {"password":{"value":"..."}}
	w.space()
	if w.i < len(b) && b[w.i] == '}' {
		w.i++
		return true
	}
	for {
		w.space()
		if w.i >= len(b) || b[w.i] != '"' {
			return false
		}
		i, j, kind := w.str()
		if i < 0 {
			return false
		}
		w.space()
		if w.i >= len(b) || b[w.i] != ':' {
			return false
		}
		w.i++
		w.space()
		k := inner
		k.info = w.r.keys.get(w.text(i, j, kind))
		if j-i >= 8 && (j-i >= leastKey || w.r.s.want != secretBit) {
			w.key(i, j, kind)
		}
		if k.info.namer && w.i < len(b) && b[w.i] == '"' {
			named = w.peek()
		}
		if k.info.value {
			k.named = named
		}
		if !w.value(k, depth+1) {
			return false
		}
		w.space()
		if w.i >= len(b) {
			return false
		}
		w.i++
		switch b[w.i-1] {
		case '}':
			return true
		case ',':
		default:
			return false
		}
	}
}

// peek reads the string at w.i as a key, without moving on.
func (w *walker) peek() *keyInfo {
	at := w.i
	i, j, kind := w.str()
	w.i = at
	if i < 0 || j-i > 40 && (kind&strEscaped == 0 || j-i > 6*40) || j == i {
		return nil
	}
	name := w.text(i, j, kind)
	if len(name) > 40 {
		return nil
	}
	return w.r.keys.get(name)
}

// text returns what a string says. A key that is written with escapes means what
// it says, too (TestC07EscapedKeys).
func (w *walker) text(i, j int, kind strKind) []byte {
	if kind&strEscaped == 0 {
		return w.v.b[i:j]
	}
	return unescape(w.v.sub(i, j)).b
}

// str reads the string at w.i and returns what lies between its quotes.
func (w *walker) str() (i, j int, kind strKind) {
	b := w.v.b
	i = w.i + 1
	for k := i; k < len(b); k++ {
		for k+8 <= len(b) && plain8(binary.LittleEndian.Uint64(b[k:])) {
			k += 8
		}
		if k == len(b) {
			break
		}
		c := b[k]
		if c >= 0x80 {
			kind |= strHigh
			continue
		}
		if c > '"' && c != '\\' || c == ' ' || c == '!' {
			continue
		}
		switch {
		case c == '"':
			w.i = k + 1
			return i, k, kind
		case c == '\\':
			kind |= strEscaped
			k++
		default:
			return -1, 0, 0
		}
	}
	return -1, 0, 0
}

// strKind says what a string holds, so that the scanner need not look again.
type strKind uint8

const (
	strEscaped strKind = 1 << iota
	strHigh            // bytes beyond ASCII
	strNumber          // it is no string but a number
)

// key scans an object's key as text, if it can hold anything.
func (w *walker) key(i, j int, kind strKind) {
	b := w.v.b
	worth := kind != 0
	for k := i; k < j && !worth; k++ {
		worth = class[b[k]]&(cDigit|cTrig|cHigh) != 0
	}
	if worth || j-i > 24 {
		w.scan(member{}, i, j, kind)
	}
}

// scan scans b[i:j] with what the keys say, unless the same was clean before.
func (w *walker) scan(m member, i, j int, kind strKind) {
	c := w.cell(&m, i, j, kind)
	if c == nil {
		w.look(m, i, j, kind)
		return
	}
	text, found := w.v.b[i:j:j], len(w.r.spans)
	if c.is(text, &m) {
		return
	}
	w.look(m, i, j, kind)
	if len(w.r.spans) == found {
		*c = tableCell{text, m.info, m.set, m.person}
	}
}

// leastNumber is the length from which a JSON number may be found without a key.
const leastNumber = 15

// silent reports whether no key says anything of the value that a number could be.
func (m *member) silent() bool {
	return m.named == nil && m.set == (ctxSet{}) &&
		(m.info == nil || m.info.set == (ctxSet{}) && m.info.secret == 0 && (m.info.rule == nil || m.info.rule.mode == mOpaque))
}

// look hands b[i:j] to the scanner with what the keys say.
func (w *walker) look(m member, i, j int, kind strKind) {
	number := kind&strNumber != 0
	if i == j || w.r.s.secretsOnly() && !m.info.hides() && !m.named.hides() &&
		(number || j-i < leastSecret || w.r.s.passes(w.v.b[i:j])) {
		return
	}
	if number && j-i < leastNumber && m.silent() && !w.r.s.slow {
		return
	}
	v := w.v.sub(i, j)
	v.bare, v.number, v.prose, v.opaque, v.hint = false, number, false, false, nil
	v.key, v.folded = m.set, v.folded || kind&(strHigh|strEscaped) == 0
	if m.info != nil {
		v.key = m.set.or(m.info.set)
		w.r.hint(&v, m.info, &m)
		if m.named != nil {
			v.key = v.key.or(m.named.set)
			if m.named.rule != nil || m.named.secret > 0 {
				w.r.hint(&v, m.named, &m)
			}
		}
		v.opaque = v.opaque || m.info.quiet && looksID(v.b)
		if v.opaque && kind == 0 && v.hint == nil && w.r.s.patterns == nil && !w.r.s.slow && inert(v.b) {
			return
		}
	}
	if number && m.info != nil && !m.info.value && !m.info.set.has(cBank) {
		v.key.drop(cBank) // in a customer's "account" most numbers are none of a bank
	}
	if kind&strEscaped != 0 {
		v = unescape(v)
		v.folded = false
	}
	if number {
		v.folded = true
		w.r.groupEnd, w.r.vain = 0, vain{}
		w.r.scan(&v)
		return
	}
	w.r.text(&v)
}

// hides reports whether a key says that its value is a secret.
func (k *keyInfo) hides() bool {
	return k != nil && (k.secret != 0 || k.rule != nil && k.rule.typ == Secret)
}

// looksID reports whether a value under an identifier's key is one token.
func looksID(b []byte) bool {
	if len(b) >= 64 {
		return false
	}
	for _, c := range b {
		if c == ' ' || c == '@' || c == ':' {
			return false
		}
	}
	return true
}

var (
	secretRule = &keyRule{Secret, "generic-api-key", mSecret, "key of a secret"}
	passRule   = &keyRule{Secret, "PASSWORD", mPass, "key of a password"}
)

// hint sets what the nearest key says about v.
func (r *run) hint(v *view, k *keyInfo, m *member) {
	switch {
	case k.secret == 2:
		v.hint = passRule
	case k.secret == 1:
		v.hint = secretRule
	case k.rule != nil && k.rule.mode == mOpaque:
		v.opaque = true
	case k.rule != nil && r.s.want&bitOf(k.rule.typ) != 0:
		v.hint = k.rule
	}
	v.prose = m.person
}
