package privacy

import (
	"regexp/syntax"
	"strings"
	"unicode"
)

// Limits of a text that is built from an expression.
const (
	maxBuilt  = 256 // bytes
	maxRepeat = 64
	maxNest   = 64
)

// build makes a text that the schema's pattern matches, if it can: a schema may
// demand a customer number of a form of its own, and nothing else fits.
func (s *shape) build(d *dice) (string, bool) {
	if s.re == nil {
		return "", false
	}
	tree, err := syntax.Parse(s.Pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	for range tries {
		b := builder{dice: d}
		b.add(tree, 0)
		if v := b.text.String(); !b.failed && v != "" && s.fits(v) {
			return v, true
		}
	}
	return "", false
}

// builder writes one text that an expression matches.
type builder struct {
	dice   *dice
	text   strings.Builder
	failed bool
}

func (b *builder) add(re *syntax.Regexp, depth int) {
	if b.failed || depth > maxNest || b.text.Len() > maxBuilt {
		b.failed = true
		return
	}
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			b.text.WriteRune(r)
		}
	case syntax.OpCharClass:
		b.class(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.text.WriteByte(byte('a' + b.dice.below(26)))
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range re.Sub {
			b.add(sub, depth+1)
		}
	case syntax.OpAlternate:
		b.add(re.Sub[b.dice.below(len(re.Sub))], depth+1)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		for range b.times(re) {
			b.add(re.Sub[0], depth+1)
		}
	case syntax.OpNoMatch:
		b.failed = true
	}
}

// times chooses how often a part is repeated: as rarely as may be, but some.
func (b *builder) times(re *syntax.Regexp) int {
	low, high := 0, 1
	switch re.Op {
	case syntax.OpStar:
		high = 4
	case syntax.OpPlus:
		low, high = 1, 6
	case syntax.OpRepeat:
		low, high = re.Min, re.Max
		if high < 0 {
			high = low + 4
		}
	}
	if low > maxRepeat {
		b.failed = true
		return 0
	}
	return low + b.dice.below(min(high, maxRepeat)-low+1)
}

// class chooses a character of a class, an ordinary one if it has any.
func (b *builder) class(ranges []rune) {
	var ordinary, other []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= min(ranges[i+1], ranges[i]+127); r++ {
			switch {
			case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
				ordinary = append(ordinary, r)
			case unicode.IsPrint(r):
				other = append(other, r)
			}
		}
	}
	if len(ordinary) == 0 {
		ordinary = other
	}
	if len(ordinary) == 0 {
		b.failed = true
		return
	}
	b.text.WriteRune(ordinary[b.dice.below(len(ordinary))])
}
