package media

import (
	"bytes"
	"encoding/binary"
)

// gif walks the blocks after the header and its colours.
func (r *reader) gif() {
	if len(r.b) < 13 {
		return
	}
	i := 13
	if flags := r.b[10]; flags&0x80 != 0 {
		i += 3 << (flags&7 + 1)
	}
	for r.err == nil && i < len(r.b) {
		start := i
		switch r.b[i] {
		case ';': // the end
			r.rest(i + 1)
			return
		case ',': // a picture: position, flags, colours, code size
			if i+11 > len(r.b) {
				r.rest(i)
				return
			}
			flags := r.b[i+9]
			if i += 10; flags&0x80 != 0 {
				i += 3 << (flags&7 + 1)
			}
			i++
		case '!':
			i += 2
		default:
			r.rest(i)
			return
		}
		end, data := blocks(r.b, i)
		if r.b[start] == '!' && start+1 < len(r.b) && (r.b[start+1] != 0xf9 || len(data) > 4) {
			// A comment, plain text, or an application's: XMP is one, and is
			// written as if its first bytes were lengths.
			r.part(Part{Start: start, End: end, Items: append(runs("comment", data), runs("", r.b[min(i, end):end])...)})
		}
		i = end
	}
	r.rest(i)
}

// blocks joins sub-blocks, each behind a byte of its length, up to an empty one.
func blocks(b []byte, i int) (end int, data []byte) {
	for i < len(b) && b[i] != 0 {
		n := int(b[i])
		data = append(data, b[i+1:min(len(b), i+1+n)]...)
		i += 1 + n
	}
	return min(len(b), i+1), data
}

// silentRIFF are the chunks that hold no text, as silent are, for each kind of file.
var silentRIFF = map[string]map[string]int{
	"WEBP": {"VP8 ": -1, "VP8L": -1, "VP8X": 10, "ALPH": -1, "ANIM": 6, "ICCP": -1},
	"WAVE": {"fmt ": 40, "data": -1, "fact": 12},
}

// riff walks the chunks of WebP and WAV: type, length, data, filled up to an even
// length.
func (r *reader) riff() {
	if len(r.b) < 12 {
		return
	}
	last, i := riffSize(r.b), 12
	for r.err == nil && i+8 <= last {
		n := int(binary.LittleEndian.Uint32(r.b[i+4:]))
		end := i + 8 + n + n&1
		if n < 0 || n > len(r.b) || i+8+n > len(r.b) {
			break
		}
		end = min(end, len(r.b))
		data := r.b[i+8 : i+8+n]
		p := Part{Start: i, End: end}
		switch kind, form := string(r.b[i:i+4]), string(r.b[8:12]); {
		case quiet(silentRIFF[form], kind, n):
		case kind == "ANMF" && form == "WEBP":
			p.Items = frame(data)
			r.part(p)
		case kind == "EXIF":
			r.exif(&p, bytes.TrimPrefix(data, []byte("Exif\x00\x00")))
			r.part(p)
		default:
			p.Items = runs("", data)
			r.part(p)
		}
		i = end
	}
	r.rest(i)
}

// frame reads what stands beside the pixels of one picture of several: after 16
// bytes of place and time, chunks.
func frame(data []byte) (out []Item) {
	i := 16
	for i+8 <= len(data) {
		n := int(binary.LittleEndian.Uint32(data[i+4:]))
		if n < 0 || n > len(data) || i+8+n > len(data) {
			break
		}
		if kind := string(data[i : i+4]); kind != "ALPH" && kind != "VP8 " && kind != "VP8L" {
			out = append(out, runs("", data[i:i+8+n])...)
		}
		i += 8 + n + n&1
	}
	if i < len(data) {
		out = append(out, runsOf("", data[i:], leastRest)...)
	}
	return out
}

// riffSize returns where a RIFF file says that it ends, 0 of another file.
func riffSize(b []byte) int {
	if len(b) < 12 || !bytes.HasPrefix(b, []byte("RIFF")) {
		return 0
	}
	return int(min(int64(len(b)), 8+int64(binary.LittleEndian.Uint32(b[4:]))))
}

// resize writes the length of a RIFF file anew, and takes back what WebP's header
// says of chunks that are no longer there.
func resize(b []byte, size int) {
	if len(b) < 12 {
		return
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(max(4, size-8)))
	if len(b) < 21 || string(b[8:16]) != "WEBPVP8X" {
		return
	}
	r := reader{b: b}
	has := map[string]bool{}
	for i := 12; i+8 <= len(r.b); {
		n := int(binary.LittleEndian.Uint32(r.b[i+4:]))
		if n < 0 || n > len(r.b) {
			break
		}
		has[string(r.b[i:i+4])] = true
		i += 8 + n + n&1
	}
	if !has["EXIF"] {
		b[20] &^= 0x08
	}
	if !has["XMP "] {
		b[20] &^= 0x04
	}
}
