package pii

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestLabelled scores the labelled results of tool servers in testdata/labelled:
// filesystem, fetch, git, database, tickets and mail. The bounds are below what
// is reached today, so that a change for the worse fails.
func TestLabelled(t *testing.T) {
	names, err := filepath.Glob("testdata/labelled/*.jsonl")
	if err != nil || len(names) != 6 {
		t.Fatalf("found %d files: %v", len(names), err)
	}
	s := scanner(t)
	records, gold, found, pred, right := 0, 0, 0, 0, 0
	for _, name := range names {
		for _, r := range readLabelled(t, name) {
			records++
			spans := s.Scan([]byte(r.Text))
			for _, g := range r.Spans {
				if !g.Weak {
					gold++
					found += covers(g, spans)
				}
			}
			for _, p := range spans {
				switch hit, weak := judged(p, r.Spans); {
				case hit:
					pred, right = pred+1, right+1
				case !weak:
					pred++
				}
			}
		}
	}
	if records < 200 {
		t.Errorf("only %d records", records)
	}
	if found*100 < gold*97 {
		t.Errorf("recall: %d of %d", found, gold)
	}
	if right*100 < pred*96 {
		t.Errorf("precision: %d of %d", right, pred)
	}
}

type labelledSpan struct {
	Start, End int
	Type       Type
	Weak       bool
}

type labelled struct {
	Text  string
	Spans []labelledSpan
}

func readLabelled(t *testing.T, name string) (out []labelled) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r labelled
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if lines.Err() != nil {
		t.Fatal(lines.Err())
	}
	return out
}

func covers(g labelledSpan, spans []Span) int {
	for _, p := range spans {
		if p.Type == g.Type && p.Start < g.End && g.Start < p.End {
			return 1
		}
	}
	return 0
}

// judged reports whether p is right, or else at a place that does not count.
func judged(p Span, gold []labelledSpan) (right, weak bool) {
	for _, g := range gold {
		if p.Start < g.End && g.Start < p.End {
			right = right || !g.Weak && p.Type == g.Type
			weak = weak || g.Weak
		}
	}
	return right, weak
}
