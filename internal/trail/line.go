package trail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
)

// Stamp is the form of times in lines.
const Stamp = "2006-01-02T15:04:05.000Z07:00"

// member is one member of a part.
type member struct {
	name  string
	value json.RawMessage
}

// first are the members that every line has, in this order, after index, log
// and time.
var first = [...]string{"kind", "exchange", "actor", "server", "method", "name", "decision", "outcome", "reason"}

// ours are members that the line takes from elsewhere.
var ours = map[string]bool{"index": true, "log": true, "time": true, "kind": true, "finished_index": true, "erased": true, "readable": true}

// line builds the line of e and reports whether the query selects it.
func (r *Reader) line(e *entry) (Line, bool, error) {
	out := Line{Log: e.log, Index: e.index, Time: e.time()}
	all, err := e.members()
	if err != nil {
		return out, false, err
	}
	if !r.fits(e, all) {
		return out, false, nil
	}
	b := make([]byte, 0, 512)
	b = strconv.AppendUint(append(b, `{"index":`...), e.index, 10)
	b = append(quote(append(b, `,"log":`...), string(e.log)), `,"time":"`...)
	b = append(e.time().AppendFormat(b, Stamp), '"')
	for _, name := range first {
		b = append(append(append(b, ',', '"'), name...), '"', ':')
		b = append(b, value(all, name)...)
	}
	for _, m := range all {
		if ours[m.name] || isFirst(m.name) {
			continue
		}
		b = append(append(quote(append(b, ','), m.name), ':'), m.value...)
	}
	if e.end != nil {
		b = strconv.AppendUint(append(b, `,"finished_index":`...), e.end.index, 10)
	}
	if e.part == nil || e.end != nil && e.end.part == nil {
		b = append(b, `,"readable":false`...)
	}
	b, erased := r.resolve(b)
	if erased {
		b = append(b, `,"erased":true`...)
	}
	out.JSON = append(b, '}')
	return out, true, nil
}

func isFirst(name string) bool {
	for _, f := range first {
		if f == name {
			return true
		}
	}
	return false
}

// members returns the members of e's parts: those of the end of a call stand
// for those of its decision. What a part does not say, the leaf may.
func (e *entry) members() ([]member, error) {
	all, err := split(e.part)
	if err != nil {
		return nil, fmt.Errorf("%s, entry %d: %w", e.log, e.index, err)
	}
	if e.end != nil {
		more, err := split(e.end.part)
		if err != nil {
			return nil, fmt.Errorf("%s, entry %d: %w", e.end.log, e.end.index, err)
		}
		for _, m := range more {
			all = set(all, m)
		}
	}
	all = set(all, member{"kind", quote(nil, e.kind())})
	for _, m := range []struct{ name, text string }{
		{"exchange", e.leaf.Exchange}, {"decision", e.leaf.Decision}, {"server", e.leaf.Server},
	} {
		if m.text != "" && find(all, m.name) == nil {
			all = append(all, member{m.name, quote(nil, m.text)})
		}
	}
	return all, nil
}

func set(all []member, m member) []member {
	for i := range all {
		if all[i].name == m.name {
			all[i].value = m.value
			return all
		}
	}
	return append(all, m)
}

func find(all []member, name string) json.RawMessage {
	for _, m := range all {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// value returns a member, or the empty string: every line has the first ones.
func value(all []member, name string) []byte {
	if v := find(all, name); v != nil {
		return v
	}
	return []byte(`""`)
}

func text(all []member, name string) string {
	v := find(all, name)
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	s, err := unquote(v)
	if err != nil {
		return ""
	}
	return s
}

func (r *Reader) fits(e *entry, all []member) bool {
	q := r.query
	is := func(want, name string) bool { return want == "" || text(all, name) == want }
	kind := e.kind()
	if q.Kind != "" && kind != q.Kind && !strings.HasPrefix(kind, q.Kind+".") {
		return false
	}
	if q.Exchange != "" && text(all, "exchange") != q.Exchange && text(all, "parent") != q.Exchange {
		return false
	}
	actor := q.Actor == "" || text(all, "actor") == q.Actor || text(all, "by") == q.Actor
	return actor && is(q.Server, "server") && is(q.Decision, "decision") && is(q.Outcome, "outcome")
}

var errPart = errors.New("its part is not a JSON object")

// split takes a part apart. A part whose key is gone has no members.
func split(part []byte) ([]member, error) {
	if part == nil {
		return nil, nil
	}
	b := bytes.TrimSpace(part)
	if len(b) == 0 || b[0] != '{' || !json.Valid(b) {
		return nil, errPart
	}
	all := make([]member, 0, 24)
	for i := skip(b, 1); b[i] != '}'; i = skip(b, i) {
		if b[i] == ',' {
			i = skip(b, i+1)
		}
		end := over(b, i)
		name, err := unquote(b[i:end])
		if err != nil {
			return nil, err
		}
		i = skip(b, skip(b, end)+1)
		end = over(b, i)
		all = append(all, member{name, b[i:end]})
		i = end
	}
	return all, nil
}

// unquote returns the text of a JSON string.
func unquote(b []byte) (string, error) {
	if plain := b[1 : len(b)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain), nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return "", errPart
	}
	return s, nil
}

// skip returns the place of the first byte from i on that is no white space.
func skip(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r' {
		i++
	}
	return i
}

// over returns the place after the value that begins at i, in JSON that is
// valid.
func over(b []byte, i int) int {
	depth := 0
	for ; ; i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				if depth < 0 {
					return i // the end of what holds a number or a word
				}
				return i + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return i
			}
		}
	}
}

// pseudonymLen is the length of "s-" and 26 characters of base32.
const pseudonymLen = 28

// resolve puts names in place of every string that is a pseudonym. It reports
// whether one is of an erased subject.
func (r *Reader) resolve(b []byte) ([]byte, bool) {
	if r.names.Of == nil || !bytes.Contains(b, []byte(`"s-`)) {
		return b, false
	}
	out, erased := make([]byte, 0, len(b)+32), false
	for {
		i := bytes.Index(b, []byte(`"s-`))
		if i < 0 {
			return append(out, b...), erased
		}
		out = append(out, b[:i]...)
		b = b[i:]
		p, ok := pseudonym(b)
		if !ok {
			out, b = append(out, b[:3]...), b[3:]
			continue
		}
		name, known := r.names.Of(p)
		if !known {
			name, erased = p, true
		}
		out, b = quote(out, name), b[pseudonymLen+2:]
	}
}

// IsPseudonym reports whether text has the form of a pseudonym.
func IsPseudonym(text string) bool {
	p, ok := pseudonym([]byte(`"` + text + `"`))
	return ok && p == text
}

// pseudonym returns the pseudonym in the string that b begins with.
func pseudonym(b []byte) (string, bool) {
	if len(b) < pseudonymLen+2 || b[pseudonymLen+1] != '"' {
		return "", false
	}
	for _, c := range b[3 : pseudonymLen+1] {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return string(b[1 : pseudonymLen+1]), true
}

// quote appends a JSON string.
func quote(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			if err != nil {
				panic("trail: " + err.Error()) // there is no such string
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// ParseTime reads a time as operators write it: RFC 3339, a date, or how long
// ago, such as 24h.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(form, text, time.UTC); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", text)
}

// Whole returns one entry as a line, without its other half.
func Whole(log auditlog.Name, r auditlog.Record, names Names) ([]byte, error) {
	e, err := parse(log, r)
	if err != nil {
		return nil, err
	}
	line, _, err := (&Reader{names: names}).line(e)
	return line.JSON, err
}
