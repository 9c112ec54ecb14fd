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
}

type needle struct {
	bytes []byte // as they stand inside a JSON string
	f     *finding
	inner int // the longest other needle that this one begins with, or -1
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
		plain, styled := written(f.value, string(stands), in)
		if forms += len(styled); forms <= mostForms {
			plain = append(plain, styled...)
		}
		for _, form := range plain {
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
	}
	return w
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
	for k >= 0 {
		n := &w.needles[k]
		if bytes.HasPrefix(raw[i:upTo], n.bytes) && alone(raw, i, i+len(n.bytes)) {
			return n.f, len(n.bytes)
		}
		k = n.inner
	}
	return nil, 0
}

// alone reports whether raw[i:j] is not a part of a longer word, nor begins inside an
// escape, which cannot be parted.
func alone(raw []byte, i, j int) bool {
	if escapes(raw, i) {
		return false
	}
	before, _ := utf8.DecodeLastRune(raw[:i])
	first, _ := utf8.DecodeRune(raw[i:j])
	last, _ := utf8.DecodeLastRune(raw[i:j])
	after, _ := utf8.DecodeRune(raw[j:])
	if i >= 2 && raw[i-2] == '\\' {
		before = ' ' // the letter of an escape
	}
	next := j
	for next+1 < len(raw) && raw[next] == '\\' && raw[next+1] == '\\' {
		next++
	}
	for _, c := range [...]struct {
		r  *rune
		at int
	}{{&before, i - 6}, {&first, i}, {&last, j - 6}, {&after, next}} {
		if r, n := byNumber(raw, c.at); n > 0 {
			*c.r = r
		}
	}
	return !(word(before) && word(first)) && !(word(last) && word(after))
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
