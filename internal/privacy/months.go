package privacy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// monthNames has a line per language and form, full names before abbreviations:
// the languages in which pii finds dates.
var monthNames = func() [][]string {
	var out [][]string
	for _, line := range []string{
		"January February March April May June July August September October November December",
		"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
		"Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec",
		"Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
		"Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
		"janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
		"enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
		"gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
	} {
		out = append(out, strings.Fields(line))
	}
	return out
}()

// plainer takes the accents off the letters that month names have, so that
// "fevrier" is read and written back without its accent.
var plainer = strings.NewReplacer("é", "e", "û", "u", "ä", "a", "É", "E", "Û", "U", "Ä", "A")

// spot is a name's place in the table.
type spot struct{ line, month int }

// monthSpots finds names as they are spelt, and without capitals and accents: a
// lower-case "mai" is French, "Mai" is German. The first line wins.
var monthSpots = func() map[string]spot {
	out := map[string]spot{}
	for _, form := range []func(string) string{func(s string) string { return s }, folded} {
		for l, names := range monthNames {
			for m, name := range names {
				if _, known := out[form(name)]; !known {
					out[form(name)] = spot{l, m + 1}
				}
			}
		}
	}
	return out
}()

func folded(s string) string { return strings.ToLower(plainer.Replace(s)) }

// readMonth finds the month name at the start of s: the line of the table, the
// month from 1, and how many bytes it has. Only whole words are names.
func readMonth(s string) (line, month, size int) {
	for i, r := range s {
		if !unicode.IsLetter(r) || i > 20 {
			s = s[:i]
			break
		}
	}
	if len(s) < 3 {
		return 0, 0, 0
	}
	at, ok := monthSpots[s]
	if !ok {
		if at, ok = monthSpots[folded(s)]; !ok {
			return 0, 0, 0
		}
	}
	return at.line, at.month, len(s)
}

// writeMonth names a month in the form of a name that was read: its language,
// its length, its capitals, its accents.
func writeMonth(line, month int, like string) string {
	name := monthNames[line][month-1]
	if _, was, _ := readMonth(like); was > 0 && plainer.Replace(like) == like && plainer.Replace(monthNames[line][was-1]) != monthNames[line][was-1] {
		name = plainer.Replace(name)
	}
	first, size := utf8.DecodeRuneInString(like)
	switch {
	case len(like) > size && like == strings.ToUpper(like):
		return strings.ToUpper(name)
	case unicode.IsUpper(first):
		r, n := utf8.DecodeRuneInString(name)
		return string(unicode.ToUpper(r)) + name[n:]
	}
	return strings.ToLower(name)
}
