package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var statColumns = []string{"server", "toward", "type", "action", "count"}

// privacyStat counts findings of one kind, or under an empty type what a filter
// withheld.
type privacyStat struct {
	Server string `json:"server"`
	Toward string `json:"toward"`
	Type   string `json:"type"`
	Action string `json:"action"`
	Count  int    `json:"count"`
}

// privacyLine is what a line of the log says about content.
type privacyLine struct {
	Server  string `json:"server"`
	Privacy *struct {
		Found []struct {
			Toward string `json:"toward"`
			Type   string `json:"type"`
			Action string `json:"action"`
			N      int    `json:"n"`
		} `json:"found"`
		Fields  int  `json:"fields"`
		Rows    int  `json:"rows"`
		Blocks  int  `json:"blocks"`
		Bytes   int  `json:"bytes"`
		Unknown int  `json:"unknown_tokens"`
		Shadow  bool `json:"shadow"`
	} `json:"privacy"`
}

func newPrivacyStats(c *cli) *cobra.Command {
	f := filters{since: "24h"}
	cmd := &cobra.Command{Use: "stats", Short: "Count what was found, hidden, blocked and withheld", Args: args(0, 0),
		Long: "stats adds up what the log of calls says: findings by server, direction, type and what became of\n" +
			"them, and what filters withheld. In shadow mode the action has \"would \" before it. There are counts\n" +
			"only: the log has no value. The question itself is recorded.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			q, err := f.query()
			if err != nil {
				return err
			}
			q.Log, q.Kind = "calls", "call"
			return c.with(cmd.Context(), func(api admin.API) error {
				all := statistics{}
				for line, err := range admin.AuditLines(cmd.Context(), api, q) {
					if err != nil {
						return err
					}
					if err := all.add(line); err != nil {
						return err
					}
				}
				return c.print(page{kind: "PrivacyStatList", columns: statColumns, items: all.sorted()})
			})
		}}
	s := cmd.Flags()
	s.StringVar(&f.since, "since", f.since, "not before: a time (2026-11-29T12:00:00Z), a date, or how long ago (24h)")
	s.StringVar(&f.until, "until", "", "before: as --since")
	s.StringVar(&f.Server, "server", "", "the server")
	s.StringVar(&f.Actor, "actor", "", "the agent, by name or pseudonym")
	return cmd
}

// statistics adds up by everything but the count.
type statistics map[privacyStat]int

func (s statistics) add(line json.RawMessage) error {
	var l privacyLine
	if err := json.Unmarshal(line, &l); err != nil {
		return fmt.Errorf("a line of the log: %w", err)
	}
	p := l.Privacy
	if p == nil {
		return nil
	}
	would := ""
	if p.Shadow {
		would = "would "
	}
	for _, f := range p.Found {
		s[privacyStat{Server: l.Server, Toward: f.Toward, Type: f.Type, Action: would + f.Action}] += f.N
	}
	for action, n := range map[string]int{"fields withheld": p.Fields, "rows withheld": p.Rows, "blocks withheld": p.Blocks, "bytes withheld": p.Bytes,
		"unknown tokens": p.Unknown} {
		if n > 0 {
			s[privacyStat{Server: l.Server, Toward: "client", Action: action}] += n
		}
	}
	return nil
}

func (s statistics) sorted() []privacyStat {
	out := make([]privacyStat, 0, len(s))
	for k, n := range s {
		k.Count = n
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b privacyStat) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Toward, b.Toward), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Action, b.Action))
	})
	return out
}
