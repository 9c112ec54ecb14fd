package auditlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// HashSize is the length of hashes and commitments.
const HashSize = 32

// Leaf is what one leaf says. Its bytes are JCS (RFC 8785): members sorted, no
// space, and because every value is plain ASCII without quotes or an integer
// below 2^53, one way to write each.
type Leaf struct {
	Decision string
	Commit   [HashSize]byte // HMAC-SHA256 of the part under the part's key
	Kind     Kind
	Log      Name
	Policy   uint64
	Server   string
	Time     time.Time // to the millisecond
	Exchange string
}

// Limits of a leaf's values; together they keep a leaf below MaxLeaf
// (TestLongestLeaf).
const (
	maxDecision = 16
	maxKind     = 32
	maxServer   = 64
	maxExchange = 64
	maxLog      = 32
	maxInteger  = 1<<53 - 1 // what JSON numbers hold exactly
)

// ErrLeaf says that bytes are not a leaf in its one canonical form.
var ErrLeaf = errors.New("not a leaf in canonical form")

// Append appends the leaf's bytes to b. The values must have passed check.
func (l *Leaf) Append(b []byte) []byte {
	b = append(b, '{')
	b = appendText(b, `"dec":"`, l.Decision)
	b = append(b, `"h":"`...)
	b = base64.RawURLEncoding.AppendEncode(b, l.Commit[:])
	b = append(b, `",`...)
	b = appendText(b, `"kind":"`, string(l.Kind))
	b = appendText(b, `"log":"`, string(l.Log))
	if l.Policy != 0 {
		b = append(strconv.AppendUint(append(b, `"pol":`...), l.Policy, 10), ',')
	}
	b = appendText(b, `"srv":"`, l.Server)
	b = strconv.AppendInt(append(b, `"t":`...), l.Time.UnixMilli(), 10)
	b = append(b, `,"v":1`...)
	if l.Exchange != "" {
		b = append(append(append(b, `,"x":"`...), l.Exchange...), '"')
	}
	return append(b, '}')
}

func appendText(b []byte, opening, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(append(b, opening...), value...), `",`...)
}

// check refuses values that have no place in a leaf. Text is plain ASCII
// without quotes, so no caller can write members of its own into a leaf
// (hostile case G07; TestLeafTakesNoInjection).
func (l *Leaf) check() error {
	for _, f := range [...]struct {
		name, value string
		most        int
	}{
		{"decision", l.Decision, maxDecision}, {"kind", string(l.Kind), maxKind}, {"log", string(l.Log), maxLog},
		{"server", l.Server, maxServer}, {"exchange", l.Exchange, maxExchange},
	} {
		if len(f.value) > f.most || !plain(f.value) {
			return fmt.Errorf("%w: %s", ErrEntry, f.name)
		}
	}
	if l.Policy > maxInteger {
		return fmt.Errorf("%w: policy", ErrEntry)
	}
	if ms := l.Time.UnixMilli(); ms < 0 || ms > maxInteger {
		return fmt.Errorf("%w: time", ErrEntry)
	}
	return nil
}

// plain reports whether s is printable ASCII that JSON leaves as it is.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// ParseLeaf reads a leaf. Bytes that Append would not have written, whatever
// JSON makes of them, are ErrLeaf: one leaf has one hash.
func ParseLeaf(raw []byte) (Leaf, error) {
	var l Leaf
	if len(raw) > MaxLeaf {
		return l, ErrLeaf
	}
	c := cursor{rest: string(raw)}
	c.must("{")
	l.Decision = c.text(`"dec":"`)
	h := c.text(`"h":"`)
	l.Kind = Kind(c.text(`"kind":"`))
	l.Log = Name(c.text(`"log":"`))
	if c.have(`"pol":`) {
		l.Policy = uint64(c.integer())
		c.must(",")
	}
	l.Server = c.text(`"srv":"`)
	c.must(`"t":`)
	l.Time = time.UnixMilli(c.integer()).UTC()
	c.must(`,"v":1`)
	if c.have(`,"x":"`) {
		l.Exchange = c.until('"')
	}
	c.must("}")
	n, err := base64.RawURLEncoding.Strict().Decode(l.Commit[:], []byte(clip(h)))
	if c.bad || err != nil || n != HashSize || c.rest != "" || l.check() != nil || l.Kind == "" || l.Log == "" {
		return Leaf{}, ErrLeaf
	}
	var back [MaxLeaf]byte
	if string(l.Append(back[:0])) != string(raw) {
		return Leaf{}, ErrLeaf
	}
	return l, nil
}

// clip bounds the base64 of a commitment to the space that there is for it.
func clip(h string) string { return h[:min(len(h), base64.RawURLEncoding.EncodedLen(HashSize))] }

// cursor reads a leaf from the left and remembers whether anything was amiss.
type cursor struct {
	rest string
	bad  bool
}

func (c *cursor) have(s string) bool {
	rest, ok := strings.CutPrefix(c.rest, s)
	if ok {
		c.rest = rest
	}
	return ok
}

func (c *cursor) must(s string) { c.bad = !c.have(s) || c.bad }

func (c *cursor) until(end byte) string {
	i := strings.IndexByte(c.rest, end)
	if i < 0 {
		c.bad = true
		return ""
	}
	s := c.rest[:i]
	c.rest = c.rest[i+1:]
	return s
}

// text reads a member with a comma after it, or "" when it is not there.
func (c *cursor) text(opening string) string {
	if !c.have(opening) {
		return ""
	}
	s := c.until('"')
	c.must(",")
	return s
}

func (c *cursor) integer() int64 {
	end := 0
	for end < len(c.rest) && c.rest[end] >= '0' && c.rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(c.rest[:end], 10, 64)
	c.bad = c.bad || err != nil
	c.rest = c.rest[end:]
	return n
}
