package pii

import (
	"bytes"
	"compress/gzip"
	"io"
	"unicode/utf8"
)

// Limits of decoding.
const (
	maxLayers  = 3
	maxInflate = 1 << 20 // bytes of one gzip member, and 100 times its size
	maxEncoded = 1 << 22 // bytes of one encoded run
)

// budget takes n decoded bytes from what one scan may decode, which keeps the
// work linear in the size of the text.
func (r *run) budget(n int) bool {
	if r.decode+n > 6*len(r.src)+1<<16 {
		return false
	}
	r.decode += n
	return true
}

// runOf64 reports whether the token b[i:j] may begin a run of base64 that goes on
// after a sign. Only the first token of a run is asked, which keeps the work
// linear in texts of many signs.
func runOf64(b []byte, i, j int) bool {
	return j < len(b) && (b[j] == '+' || b[j] == '/') && (i == 0 || b[i-1] != '+' && b[i-1] != '/')
}

// encoded looks into a run of base64 or hex that begins with the token b[i:j]
// and returns its end if it holds text, else j. The head is judged before the run
// is read, and a run in which several heads misled is left alone, which keeps the
// work linear (TestC13RunsOverAndOver).
func (r *run) encoded(v *view, i, j int) int {
	b := v.b
	if v.layers >= maxLayers || !r.vain.mayRun(i) {
		return j
	}
	head := b[i:runEnd(b, i, longToken)]
	if len(head) < longToken {
		return j
	}
	if allHex(head) {
		k := runEnd(b, i, maxEncoded)
		if t := b[i:k]; len(t)%2 == 0 && allHex(t) {
			return r.hex(v, i, k)
		}
		r.vain.misled(i, k)
	}
	var buf [longToken]byte
	if first, ok := decode64(head, buf[:0]); !ok || !textual(first) && !gzipped(first) {
		return j
	}
	k := runEnd(b, i, maxEncoded)
	out, name := r.decoded(b[i:k])
	if out == nil {
		r.vain.misled(i, k)
		return j
	}
	r.inside(v, i, k, out, name)
	return k
}

// decoded returns the text that base64 stands for, or nil if it stands for none.
func (r *run) decoded(t []byte) (out []byte, name string) {
	if !r.budget(len(t) * 3 / 4) {
		return nil, ""
	}
	out, ok := decode64(t, make([]byte, 0, len(t)*3/4))
	if !ok {
		return nil, ""
	}
	name = "base64"
	if gzipped(out) {
		if out, ok = inflate(out); !ok || !r.budget(len(out)) {
			return nil, ""
		}
		name = "gzip in base64"
	}
	if !textual(out) {
		return nil, ""
	}
	return out, name
}

// runEnd returns where the run of base64 at i ends, or i+most if it is longer.
func runEnd(b []byte, i, most int) int {
	k := i
	for k < len(b) && k-i < most && encodedByte(b[k]) {
		k++
	}
	return k
}

// encodedByte reports whether c may stand in hex or in base64 of either alphabet.
func encodedByte(c byte) bool { return byteKinds[c]&kEncoded != 0 }

// hexBinary reports whether hex digits stand for bytes that no text has: most
// hashes do, and then nothing need be decoded.
func hexBinary(t []byte) bool {
	for n := 0; n+1 < len(t); n += 2 {
		x, _ := hexDigit(t[n])
		y, _ := hexDigit(t[n+1])
		if c := x<<4 | y; c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

func (r *run) hex(v *view, i, k int) int {
	t := v.b[i:k]
	if hexBinary(t) {
		return i
	}
	out := make([]byte, 0, len(t)/2)
	for n := 0; n < len(t); n += 2 {
		x, _ := hexDigit(t[n])
		y, _ := hexDigit(t[n+1])
		out = append(out, x<<4|y)
	}
	if !textual(out) || !r.budget(len(out)) {
		return i
	}
	r.inside(v, i, k, out, "hex")
	return k
}

// inside scans the decoded bytes of v.b[i:k]; a finding stands for all of them.
func (r *run) inside(v *view, i, k int, out []byte, name string) {
	w := view{b: out, fixed: true, fs: v.src(i), fe: v.srcEnd(k), key: v.key, layers: v.layers + 1, layer: name}
	if v.fixed {
		w.fs, w.fe = v.fs, v.fe
	}
	// The scan of v goes on afterwards, with what it has seen (TestC07RunsHideNoEncoding).
	seen, urlEnd, groupEnd := r.seen, r.urlEnd, r.groupEnd
	r.text(&w)
	r.seen, r.urlEnd, r.groupEnd = seen, urlEnd, groupEnd
}

// textual reports whether b is mostly printable text.
func textual(b []byte) bool {
	bad := 0
	for i := 0; i < len(b) && i < 512; {
		c := b[i]
		if c >= 0x80 {
			_, n := utf8.DecodeRune(b[i:])
			if n == 1 && i+4 <= len(b) {
				return false
			}
			i += n
			continue
		}
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			bad++
		}
		i++
	}
	return bad == 0 && len(b) > 0
}

func gzipped(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b }

func inflate(b []byte) ([]byte, bool) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, false
	}
	limit := min(maxInflate, 100*len(b))
	out, err := io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if err != nil || len(out) > limit || z.Close() != nil {
		return nil, false
	}
	return out, true
}

// decode64 appends the bytes of base64 in either alphabet, padded or not.
func decode64(t, out []byte) ([]byte, bool) {
	for len(t) > 0 && t[len(t)-1] == '=' {
		t = t[:len(t)-1]
	}
	acc, bits := uint32(0), 0
	for _, c := range t {
		x := value64[c]
		if x > 63 {
			return nil, false
		}
		acc, bits = acc<<6|uint32(x), bits+6
		if bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out, len(t)%4 != 1
}

var value64 = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = uint8(i)
	}
	t['-'], t['_'] = 62, 63
	return t
}()

// percent, entity and escape note that the view holds such an encoding; chars
// undoes it for the whole view afterwards, once each.
func (r *run) percent(v *view, i int) int {
	if i+2 < len(v.b) && class[v.b[i+1]]&cHex != 0 && class[v.b[i+2]]&cHex != 0 {
		r.seen |= sawPercent
	}
	return i
}

func (r *run) entity(v *view, i int) int {
	if i+3 < len(v.b) && (v.b[i+1] == '#' || class[v.b[i+1]]&cLower != 0) {
		r.seen |= sawEntity
	}
	return i
}

func (r *run) escape(v *view, i int) int {
	if i+5 < len(v.b) && v.b[i+1] == 'u' && class[v.b[i+2]]&cHex != 0 {
		r.seen |= sawEscape
	}
	return i
}

// What a view was seen to hold.
const (
	sawPercent = 1 << iota
	sawEntity
	sawEscape
)

// undone are the encodings of whole views, in the order in which they are tried.
var undone = [...]struct {
	bit  uint8
	name string
	how  func(view) view
}{{sawPercent, "percent encoding", unpercent}, {sawEntity, "HTML entities", unentity}, {sawEscape, "escapes", unescape}}

// undo scans v again with one encoding removed. What is left may hold the same one
// again: a URL in a URL is encoded twice (TestC07EncodedTwice).
func (r *run) undo(v *view, saw uint8) {
	if v.layers >= maxLayers {
		return
	}
	for _, u := range undone {
		if saw&u.bit == 0 || !r.budget(len(v.b)) {
			continue
		}
		w := u.how(*v)
		if len(w.b) == len(v.b) {
			continue
		}
		w.layers++
		w.folded = false
		w.hint = v.hint
		w.layer = u.name
		r.text(&w)
	}
}

// rewrite builds a view from v with step, which returns the bytes that stand for
// v.b[i] and how many bytes it took.
func rewrite(v view, step func(b []byte, i int, buf []byte) (out []byte, n int)) view {
	b := v.b
	out := make([]byte, 0, len(b))
	var t trail
	var buf [8]byte
	for i := 0; i < len(b); {
		p, n := step(b, i, buf[:0])
		at := v.src(i)
		for _, c := range p {
			if !v.fixed {
				t.add(len(out), at)
			}
			out = append(out, c)
		}
		i += n
	}
	return v.decoded(out, t)
}

// unpercent undoes URL encoding. A plus is a space where no space is written in
// another way: forms are encoded so.
func unpercent(v view) view {
	form := !bytes.Contains(v.b, []byte("%20"))
	return rewrite(v, func(b []byte, i int, buf []byte) ([]byte, int) {
		if b[i] == '+' && form && i > 0 && b[i-1] != ' ' {
			return append(buf, ' '), 1
		}
		if b[i] == '%' && i+2 < len(b) {
			x, ok1 := hexDigit(b[i+1])
			y, ok2 := hexDigit(b[i+2])
			if ok1 && ok2 {
				return append(buf, x<<4|y), 3
			}
		}
		return append(buf, b[i]), 1
	})
}

func unentity(v view) view {
	return rewrite(v, func(b []byte, i int, buf []byte) ([]byte, int) {
		if b[i] == '&' {
			if r, n := entityAt(b, i); n > 0 {
				return utf8.AppendRune(buf, r), n
			}
		}
		return append(buf, b[i]), 1
	})
}

// entityAt reads a numeric entity or one of the five that XML knows.
func entityAt(b []byte, i int) (r rune, n int) {
	end := min(len(b), i+12)
	k := i + 1
	for k < end && b[k] != ';' {
		k++
	}
	if k >= end {
		return 0, 0
	}
	name := b[i+1 : k]
	switch string(name) {
	case "amp":
		return '&', k + 1 - i
	case "lt":
		return '<', k + 1 - i
	case "gt":
		return '>', k + 1 - i
	case "quot":
		return '"', k + 1 - i
	case "apos":
		return '\'', k + 1 - i
	case "nbsp":
		return ' ', k + 1 - i
	case "commat":
		return '@', k + 1 - i
	}
	if len(name) < 2 || name[0] != '#' {
		return 0, 0
	}
	name = name[1:]
	base := rune(10)
	if name[0]|0x20 == 'x' {
		base, name = 16, name[1:]
	}
	for _, c := range name {
		x, ok := hexDigit(c)
		if !ok || rune(x) >= base {
			return 0, 0
		}
		r = r*base + rune(x)
		if r > utf8.MaxRune {
			return 0, 0
		}
	}
	return r, k + 1 - i
}
