package pii

import "slices"

// Byte classes. A token is a run of cWord bytes.
const (
	cDigit = 1 << iota
	cUpper
	cLower
	cHigh // part of a character outside ASCII
	cHex
	cLine // the underscore
	cTrig // a byte at which a shape may begin or be recognised
	cWord = cDigit | cUpper | cLower | cHigh | cLine
)

var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = cDigit | cHex
		case c >= 'A' && c <= 'Z':
			t[c] = cUpper
		case c >= 'a' && c <= 'z':
			t[c] = cLower
		case c == '_':
			t[c] = cLine
		case c >= 0x80:
			t[c] = cHigh
		}
		if c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f' {
			t[c] |= cHex
		}
	}
	for _, c := range "@:=+-(%&.,>\\" {
		t[c] |= cTrig
	}
	return t
}()

func isDigit(c byte) bool { return c-'0' <= 9 }
func isWord(c byte) bool  { return class[c]&cWord != 0 }
func isAlnum(c byte) bool { return class[c]&(cDigit|cUpper|cLower) != 0 }

// view is a run of bytes to scan and the way back to the source.
type view struct {
	b     []byte
	trail trail // the way back from a decoded text that b is part of; nil: b is source
	base  int   // where b[0] stands in the decoded text, or in the source

	// fixed: a finding anywhere in b stands for source bytes fs to fe, because
	// the encoding that b came from cannot be edited in part.
	fixed  bool
	fs, fe int

	key    ctxSet   // what the JSON keys above say
	hint   *keyRule // what the nearest key says its value is, or nil
	layers int      // encodings undone so far
	layer  string   // the innermost encoding, for Span.Why
	bare   bool     // the whole text, not a member of something
	number bool     // a JSON number
	folded bool     // Unicode has been folded
	prose  bool     // names may be looked for even in a short text
	opaque bool     // the key says that the value is a machine's identifier
}

func (v *view) src(i int) int {
	switch {
	case v.fixed:
		return v.fs
	case v.trail == nil:
		return v.base + i
	}
	return v.trail.src(v.base + i)
}

func (v *view) srcEnd(j int) int {
	switch {
	case v.fixed:
		return v.fe
	case v.trail == nil:
		return v.base + j
	}
	return v.trail.src(v.base + j)
}

// sub is the view of b[i:j] with the same context.
func (v *view) sub(i, j int) view {
	w := *v
	w.b, w.base = v.b[i:j], v.base+i
	w.bare = v.bare && i == 0 && j == len(v.b)
	return w
}

// run is one scan: the spans found so far.
type run struct {
	s        *Scanner
	src      []byte
	spans    []Span
	near     nearby
	decode   int // bytes decoded so far in all layers
	keys     *keyCache
	cells    *memo       // nil: nothing is remembered
	ws       []word      // scratch of the tagger
	ts       []uint8     // scratch of the tagger
	found    []candidate // names that the tagger proposes in one piece
	urlEnd   int         // source offset to which the current view has been read as a URL
	starts   int         // readings of digit groups that began before groupEnd
	groupEnd int         // where the last group of several runs ended, in the current view
	seen     uint8       // encodings noted by the scan of the current view
	vain     vain        // what was read in vain in the current view
	num      *num        // scratch of number, made when there is one
}

func (r *run) want(t typeSet) bool { return r.s.want&t != 0 }

// emit records a finding at v.b[i:j].
func (r *run) emit(v *view, i, j int, t Type, sub string, score float64, why string) {
	if r.s.want&bitOf(t) == 0 || i >= j {
		return
	}
	if v.layer != "" {
		why = v.layer + ": " + why
	}
	r.spans = append(r.spans, Span{Start: v.src(i), End: v.srcEnd(j), Type: t, Sub: sub, Score: score, Why: why})
}

// text scans a view that may be JSON, and else as characters.
func (r *run) text(v *view) {
	if v.layers < maxLayers && looksJSON(v.b) && r.json(v) {
		return
	}
	r.chars(v)
}

// chars scans characters: first folded if anything in them needs folding.
func (r *run) chars(v *view) {
	if !v.folded && needsFold(v.b) {
		f := fold(*v)
		v = &f
	}
	v.folded = true
	r.seen, r.urlEnd, r.groupEnd, r.vain = 0, 0, 0, vain{}
	r.scan(v)
	saw := r.seen
	r.patterns(v)
	if r.want(proseBits|dateBit) && !v.number && !v.opaque {
		r.names(v)
	}
	if saw != 0 {
		r.undo(v, saw)
	}
}

// scan is the one pass over bytes: tokens with digits and the bytes at which a
// shape can be recognised are looked at, all else is skipped. It is written as
// one loop because it is the hot path.
func (r *run) scan(v *view) {
	b := v.b
	if v.hint != nil {
		r.byKey(v)
	}
	secretsOnly := r.s.want == secretBit
	for i := 0; i < len(b); {
		c := class[b[i]]
		if c&cWord != 0 {
			j, m := i+1, c
			for j < len(b) {
				cj := class[b[j]]
				if cj&cWord == 0 {
					break
				}
				m |= cj
				j++
			}
			next := j
			known := prefixStart(b, i)
			if known {
				next = max(next, r.prefixed(v, i, j))
			}
			if m&cDigit != 0 {
				if next == j && !secretsOnly {
					next = max(next, r.digits(v, i, j, m))
				}
			} else if j-i <= longestWord && j+1 < len(b) && (known || c&cUpper != 0 || j-i <= 3 && (isDigit(b[j+1]) || b[j] == '-')) {
				next = max(next, r.word(v, i, j))
			}
			if next == j && (j-i >= 16 || m&cUpper != 0 && j-i >= 4 && runOf64(b, i, j)) {
				next = max(next, r.encoded(v, i, j))
			}
			i = next
			continue
		}
		if c&cTrig != 0 {
			i = max(i+1, r.trigger(v, i))
			continue
		}
		i++
	}
}

// longestWord bounds the words that word looks at: a password's in some language.
const longestWord = 24

// trigger handles the byte at i and returns where to go on, or i.
func (r *run) trigger(v *view, i int) int {
	b := v.b
	switch b[i] {
	case '@':
		return r.at(v, i)
	case ':':
		if i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/' {
			return r.url(v, i)
		}
		if j := r.ipv6(v, i); j > i {
			return j
		}
		return r.assigned(v, i)
	case '=', '>':
		return r.assigned(v, i)
	case ',':
		if i > 0 && (b[i-1] == '"' || b[i-1] == '\'') {
			return r.assigned(v, i)
		}
	case '\\':
		return r.escape(v, i)
	case '+':
		return r.plusPhone(v, i)
	case '(':
		return r.parenPhone(v, i)
	case '-':
		if i+4 < len(b) && b[i+1] == '-' && b[i+4] == '-' {
			return r.pem(v, i)
		}
	case '%':
		return r.percent(v, i)
	case '&':
		return r.entity(v, i)
	case '.':
		return r.domain(v, i)
	}
	return i
}

// finish sorts the spans and removes overlaps: secrets first, then what a check
// digit or a form proves, then length.
func (r *run) finish() []Span {
	if r.keys != nil {
		r.keys.giveBack()
		r.keys = nil
	}
	if r.cells != nil {
		clear(r.cells[:])
		memos.Put(r.cells)
		r.cells = nil
	}
	r.spans = resolve(r.spans)
	if n := len(r.spans); n > 0 {
		if r.sweep(); len(r.spans) > n {
			r.spans = resolve(r.spans)
		}
	}
	return r.spans
}

// resolve sorts spans and keeps the stronger of those that overlap.
func resolve(spans []Span) []Span {
	if len(spans) < 2 {
		return spans
	}
	if !slices.IsSortedFunc(spans, bySpan) {
		slices.SortFunc(spans, bySpan)
	}
	out := spans[:0] // never ahead of what is read
	for _, s := range spans {
		keep := true
		for len(out) > 0 && keep {
			last := out[len(out)-1]
			if s.Start >= last.End {
				break
			}
			if stronger(s, last) {
				out = out[:len(out)-1]
			} else {
				keep = false
			}
		}
		if keep {
			out = append(out, s)
		}
	}
	return out
}
