package media

import (
	"bytes"
	"encoding/binary"
)

// silent are PNG's chunks that hold no text.
var silent = map[string]bool{
	"IHDR": true, "PLTE": true, "IDAT": true, "IEND": true, "cHRM": true, "gAMA": true, "iCCP": true, "sBIT": true, "sRGB": true, "bKGD": true,
	"hIST": true, "tRNS": true, "pHYs": true, "sPLT": true, "tIME": true, "acTL": true, "fcTL": true, "fdAT": true, "cICP": true, "mDCV": true, "cLLI": true,
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
		if !silent[kind] {
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
	case "zTXt":
		if len(value) > 0 {
			p.Items = []Item{{latin(key), latin(r.inflate(value[1:]))}}
		}
	case "iTXt": // compressed, method, language, translated key, text
		if len(value) < 2 {
			break
		}
		_, rest, _ := bytes.Cut(value[2:], []byte{0})
		translated, text, _ := bytes.Cut(rest, []byte{0})
		if value[0] != 0 {
			text = r.inflate(text)
		}
		p.Items = []Item{{latin(key), latin(text)}, {"", latin(translated)}}
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
