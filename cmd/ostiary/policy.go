package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

var policyColumns = []string{"version", "state", "policies", "files", "hash", "signed", "by", "reason", "at"}

func newPolicy(c *cli) *cobra.Command {
	return group("policy", "Write, try, apply and take back policies (Cedar)",
		newPolicyValidate(c), newPolicyTest(c), newPolicySimulate(c), newPolicyDiff(c), newPolicyApply(c), newPolicyHistory(c),
		newPolicyShow(c), newPolicyRollback(c), newPolicyPropose(c), newPolicyProposals(c), newPolicyAnswer(c, true), newPolicyAnswer(c, false),
		newPolicyShadow(c), newPolicyReplay(c), newPolicySchema(c))
}

func newPolicyValidate(c *cli) *cobra.Command {
	return &cobra.Command{Use: "validate FILE...", Short: "Check policies: against the registered servers, or without a gateway", Args: args(1, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			sources, err := c.sources(given)
			if err != nil {
				return err
			}
			var r admin.PolicyReport
			notices := []string{}
			err = c.with(cmd.Context(), func(api admin.API) (err error) {
				r, err = api.PolicyCheck(cmd.Context(), admin.PolicyCheck{Sources: sources})
				return err
			})
			if errors.Is(err, app.ErrNoGateway) {
				r, err = admin.CheckPolicies(sources), nil
				notices = append(notices, "there is no gateway in "+c.dir+": checked without servers, so no tool is known")
			}
			if err != nil {
				return err
			}
			if err := c.print(page{kind: "PolicyReport", columns: []string{"valid", "policies", "hash"}, items: []admin.PolicyReport{r}, notices: notices}); err != nil {
				return err
			}
			if r.Valid {
				return nil
			}
			return admin.PolicyProblems(r.Problems)
		}}
}

func newPolicyTest(c *cli) *cobra.Command {
	var cases string
	cmd := &cobra.Command{Use: "test [FILE...] --cases CASES.yaml", Short: "Ask cases of policies, or of those in force; exit code 8 when one fails", Args: args(0, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if cases == "" {
				return invalid("add --cases FILE", "the file with the cases is missing")
			}
			all, err := readCases(cases)
			if err != nil {
				return err
			}
			sources, err := c.sources(given)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				results, err := api.PolicyTest(cmd.Context(), admin.PolicyTest{Sources: sources, Cases: all})
				if err != nil {
					return err
				}
				if err := c.print(page{kind: "PolicyTestList", items: results, columns: []string{"name", "agent", "server", "tool", "expect", "got", "pass", "reasons"}}); err != nil {
					return err
				}
				return failed(results)
			})
		}}
	cmd.Flags().StringVar(&cases, "cases", "", "YAML list of {agent, server, tool, args, expect: allow|deny|needs}")
	return cmd
}

func failed(results []admin.PolicyResult) error {
	n := 0
	for _, r := range results {
		if !r.Pass {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return &admin.Error{Code: admin.Drift, Message: fmt.Sprintf("%d of %d cases are not decided as expected", n, len(results)),
		Fix: "correct the policies or the cases"}
}

func newPolicySimulate(c *cli) *cobra.Command {
	var a asked
	cmd := &cobra.Command{Use: "simulate FILE... --agent A --server S --tool T --args JSON", Short: "Decide one call by policies that are not in force", Args: args(1, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			r, err := a.request(c, nil)
			if err != nil {
				return err
			}
			if r.Sources, err = c.sources(given); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				e, err := api.Explain(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.printExplanation(e)
			})
		}}
	a.flags(cmd)
	return cmd
}

func newPolicyDiff(c *cli) *cobra.Command {
	return &cobra.Command{Use: "diff FILE...", Short: "Compare policies with those in force: texts, and what they widen and narrow", Args: args(1, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			sources, err := c.sources(given)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.PolicyDiff(cmd.Context(), admin.PolicyCheck{Sources: sources})
				if err != nil {
					return err
				}
				if c.output == "json" || c.output == "yaml" {
					return c.print(page{kind: "PolicyDiff", items: []admin.PolicyDiff{d}, notices: d.Notices})
				}
				if c.output == "table" {
					for _, e := range d.Edits {
						fmt.Fprintf(c.stderr, "%s %s\n", e.Edit, visible(e.ID))
					}
				}
				notices := append(d.Notices, fmt.Sprintf("%d policies differ; %d decisions are widened and %d narrowed, of %d", len(d.Edits), d.Widened, d.Narrowed, d.Compared))
				return c.print(page{kind: "PolicyDiff", items: d.Effects, notices: notices, columns: []string{"effect", "agent", "server", "tool", "before", "after"}})
			})
		}}
}

func newPolicyApply(c *cli) *cobra.Command {
	var shadow bool
	cmd := &cobra.Command{Use: "apply FILE... --reason TEXT", Short: "Put policies in force, in place of all others", Args: args(1, -1),
		Long: "apply checks policies and puts them in force as a new version, in place of all others. Invalid ones\n" +
			"change nothing. FILE may be a directory of *.cedar files. With --shadow they are only asked beside those in force.",
		RunE: func(cmd *cobra.Command, given []string) error {
			sources, err := c.sources(given)
			if err != nil {
				return err
			}
			return c.policyChange(cmd.Context(), func(api admin.API) (admin.Done[admin.PolicyView], error) {
				return api.PolicyApply(cmd.Context(), admin.PolicyApply{Change: c.request(), Sources: sources, Shadow: shadow})
			})
		}}
	cmd.Flags().BoolVar(&shadow, "shadow", false, "only ask them beside those in force (ostiary policy shadow)")
	return c.flags(cmd)
}

// policyChange runs one change and prints what came of it.
func (c *cli) policyChange(ctx context.Context, do func(admin.API) (admin.Done[admin.PolicyView], error)) error {
	return c.with(ctx, func(api admin.API) error {
		d, err := do(api)
		if err != nil {
			return err
		}
		return c.print(done("Policy", policyColumns, d))
	})
}

func newPolicyHistory(c *cli) *cobra.Command {
	return &cobra.Command{Use: "history", Short: "List every version of the policies, the newest first", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.PolicyHistory(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "PolicyList", columns: policyColumns, items: all})
			})
		}}
}

func version64(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, invalid("see: ostiary policy history", "%q is not a version", text)
	}
	return n, nil
}

func newPolicyShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show [VERSION]", Short: "Show the policies in force, or an earlier version", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			var r admin.PolicyVersion
			if len(given) == 1 {
				var err error
				if r.Version, err = version64(given[0]); err != nil {
					return err
				}
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				v, err := api.PolicyShow(cmd.Context(), r)
				if err != nil {
					return err
				}
				if err := c.print(page{kind: "Policy", columns: policyColumns, items: []admin.PolicyView{v}, wide: true}); err != nil || c.output != "table" {
					return err
				}
				for _, s := range v.Sources {
					if _, err := fmt.Fprintf(c.stdout, "\n// %s\n%s\n", s.Name, s.Text); err != nil {
						return err
					}
				}
				return nil
			})
		}}
}

func newPolicyRollback(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "rollback VERSION --reason TEXT", Short: "Put an earlier version in force again; 0 = no policies, the grants alone decide", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			v, err := version64(given[0])
			if err != nil {
				return err
			}
			return c.policyChange(cmd.Context(), func(api admin.API) (admin.Done[admin.PolicyView], error) {
				return api.PolicyRollback(cmd.Context(), admin.PolicyRollback{Change: c.request(), Version: v})
			})
		}})
}
