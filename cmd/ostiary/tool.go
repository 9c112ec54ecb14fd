package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/registry"
)

var toolColumns = []string{"server", "name", "state", "access", "classified", "digest"}

func newTool(c *cli) *cobra.Command {
	return group("tool", "See, approve and classify the tools of servers", newToolList(c), newToolShow(c), newToolApprove(c), newToolSet(c))
}

func newToolList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list [SERVER]", Short: "List the tools that examinations found", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			var q admin.ToolQuery
			if len(given) > 0 {
				q.Server = given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Tools(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "ToolList", columns: toolColumns, items: all})
			})
		}}
}

func newToolShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show SERVER TOOL", Short: "Show one tool; -o json has its whole definition", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Tools(cmd.Context(), admin.ToolQuery{Server: given[0], Tool: given[1]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Tool", columns: labelledTool, items: all, wide: true})
			})
		}}
}

func newToolApprove(c *cli) *cobra.Command {
	var access, digest string
	cmd := &cobra.Command{Use: "approve SERVER TOOL --reason TEXT", Short: "Approve a new or changed tool, or classify one", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.ApproveTool(cmd.Context(), admin.ApproveTool{Change: c.request(), Server: given[0], Tool: given[1],
					Access: registry.Access(access), Digest: digest})
				if err != nil {
					return err
				}
				return c.print(done("Tool", toolColumns, d))
			})
		}}
	cmd.Flags().StringVar(&access, "access", "", "read, write or modify: what a call needs")
	cmd.Flags().StringVar(&digest, "digest", "", "approve only the definition with this digest")
	return c.flags(cmd)
}
