package protect

import (
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
	ours := vault.Find(raw)
	for spot := range m.Spots() {
		if i == len(spans) {
			break
		}
		path := ""
		for ; i < len(spans) && spans[i].Start < spot.End; i++ {
			sp := spans[i]
			if sp.Start < spot.Start || sp.End > spot.End {
				return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("a finding of type %s is not inside one value", sp.Type))
			}
			if path == "" {
				path = spot.Path()
			}
			if touches(ours, sp) || opaque(path) && !spot.Key || handle(path) && !j.byForm(spot.Value) {
				continue
			}
			f, err := j.finding(raw, spot, sp, path)
			if err != nil {
				return nil, err
			}
			if privacy.Ours(f.typ, f.value) {
				continue // an invented value that a first pass put there
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

// touches reports whether a span lies in one of our pseudonyms: those pass.
func touches(ours [][2]int, sp pii.Span) bool {
	at, _ := slices.BinarySearchFunc(ours, sp.Start, func(t [2]int, start int) int {
		if t[1] <= start {
			return -1
		}
		return 1
	})
	return at < len(ours) && ours[at][0] <= sp.Start && sp.End <= ours[at][1]
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

// definition reports whether the message lists what a server offers.
func (j *job) definition() bool {
	return j.where.Toward == privacy.Client && j.x.Fact.ListKey != ""
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
