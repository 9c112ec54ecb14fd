package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/trail"
)

func newAudit(c *cli) *cobra.Command {
	return group("audit", "Read, verify, prove and export the log",
		newAuditQuery(c), newAuditTail(c), newAuditShow(c), newAuditVerify(c), newAuditProve(c), newAuditLogs(c), newAuditCheckpoint(c),
		newAuditExport(c), newAuditEvidence(c), newAuditWitness(c))
}

// auditColumns are what a table shows of a line.
var auditColumns = []string{"time", "log", "index", "kind", "exchange", "actor", "server", "method", "name", "decision", "outcome", "reason"}

// filters are the flags that choose lines.
type filters struct {
	admin.AuditQuery
	since, until string
}

func (f *filters) add(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.Log, "log", "all", "calls, control or all")
	s.StringVar(&f.since, "since", "", "not before: a time (2026-11-29T12:00:00Z), a date, or how long ago (24h)")
	s.StringVar(&f.until, "until", "", "before: as --since")
	s.StringVar(&f.Kind, "kind", "", "a kind such as call.finished, or its family: call, component, key, ...")
	s.StringVar(&f.Actor, "actor", "", "the agent or operator, by name or pseudonym")
	s.StringVar(&f.Server, "server", "", "the server")
	s.StringVar(&f.Decision, "decision", "", "allow or deny")
	s.StringVar(&f.Outcome, "outcome", "", "ok, tool_error, rpc_error, refused, failed or cancelled")
	s.StringVar(&f.Exchange, "exchange", "", "one exchange, with its parts")
}

func (f *filters) query() (admin.AuditQuery, error) {
	now := clock.Clock{}.Now()
	for _, one := range []struct {
		text, flag string
		into       **time.Time
	}{{f.since, "--since", &f.Since}, {f.until, "--until", &f.Until}} {
		if one.text == "" {
			continue
		}
		t, err := trail.ParseTime(one.text, now)
		if err != nil {
			return f.AuditQuery, invalid("write 2026-11-29T12:00:00Z, 2026-11-29 or 24h", "%s: %v", one.flag, err)
		}
		*one.into = &t
	}
	return f.AuditQuery, nil
}

func newAuditQuery(c *cli) *cobra.Command {
	var f filters
	cmd := &cobra.Command{Use: "query", Short: "Search the log: one line per call, and every other entry", Args: args(0, 0),
		Long: "query prints what the log holds, oldest first. A call is one line: what was decided and how\n" +
			"it ended. -o jsonl has every field. The question itself is recorded.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			return c.lines(cmd.Context(), "AuditList", func(api admin.API, out *lineWriter) error {
				for line, err := range admin.AuditLines(cmd.Context(), api, q) {
					if err != nil {
						return err
					}
					if err := out.write(line); err != nil {
						return err
					}
				}
				return nil
			})
		}}
	f.add(cmd)
	cmd.Flags().IntVar(&f.Limit, "limit", 0, "at most so many lines, the oldest; 0 for all")
	return cmd
}

func newAuditTail(c *cli) *cobra.Command {
	var f filters
	var follow bool
	cmd := &cobra.Command{Use: "tail [-f]", Short: "Show the newest lines of the log, and with -f what comes", Args: args(0, 0),
		Long: "tail shows the newest lines. With -f it goes on with what is added, until it is interrupted:\n" +
			"a call appears when it has ended.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			return c.lines(cmd.Context(), "AuditList", func(api admin.API, out *lineWriter) error {
				return tail(cmd.Context(), api, q, follow, out)
			})
		}}
	f.add(cmd)
	cmd.Flags().IntVarP(&f.Last, "lines", "n", 20, "how many lines")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes")
	return cmd
}

func tail(ctx context.Context, api admin.API, q admin.AuditQuery, follow bool, out *lineWriter) error {
	var next admin.AuditQuery
	if follow { // begun first: nothing is lost between the two
		begin := q
		begin.Last = 0
		p, err := api.AuditFollow(ctx, begin)
		if err != nil {
			return err
		}
		next.Cursor = p.Cursor
		defer func() { out.flush() }()
		if err := out.all(p.Lines); err != nil {
			return err
		}
	}
	for line, err := range admin.AuditLines(ctx, api, q) {
		if err != nil {
			return err
		}
		if err := out.write(line); err != nil {
			return err
		}
	}
	for follow {
		if err := out.flush(); err != nil {
			return err
		}
		p, err := api.AuditFollow(ctx, next)
		if ctx.Err() != nil {
			return nil // interrupted, as it is meant to end
		}
		if err != nil {
			return err
		}
		next.Cursor = p.Cursor
		if err := out.all(p.Lines); err != nil {
			return err
		}
	}
	return nil
}

// lines runs do with a writer of lines in the chosen format.
func (c *cli) lines(ctx context.Context, kind string, do func(admin.API, *lineWriter) error) error {
	if c.output == "yaml" {
		return invalid("use table, json, jsonl or csv", "lines of the log are not written as yaml")
	}
	return c.with(ctx, func(api admin.API) error {
		out := &lineWriter{c: c, kind: kind}
		if err := do(api, out); err != nil {
			return err
		}
		return out.end()
	})
}

// flushEvery is how many lines of a table are laid out together.
const flushEvery = 200

// lineWriter writes lines as they come, so that a long answer needs no memory.
type lineWriter struct {
	c    *cli
	kind string
	n    int
	tab  *tabwriter.Writer
	csv  *csv.Writer
}

func (w *lineWriter) all(lines []json.RawMessage) error {
	for _, line := range lines {
		if err := w.write(line); err != nil {
			return err
		}
	}
	return nil
}

func (w *lineWriter) write(line json.RawMessage) error {
	var err error
	switch w.c.output {
	case "jsonl":
		_, err = fmt.Fprintf(w.c.stdout, "%s\n", escaped(line))
	case "json":
		before := ","
		if w.n == 0 {
			before = w.head()
		}
		_, err = fmt.Fprintf(w.c.stdout, "%s\n    %s", before, escaped(line))
	case "csv":
		if w.csv == nil {
			w.csv = csv.NewWriter(w.c.stdout)
			err = w.csv.Write(auditColumns)
		}
		if err == nil {
			err = w.csv.Write(safeCells(cells(line, auditColumns, false)))
		}
	default:
		err = w.row(line)
	}
	w.n++
	if err == nil && w.n%flushEvery == 0 {
		err = w.flush()
	}
	return err
}

func (w *lineWriter) row(line json.RawMessage) error {
	if w.tab == nil {
		w.tab = tabwriter.NewWriter(w.c.stdout, 0, 4, 2, ' ', 0)
	}
	if w.n == 0 {
		fmt.Fprintln(w.tab, strings.ToUpper(strings.Join(auditColumns, "\t")))
	}
	_, err := fmt.Fprintln(w.tab, strings.Join(cells(line, auditColumns, true), "\t"))
	return err
}

func (w *lineWriter) head() string {
	return fmt.Sprintf("{\n  \"apiVersion\": %q,\n  \"kind\": %q,\n  \"items\": [", apiVersion, w.kind)
}

func (w *lineWriter) flush() error {
	switch {
	case w.tab != nil:
		return w.tab.Flush()
	case w.csv != nil:
		w.csv.Flush()
		return w.csv.Error()
	}
	return nil
}

func (w *lineWriter) end() error {
	if w.c.output == "json" {
		text := "\n  ],\n  \"nextCursor\": \"\"\n}\n"
		if w.n == 0 {
			text = w.head() + text
		}
		_, err := fmt.Fprint(w.c.stdout, text)
		return err
	}
	if w.n == 0 && w.c.output == "table" {
		fmt.Fprintln(w.c.stderr, "note: the log holds no such line")
	}
	return w.flush()
}

// escaped writes what is no visible character as an escape of JSON, so that a
// line is safe on a terminal too: characters that turn the direction of text
// need no escape in JSON (TestG07TablesAndSheetsAreSafe).
func escaped(line json.RawMessage) []byte {
	for i, r := range string(line) {
		if r < 0x20 || r > 0x7e && !unicode.IsPrint(r) || r == utf8.RuneError {
			return append(line[:i:i], escapedFrom(string(line[i:]))...)
		}
	}
	return line
}

func escapedFrom(text string) []byte {
	var b []byte
	for _, r := range text {
		if r >= 0x20 && r <= 0x7e || r != utf8.RuneError && unicode.IsPrint(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, u := range utf16.AppendRune(nil, r) {
			b = fmt.Appendf(b, "\\u%04x", u)
		}
	}
	return b
}

// safeCells keeps a spreadsheet from taking what a stranger chose for a formula
// (hostile case G07, TestG07TablesAndSheetsAreSafe).
func safeCells(cells []string) []string {
	for i, cell := range cells {
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cells[i] = "'" + cell
		}
	}
	return cells
}

func newAuditShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show EXCHANGE|LOG/INDEX", Short: "Show the entries of an exchange, or one entry, whole", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			ref, err := parseRef(given[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.AuditShow(cmd.Context(), ref)
				if err != nil {
					return err
				}
				if c.output != "table" {
					return c.print(page{kind: "AuditEntryList", columns: []string{"log", "index"}, items: all})
				}
				return c.showEntries(all)
			})
		}}
}

// showEntries prints every member of each entry on a line of its own.
func (c *cli) showEntries(all []admin.AuditEntry) error {
	for i, e := range all {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		names, err := memberNames(e.Line)
		if err != nil {
			return err
		}
		flat, err := flatten(e.Line)
		if err != nil {
			return err
		}
		if err := writeTable(c.stdout, page{columns: names, wide: true}, []row{flat}); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(c.stdout, "LEAF ", visible(string(e.Leaf[:min(len(e.Leaf), 110)]))); err != nil {
			return err
		}
	}
	return nil
}

// flatten writes nested values of an object as text, so that a table shows them.
func flatten(object json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	for name, v := range members {
		if v[0] == '{' || v[0] == '[' {
			text, err := json.Marshal(string(v))
			if err != nil {
				return nil, err
			}
			members[name] = text
		}
	}
	return json.Marshal(members)
}

// memberNames returns the names of an object's members in their order.
func memberNames(object json.RawMessage) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var names []string
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := t.(string)
		if !ok {
			return nil, fmt.Errorf("%v is not a name", t)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// parseRef reads the id of an exchange, or LOG/INDEX.
func parseRef(text string) (admin.AuditRef, error) {
	i := strings.LastIndexByte(text, '/')
	if i < 0 {
		return admin.AuditRef{Exchange: text}, nil
	}
	var index uint64
	if _, err := fmt.Sscanf(text[i+1:], "%d", &index); err != nil || fmt.Sprint(index) != text[i+1:] {
		return admin.AuditRef{}, invalid("write control/7 or calls/2026/7", "%q names no entry", text)
	}
	return admin.AuditRef{Log: text[:i], Index: index}, nil
}
