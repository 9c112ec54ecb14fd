package privacy

import (
	"encoding/json"
	"fmt"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// Previewed is one finding of a preview.
type Previewed struct {
	Start, End int // bytes of the text, half-open
	Type       pii.Type
	Sub        string
	Action     Action
}

// Preview is what the door would make of a text by itself. Pseudonyms are
// numbered, what is dropped is "(dropped)", and keyed values are those of Sample.
type Preview struct {
	Text     string
	Blocked  []pii.Type // the types that refuse the message, in their order
	Findings []Previewed
}

// Preview says what would become of a text at w. It is for operators who try a
// profile: schemas, twins and what a vault knows already have no part in it. The
// text is scanned as JSON if it is a JSON object or array.
func (p *Profile) Preview(w Where, text string) (Preview, error) {
	asJSON := json.Valid([]byte(text)) && strings.IndexByte("{[", strings.TrimSpace(text)[0]) >= 0
	scan := p.Scanner().Scan
	if asJSON {
		scan = p.Scanner().ScanJSON
	}
	v := preview{p: p, w: w, json: asJSON, tokens: map[string]string{}}
	var out strings.Builder
	var shown Preview
	last := 0
	for _, s := range p.Sure(scan([]byte(text))) {
		a := p.Decide(w, s.Type, s.Sub)
		shown.Findings = append(shown.Findings, Previewed{s.Start, s.End, s.Type, s.Sub, a})
		if a == Block {
			shown.Blocked = append(shown.Blocked, s.Type)
		}
		in, err := v.replaced(a, s, text)
		if err != nil {
			return Preview{}, fmt.Errorf("%s of %s at byte %d: %w", a, s.Type, s.Start, err)
		}
		out.WriteString(text[last:s.Start])
		out.WriteString(in)
		last = s.End
	}
	out.WriteString(text[last:])
	shown.Text = out.String()
	return shown, nil
}

// preview is one preview in the making.
type preview struct {
	p      *Profile
	w      Where
	json   bool
	tokens map[string]string // type and value -> pseudonym
}

// replaced is what takes the place of a span, as the text around it needs it.
func (v *preview) replaced(a Action, s pii.Span, text string) (string, error) {
	raw := text[s.Start:s.End]
	value, quoted := raw, v.json && inString(text, s.Start)
	if quoted && json.Unmarshal([]byte(`"`+raw+`"`), &value) != nil {
		value = raw
	}
	f := Finding{Type: s.Type, Sub: s.Sub, Value: value, Scope: "preview", Schema: Schema{Numeric: v.json && !quoted}}
	a = v.p.Shaped(a, f)
	var out string
	switch {
	case a == Keep || a == Flag || a == Block || Ours(s.Type, value):
		return raw, nil
	case a == Drop:
		out = "(dropped)"
	case a == Token:
		out = v.token(s.Type, value)
	default:
		var err error
		if out, err = v.p.Transform(a, f, Sample{}); err != nil {
			return "", err
		}
	}
	if !v.json || !quoted && numeric(out) {
		return out, nil
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil {
		return "", err
	}
	written := strings.TrimSuffix(b.String(), "\n")
	if quoted {
		return written[1 : len(written)-1], nil
	}
	return written, nil
}

func (v *preview) token(typ pii.Type, value string) string {
	key := string(typ) + " " + value
	if v.tokens[key] == "" {
		v.tokens[key] = fmt.Sprintf("<%s_%d>", typ, len(v.tokens)+1)
	}
	return v.tokens[key]
}

// inString reports whether the byte at lies inside a string of valid JSON.
func inString(text string, at int) bool {
	inside := false
	for i := 0; i < at; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			inside = !inside
		}
	}
	return inside
}
