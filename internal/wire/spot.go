package wire

import "iter"

// Spot is one key, string or number of a message, where a finding can lie.
type Spot struct {
	Value      Value // the string or number; of a key the member's value
	Key        bool
	Start, End int // bytes of the key, string or number, quotes included, half-open

	doc  *document
	path []uint32 // tokens of the keys above; element for a place in an array
}

// element stands in a path for a place in an array: token 0 is the root, which
// is no key.
const element = 0

// Path returns the names of the members down to the spot, as filters and
// policies write them: params.arguments.to[*].email.
func (s Spot) Path() string {
	var b []byte
	for _, at := range s.path {
		if at == element {
			b = append(b, "[*]"...)
			continue
		}
		if len(b) > 0 {
			b = append(b, '.')
		}
		b = append(b, s.doc.text(at)...)
	}
	return string(b)
}

// Spots yields every key, string and number of the message in the order of
// their bytes. A Spot is good until the next one.
func (m *Message) Spots() iter.Seq[Spot] { return m.Root().Spots() }

// Spots yields every key, string and number in v in the order of their bytes,
// with paths that begin at v.
func (v Value) Spots() iter.Seq[Spot] {
	return func(yield func(Spot) bool) {
		if v.doc != nil {
			v.doc.spots(v.at, make([]uint32, 0, 16), yield)
		}
	}
}

// spots yields the spots at token at and below. The depth of a document is
// bounded when it is read.
func (d *document) spots(at uint32, path []uint32, yield func(Spot) bool) bool {
	t := &d.toks[at]
	switch t.kind {
	case Object:
		for k := at + 1; k < t.next; k = d.toks[k+1].next {
			below := append(path, k)
			key := &d.toks[k]
			if !yield(Spot{Value{d, k + 1}, true, int(key.start), int(key.end), d, below}) || !d.spots(k+1, below, yield) {
				return false
			}
		}
	case Array:
		for k := at + 1; k < t.next; k = d.toks[k].next {
			if !d.spots(k, append(path, element), yield) {
				return false
			}
		}
	case String, Number:
		return yield(Spot{Value{d, at}, false, int(t.start), int(t.end), d, path})
	}
	return true
}
