package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/pii"
	profiles "ostiary.dev/ostiary/internal/privacy"
)

// Limits of a scan from the command line.
const (
	maxScanLine = 64 << 20  // bytes of one JSON line
	maxScanFile = 256 << 20 // bytes of one text
)

// scanSpan is one finding as scan prints it. Score and why are explain's.
type scanSpan struct {
	Start int     `json:"start"`
	End   int     `json:"end"`
	Type  string  `json:"type"`
	Sub   string  `json:"sub,omitempty"`
	Score float64 `json:"score,omitempty"`
	Why   string  `json:"why,omitempty"`
	Act   string  `json:"actions,omitempty"` // in each zone, of a profile of the door
}

// scanJob is one run of scan or explain.
type scanJob struct {
	scanner  *pii.Scanner
	out      *bufio.Writer
	explain  bool
	verdict  func(pii.Type, string) string // nil: the profile is none of the door
	progress func(done int64)
	read     int64
	rows     *[]scanRow // collects a report for programs; nil: lines are printed as they come
	found    int
}

// scanRow is one finding of a report for programs.
type scanRow struct {
	File   string  `json:"file"`
	Line   int     `json:"line"`
	Column int     `json:"column"`
	Start  int     `json:"start"`
	End    int     `json:"end"`
	Type   string  `json:"type"`
	Sub    string  `json:"sub,omitempty"`
	Score  float64 `json:"score,omitempty"`
	Why    string  `json:"why,omitempty"`
	Act    string  `json:"actions,omitempty"`
}

// scanColumns are what a table or CSV of a report shows.
var scanColumns = []string{"file", "line", "column", "type", "sub", "start", "end"}

// privacyScan scans every file, or standard input if none is given.
func (c *cli) privacyScan(ctx context.Context, f scanFlags, files []string, explain bool) error {
	scanner, err := scannerFor(f.profile)
	if err != nil {
		return err
	}
	if f.format != "text" && f.format != "jsonl" {
		return invalid("use text or jsonl", "%q is not a format of privacy scan", f.format)
	}
	job := &scanJob{scanner: scanner, out: bufio.NewWriter(c.stdout), explain: explain, verdict: verdict(f.profile), progress: c.progress(files)}
	if c.output != "" && c.output != "table" && f.format == "text" {
		job.rows = &[]scanRow{}
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := job.file(ctx, c.stdin, name, f.format); err != nil {
			return errors.Join(err, job.out.Flush())
		}
	}
	job.progress(-1)
	if job.rows != nil {
		if err := c.print(page{kind: "FindingList", columns: scanColumns, items: *job.rows}); err != nil {
			return err
		}
	}
	if err := job.out.Flush(); err != nil {
		return err
	}
	if f.fail && job.found > 0 {
		return &admin.Error{Code: admin.Failed, Message: fmt.Sprintf("%d findings", job.found), Fix: "look at the report; without --fail findings are no failure"}
	}
	return nil
}

func scannerFor(profile string) (*pii.Scanner, error) {
	switch profile {
	case "identifiers":
		var types []pii.Type
		for _, t := range pii.Types() {
			if t != pii.Person && t != pii.Location && t != pii.Organization && t != pii.NRP && t != pii.Title {
				types = append(types, t)
			}
		}
		return pii.New(pii.Config{Types: types})
	case "all":
		return pii.New(pii.Config{All: true})
	}
	if p := door(profile); p != nil {
		return p.Scanner(), nil
	}
	return nil, invalid("use all, identifiers, "+strings.Join(profiles.Names(), ", "), "%q is not a profile of privacy scan", profile)
}

// progress draws how much has been read, on a terminal only.
func (c *cli) progress(files []string) func(int64) {
	bar := c.newBar("scan", bytesText)
	var total int64
	for _, name := range files {
		if info, err := os.Stat(name); err == nil {
			total += info.Size()
		}
	}
	return func(done int64) {
		if done < 0 {
			bar.done()
			return
		}
		bar.update(done, total)
	}
}

func (j *scanJob) file(ctx context.Context, stdin io.Reader, name, format string) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("scan %s: %w", name, err)
		}
		defer f.Close() // only read: closing cannot lose anything
		in = f
	}
	if format == "jsonl" {
		return j.lines(ctx, in, name)
	}
	return j.whole(in, name)
}

// lines scans {"id","text"} lines. A line that is not one is an error: a text
// that was not scanned must not look clean.
func (j *scanJob) lines(ctx context.Context, in io.Reader, name string) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxScanLine)
	for n := 1; lines.Scan(); n++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		j.read += int64(len(lines.Bytes())) + 1
		j.progress(j.read)
		var r struct {
			ID   json.RawMessage `json:"id"`
			Text *string         `json:"text"`
		}
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Text == nil || r.ID == nil {
			return invalid("every line must be an object with \"id\" and \"text\"", "%s:%d is not a record", name, n)
		}
		line, err := json.Marshal(struct {
			ID    json.RawMessage `json:"id"`
			Spans []scanSpan      `json:"spans"`
		}{r.ID, j.spans([]byte(*r.Text))})
		if err != nil {
			return err
		}
		if _, err := j.out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	if lines.Err() != nil {
		return fmt.Errorf("scan %s: %w", name, lines.Err())
	}
	return nil
}

// whole scans one text and prints a line per finding: file:line:column, bytes,
// type.
func (j *scanJob) whole(in io.Reader, name string) error {
	text, err := io.ReadAll(io.LimitReader(in, maxScanFile+1))
	if err != nil {
		return fmt.Errorf("scan %s: %w", name, err)
	}
	if len(text) > maxScanFile {
		return invalid("split it", "%s is longer than %d MiB", name, maxScanFile>>20)
	}
	j.read += int64(len(text))
	line, start, at := 1, 0, 0
	for _, s := range j.spans(text) {
		for ; at < s.Start; at++ {
			if text[at] == '\n' {
				line, start = line+1, at+1
			}
		}
		kind := s.Type
		if s.Sub != "" {
			kind += "/" + s.Sub
		}
		if j.rows != nil {
			*j.rows = append(*j.rows, scanRow{name, line, s.Start - start + 1, s.Start, s.End, s.Type, s.Sub, s.Score, s.Why, s.Act})
			continue
		}
		_, err := fmt.Fprintf(j.out, "%s:%d:%d\t%d-%d\t%s", name, line, s.Start-start+1, s.Start, s.End, kind)
		if err == nil && j.explain {
			_, err = fmt.Fprintf(j.out, "\t%.2f\t%s\t%s", s.Score, s.Why, s.Act)
		}
		if err == nil {
			err = j.out.WriteByte('\n')
		}
		if err != nil {
			return err
		}
	}
	j.progress(j.read)
	return nil
}

func (j *scanJob) spans(text []byte) []scanSpan {
	out := []scanSpan{}
	for _, s := range j.scanner.Scan(text) {
		p := scanSpan{Start: s.Start, End: s.End, Type: string(s.Type), Sub: s.Sub}
		if j.explain {
			p.Score, p.Why = s.Score, s.Why
			if j.verdict != nil {
				p.Act = j.verdict(s.Type, s.Sub)
			}
		}
		out = append(out, p)
	}
	j.found += len(out)
	return out
}
