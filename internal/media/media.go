// Package media reads what pictures and recordings say beside their content:
// EXIF, XMP and IPTC, the text chunks of PNG, comments of JPEG and GIF, chunks of
// WebP and WAV, ID3 tags, and whatever follows the end of the file's format.
//
// The package is pure. It deliberately looks at no pixel and no sound, trusts no
// media type that somebody wrote beside the bytes, repairs nothing, and judges
// nothing: protect decides what of it may pass. A file that breaks off or lies
// about its lengths is read as far as it goes, and its rest as one part, for
// viewers are lenient too. Formats that are not listed have no parts, which
// docs/privacy-limits.md says.
//
// Formats: PNG (W3C, third edition), JPEG (ITU-T T.81), EXIF 3.0 (CIPA DC-008),
// GIF89a, the WebP container (RFC 9649), RIFF, ID3v2.4.
package media

import (
	"bytes"
	"errors"
	"slices"
)

// Part is a run of bytes that holds metadata and can be taken out.
type Part struct {
	Start, End int
	Items      []Item
	GPS        bool // it says where something was
}

// Item is one text, under the name that the format has for it, or "".
type Item struct{ Key, Text string }

// Bounds of what is read of one file.
const (
	maxText    = 4 << 20 // bytes of texts
	maxInflate = 1 << 20 // bytes of one compressed text, and a hundred times its size
	maxParts   = 10_000
)

// Why a file cannot be examined.
var (
	errText    = errors.New("media: the metadata is too large")
	errInflate = errors.New("media: compressed metadata grows too large")
	errParts   = errors.New("media: there are too many parts")
	errEntries = errors.New("media: there are too many entries")
)

// reader collects the parts of one file.
type reader struct {
	b     []byte
	parts []Part
	size  int // bytes of texts so far
	err   error

	// Of the current EXIF block: bytes that entries may name, and entries.
	left, entries int
}

// format is known by how it begins. From what is apart, parts can be taken.
type format struct {
	magic string
	read  func(*reader)
	apart bool
}

// plain are the formats that may also stand behind a tag of ID3.
var plain = []format{
	{"\x89PNG\r\n\x1a\n", (*reader).png, true},
	{"\xff\xd8\xff", (*reader).jpeg, true},
	{"GIF87a", (*reader).gif, true},
	{"GIF89a", (*reader).gif, true},
	{"RIFF", (*reader).riff, true},
}

var formats = append(slices.Clone(plain), []format{
	{"ID3", (*reader).id3, true},
	{"II*\x00", (*reader).tiff, false},
	{"MM\x00*", (*reader).tiff, false},
}...)

// Known reports whether b begins like a format that is read here.
func Known(b []byte) bool {
	for _, f := range formats {
		if bytes.HasPrefix(b, []byte(f.magic)) {
			return true
		}
	}
	return false
}

// Metadata returns the parts of a file, in the order of their bytes and without
// overlaps, and whether they can be taken out.
func Metadata(b []byte) (parts []Part, apart bool, err error) {
	for _, f := range formats {
		if !bytes.HasPrefix(b, []byte(f.magic)) {
			continue
		}
		r := reader{b: b}
		f.read(&r)
		return r.parts, f.apart, r.err
	}
	return nil, false, nil
}

// Without returns the file without the parts for which is is true.
func Without(b []byte, parts []Part, is func(Part) bool) []byte {
	out, last, size := make([]byte, 0, len(b)), 0, riffSize(b)
	for _, p := range parts {
		if is(p) {
			size -= max(0, min(p.End, riffSize(b))-p.Start) // what is behind the end is no part of it
			out, last = append(out, b[last:p.Start]...), p.End
		}
	}
	if out = append(out, b[last:]...); riffSize(b) > 0 {
		resize(out, size)
	}
	return out
}

// part notes a part whose items are read by now.
func (r *reader) part(p Part) {
	if r.err != nil || p.Start >= p.End || len(p.Items) == 0 && !p.GPS {
		return
	}
	for _, it := range p.Items {
		r.size += len(it.Key) + len(it.Text)
		p.GPS = p.GPS || gpsWords(it.Text)
	}
	if r.size > maxText {
		r.err = errText
	}
	if r.parts = append(r.parts, p); len(r.parts) > maxParts {
		r.err = errParts
	}
}

// rest notes bytes that no format explains.
func (r *reader) rest(start int) {
	if start < len(r.b) {
		r.part(Part{Start: start, End: len(r.b), Items: runsOf("", r.b[start:], leastRest)})
	}
}

// gpsWords reports whether XMP in a text says where something was.
func gpsWords(text string) bool {
	for _, w := range []string{"GPSLatitude", "GPSLongitude", "GPSDestLatitude"} {
		if bytes.Contains([]byte(text), []byte(w)) {
			return true
		}
	}
	return false
}
