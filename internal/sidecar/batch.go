package sidecar

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// maxTexts is how many texts one request holds: what the analyzer takes as one
// batch by default.
const maxTexts = 500

// piece is a part of a text that is examined by itself.
type piece struct{ text, start, end int }

// batches yields what each request holds: whole texts where they fit, long ones
// cut at blanks.
func batches(texts []string, limit int) iter.Seq[[]piece] {
	return func(yield func([]piece) bool) {
		var batch []piece
		size := 0
		for i, t := range texts {
			for start := 0; start < len(t); {
				end := cut(t, start, limit)
				if len(batch) > 0 && (size+end-start > limit || len(batch) == maxTexts) {
					if !yield(batch) {
						return
					}
					batch, size = nil, 0
				}
				batch = append(batch, piece{i, start, end})
				size += end - start
				start = end
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// cut returns where a piece that begins at start ends: after a line, else after a
// blank, in the last half of what fits, else between two characters.
func cut(t string, start, limit int) int {
	if len(t)-start <= limit {
		return len(t)
	}
	end := start + limit
	half := t[start+limit/2 : end]
	for _, sep := range []string{"\n", " "} {
		if at := strings.LastIndex(half, sep); at >= 0 {
			return start + limit/2 + at + 1
		}
	}
	for end > start+1 && !utf8.RuneStart(t[end]) {
		end--
	}
	return end
}
