package filter

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/wire"
)

// lift turns edits of the text that string v holds into edits of the text that v
// stands in. What is not edited keeps the way it was escaped.
func lift(v wire.Value, edits []wire.Edit) []wire.Edit {
	if len(edits) == 0 {
		return nil
	}
	sortEdits(edits)
	start, _ := v.Range()
	c := wire.NewCursor(v)
	out := make([]wire.Edit, len(edits))
	for i, e := range edits {
		from := c.Seek(e.Start)
		to := c.Seek(e.End)
		out[i] = wire.Edit{Start: start + 1 + from, End: start + 1 + to}
		if len(e.Text) > 0 {
			quoted := wire.Quote(string(e.Text))
			out[i].Text = quoted[1 : len(quoted)-1]
		}
	}
	return out
}

func sortEdits(edits []wire.Edit) {
	slices.SortStableFunc(edits, func(a, b wire.Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
}

// splice returns raw, which begins at byte base of its message, with the edits
// made. They do not overlap.
func splice(raw []byte, base int, edits []wire.Edit) []byte {
	sortEdits(edits)
	out := make([]byte, 0, len(raw))
	last := 0
	for _, e := range edits {
		out = append(out, raw[last:e.Start-base]...)
		out = append(out, e.Text...)
		last = e.End - base
	}
	return append(out, raw[last:]...)
}

// cutText returns the edit that shortens string v, which says text, to its first
// n bytes, without breaking a character.
func cutText(v wire.Value, text string, n int) wire.Edit {
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	start, end := v.Range()
	return wire.Edit{Start: start + 1 + wire.NewCursor(v).Seek(n), End: end - 1}
}

// runeAt returns where the n-th character of a text begins, -1 if there are not
// so many.
func runeAt(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}
