package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var filterColumns = []string{"server", "version", "rules", "file", "hash", "by", "reason", "at"}

// maxFilterFile bounds a file of rules as it is read here; the room that reads
// rules has its own bound.
const maxFilterFile = 1 << 20

func newFilter(c *cli) *cobra.Command {
	return group("filter", "Say which parts of answers callers receive",
		newFilterApply(c), newFilterList(c), newFilterShow(c), newFilterRemove(c), newFilterTest(c), newFilterSuggest(c), newFilterHistory(c), newFilterRollback(c))
}

func newFilterApply(c *cli) *cobra.Command {
	var server string
	cmd := &cobra.Command{Use: "apply FILE --reason TEXT", Short: "Put rules in force, in place of those of the same server", Args: args(1, 1),
		Long: "apply checks a file of rules and puts it in force as a new version. One that is not valid changes nothing.\n" +
			"With --server the rules are that server's; without, each rule says which servers it is about. FILE may be -.",
		Example: "  ostiary filter apply crm.yaml --server crm --reason \"support needs no tax ids\"\n" +
			"  ostiary filter apply all.yaml --reason \"no stack traces anywhere\" --dry-run",
		RunE: func(cmd *cobra.Command, given []string) error {
			text, err := c.readFile(given[0], maxFilterFile)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.ApplyFilter(cmd.Context(), admin.ApplyFilter{Change: c.request(), Server: server, Name: filepath.Base(given[0]), Text: string(text)})
				if err != nil {
					return err
				}
				return c.print(done("Filter", filterColumns, d))
			})
		}}
	cmd.Flags().StringVar(&server, "server", "", "the server whose rules these are")
	return c.flags(cmd)
}

// readFile reads a file, or stdin for -.
func (c *cli) readFile(path string, most int64) ([]byte, error) {
	r := c.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, invalid("check the path", "%s cannot be read: %v", filepath.Base(path), err)
		}
		defer f.Close()
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	if int64(len(text)) > most {
		return nil, invalid("split it", "%s is larger than %d bytes", filepath.Base(path), most)
	}
	return text, nil
}

func newFilterList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the filters in force", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Filters(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "FilterList", columns: filterColumns, items: all})
			})
		}}
}

func newFilterShow(c *cli) *cobra.Command {
	var r admin.FilterVersion
	cmd := &cobra.Command{Use: "show [SERVER]", Short: "Show the rules of a server, or those that are about every server", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) == 1 {
				r.ID.ID = given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				v, err := api.Filter(cmd.Context(), r)
				if err != nil {
					return err
				}
				text := v.Text
				if err := c.print(page{kind: "Filter", columns: filterColumns, items: []admin.FilterView{v}, wide: true}); err != nil || c.output != "table" {
					return err
				}
				_, err = fmt.Fprintf(c.stdout, "\n%s", text)
				return err
			})
		}}
	cmd.Flags().Uint64Var(&r.Version, "version", 0, "an earlier version; see filter history")
	return cmd
}

func newFilterHistory(c *cli) *cobra.Command {
	return &cobra.Command{Use: "history [SERVER]", Short: "List the versions of a filter, the newest first", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			var r admin.ID
			if len(given) == 1 {
				r.ID = given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.FilterHistory(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(page{kind: "FilterList", columns: append([]string{"state"}, filterColumns...), items: all})
			})
		}}
}

func newFilterRollback(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "rollback SERVER VERSION --reason TEXT", Short: "Put an earlier version in force again; * = of the rules about every server", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, given []string) error {
			v, err := strconv.ParseUint(given[1], 10, 64)
			if err != nil || v == 0 {
				return invalid("see: ostiary filter history "+given[0], "%q is not a version", given[1])
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RollbackFilter(cmd.Context(), admin.RollbackFilter{Change: c.request(), Server: given[0], Version: v})
				if err != nil {
					return err
				}
				return c.print(done("Filter", filterColumns, d))
			})
		}})
}

func newFilterRemove(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "remove SERVER --reason TEXT", Short: "Take the rules of a server away; * = those about every server", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RemoveFilter(cmd.Context(), admin.RemoveFilter{Change: c.request(), Server: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Filter", filterColumns, d))
			})
		}})
}

func newFilterSuggest(c *cli) *cobra.Command {
	var tool, results string
	cmd := &cobra.Command{Use: "suggest SERVER", Short: "Propose rules from what later calls used of results", Args: args(1, 1),
		Long: "suggest writes rules that keep what later calls used of a server's results, and what the output schema\n" +
			"requires. It knows what the gateway learned with privacy.learn, or what a file of results shows. Nothing\n" +
			"is applied: read the rules, then use ostiary filter apply.",
		Example: "  ostiary filter suggest crm > crm.yaml\n  ostiary filter suggest crm --tool find --results results.jsonl",
		RunE: func(cmd *cobra.Command, given []string) error {
			r := admin.SuggestFilter{Server: given[0], Tool: tool}
			if results != "" {
				if tool == "" {
					return invalid("add --tool TOOL", "results are those of one tool")
				}
				var err error
				if r.Learned, err = c.learnedFrom(results, r); err != nil {
					return err
				}
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				p, err := api.SuggestFilter(cmd.Context(), r)
				if err != nil {
					return err
				}
				if c.output == "table" {
					_, err := fmt.Fprint(c.stdout, p.Text)
					return err
				}
				return c.print(page{kind: "FilterProposal", columns: []string{"server", "tools", "text"}, items: []admin.FilterProposal{p}})
			})
		}}
	cmd.Flags().StringVar(&tool, "tool", "", "only this tool")
	cmd.Flags().StringVar(&results, "results", "", "a file of results, one JSON value a line; lines {\"arguments\": ...} are later arguments")
	return cmd
}
