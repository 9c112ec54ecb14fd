package wire

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/fault"
)

// Edit replaces the bytes [Start, End) of a message by Text; Start == End
// inserts.
type Edit struct {
	Start, End int
	Text       []byte
}

// Rewrite returns the message with the edits made: bytes outside their ranges
// do not change, and the result is tokenized and checked once more under the
// same limits. Edits come in any order; inserts at one place keep theirs.
// Overlapping edits are an error of the caller's and refused as Internal.
func (m *Message) Rewrite(edits ...Edit) (*Message, error) {
	raw, err := splice(m.doc.raw, edits)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err)
	}
	n, err := Parse(raw, m.lim, m.side)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// splice returns raw with the edits made.
func splice(raw []byte, edits []Edit) ([]byte, error) {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	size, last := len(raw), 0
	for _, e := range edits {
		if e.Start < last || e.End < e.Start || e.End > len(raw) {
			return nil, fmt.Errorf("edit of bytes %d to %d overlaps another or lies outside", e.Start, e.End)
		}
		size, last = size+len(e.Text)-(e.End-e.Start), e.End
	}
	out := make([]byte, 0, size)
	last = 0
	for _, e := range edits {
		out = append(out, raw[last:e.Start]...)
		out = append(out, e.Text...)
		last = e.End
	}
	return append(out, raw[last:]...), nil
}

// Replace returns the edit that puts the JSON text in the place of v.
func Replace(v Value, text []byte) Edit {
	start, end := v.Range()
	return Edit{start, end, text}
}

// SetMember returns the edit that gives obj a member key with the JSON value
// text: in the place of the value it has, else after the last member. A null
// obj becomes an object. Of two members for the same empty object only one can
// be set at a time.
func SetMember(obj Value, key string, text []byte) Edit {
	if obj.Kind() == Null {
		return Replace(obj, slices.Concat([]byte{'{'}, Quote(key), []byte{':'}, text, []byte{'}'}))
	}
	if v := obj.Get(key); v.Exists() {
		return Replace(v, text)
	}
	start, _ := obj.Range()
	at, comma := start+1, false
	for _, v := range obj.Members() {
		_, at = v.Range()
		comma = true
	}
	var insert []byte
	if comma {
		insert = append(insert, ',')
	}
	insert = append(insert, Quote(key)...)
	insert = append(insert, ':')
	return Edit{at, at, append(insert, text...)}
}

// RemoveMember returns the edit that takes the member key and one comma out of
// obj; false if there is none.
func RemoveMember(obj Value, key string) (Edit, bool) {
	edits := RemoveMembers(obj, func(m Member, _ Value) bool { return m.Key == key })
	if len(edits) == 0 {
		return Edit{}, false
	}
	return edits[0], true
}

// RemoveMembers returns the edits that take out the members for which drop
// reports true.
func RemoveMembers(obj Value, drop func(m Member, v Value) bool) []Edit {
	r := remover{waits: -1}
	for m, v := range obj.Members() {
		_, end := v.Range()
		r.item(m.Start, end, drop(m, v))
	}
	return r.done()
}

// Names keeps the names of members that it has met, so that a list of a thousand
// rows does not make each of its names a thousand times. It is good for one message
// and one goroutine. The zero value knows none.
type Names struct{ known map[string]string }

// maxNames bounds what is kept: an object of many members has each name once.
const maxNames = 256

// RemoveMembers is the function of that name, with names from n.
func (n *Names) RemoveMembers(obj Value, drop func(m Member, v Value) bool) []Edit {
	if obj.Kind() != Object {
		return nil
	}
	r, toks := remover{waits: -1}, obj.doc.toks
	for k, next := obj.at+1, toks[obj.at].next; k < next; k = toks[k+1].next {
		m, v := Member{n.name(obj.doc, k), int(toks[k].start), int(toks[k].end)}, Value{obj.doc, k + 1}
		_, end := v.Range()
		r.item(m.Start, end, drop(m, v))
	}
	return r.done()
}

func (n *Names) name(d *document, at uint32) string {
	if d.toks[at].flags&escaped != 0 {
		return d.text(at)
	}
	if n.known == nil {
		n.known = make(map[string]string, 16)
	}
	inside := d.inside(at)
	if s, ok := n.known[string(inside)]; ok {
		return s
	}
	s := string(inside)
	if len(n.known) < maxNames {
		n.known[s] = s
	}
	return s
}

// RemoveElements returns the edits that take out the elements for which drop
// reports true.
func RemoveElements(arr Value, drop func(i int, v Value) bool) []Edit {
	r, i := remover{waits: -1}, 0
	for v := range arr.Elements() {
		start, end := v.Range()
		r.item(start, end, drop(i, v))
		i++
	}
	return r.done()
}

// remover makes the edits that take out items with their commas: the comma before
// an item if any item stays before it, else the one after.
type remover struct {
	edits []Edit
	kept  bool // some item stays
	last  int  // where the item before ends
	waits int  // where a dropped item starts that goes up to the next one; -1: none
}

func (r *remover) item(start, end int, drop bool) {
	if r.waits >= 0 {
		r.add(r.waits, start)
		r.waits = -1
	}
	switch {
	case !drop:
		r.kept = true
	case r.kept:
		r.add(r.last, end)
	default:
		r.waits = start
	}
	r.last = end
}

func (r *remover) done() []Edit {
	if r.waits >= 0 {
		r.add(r.waits, r.last)
	}
	return r.edits
}

// add makes room for a few edits at once: most objects that lose one member lose
// some.
func (r *remover) add(start, end int) {
	if r.edits == nil {
		r.edits = make([]Edit, 0, 4)
	}
	r.edits = append(r.edits, Edit{start, end, nil})
}

// Quote returns s as a JSON string in its shortest valid spelling. Bytes that
// are not UTF-8 become U+FFFD; text that was read by this room has none.
func Quote(s string) []byte {
	const hex = "0123456789abcdef"
	out := append(make([]byte, 0, len(s)+2), '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r == '\n':
			out = append(out, `\n`...)
		case r == '\r':
			out = append(out, `\r`...)
		case r == '\t':
			out = append(out, `\t`...)
		case r < 0x20:
			out = append(out, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

// WithID returns the message under another id. Only an error answer can go
// without one or under NullID.
func (m *Message) WithID(id ID) (*Message, error) {
	if m.id == id && !id.IsZero() {
		return m, nil
	}
	if !id.IsZero() {
		return m.Rewrite(SetMember(m.Root(), "id", []byte(id.Raw())))
	}
	if e, ok := RemoveMember(m.Root(), "id"); ok {
		return m.Rewrite(e)
	}
	return m, nil
}

// OneLine returns the message without line breaks, for framings that end at
// one: LF and CR between tokens become spaces. In strings there are none, so
// the length and every range stay.
func (m *Message) OneLine() *Message {
	raw := m.doc.raw
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return m
	}
	n := *m
	n.doc.raw = slices.Clone(raw)
	for i, c := range n.doc.raw {
		if c == '\n' || c == '\r' {
			n.doc.raw[i] = ' '
		}
	}
	return &n
}

// Clone returns the message with bytes of its own, for one that must outlive
// the buffer that it was read into.
func (m *Message) Clone() *Message {
	n := *m
	n.doc.raw = slices.Clone(m.doc.raw)
	return &n
}
