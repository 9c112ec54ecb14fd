// Command eval scores the detector of internal/pii against a labelled corpus and
// prints a Markdown table: per type precision, recall, F1 and F2 on any overlap,
// F2 at an intersection over union of 0.9, leaked bytes and clean records hit.
//
//	go run ./test/eval -corpus FILE.jsonl[.gz]|FOLDER [-source PREFIX] [-errors N] [-types A,B]
//	go run ./test/eval -benign FOLDER [-errors N]
//
// The second form counts false alarms on texts in which nothing personal stands.
// It may read the corpus and nothing else. The corpus is no part of the
// repository: without it the command says so loudly and exits 2, so that a
// skipped measurement cannot pass for a good one. The rules are in score.go.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

func main() {
	corpus := flag.String("corpus", "", "labelled corpus, JSON Lines, may be gzip")
	source := flag.String("source", "", "only sources with this prefix")
	only := flag.String("types", "", "only these types, comma separated")
	show := flag.Int("errors", 0, "print this many misses and false alarms")
	folder := flag.String("benign", "", "scan the texts below this folder instead, in which nothing personal stands")
	flag.Parse()
	if *folder != "" {
		if err := benign(os.Stdout, *folder, *show); err != nil {
			fmt.Fprintln(os.Stderr, "eval: NOT MEASURED:", err)
			os.Exit(2)
		}
		return
	}
	if err := run(os.Stdout, *corpus, *source, *only, *show); err != nil {
		fmt.Fprintln(os.Stderr, "eval: NOT MEASURED:", err)
		os.Exit(2)
	}
}

func run(w io.Writer, corpus, source, only string, show int) error {
	if corpus == "" {
		return errors.New("no corpus: give one with -corpus FILE")
	}
	s, err := pii.New(pii.Config{All: true})
	if err != nil {
		return err
	}
	t := newTally(only, show)
	err = read(corpus, func(r record) {
		if strings.HasPrefix(r.Source, source) {
			t.add(r, s.Scan([]byte(r.Text)))
		}
	})
	if err != nil {
		return err
	}
	return t.print(w)
}

// read hands every record of a corpus, or of a folder of labelled results, to do.
func read(path string, do func(record)) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return readFolder(path, do)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	n := 0
	for lines.Scan() {
		n++
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return errors.Join(fmt.Errorf("line %d: %w", n, err), f.Close())
		}
		do(r)
	}
	return errors.Join(lines.Err(), f.Close())
}
