package media

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// A segment of JPEG holds 64 KiB. Longer XMP, and what Photoshop writes, goes on in
// further ones: a text that is cut there stands in neither (TestC14TextWhereNoneBelongs).

// seam is how much of the end and of the beginning is read together.
const seam = 1 << 10

// link is one segment of a block that may have several.
type link struct {
	block string // the marker, and the name before the first zero
	at    uint32 // its place in the block, where it says that
	data  []byte
	part  int
}

const extended = "http://ns.adobe.com/xmp/extension/"

func linkOf(marker byte, data []byte, part int) link {
	name, rest, named := bytes.Cut(data, []byte{0})
	if !named || len(name) > len(extended) {
		name, rest = nil, data
	}
	l := link{block: string(marker) + string(name), data: rest, part: part}
	if string(name) == extended && len(rest) >= 40 { // a digest, the whole length, the place
		l.block, l.at, l.data = l.block+string(rest[:32]), binary.BigEndian.Uint32(rest[36:]), rest[40:]
	}
	return l
}

// seams adds to the parts what stands over the seams between them.
func (r *reader) seams(all []link) {
	slices.SortStableFunc(all, func(a, b link) int {
		return cmp.Or(cmp.Compare(a.block, b.block), cmp.Compare(a.at, b.at))
	})
	for i := 1; i < len(all) && r.err == nil; i++ {
		a, b := all[i-1], all[i]
		if a.block != b.block {
			continue
		}
		over := slices.Concat(a.data[max(0, len(a.data)-seam):], b.data[:min(seam, len(b.data))])
		items := runs("", over)
		for _, part := range []int{a.part, b.part} {
			r.parts[part].Items = append(r.parts[part].Items, items...)
		}
		if r.size += 4 * len(over); r.size > maxText {
			r.err = errText
		}
	}
}
