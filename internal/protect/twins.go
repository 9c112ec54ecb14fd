package protect

import (
	"bytes"
	"encoding/binary"
	"slices"
	"unicode"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// leastTwin is the shortest value that is looked for elsewhere: what is shorter
// stands in texts by chance.
const leastTwin = 6

// twins finds what is hidden in one place of a message and stands in others too,
// where no key or context gives it away: a result repeats its structure as text.
// One pass over the message looks for all values at once, so that the time is
// linear in its size.
func (j *job) twins(m *wire.Message, found []finding) []finding {
	w := newWanted(m.Raw(), found)
	if len(w.needles) == 0 {
		return nil
	}
	var out []finding
	known, i := slices.Clone(found), 0
	slices.SortFunc(known, func(a, b finding) int { return a.start - b.start })
	for spot := range m.Spots() {
		if spot.End-spot.Start < leastTwin+2 || !spot.Key && spot.Value.Kind() != wire.String {
			continue
		}
		path, raw := "", m.Raw()[:spot.End-1]
		for at, end := spot.Start+1, spot.End-leastTwin; at < end; {
			for i < len(known) && known[i].end <= at {
				i++
			}
			stop := end
			if i < len(known) {
				if known[i].start <= at {
					at = known[i].end
					continue
				}
				stop = min(stop, known[i].start)
			}
			if at = w.next(raw, at, stop); at == stop {
				continue
			}
			upTo := len(raw)
			if i < len(known) {
				upTo = min(upTo, known[i].start)
			}
			f, size := w.at(raw, at, upTo)
			if size == 0 {
				at = nextStart(raw, at)
				continue
			}
			if path == "" {
				path = spot.Path()
			}
			if opaque(path) || fixed(path) {
				break
			}
			twin := *f
			if f.action == privacy.Drop { // a part of a text cannot be taken out as a member
				twin.action, twin.text = privacy.Redact, "["+string(f.typ)+"]"
			}
			twin.start, twin.end, twin.key, twin.number, twin.path = at, at+size, spot.Key, false, path
			twin.whole = at == spot.Start+1 && at+size == spot.End-1
			if !j.offered(&twin) {
				out = append(out, twin)
			}
			at += size
		}
	}
	return out
}

// nextStart returns the next place after at where something may begin that is not
// a part of a longer word. What an escape is written with is no part of the word
// after it.
func nextStart(raw []byte, at int) int {
	if at > 0 && raw[at-1] == '\\' {
		if _, n := byNumber(raw, at-1); n > 0 && at-1+n < len(raw) {
			return at - 1 + n
		}
		return at + 1
	}
	for plain[raw[at]] {
		if at++; at == len(raw) || !plain[raw[at]] {
			return at
		}
	}
	return at + 1
}

// plain has the letters and digits of ASCII.
var plain = func() (t [256]bool) {
	for c := range t {
		t[c] = c < utf8.RuneSelf && word(rune(c))
	}
	return t
}()

// wanted are the values to look for, in order. What an answer holds may be chosen
// to begin alike ten thousand times over: a place in a text is looked up among all
// of them at once, not held against one after the other (TestC13ValuesAlike).
type wanted struct {
	begin   [256]bool     // the bytes that a value begins with
	first   [1 << 13]byte // a bit for each hash of four bytes that a value begins with
	needles []needle
	steps   int // of walks over needles, for the tests
}

type needle struct {
	bytes []byte // as they stand inside a JSON string
	f     *finding
	inner int // the longest other needle that this one begins with, or -1
	depth int // how many needles it begins with, itself among them
	far   int // one of them, chosen so that a walk over them takes few steps; or -1
}

// newWanted takes up the values that something was put in the place of. A value
// is looked for as it stands, and as servers write it in JSON and in JSON inside a
// string.
func newWanted(raw []byte, found []finding) *wanted {
	w, in, forms := &wanted{}, stylesIn(raw), 0
	for i := range found {
		f := &found[i]
		if f.end-f.start < leastTwin {
			continue
		}
		stands := raw[f.start:f.end]
		w.add(stands, f)
		if forms > mostForms || len(f.value) > longestToken {
			in = nil
		}
		plain, styled := written(f.value, string(stands), in)
		for _, form := range styled {
			forms += len(form)
		}
		for _, form := range append(plain, styled...) {
			if form != string(stands) {
				w.add([]byte(form), f)
			}
		}
	}
	slices.SortStableFunc(w.needles, func(a, b needle) int { return bytes.Compare(a.bytes, b.bytes) })
	w.needles = slices.CompactFunc(w.needles, func(a, b needle) bool { return bytes.Equal(a.bytes, b.bytes) })
	for i := range w.needles {
		n := &w.needles[i]
		for n.inner = i - 1; n.inner >= 0 && !bytes.HasPrefix(n.bytes, w.needles[n.inner].bytes); {
			n.inner = w.needles[n.inner].inner
		}
		w.link(n)
	}
	return w
}

// link notes how a walk from n over the needles that it begins with goes on faster
// than from one to the next: a jump is as long as two before it if these are alike.
func (w *wanted) link(n *needle) {
	n.depth, n.far = 1, n.inner
	if n.inner < 0 {
		return
	}
	p := w.needles[n.inner]
	n.depth = p.depth + 1
	if p.far < 0 {
		return
	}
	q, last := w.needles[p.far], 0
	if q.far >= 0 {
		last = w.needles[q.far].depth
	}
	if p.depth-q.depth == q.depth-last {
		n.far = q.far
	}
}

// within returns the longest needle of at most size bytes that the one at k is or
// begins with, or -1.
func (w *wanted) within(k, size int) int {
	for ; k >= 0 && len(w.needles[k].bytes) > size; w.steps++ {
		n := &w.needles[k]
		if k = n.inner; n.far >= 0 && len(w.needles[n.far].bytes) > size {
			k = n.far
		}
	}
	return k
}

func (w *wanted) add(b []byte, f *finding) {
	if len(b) < leastTwin {
		return
	}
	h := hash(binary.LittleEndian.Uint32(b))
	w.begin[b[0]] = true
	w.first[h>>3] |= 1 << (h & 7)
	w.needles = append(w.needles, needle{bytes: b, f: f})
}

func hash(head uint32) uint32 { return head * 2654435761 >> 16 }

// next returns the first place from at on where a value may begin, or stop. Four
// bytes follow stop.
func (w *wanted) next(raw []byte, at, stop int) int {
	for at < stop {
		if w.begin[raw[at]] {
			h := hash(binary.LittleEndian.Uint32(raw[at:]))
			if w.first[h>>3]&(1<<(h&7)) != 0 {
				return at
			}
		}
		at = nextStart(raw, at)
	}
	return stop
}

// at returns the finding whose value begins at raw[i] and ends at most at upTo, the
// longest first, and the value's size there; 0 if there is none. All needles that
// the text begins with are the last one that is not behind it in order, or stand
// inside that.
func (w *wanted) at(raw []byte, i, upTo int) (*finding, int) {
	k, exact := slices.BinarySearchFunc(w.needles, raw[i:], func(n needle, text []byte) int { return bytes.Compare(n.bytes, text) })
	if !exact {
		k--
	}
	if k < 0 || !begins(raw, i) {
		return nil, 0
	}
	for k = w.within(k, common(w.needles[k].bytes, raw[i:upTo])); k >= 0; k = w.needles[k].inner {
		if n := &w.needles[k]; ends(raw, i+len(n.bytes)) {
			return n.f, len(n.bytes)
		}
	}
	return nil, 0
}

// common returns how many bytes a and b begin with alike.
func common(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// begins reports whether a value at raw[i] is not the end of a longer word, nor begins
// inside an escape, which cannot be parted.
func begins(raw []byte, i int) bool {
	if escapes(raw, i) {
		return false
	}
	before, _ := utf8.DecodeLastRune(raw[:i])
	first, _ := utf8.DecodeRune(raw[i:])
	if i >= 2 && raw[i-2] == '\\' {
		before = ' ' // the letter of an escape
	}
	return !(word(numbered(raw, i-6, before)) && word(numbered(raw, i, first)))
}

// ends reports whether a value of leastTwin bytes or more before raw[j] is not the
// beginning of a longer word. Most often a look at two bytes says so: many values
// that begin alike may end in one text.
func ends(raw []byte, j int) bool {
	if j == len(raw) || raw[j] < utf8.RuneSelf && raw[j] != '\\' && !plain[raw[j]] {
		return true
	}
	if plain[raw[j-1]] && plain[raw[j]] && raw[j-6] != '\\' {
		return false
	}
	last, _ := utf8.DecodeLastRune(raw[:j])
	after, _ := utf8.DecodeRune(raw[j:])
	next := j
	for next+1 < len(raw) && raw[next] == '\\' && raw[next+1] == '\\' {
		next++
	}
	return !(word(numbered(raw, j-6, last)) && word(numbered(raw, next, after)))
}

// numbered returns the character that is written by its number at raw[i], or else r.
func numbered(raw []byte, i int, r rune) rune {
	if x, n := byNumber(raw, i); n > 0 {
		return x
	}
	return r
}

// escapes reports whether the backslashes before raw[i] make an escape of it.
func escapes(raw []byte, i int) bool {
	n := 0
	for n < i && n < 64 && raw[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}

func word(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
