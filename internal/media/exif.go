package media

import (
	"encoding/binary"
	"strings"
)

// tags are EXIF's entries that are texts about somebody or something, and the
// names that a detector understands as keys.
var tags = map[uint16]string{
	0x010e: "description", 0x013b: "author", 0x8298: "copyright", 0x9286: "comment", 0xa420: "image_id", 0xa430: "owner_name",
	0xa431: "device_serial_number", 0xa435: "lens_serial_number", 0xa436: "title", 0xa437: "photographer_name", 0xa438: "editor_name",
	0x9c9b: "title", 0x9c9c: "comment", 0x9c9d: "author", 0x9c9e: "keywords", 0x9c9f: "subject", 0xc62f: "device_serial_number",
}

// maxEntries bounds the entries of all directories of one EXIF block. More are an
// error and not left out: the position might stand behind them
// (TestC14PositionBehindManyDirectories).
const maxEntries = 20_000

const (
	tagExif = 0x8769
	tagGPS  = 0x8825
)

// exif reads a block that begins with a TIFF header. All of it is also read for
// runs of text: makers write what they like where they like.
func (r *reader) exif(p *Part, b []byte) {
	p.Items = runs("", b)
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case len(b) < 8:
		return
	case b[0] == 'M':
		order = binary.BigEndian
	case b[0] != 'I':
		return
	}
	r.left, r.entries = 2*len(b)+1<<12, maxEntries
	todo, gps, seen := []uint32{order.Uint32(b[4:])}, map[uint32]bool{}, map[uint64]bool{}
	for len(todo) > 0 && r.err == nil {
		at := todo[0]
		todo = todo[1:]
		as := uint64(at) // a directory is read once as a position's and once as another
		if gps[at] {
			as |= 1 << 32
		}
		if !seen[as] {
			seen[as] = true
			todo = append(todo, r.directory(p, b, order, at, gps)...)
		}
	}
}

// directory reads the entries of one directory and returns the ones to read next.
func (r *reader) directory(p *Part, b []byte, order binary.ByteOrder, at uint32, gps map[uint32]bool) (next []uint32) {
	if uint64(at)+2 > uint64(len(b)) {
		return nil
	}
	n, i := int(order.Uint16(b[at:])), int(at)+2
	if r.entries -= min(n, (len(b)-i)/12) + 1; r.entries < 0 {
		r.err = errEntries
		return nil
	}
	for ; n > 0 && i+12 <= len(b); n, i = n-1, i+12 {
		tag, value := order.Uint16(b[i:]), order.Uint32(b[i+8:])
		switch {
		case gps[at]:
			p.GPS = p.GPS || tag != 0 // beside the version
		case tag == tagExif:
			next = append(next, value)
		case tag == tagGPS:
			gps[value] = true
			next = append(next, value)
		case tags[tag] != "":
			if t := r.entry(b, order, i); t != "" {
				p.Items = append(p.Items, Item{tags[tag], t})
			}
		}
	}
	if i+4 <= len(b) && n == 0 {
		if more := order.Uint32(b[i:]); more != 0 {
			next = append(next, more)
		}
	}
	return next
}

// entry returns the text of an entry of bytes. Entries may name the same bytes, so
// that all of them together are bounded: a thousand of the whole block are an
// attack on whoever reads them.
func (r *reader) entry(b []byte, order binary.ByteOrder, i int) string {
	kind, count := order.Uint16(b[i+2:]), order.Uint32(b[i+4:])
	if kind != 1 && kind != 2 && kind != 7 && kind != 129 { // bytes, ASCII, undefined, UTF-8
		return ""
	}
	data := b[i+8 : i+12]
	if count > 4 {
		at := order.Uint32(b[i+8:])
		if uint64(at)+uint64(count) > uint64(len(b)) {
			return ""
		}
		data = b[at : at+count]
	}
	data = data[:min(uint64(count), uint64(len(data)))]
	if r.left -= len(data); r.left < 0 {
		r.err = errText
		return ""
	}
	switch {
	case len(data) > 8 && string(data[:8]) == "UNICODE\x00":
		return strings.TrimSpace(wide(data[8:], order == binary.ByteOrder(binary.BigEndian), 1))
	case kind == 1:
		return strings.TrimSpace(wide(data, false, 1)) // of Windows, always in this order
	}
	return strings.TrimSpace(narrow(data, 1))
}

// tiff reads a file that is one EXIF block. Its directories and its pixels are
// not told apart, so that nothing can be taken out.
func (r *reader) tiff() {
	p := Part{End: len(r.b)}
	r.exif(&p, r.b)
	r.part(p)
}
