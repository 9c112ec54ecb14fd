package clientfile

import (
	"bytes"
	"fmt"
	"strings"
)

// context is how many unchanged lines stand around a difference.
const context = 3

// maxDiffLines bounds the changed middle for which the shortest difference is
// looked for; a larger one is shown as removed and added as a whole.
const maxDiffLines = 1500

// line is one line of a unified difference.
type line struct {
	mark byte // ' ', '-' or '+'
	text string
}

// Diff returns the unified difference of two contents of the file name, "" if
// they are the same. Values that may be secret are shown as ***; every value
// of an env or headers member counts as secret (FuzzJSONC and FuzzTOML hold
// that no such value is shown).
func Diff(old, new []byte, name string) string {
	if bytes.Equal(old, new) {
		return ""
	}
	a, b := splitLines(old), splitLines(new)
	lines := compare(a, b, splitLines(mask(old)), splitLines(mask(new)))
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	hunks(&out, lines)
	return out.String()
}

// splitLines returns the lines with their ends.
func splitLines(src []byte) []string {
	if len(src) == 0 {
		return nil
	}
	lines := strings.SplitAfter(string(src), "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// compare returns the lines of a and b as a difference; what is shown of them
// is in showA and showB, which have the same length each.
func compare(a, b, showA, showB []string) []line {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []line
	for _, s := range showA[:head] {
		out = append(out, line{' ', s})
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	sx, sy := showA[head:len(a)-tail], showB[head:len(b)-tail]
	out = append(out, middle(x, y, sx, sy)...)
	for _, s := range showA[len(a)-tail:] {
		out = append(out, line{' ', s})
	}
	return out
}

// middle finds the longest common subsequence of two short lists.
func middle(x, y, sx, sy []string) []line {
	var out []line
	if len(x) > maxDiffLines || len(y) > maxDiffLines {
		for _, s := range sx {
			out = append(out, line{'-', s})
		}
		for _, s := range sy {
			out = append(out, line{'+', s})
		}
		return out
	}
	width := len(y) + 1
	common := make([]int16, (len(x)+1)*width) // of x[i:] and y[j:]
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if x[i] == y[j] {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		switch {
		case i < len(x) && j < len(y) && x[i] == y[j]:
			out = append(out, line{' ', sx[i]})
			i, j = i+1, j+1
		case j == len(y) || i < len(x) && common[(i+1)*width+j] >= common[i*width+j+1]:
			out = append(out, line{'-', sx[i]})
			i++
		default:
			out = append(out, line{'+', sy[j]})
			j++
		}
	}
	return out
}

// hunks writes the changed parts with their surroundings.
func hunks(out *strings.Builder, lines []line) {
	oldAt, newAt := 1, 1
	for i := 0; i < len(lines); {
		if lines[i].mark == ' ' {
			oldAt, newAt, i = oldAt+1, newAt+1, i+1
			continue
		}
		from := max(0, i-context)
		end, quiet := i, 0
		for end < len(lines) && quiet <= 2*context {
			if quiet++; lines[end].mark != ' ' {
				quiet = 0
			}
			end++
		}
		end = min(len(lines), end-max(0, quiet-context))
		before := i - from
		olds, news := 0, 0
		for _, l := range lines[from:end] {
			if l.mark != '+' {
				olds++
			}
			if l.mark != '-' {
				news++
			}
		}
		fmt.Fprintf(out, "@@ -%s +%s @@\n", span(oldAt-before, olds), span(newAt-before, news))
		for _, l := range lines[from:end] {
			writeLine(out, l)
		}
		oldAt, newAt, i = oldAt-before+olds, newAt-before+news, end
	}
}

func span(at, n int) string {
	if n == 0 {
		at--
	}
	return fmt.Sprintf("%d,%d", at, n)
}

// writeLine shows control characters, so that a file cannot steer a terminal.
func writeLine(out *strings.Builder, l line) {
	out.WriteByte(l.mark)
	text, ended := strings.CutSuffix(l.text, "\n")
	for _, r := range strings.TrimSuffix(text, "\r") {
		if r < 0x20 && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\u2066' {
			fmt.Fprintf(out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	out.WriteByte('\n')
	if !ended {
		out.WriteString("\\ No newline at end of file\n")
	}
}
