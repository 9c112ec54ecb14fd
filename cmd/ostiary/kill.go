package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var killColumns = []string{"what", "name", "reason", "by", "at"}

func newKill(c *cli) *cobra.Command {
	cmd := newSwitch(c, false)
	cmd.AddCommand(newKills(c))
	return cmd
}

func newUnkill(c *cli) *cobra.Command { return newSwitch(c, true) }

func newSwitch(c *cli, off bool) *cobra.Command {
	use, short := "kill tool|server|client|tenant NAME --reason TEXT", "Stop something at once, whatever was granted"
	if off {
		use, short = "unkill tool|server|client|tenant NAME --reason TEXT", "Take a kill switch back"
	}
	return c.flags(&cobra.Command{Use: use, Short: short, Args: args(2, 2),
		Long: short + ". NAME is SERVER/TOOL for a tool, and default for the tenant, which\n" +
			"is everything. Calls and streams under way end within a second. List what is on\n" +
			"with: ostiary kill list.",
		RunE: func(cmd *cobra.Command, given []string) error {
			if !off && given[0] == "tenant" {
				if err := c.confirm("Refuse every call of everybody?"); err != nil {
					return err
				}
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.Kill(cmd.Context(), admin.Switch{Change: c.request(), What: given[0], Name: given[1], Off: off})
				if err != nil {
					return err
				}
				return c.print(done("KillSwitch", killColumns, d))
			})
		}})
}

func newKills(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the kill switches that are on", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Kills(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "KillSwitchList", columns: killColumns, items: all})
			})
		}}
}
