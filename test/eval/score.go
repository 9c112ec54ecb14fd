package main

import (
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// gold is one labelled span: byte offsets into UTF-8, half-open. A weak span is
// neither a miss nor a false alarm.
type gold struct {
	Start int    `json:"start"`
	End   int    `json:"end"`
	Type  string `json:"type"`
	Sub   string `json:"sub"`
	Weak  bool   `json:"weak"`
}

// record is one text of the corpus. Only types in scope, and fine labels in
// subscope, are labelled in it; empty means all.
type record struct {
	ID       string   `json:"id"`
	Text     string   `json:"text"`
	Source   string   `json:"source"`
	Spans    []gold   `json:"spans"`
	Scope    []string `json:"scope"`
	Subscope []string `json:"subscope"`
}

// counts is what one type has so far, on any overlap and at IoU 0.9.
type counts struct{ gold, found, pred, right, strictFound, strictRight int }

// tally adds up records.
type tally struct {
	types                            map[string]*counts
	micro, untyped                   counts
	piiBytes, leaked, clean, hit     int
	cleanBytes, redactedBytes, total int
	only                             []string
	show                             int
	errs                             []string
}

func newTally(only string, show int) *tally {
	t := &tally{types: map[string]*counts{}, show: show}
	if only != "" {
		t.only = strings.Split(only, ",")
	}
	return t
}

func overlap(g gold, p pii.Span) (inter, union int) {
	inter = max(0, min(g.End, p.End)-max(g.Start, p.Start))
	return inter, g.End - g.Start + p.End - p.Start - inter
}

// counted drops predictions that the record cannot judge.
func (t *tally) counted(r record, all []pii.Span) (kept []pii.Span) {
	for _, p := range all {
		switch {
		case len(t.only) > 0 && !slices.Contains(t.only, string(p.Type)):
		case len(r.Scope) > 0 && !slices.Contains(r.Scope, string(p.Type)):
		case p.Sub != "" && len(r.Subscope) > 0 && !slices.Contains(r.Subscope, p.Sub):
		default:
			kept = append(kept, p)
		}
	}
	return kept
}

func (t *tally) of(kind string) *counts {
	if t.types[kind] == nil {
		t.types[kind] = &counts{}
	}
	return t.types[kind]
}

// add scores one record.
func (t *tally) add(r record, all []pii.Span) {
	t.total++
	preds := t.counted(r, all)
	strong := 0
	for _, g := range r.Spans {
		if g.Weak || len(t.only) > 0 && !slices.Contains(t.only, g.Type) {
			continue
		}
		strong++
		t.addGold(r, g, preds)
	}
	wrong := false
	for _, p := range preds {
		wrong = t.addPrediction(r, p) || wrong
	}
	if strong == 0 {
		t.clean++
		if wrong {
			t.hit++
		}
	}
	t.addBytes(r, preds)
}

func (t *tally) addGold(r record, g gold, preds []pii.Span) {
	found, strict, any := 0, 0, 0
	for _, p := range preds {
		in, un := overlap(g, p)
		if in == 0 {
			continue
		}
		any = 1
		if string(p.Type) == g.Type {
			found = 1
			if float64(in) >= 0.9*float64(un) {
				strict = 1
			}
		}
	}
	for _, c := range []*counts{t.of(g.Type), &t.micro} {
		c.gold++
		c.found += found
		c.strictFound += strict
	}
	t.untyped.gold++
	t.untyped.found += any
	if found == 0 && len(t.errs) < t.show {
		t.errs = append(t.errs, fmt.Sprintf("MISS  %-14s %-10s %q in %.140q", g.Type, g.Sub, r.Text[g.Start:g.End], r.Text))
	}
}

// addPrediction reports whether p counts as a prediction at all.
func (t *tally) addPrediction(r record, p pii.Span) bool {
	right, strict, any, weak := 0, 0, 0, false
	for _, g := range r.Spans {
		in, un := overlap(g, p)
		switch {
		case in == 0:
		case g.Weak:
			weak = true
		default:
			any = 1
			if g.Type == string(p.Type) {
				right = 1
				if float64(in) >= 0.9*float64(un) {
					strict = 1
				}
			}
		}
	}
	if right == 0 && weak {
		return false
	}
	for _, c := range []*counts{t.of(string(p.Type)), &t.micro} {
		c.pred++
		c.right += right
		c.strictRight += strict
	}
	t.untyped.pred++
	t.untyped.right += any
	if right == 0 && len(t.errs) < t.show {
		t.errs = append(t.errs, fmt.Sprintf("FALSE %-14s %-10s %q in %.140q", p.Type, p.Sub, r.Text[p.Start:p.End], r.Text))
	}
	return true
}

// addBytes counts personal bytes that no prediction covers.
func (t *tally) addBytes(r record, preds []pii.Span) {
	red, personal, weak := make([]bool, len(r.Text)), make([]bool, len(r.Text)), make([]bool, len(r.Text))
	for _, p := range preds {
		for i := p.Start; i < p.End; i++ {
			red[i] = true
		}
	}
	for _, g := range r.Spans {
		if len(t.only) > 0 && !slices.Contains(t.only, g.Type) {
			continue
		}
		for i := g.Start; i < g.End; i++ {
			personal[i] = personal[i] || !g.Weak
			weak[i] = weak[i] || g.Weak
		}
	}
	for i := range red {
		switch {
		case personal[i]:
			t.piiBytes++
			if !red[i] {
				t.leaked++
			}
		case !weak[i]:
			t.cleanBytes++
			if red[i] {
				t.redactedBytes++
			}
		}
	}
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// fBeta is the F score: beta 1 weighs precision and recall alike, beta 2 recall
// four times.
func fBeta(p, r, beta float64) float64 {
	if p == 0 && r == 0 {
		return 0
	}
	return (1 + beta*beta) * p * r / (beta*beta*p + r)
}

// print writes the table.
func (t *tally) print(w io.Writer) error {
	var b strings.Builder
	for _, e := range t.errs {
		b.WriteString(e + "\n")
	}
	b.WriteString("| type | gold | found spans | P | R | F1 | F2 | F2 at IoU 0.9 |\n|---|---|---|---|---|---|---|---|\n")
	kinds := make([]string, 0, len(t.types))
	for k := range t.types {
		kinds = append(kinds, k)
	}
	sort.Strings(kinds)
	row := func(name string, c counts) {
		p, r := ratio(c.right, c.pred), ratio(c.found, c.gold)
		sp, sr := ratio(c.strictRight, c.pred), ratio(c.strictFound, c.gold)
		fmt.Fprintf(&b, "| %s | %d | %d | %.3f | %.3f | %.3f | %.3f | %.3f |\n", name, c.gold, c.pred, p, r, fBeta(p, r, 1), fBeta(p, r, 2), fBeta(sp, sr, 2))
	}
	for _, k := range kinds {
		row(k, *t.types[k])
	}
	row("micro", t.micro)
	u := t.untyped
	p, r := ratio(u.right, u.pred), ratio(u.found, u.gold)
	fmt.Fprintf(&b, "| any type | %d | %d | %.3f | %.3f | %.3f | %.3f | |\n", u.gold, u.pred, p, r, fBeta(p, r, 1), fBeta(p, r, 2))
	fmt.Fprintf(&b, "\n%d records. Leaked %d of %d personal bytes (%.2f %%). Over-redacted %d of %d other bytes (%.2f %%). Clean records hit: %d of %d (%.2f %%).\n",
		t.total, t.leaked, t.piiBytes, 100*ratio(t.leaked, t.piiBytes), t.redactedBytes, t.cleanBytes, 100*ratio(t.redactedBytes, t.cleanBytes), t.hit, t.clean, 100*ratio(t.hit, t.clean))
	_, err := io.WriteString(w, b.String())
	return err
}
