package media

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// silent are PNG's chunks that hold no text, and how long each may be; -1 for what
// holds pixels or colours. A longer one holds something else too
// (TestC14TextWhereNoneBelongs).
var silent = map[string]int{
	"IHDR": 13, "PLTE": 768, "IDAT": -1, "IEND": 0, "cHRM": 32, "gAMA": 4, "iCCP": -1, "sBIT": 4, "sRGB": 1, "bKGD": 6,
	"hIST": 512, "tRNS": 256, "pHYs": 9, "tIME": 7, "acTL": 8, "fcTL": 26, "fdAT": -1, "cICP": 4, "mDCV": 24, "cLLI": 8,
}

// quiet reports whether a chunk is one of those that hold no text.
func quiet(silent map[string]int, kind string, size int) bool {
	most, is := silent[kind]
	return is && (most < 0 || size <= most)
}

// png walks the chunks: length, type, data, checksum.
func (r *reader) png() {
	i := 8
	for r.err == nil && i+12 <= len(r.b) {
		n := int(binary.BigEndian.Uint32(r.b[i:]))
		end := i + 12 + n
		if n < 0 || n > len(r.b) || end > len(r.b) {
			break // a chunk that is longer than the file
		}
		kind, data := string(r.b[i+4:i+8]), r.b[i+8:i+8+n]
		if !quiet(silent, kind, n) {
			p := Part{Start: i, End: end}
			r.chunk(&p, kind, data)
			r.part(p)
		}
		i = end
		if kind == "IEND" {
			break
		}
	}
	r.rest(i)
}

func (r *reader) chunk(p *Part, kind string, data []byte) {
	key, value, _ := bytes.Cut(data, []byte{0})
	switch kind {
	case "tEXt":
		p.Items = []Item{{latin(key), latin(value)}}
		r.hexed(p, string(key), value)
	case "zTXt": // method, compressed text
		p.Items = runsOf("", data, leastRest) // whatever stands there uncompressed
		if len(value) > 0 {
			text := r.inflate(value[1:])
			p.Items = append(p.Items, Item{latin(key), latin(text)})
			r.hexed(p, string(key), text)
		}
	case "iTXt": // compressed, method, language, translated key, text
		if len(value) < 2 {
			p.Items = runs("", data)
			break
		}
		language, rest, _ := bytes.Cut(value[2:], []byte{0})
		translated, text, _ := bytes.Cut(rest, []byte{0})
		if value[0] != 0 {
			p.Items = runsOf("", data, leastRest)
			text = r.inflate(text)
		}
		p.Items = append(p.Items, Item{latin(key), latin(text)}, Item{"", latin(translated)}, Item{"", latin(language)})
		r.hexed(p, string(key), text)
	case "eXIf":
		r.exif(p, data)
	default:
		p.Items = runs("", data)
	}
}

func (r *reader) inflate(b []byte) []byte {
	out, err := inflated(b)
	if err != nil && r.err == nil {
		r.err = err
	}
	return out
}

// hexed reads what ImageMagick makes of another format's metadata: a text with the
// profile's name, its length, and its bytes in hexadecimal.
func (r *reader) hexed(p *Part, key string, text []byte) {
	if !strings.HasPrefix(key, "Raw profile type ") {
		return
	}
	words := bytes.Fields(text)
	if len(words) < 3 {
		return
	}
	digits := bytes.Join(words[2:], nil)
	b := make([]byte, len(digits)/2)
	n, _ := hex.Decode(b, digits) // up to where it breaks off
	inner := Part{}
	r.exif(&inner, bytes.TrimPrefix(b[:n], []byte("Exif\x00\x00")))
	p.Items, p.GPS = append(p.Items, inner.Items...), p.GPS || inner.GPS
}
