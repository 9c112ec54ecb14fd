package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var proposalColumns = []string{"id", "state", "policies", "files", "hash", "by", "reason", "at"}

func newPolicyPropose(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "propose FILE... --reason TEXT", Short: "Keep policies for another operator to apply", Args: args(1, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			sources, err := c.sources(given)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.PolicyPropose(cmd.Context(), admin.PolicyApply{Change: c.request(), Sources: sources})
				if err != nil {
					return err
				}
				return c.print(done("PolicyProposal", proposalColumns, d))
			})
		}})
}

func newPolicyProposals(c *cli) *cobra.Command {
	return &cobra.Command{Use: "proposals", Short: "List the policies that wait for another operator", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.PolicyProposals(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "PolicyProposalList", columns: proposalColumns, items: all})
			})
		}}
}

// newPolicyAnswer returns the command that applies a proposal, or turns it down.
func newPolicyAnswer(c *cli, accept bool) *cobra.Command {
	cmd := &cobra.Command{Use: "accept ID --reason TEXT", Short: "Apply a proposal", Args: args(1, 1)}
	if !accept {
		cmd.Use, cmd.Short = "reject ID --reason TEXT", "Turn a proposal down"
	}
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		return c.policyChange(cmd.Context(), func(api admin.API) (admin.Done[admin.PolicyView], error) {
			return api.PolicyDecide(cmd.Context(), admin.PolicyChoice{Change: c.request(), ID: given[0], Accept: accept})
		})
	}
	return c.flags(cmd)
}

func newPolicyShadow(c *cli) *cobra.Command {
	var end bool
	cmd := &cobra.Command{Use: "shadow", Short: "Say how the policies beside those in force compare, or end them", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if end {
				return c.policyChange(cmd.Context(), func(api admin.API) (admin.Done[admin.PolicyView], error) {
					return api.PolicyEndShadow(cmd.Context(), c.request())
				})
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				t, err := api.PolicyShadow(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				notices := []string{fmt.Sprintf("%d decisions, %d of them different, %d not listed", t.Decided, t.Different, t.Left)}
				if c.output == "json" || c.output == "yaml" {
					return c.print(page{kind: "PolicyShadow", items: []admin.PolicyTrial{t}, notices: notices})
				}
				return c.print(page{kind: "PolicyShadow", items: t.Differences, notices: notices,
					columns: []string{"agent", "server", "tool", "active", "shadow", "count"}})
			})
		}}
	cmd.Flags().BoolVar(&end, "end", false, "do not ask them any more")
	return c.flags(cmd)
}

func newPolicyReplay(c *cli) *cobra.Command {
	var since string
	cmd := &cobra.Command{Use: "replay FILE... --since 168h", Short: "Say which calls in the log the policies would have decided otherwise", Args: args(1, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			sources, err := c.sources(given)
			if err != nil {
				return err
			}
			at, err := parseSince(since)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				r, err := api.PolicyReplay(cmd.Context(), admin.PolicyReplay{Sources: sources, Since: at})
				if err != nil {
					return err
				}
				notices := []string{
					fmt.Sprintf("%d calls: %d decided again, %d out of reach; %d without their arguments, of which the log holds a hash", r.Calls, r.Decided, r.OutOfReach, r.NoArguments),
					fmt.Sprintf("%d widened, %d narrowed, %d not listed; %d are decided otherwise by the policies in force, too", r.Widened, r.Narrowed, r.Left, r.Moved)}
				if c.output == "json" || c.output == "yaml" {
					return c.print(page{kind: "PolicyReplay", items: []admin.PolicyReplayed{r}, notices: notices})
				}
				return c.print(page{kind: "PolicyReplay", items: r.Changes, notices: notices,
					columns: []string{"time", "agent", "server", "tool", "recorded", "would", "reasons"}})
			})
		}}
	cmd.Flags().StringVar(&since, "since", "168h", "how long ago, such as 168h, or a time")
	return cmd
}

func newPolicySchema(c *cli) *cobra.Command {
	return &cobra.Command{Use: "schema", Short: "Print the Cedar schema of the registered servers", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				s, err := api.PolicySchema(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				if c.output == "table" {
					return c.bare(s.Schema)
				}
				return c.print(page{kind: "PolicySchema", items: []admin.PolicySchema{s}, columns: []string{"schema"}})
			})
		}}
}
