package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var (
	approvalColumns = []string{"id", "state", "agent", "server", "name", "arguments", "expiresAt"}
	approvalDetails = []string{"id", "state", "agent", "person", "server", "method", "name", "access", "definition", "arguments", "policies",
		"createdAt", "expiresAt", "needed", "approvers", "reason", "exchange"}
	bypassColumns = []string{"id", "state", "agent", "server", "openedAt", "until", "by", "reason"}
)

func newApproval(c *cli) *cobra.Command {
	return group("approval", "Decide about calls that wait for a person; break the glass",
		newApprovalList(c), newApprovalShow(c), newApprovalDecide(c, "approve", "Let a call be made, once", true),
		newApprovalDecide(c, "deny", "Refuse a call", false), newBypass(c), newBypassList(c),
		newBypassChoice(c, "close", "End a break-glass opening before its time", admin.API.CloseBypass),
		newBypassChoice(c, "review", "Close the review of a break-glass opening", admin.API.ReviewBypass))
}

func newApprovalList(c *cli) *cobra.Command {
	var q admin.ApprovalQuery
	cmd := &cobra.Command{Use: "list", Short: "List calls that wait for a person, or may be made once", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Approvals(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "ApprovalList", columns: approvalColumns, items: all})
			})
		}}
	cmd.Flags().StringVar(&q.State, "state", "", "only those that are pending, approved, denied, used or expired")
	cmd.Flags().StringVar(&q.Agent, "agent", "", "only calls of this agent")
	return cmd
}

func newApprovalShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "Show exactly what is asked", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				a, err := api.Approval(cmd.Context(), admin.ID{ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Approval", columns: approvalDetails, items: []admin.ApprovalView{a}, wide: true})
			})
		}}
}

func newApprovalDecide(c *cli, use, short string, approve bool) *cobra.Command {
	return c.flags(&cobra.Command{Use: use + " ID", Short: short, Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.DecideApproval(cmd.Context(), admin.DecideApproval{Change: c.request(), ID: given[0], Approve: approve})
				if err != nil {
					return err
				}
				return c.print(done("Approval", approvalColumns, d))
			})
		}})
}

func newBypass(c *cli) *cobra.Command {
	var r admin.OpenBypass
	var life time.Duration
	cmd := &cobra.Command{Use: "bypass", Short: "Break the glass: ask nobody about an agent's calls for a while",
		Long: "bypass lets the calls of an agent pass without approval. What is forbidden stays forbidden.\n" +
			"Health is degraded until the opening is over and reviewed, and each call says in its record\n" +
			"under which opening it was made.",
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.confirm("Let calls of agent " + r.Agent + " pass without approval for " + life.String() + "?"); err != nil {
				return err
			}
			r.Change, r.For = c.request(), admin.Duration(life)
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.OpenBypass(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Bypass", bypassColumns, d))
			})
		}}
	cmd.Flags().StringVar(&r.Agent, "agent", "", "agent whose calls pass")
	cmd.Flags().StringVar(&r.Server, "server", "", "only its calls to this server (default: every server)")
	cmd.Flags().DurationVar(&life, "for", 0, "for how long, at most 8h")
	return c.flags(cmd)
}

func newBypassList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "bypasses", Short: "List break-glass openings and their reviews", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Bypasses(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "BypassList", columns: append(bypassColumns, "finding"), items: all})
			})
		}}
}

func newBypassChoice(c *cli, use, short string, do func(admin.API, context.Context, admin.BypassChoice) (admin.Done[admin.BypassView], error)) *cobra.Command {
	return c.flags(&cobra.Command{Use: use + " ID", Short: short, Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := do(api, cmd.Context(), admin.BypassChoice{Change: c.request(), ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Bypass", bypassColumns, d))
			})
		}})
}
