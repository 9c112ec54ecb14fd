package pii

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	re2 "github.com/wasilibs/go-re2"

	"ostiary.dev/ostiary/internal/fault"
)

// patterns are the operator's expressions as one union: group k+1 is pattern k. One
// pass of a union costs what one expression costs, whatever their number; the
// standard library needs forty times as long for ten (docs/measurements-pii.md).
// Both are RE2: linear time for every input, no backtracking (case C13).
type patterns struct {
	union *re2.Regexp
	of    []Pattern
}

// newPatterns checks every expression and joins them. A failure names the
// expression's position, not its text.
func newPatterns(list []Pattern) (*patterns, error) {
	if len(list) > maxPatterns {
		return nil, fault.Newf(fault.BadParams, "the detector has more than %d patterns", maxPatterns)
	}
	p := &patterns{}
	parts := make([]string, 0, len(list))
	for i, x := range list {
		part, err := checked(&x)
		if err != nil {
			return nil, fmt.Errorf("pattern %d of the detector: %w", i+1, err)
		}
		p.of, parts = append(p.of, x), append(parts, "("+part+")")
	}
	union, err := re2.Compile(strings.Join(parts, "|"))
	if err != nil {
		return nil, fault.Newf(fault.BadParams, "the patterns of the detector are too large together")
	}
	p.union = union
	return p, nil
}

// checked fills in the type and returns the expression without groups of its own.
func checked(p *Pattern) (string, error) {
	if p.Type == "" {
		p.Type = OtherID
	}
	if !p.Type.Known() || p.Name == "" || p.Expr == "" || len(p.Expr) > maxPatternSize {
		return "", fault.Newf(fault.BadParams, "a pattern needs a name, a known type and an expression of at most %d bytes", maxPatternSize)
	}
	re, err := regexp.Compile(p.Expr)
	if err != nil {
		return "", fault.Wrap(fault.BadParams, err)
	}
	if re.MatchString("") {
		return "", fault.Newf(fault.BadParams, "the expression matches the empty text")
	}
	tree, err := syntax.Parse(p.Expr, syntax.Perl)
	if err != nil {
		return "", fault.Wrap(fault.BadParams, err)
	}
	return ungrouped(tree).String(), nil
}

// ungrouped removes capture groups, which would shift the union's, and names, which
// two patterns may share.
func ungrouped(re *syntax.Regexp) *syntax.Regexp {
	for re.Op == syntax.OpCapture {
		re = re.Sub[0]
	}
	for i := range re.Sub {
		re.Sub[i] = ungrouped(re.Sub[i])
	}
	return re
}

// patterns searches one view. Where two patterns match at the same place the one
// that the operator wrote first wins.
func (r *run) patterns(v *view) {
	p := r.s.patterns
	if p == nil || !p.union.Match(v.b) {
		return
	}
	for _, m := range p.union.FindAllSubmatchIndex(v.b, -1) {
		for k := range p.of {
			if lo, hi := m[2*k+2], m[2*k+3]; lo >= 0 && hi > lo {
				r.spans = append(r.spans, Span{Start: v.src(lo), End: v.srcEnd(hi), Type: p.of[k].Type, Sub: p.of[k].Name, Score: 0.9, Why: "pattern " + p.of[k].Name})
				break
			}
		}
	}
}
