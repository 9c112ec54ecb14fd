package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// marks is a label written by hand around a value: [[EMAIL:jo@example.com]]. A
// tilde makes it weak: neither a miss nor a false alarm.
var marks = regexp.MustCompile(`(?s)\[\[(~?)([A-Z_]+):(.*?)\]\]`)

// opens is the beginning of a label: one that is left over was written wrong.
var opens = regexp.MustCompile(`\[\[~?[A-Z]`)

// divider is the line between two results of a file.
const divider = "\n----\n"

// markedUp reads the results of one file. The labels stand in the text, so that
// nothing but a person's hand has placed them.
func markedUp(source, text string) ([]record, error) {
	var out []record
	for n, part := range strings.Split(strings.TrimSuffix(text, "\n"), divider) {
		r := record{ID: fmt.Sprintf("%s-%03d", source, n+1), Source: source}
		var b strings.Builder
		at := 0
		for _, m := range marks.FindAllStringSubmatchIndex(part, -1) {
			kind := part[m[4]:m[5]]
			if !slices.Contains(pii.Types(), pii.Type(kind)) {
				return nil, fmt.Errorf("%s: %q is no type", r.ID, kind)
			}
			b.WriteString(part[at:m[0]])
			start := b.Len()
			b.WriteString(part[m[6]:m[7]])
			at = m[1]
			r.Spans = append(r.Spans, gold{Start: start, End: b.Len(), Type: kind, Weak: m[3] > m[2]})
		}
		b.WriteString(part[at:])
		if r.Text = b.String(); opens.MatchString(r.Text) {
			return nil, fmt.Errorf("%s: a label does not close as it should", r.ID)
		}
		out = append(out, r)
	}
	return out, nil
}

// readFolder hands every result of the folder's .txt files to do.
func readFolder(dir string, do func(record)) error {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(names) == 0 {
		return fmt.Errorf("no labelled results in %s: %w", dir, os.ErrNotExist)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		records, err := markedUp(strings.TrimSuffix(filepath.Base(name), ".txt"), string(text))
		if err != nil {
			return err
		}
		for _, r := range records {
			do(r)
		}
	}
	return nil
}
