package protect

import (
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// This file finds pseudonyms in a text of the arguments, and puts values in their
// places, so that a text that is JSON stays the JSON that it was.

// maxInside bounds how deep JSON inside JSON is read for pseudonyms.
const maxInside = 8

// jsonWithin returns the object or array that a text is. The attack: somebody's
// name has quotes in it, and as an argument becomes further members of a request
// that the model wrote as text (TestRestoreIntoJSON).
func jsonWithin(text string, depth int) (wire.Value, bool) {
	begins := strings.TrimLeft(text, " \t\r\n")
	if begins == "" || begins[0] != '{' && begins[0] != '[' || depth >= maxInside {
		return wire.Value{}, false
	}
	v, err := wire.ParseValue([]byte(text), wire.DefaultLimits())
	return v, err == nil
}

// fill puts values in the places of pseudonyms: in the strings of a text that is
// JSON, as strings, and else as they are.
func fill(text string, values map[string]string, depth int) string {
	var b strings.Builder
	last := 0
	if v, is := jsonWithin(text, depth); is {
		for spot := range v.Spots() {
			inside, is := spot.Value.Text()
			if spot.Key || !is {
				continue
			}
			if filled := fill(inside, values, depth+1); filled != inside {
				b.WriteString(text[last:spot.Start])
				b.Write(wire.Quote(filled))
				last = spot.End
			}
		}
		return b.String() + text[last:]
	}
	for _, p := range here(text) {
		if value, is := values[p.text]; is && !p.breaks(value) {
			b.WriteString(text[last:p.start])
			b.WriteString(value)
			last = p.end
		}
	}
	return b.String() + text[last:]
}

// candidates returns the pseudonyms in a text, or in the strings of the JSON that it
// is.
func candidates(text string, depth int) (out []part) {
	if !strings.ContainsAny(text, `<~\\`) {
		return nil
	}
	v, is := jsonWithin(text, depth)
	if !is {
		return here(text)
	}
	for spot := range v.Spots() {
		if inside, is := spot.Value.Text(); is && !spot.Key {
			out = append(out, candidates(inside, depth+1)...)
		}
	}
	return out
}

// breaks reports whether a value could end the quotes in which its pseudonym stands:
// in a text that is not JSON as a whole nobody can tell how to write it.
func (p part) breaks(value string) bool {
	return p.quoted && strings.ContainsAny(value, `"\`)
}

// here returns the pseudonyms in a text, in order.
func here(text string) (out []part) {
	quoted := strings.ContainsAny(text, `"\`)
	if strings.Contains(text, "<") {
		for _, t := range vault.Find([]byte(text)) {
			token := text[t[0]:t[1]]
			out = append(out, part{quoted: quoted, start: t[0], end: t[1], text: token, typ: typeOf(token), token: token})
		}
	}
	if strings.Contains(text, "~") {
		for _, t := range privacy.Codes([]byte(text)) {
			typ, code, _ := privacy.Code(text[t[0]:t[1]])
			out = append(out, part{quoted: quoted, start: t[0], end: t[1], text: text[t[0]:t[1]], typ: typ, code: code})
		}
		slices.SortFunc(out, func(a, b part) int { return a.start - b.start })
	}
	return out
}
