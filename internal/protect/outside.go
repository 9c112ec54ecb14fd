package protect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// Outside is a detector that is not in the gateway, asked for what is in prose.
type Outside interface {
	// Find returns for each text what is in it, as bytes of the text.
	Find(ctx context.Context, texts []string, types []pii.Type) ([][]pii.Span, error)
	// Types returns what it is asked for.
	Types() []pii.Type
	// Optional reports whether messages pass without its word when it fails.
	Optional() bool
}

// maxProse bounds the texts of one message that are sent.
const maxProse = 10_000

// outside adds to our own findings what the detector outside says. It is asked
// only for types that the profile acts on, and is sent only texts that look like
// prose, without what we have found and can prove: it sees no key and no number
// that we know of (TestOutsideSeesNoSecret).
func (s *Step) outside(ctx context.Context, j *job, m *wire.Message, spans []pii.Span) ([]pii.Span, error) {
	if s.c.Outside == nil {
		return spans, nil
	}
	types := slices.DeleteFunc(s.c.Outside.Types(), func(t pii.Type) bool { return !j.p.Scanner().Wants(t) })
	if len(types) == 0 {
		return spans, nil
	}
	walls := s.walls(j, m.Raw(), spans)
	texts, err := proseOf(m)
	if err != nil || len(texts) == 0 {
		return spans, err
	}
	sent := make([]string, len(texts))
	for i := range texts {
		sent[i] = texts[i].without(walls)
	}
	found, err := s.c.Outside.Find(ctx, sent, types)
	if err == nil {
		for i := range found {
			found[i] = j.p.Sure(found[i])
		}
		var theirs []placed
		if theirs, err = back(texts, sent, found); err == nil {
			return j.merge(spans, theirs, texts, walls), nil
		}
	}
	if s.c.Log != nil {
		s.c.Log("protect: the detector outside failed", j.x, err)
	}
	if s.c.Outside.Optional() {
		j.x.Privacy.Degraded = true
		return spans, nil
	}
	return nil, fault.Wrap(fault.Unscannable, err)
}

// walls returns the ranges that nothing from outside reaches into: what a form
// or check digit proves, and our pseudonyms.
func (s *Step) walls(j *job, raw []byte, spans []pii.Span) ranges {
	o := s.ours(raw)
	walls := ranges(o.tokens)
	for _, c := range o.codes {
		if o.hold(s, j, raw, pii.Span{Start: c[0], End: c[1]}) {
			walls = append(walls, c)
		}
	}
	for _, sp := range spans {
		if proven(sp) {
			walls = append(walls, [2]int{sp.Start, sp.End})
		}
	}
	slices.SortFunc(walls, func(a, b [2]int) int { return a[0] - b[0] })
	out := walls[:0]
	for _, w := range walls {
		if n := len(out); n > 0 && w[0] < out[n-1][1] {
			out[n-1][1] = max(out[n-1][1], w[1])
			continue
		}
		out = append(out, w)
	}
	return out
}

// proven reports whether a finding of ours stands whatever others say.
func proven(sp pii.Span) bool {
	switch sp.Type {
	case pii.Secret:
		return true
	case pii.Person, pii.Organization, pii.Location, pii.NRP, pii.Title, pii.Age, pii.URL, pii.DateTime:
		return false
	}
	return sp.Score >= 0.8
}

// placed is a finding and the path of the value it lies in.
type placed struct {
	pii.Span
	path string
}

// back turns findings in texts into findings in the message.
func back(texts []prose, sent []string, found [][]pii.Span) ([]placed, error) {
	if len(found) != len(texts) {
		return nil, fmt.Errorf("the detector outside answered about %d of %d texts", len(found), len(texts))
	}
	var out []placed
	for i, spans := range found {
		for _, sp := range spans {
			if sp.Start < 0 || sp.Start >= sp.End || sp.End > len(sent[i]) || !sp.Type.Known() {
				return nil, errors.New("the detector outside found what is in no text")
			}
			sp.Start, sp.End = texts[i].at(sp.Start), texts[i].at(sp.End)
			out = append(out, placed{sp, texts[i].path})
		}
	}
	return out, nil
}

// pathAt returns the path of the text in which a byte of the message stands.
func pathAt(texts []prose, at int) string {
	i, _ := slices.BinarySearchFunc(texts, at, func(p prose, at int) int {
		if p.at(len(p.text)) <= at {
			return -1
		}
		return 1
	})
	if i == len(texts) {
		return ""
	}
	return texts[i].path
}

// merge joins our findings, which do not overlap, and theirs, so that none
// overlap. What either found is found. Ours stand where they are proven; where
// two of one type overlap they become one; where the types differ, the one that
// something is done about has the bytes.
func (j *job) merge(ours []pii.Span, theirs []placed, texts []prose, walls ranges) []pii.Span {
	if len(theirs) == 0 {
		return ours
	}
	var out []pii.Span
	var acted, passed []placed
	file := func(sp placed) {
		if j.changed(sp) {
			acted = append(acted, sp)
		} else {
			passed = append(passed, sp)
		}
	}
	for _, sp := range ours {
		if proven(sp) {
			out = append(out, sp)
		} else {
			file(placed{sp, pathAt(texts, sp.Start)})
		}
	}
	for _, sp := range theirs {
		for _, part := range outsideOf(walls, sp) {
			file(part)
		}
	}
	acted = apart(acted)
	var taken ranges
	for _, sp := range acted {
		out, taken = append(out, sp.Span), append(taken, [2]int{sp.Start, sp.End})
	}
	for _, sp := range apart(passed) {
		for _, part := range outsideOf(taken, sp) {
			out = append(out, part.Span)
		}
	}
	slices.SortFunc(out, func(a, b pii.Span) int { return a.Start - b.Start })
	return out
}

// apart sorts findings and parts those that overlap: of one type they become
// one, of two the one that begins first keeps its bytes.
func apart(all []placed) []placed {
	slices.SortStableFunc(all, func(a, b placed) int {
		if a.Start != b.Start {
			return a.Start - b.Start
		}
		return b.End - a.End
	})
	out := all[:0]
	for _, sp := range all {
		if n := len(out); n > 0 && sp.Start < out[n-1].End {
			if sp.Type == out[n-1].Type {
				out[n-1].End = max(out[n-1].End, sp.End)
				continue
			}
			if sp.Start = out[n-1].End; sp.Start >= sp.End {
				continue
			}
		}
		out = append(out, sp)
	}
	return out
}

// changed reports whether anything is done about a finding.
func (j *job) changed(sp placed) bool {
	w := j.where
	w.Path = below(sp.path)
	a := j.p.Decide(w, sp.Type, sp.Sub)
	return a != privacy.Keep && a != privacy.Flag
}

// outsideOf cuts the walls, which are in order, out of a finding.
func outsideOf(walls ranges, sp placed) []placed {
	var out []placed
	i, _ := slices.BinarySearchFunc(walls, sp.Start, func(w [2]int, start int) int {
		if w[1] <= start {
			return -1
		}
		return 1
	})
	for ; i < len(walls) && walls[i][0] < sp.End; i++ {
		if sp.Start < walls[i][0] {
			part := sp
			part.End = walls[i][0]
			out = append(out, part)
		}
		sp.Start = walls[i][1]
	}
	if sp.Start < sp.End {
		out = append(out, sp)
	}
	return out
}

// looksLikeProse is a cheap test: two words, and a capital letter or a script
// that has none.
func looksLikeProse(text string) bool {
	blank, capital := false, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		blank = blank || c == ' ' || c == '\n' || c == '\t'
		capital = capital || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
		if blank && capital {
			return true
		}
	}
	return capital && wide(text)
}

// wide reports whether a text without blanks is of a script that writes none.
func wide(text string) bool {
	for _, r := range text {
		if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			return true
		}
	}
	return false
}
