package media

import (
	"bytes"
	"encoding/binary"
)

// jpeg walks the segments: 0xFF, a marker, and for most a length with its own two
// bytes. After a scan's header come bytes in which 0xFF is followed by 0 or by a
// restart marker.
func (r *reader) jpeg() {
	i := 2
	var all []link
	defer func() { r.seams(all) }()
	for r.err == nil && i+2 <= len(r.b) {
		if r.b[i] != 0xff {
			break // not a segment: the rest is read as it is
		}
		marker := r.b[i+1]
		switch {
		case marker == 0xff: // fill
			i++
			continue
		case marker == 0xd9: // the end, behind which phones put further pictures
			if i += 2; !bytes.HasPrefix(r.b[i:], []byte("\xff\xd8\xff")) {
				r.rest(i)
				return
			}
			continue
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd8:
			i += 2
			continue
		}
		if i+4 > len(r.b) {
			break
		}
		end := i + 2 + int(binary.BigEndian.Uint16(r.b[i+2:]))
		if end < i+4 || end > len(r.b) {
			break
		}
		if !(marker >= 0xc0 && marker <= 0xdf) { // of pixels, and how they are coded
			p, n := Part{Start: i, End: end}, len(r.parts)
			r.segment(&p, marker, r.b[i+4:end])
			if r.part(p); len(r.parts) > n {
				all = append(all, linkOf(marker, r.b[i+4:end], n))
			}
		}
		if i = end; marker == 0xda {
			i = scanned(r.b, i)
		}
	}
	r.rest(i)
}

// scanned returns where the next segment begins after entropy-coded bytes.
func scanned(b []byte, i int) int {
	for i < len(b) {
		k := bytes.IndexByte(b[i:], 0xff)
		if k < 0 || i+k+1 >= len(b) {
			return len(b)
		}
		i += k
		if m := b[i+1]; m != 0 && (m < 0xd0 || m > 0xd7) {
			return i
		}
		i += 2
	}
	return len(b)
}

func (r *reader) segment(p *Part, marker byte, data []byte) {
	switch {
	case marker == 0xe1 && bytes.HasPrefix(data, []byte("Exif\x00")):
		r.exif(p, data[min(6, len(data)):])
	case marker == 0xfe:
		if p.Items = []Item{{"comment", latin(data)}}; bytes.IndexByte(data, 0) >= 0 {
			p.Items = append(p.Items, runs("comment", data)...)
		}
	case marker == 0xe0 && (bytes.HasPrefix(data, []byte("JFIF\x00")) || bytes.HasPrefix(data, []byte("JFXX\x00"))):
		p.Items = runsOf("", data[5:], leastRest) // density, and pixels
	case marker == 0xe2 && bytes.HasPrefix(data, []byte("ICC_PROFILE\x00")), marker == 0xee && bytes.HasPrefix(data, []byte("Adobe")) && len(data) <= 16:
		// no texts: density, colours
	default:
		p.Items = runs("", data)
	}
}
