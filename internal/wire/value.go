package wire

import (
	"bytes"
	"iter"
	"strconv"
)

// ValueKind is a JSON type; true and false are two.
type ValueKind uint8

// The value kinds. The zero value is that of an absent value.
const (
	Absent ValueKind = iota
	Object
	Array
	String
	Number
	True
	False
	Null
)

// Value is a handle on one value of a tokenized text. The zero Value is
// absent, and every method is safe on it.
type Value struct {
	doc *document
	at  uint32
}

// Member is the name side of an object's member.
type Member struct {
	Key        string // decoded
	Start, End int    // bytes of the key with its quotes, half-open
}

// ParseValue tokenizes one JSON value of any kind under lim: the same grammar,
// encoding and uniqueness as for a message. raw is kept, not copied.
func ParseValue(raw []byte, lim Limits) (Value, error) {
	doc, flaw, err := tokenize(raw, &lim)
	if err == nil {
		err = flaw
	}
	if err != nil {
		return Value{}, err
	}
	return Value{doc: &doc}, nil
}

// InputSchema returns the inputSchema object of a tool's definition.
func InputSchema(definition []byte) (Value, bool) {
	v, err := ParseValue(definition, ownLimits())
	if err != nil {
		return Value{}, false
	}
	schema := v.Get("inputSchema")
	return schema, schema.Kind() == Object
}

// tok returns the value's token.
func (v Value) tok() *token { return &v.doc.toks[v.at] }

// Exists reports whether there is a value.
func (v Value) Exists() bool { return v.doc != nil }

// Kind returns the JSON type, Absent for the zero Value.
func (v Value) Kind() ValueKind {
	if v.doc == nil {
		return Absent
	}
	return v.tok().kind
}

// Raw returns the value's bytes as they were written, not to be changed.
func (v Value) Raw() []byte {
	if v.doc == nil {
		return nil
	}
	t := v.tok()
	return v.doc.raw[t.start:t.end:t.end]
}

// Range returns where the value lies in the text, in bytes, half-open.
func (v Value) Range() (start, end int) {
	if v.doc == nil {
		return 0, 0
	}
	return int(v.tok().start), int(v.tok().end)
}

// Get returns the member of an object by its decoded name, zero if there is
// none or v is no object.
func (v Value) Get(key string) Value {
	if v.Kind() != Object {
		return Value{}
	}
	toks := v.doc.toks
	for k, end := v.at+1, toks[v.at].next; k < end; k = toks[k+1].next {
		if v.doc.keyIs(k, key) {
			return Value{v.doc, k + 1}
		}
	}
	return Value{}
}

// At follows a path of member names.
func (v Value) At(path ...string) Value {
	for _, key := range path {
		v = v.Get(key)
	}
	return v
}

// Len returns the number of members or elements, 0 for other kinds.
func (v Value) Len() int {
	n := 0
	switch v.Kind() {
	case Object:
		toks := v.doc.toks
		for k, end := v.at+1, toks[v.at].next; k < end; k = toks[k+1].next {
			n++
		}
	case Array:
		toks := v.doc.toks
		for k, end := v.at+1, toks[v.at].next; k < end; k = toks[k].next {
			n++
		}
	}
	return n
}

// Depth returns how deep objects and arrays nest: 1 for one that holds none, 0
// for other kinds.
func (v Value) Depth() int {
	if k := v.Kind(); k != Object && k != Array {
		return 0
	}
	toks, deepest := v.doc.toks, 0
	var ends []uint32 // of the objects and arrays around the token
	for i := v.at; i < toks[v.at].next; i++ {
		for len(ends) > 0 && ends[len(ends)-1] <= i {
			ends = ends[:len(ends)-1]
		}
		if k := toks[i].kind; k == Object || k == Array {
			ends = append(ends, toks[i].next)
			deepest = max(deepest, len(ends))
		}
	}
	return deepest
}

// Members yields the members of an object in their order.
func (v Value) Members() iter.Seq2[Member, Value] {
	return func(yield func(Member, Value) bool) {
		if v.Kind() != Object {
			return
		}
		toks := v.doc.toks
		for k, end := v.at+1, toks[v.at].next; k < end; k = toks[k+1].next {
			key := Member{v.doc.text(k), int(toks[k].start), int(toks[k].end)}
			if !yield(key, Value{v.doc, k + 1}) {
				return
			}
		}
	}
}

// Elements yields the elements of an array in their order.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		toks := v.doc.toks
		for k, end := v.at+1, toks[v.at].next; k < end; k = toks[k].next {
			if !yield(Value{v.doc, k}) {
				return
			}
		}
	}
}

// Text returns a string's decoded value.
func (v Value) Text() (string, bool) {
	if v.Kind() != String {
		return "", false
	}
	return v.doc.text(v.at), true
}

// AppendText appends a string's decoded value to dst.
func (v Value) AppendText(dst []byte) ([]byte, bool) {
	if v.Kind() != String {
		return dst, false
	}
	return appendText(dst, v.doc.inside(v.at)), true
}

// Is reports whether v is a string with the decoded value s.
func (v Value) Is(s string) bool { return v.Kind() == String && v.doc.keyIs(v.at, s) }

// Int returns a number that is written as an integer and fits 64 bits. A
// fraction, an exponent or a larger number is not ok: nothing is rounded.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v.Raw()), 10, 64)
	return n, err == nil
}

// Bool returns the value of true or false.
func (v Value) Bool() (value, ok bool) {
	k := v.Kind()
	return k == True, k == True || k == False
}

// ID returns a string or integer as an id, the zero ID for anything else.
func (v Value) ID() ID {
	switch v.Kind() {
	case String:
		return StringID(v.doc.text(v.at))
	case Number:
		if raw := v.Raw(); isInteger(raw) {
			return ID{integerID, string(raw)}
		}
	}
	return ID{}
}

// inside returns the bytes between the quotes of string token at.
func (d *document) inside(at uint32) []byte {
	t := &d.toks[at]
	return d.raw[t.start+1 : t.end-1]
}

// text returns the decoded value of string token at.
func (d *document) text(at uint32) string {
	if d.toks[at].flags&escaped == 0 {
		return string(d.inside(at))
	}
	return string(appendText(nil, d.inside(at)))
}

// keyIs reports whether string token at has the decoded value s.
func (d *document) keyIs(at uint32, s string) bool {
	inside := d.inside(at)
	if d.toks[at].flags&escaped == 0 {
		return string(inside) == s
	}
	return equalText(inside, s)
}

// isInteger reports whether a number literal has neither fraction nor exponent.
func isInteger(raw []byte) bool { return !bytes.ContainsAny(raw, ".eE") }
