package filter

import (
	"cmp"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/wire"
)

// truth is the outcome of a predicate. What is missing makes it unknown, and a
// row stays only when the outcome is true: not(secret == true) does not let
// through a row that says nothing of secret (TestRowsThatSayNothingGo).
type truth int8

const (
	isFalse truth = iota - 1
	isUnknown
	isTrue
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// of returns what the predicate says of a row.
func (w *where) of(row wire.Value) truth {
	switch w.kind {
	case isAnd, isOr:
		return w.join(row)
	case isNot:
		return -w.parts[0].of(row)
	}
	v := row.At(w.path...)
	if w.kind == isExists {
		return truthOf(v.Exists())
	}
	if !v.Exists() {
		return isUnknown
	}
	if w.kind == isIn {
		for _, a := range w.against {
			if equal(v, a) {
				return isTrue
			}
		}
		return isFalse
	}
	return w.compare(v)
}

// join is the least of the parts for and, the greatest for or.
func (w *where) join(row wire.Value) truth {
	out := isTrue
	if w.kind == isOr {
		out = isFalse
	}
	for _, part := range w.parts {
		if w.kind == isAnd {
			out = min(out, part.of(row))
		} else {
			out = max(out, part.of(row))
		}
	}
	return out
}

func (w *where) compare(v wire.Value) truth {
	a := w.against[0]
	switch w.kind {
	case isEqual:
		return truthOf(equal(v, a))
	case isUnequal:
		return truthOf(!equal(v, a))
	}
	c, ok := order(v, a)
	if !ok {
		return isUnknown
	}
	switch w.kind {
	case isLess:
		return truthOf(c < 0)
	case isLessEqual:
		return truthOf(c <= 0)
	case isGreater:
		return truthOf(c > 0)
	}
	return truthOf(c >= 0)
}

// equal reports whether two values are the same, numbers by what they mean.
// Objects and lists equal nothing that a predicate can name.
func equal(v, a wire.Value) bool {
	if v.Kind() != a.Kind() {
		return false
	}
	switch v.Kind() {
	case wire.String:
		s, _ := a.Text()
		return v.Is(s)
	case wire.Number:
		c, ok := order(v, a)
		return ok && c == 0
	case wire.True, wire.False, wire.Null:
		return true
	}
	return false
}

// order compares two numbers, or two texts byte by byte, which is the order of
// dates as RFC 3339 writes them.
func order(v, a wire.Value) (int, bool) {
	if v.Kind() != a.Kind() {
		return 0, false
	}
	switch v.Kind() {
	case wire.String:
		x, _ := v.Text()
		y, _ := a.Text()
		return cmp.Compare(x, y), true
	case wire.Number:
		x, ok := readDecimal(string(v.Raw()))
		y, fine := readDecimal(string(a.Raw()))
		return x.compare(y), ok && fine
	}
	return 0, false
}

// decimal is a number as written: 0.digits times ten to the power. Nothing is
// rounded, so that an id of twenty digits equals only itself, and no exponent,
// however large, makes a comparison long.
type decimal struct {
	negative bool
	digits   string // neither begins nor ends with 0; "" is zero
	power    int64
}

// readDecimal reads a JSON number; not ok if its exponent is out of range.
func readDecimal(s string) (decimal, bool) {
	var d decimal
	s, d.negative = strings.CutPrefix(s, "-")
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		p, err := strconv.ParseInt(strings.TrimPrefix(s[i+1:], "+"), 10, 32)
		if err != nil {
			return d, false
		}
		d.power, s = p, s[:i]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	d.power += int64(len(whole))
	all := whole + fraction
	d.digits = strings.TrimLeft(all, "0")
	d.power -= int64(len(all) - len(d.digits))
	if d.digits = strings.TrimRight(d.digits, "0"); d.digits == "" {
		return decimal{}, true // also -0
	}
	return d, true
}

func (d decimal) compare(e decimal) int {
	if d.sign() != e.sign() {
		return cmp.Compare(d.sign(), e.sign())
	}
	if d.digits == "" {
		return 0
	}
	c := cmp.Or(cmp.Compare(d.power, e.power), cmp.Compare(d.digits, e.digits))
	return c * d.sign()
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}
