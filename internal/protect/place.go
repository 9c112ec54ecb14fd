package protect

import (
	"bytes"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// place finds the string, key or number that each span lies in, and decides
// what becomes of it.
func (s *Step) place(j *job, m *wire.Message, spans []pii.Span) ([]finding, error) {
	if len(spans) > maxFindings {
		return nil, fault.New(fault.Unscannable)
	}
	raw, found, i := m.Raw(), make([]finding, 0, len(spans)), 0
	ours := s.ours(raw)
	files := map[int]bool{}
	if len(spans) > 0 {
		files = looked(m)
	}
	for spot := range m.Spots() {
		if i == len(spans) {
			break
		}
		path, done := "", false
		for ; i < len(spans) && spans[i].Start < spot.End; i++ {
			sp := spans[i]
			if sp.Start < spot.Start || sp.End > spot.End {
				return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("a finding of type %s is not inside one value", sp.Type))
			}
			if path == "" {
				path = spot.Path()
				start, _ := spot.Value.Range()
				done = !spot.Key && files[start]
			}
			if done || ours.hold(s, j, raw, sp) || opaque(path) && !spot.Key || handle(path) && !j.byForm(spot.Value) {
				continue
			}
			f, err := j.finding(raw, spot, sp, path)
			if err != nil {
				return nil, err
			}
			if privacy.Ours(f.typ, f.value) || j.offered(&f) {
				continue // an invented value that a first pass put there, or a choice of the tool's
			}
			found = append(found, f)
		}
	}
	if i < len(spans) {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("a finding of type %s is in no value", spans[i].Type))
	}
	return found, nil
}

// byForm reports whether there is a finding in a value without its key.
func (j *job) byForm(v wire.Value) bool { return len(j.p.Scanner().Scan(v.Raw())) > 0 }

// ours are the pseudonyms in a message, which pass: tokens by their look, since
// nothing but a row is behind them, and texts that SIV made by its key. By their
// look those would let anything pass that is written so (TestForgedCodesAreLookedAt).
type ours struct {
	tokens, codes [][2]int
	proven        map[int]bool // which of the codes were made here, of those that were asked for
}

func (s *Step) ours(raw []byte) ours {
	o := ours{tokens: vault.Find(raw)}
	if s.c.Open != nil && bytes.IndexByte(raw, '~') >= 0 {
		o.codes, o.proven = privacy.Codes(raw), map[int]bool{}
	}
	return o
}

// hold reports whether a span lies in one of them.
func (o *ours) hold(s *Step, j *job, raw []byte, sp pii.Span) bool {
	if within(o.tokens, sp) >= 0 {
		return true
	}
	at := within(o.codes, sp)
	if at < 0 {
		return false
	}
	ok, asked := o.proven[at]
	if !asked {
		typ, code, _ := privacy.Code(string(raw[o.codes[at][0]:o.codes[at][1]]))
		_, err := s.c.Open.OpenSIV(s.scopeOf(j), string(typ), code)
		ok = err == nil
		o.proven[at] = ok
	}
	return ok
}

// within returns which of the ranges, in order, a span lies in; -1 if in none.
func within(ranges [][2]int, sp pii.Span) int {
	at, _ := slices.BinarySearchFunc(ranges, sp.Start, func(t [2]int, start int) int {
		if t[1] <= start {
			return -1
		}
		return 1
	})
	if at < len(ranges) && ranges[at][0] <= sp.Start && sp.End <= ranges[at][1] {
		return at
	}
	return -1
}

// finding decides about one span.
func (j *job) finding(raw []byte, spot wire.Spot, sp pii.Span, path string) (finding, error) {
	f := finding{start: sp.Start, end: sp.End, typ: sp.Type, sub: sp.Sub, path: path, key: spot.Key, spot: spot.Start}
	if !spot.Key && spot.Value.Kind() == wire.Number {
		f.start, f.end, f.number, f.whole = spot.Start, spot.End, true, true
		f.value = string(raw[f.start:f.end])
	} else {
		f.start, f.end = max(f.start, spot.Start+1), min(f.end, spot.End-1)
		f.whole = f.start == spot.Start+1 && f.end == spot.End-1
		text, err := decoded(raw[f.start:f.end])
		if err != nil {
			return f, fault.Wrap(fault.Unscannable, fmt.Errorf("a finding of type %s parts an escape", sp.Type))
		}
		f.value = text
	}
	w := j.where
	w.Path = below(path)
	f.action = j.p.Decide(w, sp.Type, sp.Sub)
	if !f.action.Known() {
		f.action = privacy.Block
	}
	if fixed(path) && !spot.Key && changes(f.action) {
		f.action = privacy.Block // another name would ask for another thing
	}
	if f.action == privacy.Token && j.definition() {
		f.action = privacy.Redact // a definition is no place for what can be turned back
	}
	return f, nil
}

// offered reports whether a value is a choice that the tool's approved definition
// offers to everybody.
func (j *job) offered(f *finding) bool {
	return f.whole && choosable(f.typ) && changes(f.action) && (j.definition() && listed(f.path) || j.shapes().offers(f))
}

// definition reports whether the message lists tools, which were approved. Beside
// the items of another list a server writes what it likes
// (TestOnlyAListOfToolsOffers).
func (j *job) definition() bool {
	return j.where.Toward == privacy.Client && j.x.Fact.ListKey == "tools"
}

// changes reports whether an action alters the text.
func changes(a privacy.Action) bool {
	return a != privacy.Keep && a != privacy.Flag && a != privacy.Block
}

// decoded undoes JSON's escapes in a part of a string.
func decoded(inside []byte) (string, error) {
	if !slices.Contains(inside, '\\') {
		return string(inside), nil
	}
	v, err := wire.ParseValue(slices.Concat([]byte{'"'}, inside, []byte{'"'}), wire.DefaultLimits())
	if err != nil {
		return "", err
	}
	text, _ := v.Text()
	return text, nil
}
