package protect

import (
	"bytes"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// maxRecords bounds the records of one message. What lies in further ones is
// nobody's that is known.
const maxRecords = 1 << 16

// Limits of the places that are held against the paths of a profile. A server could
// make thousands of members stand deep below long names (TestC13DeepPlaces).
const (
	maxPlace = 1 << 10 // bytes of one place
	maxAsked = 4 << 20 // bytes of all that are asked about
)

// record is a part of a message that is about one person.
type record struct {
	start, end int    // bytes of the message
	rule       int    // that found it; the first one counts
	subject    string // "" where one rule names two people
	hidden     bool   // it is about somebody whose name is not to be read
}

// whose says of each finding whom it is about, where the profile tells which
// members name somebody. What stands in no record is about the one person whom
// the message names, if it is one. Nothing is read where nothing is told.
func (j *job) whose(m *wire.Message, found []finding) {
	about := j.p.About(j.where.Server, j.where.Tool)
	if !about.Exists() || len(found) == 0 {
		return
	}
	w := census{about: about}
	w.message(m)
	all := w.sorted()
	if len(all) == 0 {
		return
	}
	only := all[0].subject
	for _, r := range all {
		if r.subject != only || w.more {
			only = ""
		}
	}
	order := make([]*finding, len(found))
	for i := range found {
		order[i] = &found[i]
	}
	slices.SortFunc(order, func(a, b *finding) int { return a.start - b.start })
	var around []record // the records that hold the place, the innermost last
	for _, f := range order {
		for len(all) > 0 && all[0].start <= f.start {
			around, all = append(around, all[0]), all[1:]
		}
		around = slices.DeleteFunc(around, func(r record) bool { return r.end <= f.start })
		if f.subject = only; len(around) > 0 {
			f.subject = around[len(around)-1].subject
		}
	}
}

// census gathers the records of a message.
type census struct {
	about   privacy.About
	records []record
	path    []byte
	above   []wire.Value // objects and arrays around the place
	place   func(v wire.Value) (start, end int)
	asked   int    // bytes of places that were asked about
	passed  int    // bytes of strings that were walked along, for the tests
	more    bool   // there may be records that were not taken up
	last    string // the place that was asked about last, and the answer
	rule    int    // -1: it names nobody
	up      int
}

// message reads the arguments or the structured result, and every text that is
// JSON by itself: servers of older eras have no other structure.
func (w *census) message(m *wire.Message) {
	for _, root := range []wire.Value{m.Params().Get("arguments"), m.Result().Get("structuredContent")} {
		w.place = wire.Value.Range
		w.walk(root)
	}
	for spot := range m.Spots() {
		if spot.Key || spot.Value.Kind() != wire.String {
			continue
		}
		raw := bytes.TrimLeft(spot.Value.Raw()[1:], " ")
		if raw[0] != '{' && raw[0] != '[' && raw[0] != '\\' {
			continue // a text that begins so is decoded, another one is not
		}
		text, _ := spot.Value.Text()
		if begins := strings.TrimLeft(text, " \t\r\n"); begins != "" && (begins[0] == '{' || begins[0] == '[') {
			w.text(spot, text)
		}
	}
}

// text reads a text that is JSON, or JSON by the line.
func (w *census) text(spot wire.Spot, text string) {
	c := wire.NewCursor(spot.Value)
	if v, err := wire.ParseValue([]byte(text), wire.DefaultLimits()); err == nil {
		w.inside(spot, c, 0, v)
		return
	}
	at := 0
	for line := range strings.Lines(text) {
		if v, err := wire.ParseValue([]byte(line), wire.DefaultLimits()); err == nil {
			w.inside(spot, c, at, v)
		}
		at += len(line)
	}
}

// inside reads a value that stands, from byte base on, in the text of a string. c has
// come no further: all lines of a text cost one pass.
func (w *census) inside(spot wire.Spot, c *wire.Cursor, base int, v wire.Value) {
	from, began := len(w.records), c.Seek(0)
	w.place = func(v wire.Value) (int, int) {
		start, end := v.Range()
		return base + start, base + end
	}
	w.walk(v)
	// Places in the text become places in the message, all in one pass.
	ends := make([]*int, 0, 2*(len(w.records)-from))
	for i := range w.records[from:] {
		r := &w.records[from+i]
		ends = append(ends, &r.start, &r.end)
	}
	slices.SortFunc(ends, func(a, b *int) int { return *a - *b })
	for _, at := range ends {
		*at = spot.Start + 1 + c.Seek(*at)
	}
	w.passed += c.Seek(0) - began
}

func (w *census) walk(v wire.Value) {
	size := len(w.path)
	switch v.Kind() {
	case wire.Object:
		w.above = append(w.above, v)
		for m, below := range v.Members() {
			if size > 0 {
				w.path = append(w.path, '.')
			}
			w.path = append(w.path, m.Key...)
			if k := below.Kind(); k == wire.Object || k == wire.Array || w.about.May(m.Key) {
				w.walk(below)
			}
			w.path = w.path[:size]
		}
		w.above = w.above[:len(w.above)-1]
	case wire.Array:
		w.above = append(w.above, v)
		w.path = append(w.path, "[*]"...)
		for below := range v.Elements() {
			w.walk(below)
		}
		w.path = w.path[:size]
		w.above = w.above[:len(w.above)-1]
	case wire.String, wire.Number:
		w.member(v)
	}
}

// member takes up a record if the member names somebody. One whose name is hidden or
// too long is somebody, too: what stands there is not about another one.
func (w *census) member(v wire.Value) {
	if len(w.above) == 0 || !w.names() {
		return
	}
	if len(w.records) >= maxRecords {
		w.more = true
		return
	}
	id, is := v.Text()
	if !is {
		id = string(v.Raw())
	}
	if id = strings.TrimSpace(id); id == "" {
		return
	}
	r := record{rule: w.rule}
	if !vault.IsToken(id) && (!strings.HasPrefix(id, "[") || !strings.HasSuffix(id, "]")) {
		r.subject = w.about.Name(w.rule, id)
	}
	r.hidden = r.subject == ""
	r.start, r.end = w.place(w.above[max(0, len(w.above)-1-w.up)])
	w.records = append(w.records, r)
}

// names reports whether the place that w stands at is one that names somebody. The
// elements of an array, and one member of many rows, are asked about once.
func (w *census) names() bool {
	if string(w.path) != w.last {
		if w.asked += len(w.path); len(w.path) > maxPlace || w.asked > maxAsked {
			w.more = true
			return false
		}
		ok := false
		w.last = string(w.path)
		if w.rule, w.up, ok = w.about.Member(w.last); !ok {
			w.rule = -1
		}
	}
	return w.last != "" && w.rule >= 0
}

// sorted returns the records in the order of their beginnings, those around
// others first, and one for each place.
func (w *census) sorted() (out []record) {
	slices.SortStableFunc(w.records, func(a, b record) int {
		switch {
		case a.start != b.start:
			return a.start - b.start
		case a.end != b.end:
			return b.end - a.end
		}
		return a.rule - b.rule
	})
	for _, r := range w.records {
		if n := len(out); n > 0 && out[n-1].start == r.start && out[n-1].end == r.end {
			switch last := &out[n-1]; {
			case last.rule != r.rule && last.hidden:
				*last = r // another rule can tell
			case last.rule == r.rule && last.subject != r.subject:
				last.subject, last.hidden = "", false // two people: whose the rest is, nobody knows
			}
			continue
		}
		out = append(out, r)
	}
	return out
}
