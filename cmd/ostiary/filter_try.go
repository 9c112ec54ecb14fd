package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/wire"
)

// maxResultFile bounds a file of results.
const maxResultFile = 256 << 20

// filterTrial is what a file of rules makes of one result.
type filterTrial struct {
	filter.Report
	Matched bool   `json:"matched"` // some rule is about the answer
	Before  int    `json:"before"`  // bytes
	After   int    `json:"after"`
	Result  string `json:"result"` // JSON
}

func newFilterTest(c *cli) *cobra.Command {
	var m filter.Match
	cmd := &cobra.Command{Use: "test FILE RESULT", Short: "Show what rules leave of a result; exit code 8 when nothing may pass", Args: args(2, 2),
		Long: "test applies a file of rules to a result in a file (or -): a whole result, with content or structuredContent,\n" +
			"or a JSON value, which then stands for both. No gateway is asked, so output schemas are not.",
		Example: "  ostiary filter test crm.yaml result.json --server crm --tool find",
		RunE: func(cmd *cobra.Command, given []string) error {
			rules, err := c.readFile(given[0], maxFilterFile)
			if err != nil {
				return err
			}
			compiled, err := filter.Parse(filepath.Base(given[0]), rules)
			if err != nil {
				return &admin.Error{Code: admin.Invalid, Message: "the filter is not valid", Cause: err.Error(), Fix: "see docs/filters.md"}
			}
			raw, err := c.readFile(given[1], int64(wire.DefaultLimits().Bytes))
			if err != nil {
				return err
			}
			t, err := tryFilter(filter.New(compiled), m, raw)
			if err != nil {
				return err
			}
			return c.printTrial(t)
		}}
	f := cmd.Flags()
	f.StringVar(&m.Server, "server", "", "the server whose result it is")
	f.StringVar(&m.Tool, "tool", "", "the tool that was called")
	f.StringVar(&m.Agent, "agent", "", "the agent that receives it")
	f.StringVar(&m.Resource, "resource", "", "the URI of the resource that was read")
	f.StringVar(&m.Purpose, "purpose", "", "the purpose of the grant")
	f.StringVar(&m.Method, "method", "tools/call", "the method of the request")
	return cmd
}

// tryFilter applies rules to a result as the path does.
func tryFilter(set *filter.Set, m filter.Match, raw []byte) (filterTrial, error) {
	t := filterTrial{Before: len(bytes.TrimSpace(raw))}
	v, err := wire.ParseValue(raw, wire.DefaultLimits())
	if err != nil {
		return t, invalid("give one JSON value", "the result cannot be read: %v", err)
	}
	result := v.Raw()
	if v.Kind() != wire.Object || !hasResult(v) {
		result = []byte(`{"content":[{"type":"text","text":` + string(wire.Quote(string(v.Raw()))) + `}],"structuredContent":` + string(v.Raw()) + `}`)
	}
	t.Before = len(result)
	message, err := wire.NewResult(wire.IntID(1), result)
	if err != nil {
		return t, invalid("give the result of a call", "the result cannot be read: %v", err)
	}
	plan := set.For(m)
	t.Matched = plan != nil
	edits, report, err := plan.Apply(message.Result(), nil)
	if err != nil {
		return t, invalid("give the result of a call", "the result cannot be filtered: %v", err)
	}
	if t.Report = report; report.Unfit != "" {
		return t, nil
	}
	if message, err = message.Rewrite(edits...); err != nil {
		return t, fmt.Errorf("make the edits: %w", err)
	}
	t.Result, t.After = string(message.Result().Raw()), len(message.Result().Raw())
	return t, nil
}

// hasResult reports whether a value is a whole result.
func hasResult(v wire.Value) bool {
	for _, key := range []string{"content", "structuredContent", "contents", "messages"} {
		if v.Get(key).Exists() {
			return true
		}
	}
	return false
}

func (c *cli) printTrial(t filterTrial) error {
	var notices []string
	if !t.Matched {
		notices = append(notices, "no rule is about this answer; name its server, tool, agent and purpose with options")
	}
	columns := []string{"matched", "fields", "rows", "blocks", "bytes", "before", "after"}
	if c.output == "table" {
		if _, err := fmt.Fprintf(c.stdout, "%s\n\n", printable(t.Result)); err != nil {
			return err
		}
	}
	if err := c.print(page{kind: "FilterTrial", columns: columns, items: []filterTrial{t}, notices: notices}); err != nil {
		return err
	}
	if t.Unfit != "" {
		return &admin.Error{Code: admin.Drift, Message: "the answer would be blocked: " + t.Unfit, Fix: "change the rules"}
	}
	return nil
}

// printable writes JSON so that no terminal obeys it: what cannot be seen is
// escaped, which JSON allows wherever it may stand.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r) || r == '\n' || r == '\t':
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}

// learnedFrom learns from a file of results.
func (c *cli) learnedFrom(path string, r admin.SuggestFilter) ([]filter.Learned, error) {
	text, err := c.readFile(path, maxResultFile)
	if err != nil {
		return nil, err
	}
	l, n := filter.NewLearner(), 0
	m := filter.Match{Server: r.Server, Tool: r.Tool, Caller: "file"}
	for line := range bytes.Lines(text) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		v, err := wire.ParseValue(line, wire.DefaultLimits())
		if err != nil {
			return nil, invalid("write one JSON value a line", "%s:%d cannot be read: %v", filepath.Base(path), n, err)
		}
		if later := v.Get("arguments"); later.Exists() && v.Len() == 1 {
			l.Observe(m, wire.Value{}, later)
			continue
		}
		l.Observe(m, v, wire.Value{})
	}
	return l.Learned(r.Server, r.Tool), nil
}
