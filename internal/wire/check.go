package wire

import (
	"unicode"

	"ostiary.dev/ostiary/internal/fault"
)

// checker walks the protocol objects of a message: it refuses case variants of
// protocol members, wrong types of what routing and policy read, and text that
// must not hold control characters. Free-form objects it leaves alone.
type checker struct {
	doc     *document
	lim     *Limits
	from    Side
	kind    fault.Kind // of shape faults: BadParams in params, else BadMessage
	err     *fault.Error
	scratch []byte
}

// name returns the decoded name of the key at k. It lives until the next call.
func (c *checker) name(k uint32) []byte {
	inside := c.doc.inside(k)
	if c.doc.toks[k].flags&escaped == 0 {
		return inside
	}
	c.scratch = appendText(c.scratch[:0], inside)
	return c.scratch
}

// refuse keeps the first fault.
func (c *checker) refuse(kind fault.Kind, at uint32, what string) {
	if c.err == nil {
		c.err = fault.Newf(kind, "At byte %d, %s.", c.doc.toks[at].start, what)
	}
}

// variant refuses a key that a case-insensitive parser takes for a protocol
// member (CVE-2026-27896; tested by TestCaseVariants).
func (c *checker) variant(k uint32) {
	c.refuse(fault.BadMessage, k, "a member name differs from that of the protocol only in letter case")
}

// object walks the object at token at, whose members s describes.
func (c *checker) object(at uint32, s *scope) {
	toks := c.doc.toks
	if s.alt != nil && s.alt.applies(Value{c.doc, at}) {
		s = s.alt.scope
	}
	for k := at + 1; k < toks[at].next && c.err == nil; k = toks[k+1].next {
		if s.every != nil {
			c.member(k+1, s.every)
			continue
		}
		m, exact := s.find(c.name(k), toks[k].flags)
		switch {
		case m != nil:
			c.member(k+1, m)
		case !exact:
			c.variant(k)
		}
	}
}

// member judges the value at token at of the protocol member m.
func (c *checker) member(at uint32, m *member) {
	t := &c.doc.toks[at]
	if t.kind == Null && c.from == FromServer && m.kinds&isArray != 0 {
		return // servers in use write null for an absent list; every reader takes it for that
	}
	if m.kinds != 0 && m.kinds&(1<<t.kind) == 0 {
		c.refuse(c.kind, at, "the value has a type that the protocol does not allow here")
		return
	}
	if m.class != plainText {
		c.text(at, m)
	}
	switch {
	case m.inner == nil:
	case t.kind == Object && !m.arrayOnly:
		c.object(at, m.inner)
	case t.kind == Array:
		c.elements(at, m)
	}
}

// elements walks the objects in the array at token at.
func (c *checker) elements(at uint32, m *member) {
	toks, n := c.doc.toks, 0
	for e := at + 1; e < toks[at].next && c.err == nil; e = toks[e].next {
		if n++; m.blocks && n > c.lim.Blocks {
			c.refuse(fault.TooLarge, e, "the result has more content blocks than the gateway accepts")
			return
		}
		if toks[e].kind == Object {
			c.object(e, m.inner)
		}
	}
}

// text judges strings and ids by their class.
func (c *checker) text(at uint32, m *member) {
	v := Value{c.doc, at}
	switch v.Kind() {
	case Array:
		for e := range v.Elements() {
			if e.Kind() != String {
				c.refuse(c.kind, e.at, "the value has a type that the protocol does not allow here")
			}
			c.text(e.at, m)
		}
	case String, Number:
		if m.class == idText {
			if !c.lim.fitsID(v) {
				c.refuse(c.kind, at, "an id or token is no integer, too long or holds a control character")
			}
			return
		}
		if v.Kind() != String {
			return
		}
		text := c.doc.inside(at)
		if c.doc.toks[at].flags&escaped != 0 {
			text = appendText(nil, text)
		}
		if len(text) > c.lim.room(m.class, c.from) {
			c.refuse(c.kind, at, "the string is longer than the gateway accepts here")
		}
		if hasControl(text) {
			c.refuse(c.kind, at, "the string holds a control character")
		}
	}
}

// room returns the size that a class of strings may have.
func (l *Limits) room(c class, from Side) int {
	switch c {
	case nameText:
		return l.Name
	case uriText:
		return l.URI
	case cursorText:
		if from == FromServer {
			return l.Cursor
		}
	case stateText:
		if from == FromServer {
			return l.State
		}
	}
	return l.Handle
}

// fitsID reports whether a string or number has the form of an id.
func (l *Limits) fitsID(v Value) bool {
	raw := v.Raw()
	if v.Kind() == Number {
		n := len(raw)
		if raw[0] == '-' {
			n--
		}
		return isInteger(raw) && n <= l.IntegerID
	}
	text, _ := v.Text()
	return len(text) <= l.StringID && !hasControl(text)
}

// hasControl reports whether s holds a character of Unicode category Cc.
func hasControl[S string | []byte](s S) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20, c == 0x7F:
			return true
		case c >= 0x80:
			for _, r := range string(s[i:]) {
				if unicode.IsControl(r) {
					return true
				}
			}
			return false
		}
	}
	return false
}
