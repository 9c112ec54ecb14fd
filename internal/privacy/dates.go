package privacy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxDate bounds a text that is read as a date.
const maxDate = 64

// field is a part of a date's text, half-open; empty if the text has none.
type field struct{ start, end int }

func (f field) of(s string) string { return s[f.start:f.end] }

// date is a text that was read as a date, and where its parts are. Zero parts
// were not there.
type date struct {
	text             string
	year, month, day int
	y, m, d          field
	line             int // of monthNames; -1: the month is a number
}

// readDate reads the forms of dates that pii finds: ISO 8601 with or without a
// time, numbers with one kind of separator, month names before and after the day.
// Two numbers that may both be the month: with slashes the first one is, as in
// America; with dots and dashes the second.
func readDate(s string) (date, bool) {
	if s == "" || len(s) > maxDate {
		return date{}, false
	}
	for _, read := range []func(string) (date, bool){isoDate, numericDate, dayFirst, monthFirst, monthAndYear} {
		if d, ok := read(s); ok {
			return d, true
		}
	}
	return date{}, false
}

// number reads digits at i, at least low and at most high of them.
func number(s string, i, low, high int) (n int, f field, ok bool) {
	j := i
	for j < len(s) && j-i < high && '0' <= s[j] && s[j] <= '9' {
		n = n*10 + int(s[j]-'0')
		j++
	}
	ok = j-i >= low && (j == len(s) || s[j] < '0' || s[j] > '9')
	return n, field{i, j}, ok
}

func separator(s string, i int) bool {
	return i < len(s) && (s[i] == '-' || s[i] == '/' || s[i] == '.')
}

// isoDate reads 2024-03-05, 2024/3/5 and 2024-03-05T10:00:00Z.
func isoDate(s string) (date, bool) {
	d := date{text: s, line: -1}
	var ok bool
	if d.year, d.y, ok = number(s, 0, 4, 4); !ok || !separator(s, d.y.end) {
		return d, false
	}
	if d.month, d.m, ok = number(s, d.y.end+1, 1, 2); !ok || d.m.end >= len(s) || s[d.m.end] != s[d.y.end] {
		return d, false
	}
	if d.day, d.d, ok = number(s, d.m.end+1, 1, 2); !ok {
		return d, false
	}
	return d, d.valid() && clockTime(s[d.d.end:])
}

// clockTime reports whether s is nothing, or a time of day behind a date.
func clockTime(s string) bool {
	return s == "" || (s[0] == 'T' || s[0] == 't' || s[0] == ' ' || s[0] == ',') && strings.Trim(s[1:], "0123456789:.,+-Zz apmAPM") == ""
}

// numericDate reads 3/15/89, 15.03.1989 and 15-03-1989.
func numericDate(s string) (date, bool) {
	d := date{text: s, line: -1}
	a, fa, ok := number(s, 0, 1, 2)
	if !ok || !separator(s, fa.end) {
		return d, false
	}
	b, fb, ok := number(s, fa.end+1, 1, 2)
	if !ok || fb.end >= len(s) || s[fb.end] != s[fa.end] {
		return d, false
	}
	if d.year, d.y, ok = number(s, fb.end+1, 2, 4); !ok || d.y.end-d.y.start == 3 || !clockTime(s[d.y.end:]) {
		return d, false
	}
	d.month, d.m, d.day, d.d = a, fa, b, fb
	if a > 12 || b <= 12 && s[fa.end] != '/' {
		d.month, d.m, d.day, d.d = b, fb, a, fa
	}
	return d, d.valid()
}

// dayFirst reads "16 January 1978", "3. März 1980", "3 de mayo de 1980", "16-Jan-78".
func dayFirst(s string) (date, bool) {
	d := date{text: s}
	var ok bool
	if d.day, d.d, ok = number(s, 0, 1, 2); !ok {
		return d, false
	}
	at := skip(s, ordinal(s, d.d.end))
	size := 0
	if d.line, d.month, size = readMonth(s[at:]); size == 0 || at == d.d.end {
		return d, false
	}
	d.m = field{at, at + size}
	return d.yearAfter(d.m.end)
}

// monthFirst reads "March 15, 1989" and "Mar. 3rd".
func monthFirst(s string) (date, bool) {
	d := date{text: s}
	size := 0
	if d.line, d.month, size = readMonth(s); size == 0 {
		return d, false
	}
	d.m = field{0, size}
	var ok bool
	at := skip(s, size)
	if d.day, d.d, ok = number(s, at, 1, 2); !ok || at == size {
		return d, false
	}
	return d.yearAfter(ordinal(s, d.d.end))
}

// monthAndYear reads "März 1980", "03/1980" and "1980".
func monthAndYear(s string) (date, bool) {
	d := date{text: s, line: -1}
	at := 0
	if line, month, size := readMonth(s); size > 0 {
		d.line, d.month, d.m, at = line, month, field{0, size}, skip(s, size)
	} else if month, f, ok := number(s, 0, 1, 2); ok && separator(s, f.end) {
		d.month, d.m, at = month, f, f.end+1
	}
	var ok bool
	if d.year, d.y, ok = number(s, at, 4, 4); !ok || d.y.end != len(s) {
		return d, false
	}
	return d, d.valid()
}

// yearAfter reads the year that may follow at i, and nothing else may.
func (d date) yearAfter(i int) (date, bool) {
	at := skip(d.text, i)
	if at == len(d.text) {
		return d, d.valid()
	}
	var ok bool
	d.year, d.y, ok = number(d.text, at, 2, 4)
	return d, ok && d.y.end-d.y.start != 3 && at > i && d.valid() && clockTime(d.text[d.y.end:])
}

// skip passes over what may stand between a day, a month and a year.
func skip(s string, i int) int {
	for {
		switch {
		case i < len(s) && strings.IndexByte(" .,-/", s[i]) >= 0:
			i++
		case strings.HasPrefix(s[i:], "de ") || strings.HasPrefix(s[i:], "of "):
			i += 3
		case strings.HasPrefix(s[i:], "del "):
			i += 4
		default:
			return i
		}
	}
}

// ordinal passes over the letters of "3rd" and "1er".
func ordinal(s string, i int) int {
	for _, end := range []string{"st", "nd", "rd", "th", "er"} {
		if strings.HasPrefix(s[i:], end) {
			return i + len(end)
		}
	}
	return i
}

func (d date) valid() bool {
	if d.y.end > d.y.start && d.y.end-d.y.start == 4 && (d.year < 1000 || d.year > 2999) {
		return false
	}
	if d.m.end > d.m.start && (d.month < 1 || d.month > 12) {
		return false
	}
	if d.d.end == d.d.start {
		return true
	}
	t := time.Date(d.full(2000), time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
	return d.day > 0 && t.Day() == d.day
}

// full is the year in four digits: the last one of its two digits that is not
// after now.
func (d date) full(now int) int {
	if d.y.end-d.y.start != 2 {
		if d.y.end == d.y.start {
			return 2000 // a leap year: every day exists
		}
		return d.year
	}
	year := now - now%100 + d.year
	if year > now {
		year -= 100
	}
	return year
}

// shifted moves the date by days and writes it as it was written.
func (d date) shifted(days, now int) (string, bool) {
	if d.d.end == d.d.start || d.m.end == d.m.start || d.y.end == d.y.start {
		return "", false // without a day or a year there is nothing to move
	}
	t := time.Date(d.full(now), time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days)
	return d.written(t.Year(), int(t.Month()), t.Day()), true
}

// part is a part of a date's text, and what takes its place.
type part struct {
	at   field
	text string
}

// written puts another day into the text.
func (d date) written(year, month, day int) string {
	width := d.y.end - d.y.start
	parts := []part{{d.y, fmt.Sprintf("%0*d", width, year%pow10(width))}, {d.m, d.number(d.m, month)}, {d.d, d.number(d.d, day)}}
	if d.line >= 0 {
		parts[1].text = writeMonth(d.line, month, d.m.of(d.text))
	}
	if end := ordinal(d.text, d.d.end); end > d.d.end && d.line >= 0 && d.text[d.d.end:end] != "er" {
		parts[2] = part{field{d.d.start, end}, parts[2].text + suffix(day)}
	}
	slices.SortFunc(parts, func(a, b part) int { return b.at.start - a.at.start })
	out := d.text
	for _, p := range parts { // from the back, so that places stay
		out = out[:p.at.start] + p.text + out[p.at.end:]
	}
	return out
}

// number writes n as the number at f was written: with a leading zero if that
// had one, or if the whole date is numbers and it had two digits.
func (d date) number(f field, n int) string {
	if old := f.of(d.text); len(old) == 2 && (old[0] == '0' || d.line < 0) {
		return fmt.Sprintf("%02d", n)
	}
	return strconv.Itoa(n)
}

func pow10(n int) int {
	out := 1
	for range n {
		out *= 10
	}
	return out
}

func suffix(day int) string {
	switch {
	case day%10 == 1 && day != 11:
		return "st"
	case day%10 == 2 && day != 12:
		return "nd"
	case day%10 == 3 && day != 13:
		return "rd"
	}
	return "th"
}
