package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// apiVersion stands in every JSON and YAML answer. Fields are only ever added.
const apiVersion = "ostiary.dev/v1"

// formats are the values of -o.
var formats = []string{"table", "json", "yaml", "csv", "jsonl"}

func (c *cli) checkOutput() error {
	if slices.Contains(formats, c.output) {
		return nil
	}
	given := c.output
	c.output = "table"
	return invalid("use table, json, yaml, csv or jsonl", "%q is not an output format", given)
}

// page is what a command answers.
type page struct {
	kind    string   // of the whole, such as ServerList
	columns []string // JSON names of the fields that table and csv show
	items   any      // a slice of structs
	wide    bool     // table: one field a line instead of one item a line
	notices []string // for the operator: on stderr, and beside the items in JSON
}

// print writes p to stdout in the chosen format, and its notices to stderr.
func (c *cli) print(p page) error {
	rows, err := rowsOf(p.items)
	if err != nil {
		return err
	}
	switch c.output {
	case "json", "yaml":
		return c.printWhole(p, rows)
	case "jsonl":
		for _, r := range rows {
			text, err := json.Marshal(r)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(c.stdout, "%s\n", text); err != nil {
				return err
			}
		}
	case "csv":
		err = writeCSV(c.stdout, p.columns, rows)
	default:
		err = writeTable(c.stdout, p, rows)
	}
	for _, n := range p.notices {
		fmt.Fprintln(c.stderr, "note:", n)
	}
	return err
}

// row is one item with its fields in order.
type row = json.RawMessage

func rowsOf(items any) ([]row, error) {
	v := reflect.ValueOf(items)
	rows := make([]row, 0, v.Len())
	for i := range v.Len() {
		text, err := json.Marshal(v.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		rows = append(rows, text)
	}
	return rows, nil
}

func (c *cli) printWhole(p page, rows []row) error {
	whole := struct {
		APIVersion string   `json:"apiVersion"`
		Kind       string   `json:"kind"`
		Items      []row    `json:"items"`
		NextCursor string   `json:"nextCursor"`
		Notices    []string `json:"notices,omitempty"`
	}{apiVersion, p.kind, rows, "", p.notices}
	text, err := json.MarshalIndent(whole, "", "  ")
	if err != nil {
		return err
	}
	if c.output == "yaml" {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.stdout, "%s\n", strings.TrimRight(string(text), "\n"))
	return err
}

func writeCSV(w io.Writer, columns []string, rows []row) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for _, r := range rows {
		if err := out.Write(cells(r, columns, false)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func writeTable(w io.Writer, p page, rows []row) error {
	out := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if p.wide {
		for i, r := range rows {
			if i > 0 {
				fmt.Fprintln(out)
			}
			for j, cell := range cells(r, p.columns, true) {
				fmt.Fprintf(out, "%s\t%s\n", strings.ToUpper(p.columns[j]), cell)
			}
		}
		return out.Flush()
	}
	fmt.Fprintln(out, strings.ToUpper(strings.Join(p.columns, "\t")))
	for _, r := range rows {
		fmt.Fprintln(out, strings.Join(cells(r, p.columns, true), "\t"))
	}
	return out.Flush()
}

// cells returns the columns of a row as text. For people, long and hostile
// values are cut and made visible.
func cells(r row, columns []string, people bool) []string {
	var fields map[string]any
	d := json.NewDecoder(strings.NewReader(string(r)))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return make([]string, len(columns))
	}
	out := make([]string, len(columns))
	for i, name := range columns {
		out[i] = cell(fields[name])
		if people {
			out[i] = visible(out[i])
		}
	}
	return out
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []any:
		parts := make([]string, 0, len(v))
		for _, one := range v {
			if m, nested := one.(map[string]any); nested {
				one = label(m)
			}
			parts = append(parts, cell(one))
		}
		return strings.Join(parts, " ")
	case map[string]any:
		return label(v)
	}
	return fmt.Sprint(v)
}

// label names an object inside a cell.
func label(m map[string]any) string {
	for _, key := range []string{"name", "id", "server"} {
		if s, ok := m[key].(string); ok {
			return s
		}
	}
	return "{...}"
}

// visible shows text of strangers on a terminal: control, invisible and
// direction-changing characters are written as escapes, and it is cut at 120
// characters.
func visible(s string) string {
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n++; n > 120 {
			b.WriteString("…")
			break
		}
		if r == utf8.RuneError {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	if b.Len() == 0 {
		return "-"
	}
	return b.String()
}

// bare prints one secret alone, so that it can be piped.
func (c *cli) bare(value string) error {
	_, err := fmt.Fprintln(c.stdout, value)
	return err
}

// errAborted says that the operator answered no.
var errAborted = errors.New("nothing was changed")
