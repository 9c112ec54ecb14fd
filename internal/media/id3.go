package media

import (
	"bytes"
	"encoding/binary"
)

// id3 reads the tags before an MPEG stream, and the old ones and APE's behind it.
// Between them is sound; what begins like no sound is read like any rest, and a
// file of another format as that format (TestC14TextWhereNoneBelongs).
func (r *reader) id3() {
	at := 0
	for r.err == nil && bytes.HasPrefix(r.b[at:], []byte("ID3")) && at+10 <= len(r.b) {
		n := 0
		for _, c := range r.b[at+6 : at+10] {
			n = n<<7 | int(c&0x7f)
		}
		end := min(len(r.b), at+10+n)
		r.part(Part{Start: at, End: end, Items: runs("", r.b[at:end])})
		at = end
	}
	for at < len(r.b) && r.b[at] == 0 {
		at++
	}
	switch rest := r.b[at:]; {
	case r.err != nil || len(rest) == 0:
	case len(rest) > 1 && rest[0] == 0xff && rest[1]&0xe0 == 0xe0 && !bytes.HasPrefix(rest, []byte("\xff\xd8\xff")):
		r.behind(at)
	default:
		r.other(at)
	}
}

// other reads a file of another format.
func (r *reader) other(at int) {
	for _, f := range plain {
		if bytes.HasPrefix(r.b[at:], []byte(f.magic)) {
			inner := reader{b: r.b[at:], size: r.size}
			f.read(&inner)
			for _, p := range inner.parts {
				p.Start, p.End = p.Start+at, p.End+at
				r.parts = append(r.parts, p)
			}
			r.err = inner.err
			return
		}
	}
	r.rest(at)
}

// behind reads the tags behind the sound that begins at a place.
func (r *reader) behind(at int) {
	last := len(r.b) - 128
	if last < at || string(r.b[last:last+3]) != "TAG" {
		last = len(r.b)
	}
	if foot := last - 32; foot >= at && string(r.b[foot:foot+8]) == "APETAGEX" {
		// Its length is that of the entries and this foot; a head may come before.
		start := max(int64(at), int64(last)-int64(binary.LittleEndian.Uint32(r.b[foot+12:]))-32)
		start = min(start, int64(foot))
		r.part(Part{Start: int(start), End: last, Items: runs("", r.b[start:last])})
	}
	if last < len(r.b) {
		r.part(Part{Start: last, End: len(r.b), Items: runs("", r.b[last:])})
	}
}
