package wire

import (
	"math"
	"sync"

	"ostiary.dev/ostiary/internal/fault"
)

// token is one key or value. An object is followed by its keys and values in
// turn, an array by its elements; next is the first token after the subtree.
type token struct {
	start, end uint32 // byte range in raw, half-open, quotes included
	next       uint32
	kind       ValueKind
	flags      uint8
}

// What the scanner saw in a string.
const (
	escaped uint8 = 1 << iota // holds an escape: decoding is needed
	high                      // holds bytes above 0x7F
	nul                       // holds an escaped U+0000
)

// document is tokenized JSON. toks[0] is the root.
type document struct {
	raw  []byte
	toks []token
}

// scanner tokenizes one text in one pass. Grammar and encoding faults end it;
// the first flaw (duplicate member, NUL in a key) is kept and the scan goes on,
// so that the caller's id can still be read.
type scanner struct {
	src   []byte
	lim   *Limits
	toks  []token
	depth int
	err   *fault.Error
	flaw  *fault.Error
	seen  []uint32 // hash table of unique
	key   [2][]byte
}

// keepTokens is the capacity (in tokens, 16 bytes each) that a scanner may
// take back to the pool.
const keepTokens = 1 << 15

// scanners holds scratch memory between messages and nothing of the messages.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// tokenize scans raw. err ends the message; flaw also refuses it, but leaves a
// document behind from which an id may be read.
func tokenize(raw []byte, lim *Limits) (doc document, flaw, err *fault.Error) {
	if len(raw) > lim.Bytes || len(raw) > math.MaxInt32 {
		return document{}, nil, fault.New(fault.TooLarge)
	}
	s := scanners.Get().(*scanner)
	s.src, s.lim, s.depth, s.err, s.flaw = raw, lim, 0, nil, nil
	s.root()
	flaw, err = s.flaw, s.err
	if err == nil {
		doc = document{raw: raw, toks: s.take()}
	}
	s.src, s.lim, s.err, s.flaw = nil, nil, nil, nil
	s.toks = s.toks[:0]
	scanners.Put(s)
	return doc, flaw, err
}

// take returns the tokens: a copy of the exact size, or the scratch itself when
// it has grown past what the pool keeps.
func (s *scanner) take() []token {
	if cap(s.toks) > keepTokens {
		toks := s.toks
		s.toks = nil
		return toks
	}
	toks := make([]token, len(s.toks))
	copy(toks, s.toks)
	return toks
}

// root scans the one value of the text.
func (s *scanner) root() {
	i := s.value(s.space(0))
	if i < 0 {
		if cap(s.toks) > keepTokens {
			s.toks = nil
		}
		return
	}
	if i = s.space(i); i < len(s.src) {
		s.fail(i, "something follows the value")
	}
}

// space returns the offset of the first byte at or after i that is no white
// space (RFC 8259 section 2).
func (s *scanner) space(i int) int {
	for i < len(s.src) {
		switch c := s.src[i]; {
		case c > ' ':
			return i
		case c == ' ', c == '\n', c == '\r', c == '\t':
			i++
		default:
			return i
		}
	}
	return i
}

// push appends a token and reports whether the limit leaves room for it.
func (s *scanner) push(kind ValueKind, start, end int, flags uint8) bool {
	n := len(s.toks) + 1
	if n > s.lim.Tokens {
		s.large(start, "there are more values than the gateway accepts")
		return false
	}
	s.toks = append(s.toks, token{uint32(start), uint32(end), uint32(n), kind, flags})
	return true
}

// value scans the value at i and returns the offset after it, or -1.
func (s *scanner) value(i int) int {
	if i >= len(s.src) {
		return s.fail(i, "a value is missing")
	}
	switch c := s.src[i]; c {
	case '{':
		return s.object(i)
	case '[':
		return s.array(i)
	case '"':
		return s.text(i)
	case 't':
		return s.literal(i, "true", True)
	case 'f':
		return s.literal(i, "false", False)
	case 'n':
		return s.literal(i, "null", Null)
	default:
		if c == '-' || c-'0' < 10 {
			return s.number(i)
		}
	}
	return s.fail(i, "no JSON value begins here")
}

// literal scans word at i.
func (s *scanner) literal(i int, word string, kind ValueKind) int {
	end := i + len(word)
	if end > len(s.src) || string(s.src[i:end]) != word {
		return s.fail(i, "no JSON value begins here")
	}
	if !s.push(kind, i, end, 0) {
		return -1
	}
	return end
}

// open begins an object or array and returns its token's index, or -1.
func (s *scanner) open(kind ValueKind, i int) int {
	if s.depth++; s.depth > s.lim.Depth {
		return s.large(i, "the value nests deeper than the gateway accepts")
	}
	if !s.push(kind, i, i, 0) {
		return -1
	}
	return len(s.toks) - 1
}

// close ends the object or array of token at with the byte at i.
func (s *scanner) close(at, i int) int {
	s.depth--
	s.toks[at].end = uint32(i + 1)
	s.toks[at].next = uint32(len(s.toks))
	return i + 1
}

// object scans the object at i.
func (s *scanner) object(i int) int {
	at := s.open(Object, i)
	if at < 0 {
		return -1
	}
	if i = s.space(i + 1); i < len(s.src) && s.src[i] == '}' {
		return s.close(at, i)
	}
	for members := 1; ; members++ {
		if i >= len(s.src) || s.src[i] != '"' {
			return s.fail(i, "a member name in double quotes is missing")
		}
		if members > s.lim.Members {
			return s.large(i, "the object has more members than the gateway accepts")
		}
		if i = s.member(i); i < 0 {
			return -1
		}
		switch {
		case i < len(s.src) && s.src[i] == ',':
			i = s.space(i + 1)
		case i < len(s.src) && s.src[i] == '}':
			if members > 1 {
				s.unique(at, members)
			}
			return s.close(at, i)
		default:
			return s.fail(i, "a comma or the end of the object is missing")
		}
	}
}

// member scans the key at i and its value, and the space after it.
func (s *scanner) member(i int) int {
	start := i
	if i = s.text(i); i < 0 {
		return -1
	}
	key := &s.toks[len(s.toks)-1]
	if i-start-2 > s.lim.Key {
		s.note(fault.TooLarge, start, "a member name is longer than the gateway accepts")
	}
	if key.flags&nul != 0 {
		s.note(fault.BadMessage, start, "a member name holds U+0000")
	}
	if i = s.space(i); i >= len(s.src) || s.src[i] != ':' {
		return s.fail(i, "a colon is missing")
	}
	if i = s.value(s.space(i + 1)); i < 0 {
		return -1
	}
	return s.space(i)
}

// array scans the array at i.
func (s *scanner) array(i int) int {
	at := s.open(Array, i)
	if at < 0 {
		return -1
	}
	if i = s.space(i + 1); i < len(s.src) && s.src[i] == ']' {
		return s.close(at, i)
	}
	for elements := 1; ; elements++ {
		if elements > s.lim.Elements {
			return s.large(i, "the array has more elements than the gateway accepts")
		}
		if i = s.value(i); i < 0 {
			return -1
		}
		switch i = s.space(i); {
		case i < len(s.src) && s.src[i] == ',':
			i = s.space(i + 1)
		case i < len(s.src) && s.src[i] == ']':
			return s.close(at, i)
		default:
			return s.fail(i, "a comma or the end of the array is missing")
		}
	}
}

// fail ends the scan: the text is not JSON at byte i.
func (s *scanner) fail(i int, what string) int {
	s.err = fault.Newf(fault.NotJSON, "The text is not one well-formed JSON value: at byte %d, %s.", i, what)
	return -1
}

// large ends the scan: a limit is passed at byte i.
func (s *scanner) large(i int, what string) int {
	s.err = fault.Newf(fault.TooLarge, "At byte %d, %s.", i, what)
	return -1
}

// note keeps the first flaw of a text that can still be read to its end.
func (s *scanner) note(kind fault.Kind, i int, what string) {
	if s.flaw == nil {
		s.flaw = fault.Newf(kind, "At byte %d, %s.", i, what)
	}
}
