package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

func newDoctor(c *cli) *cobra.Command {
	cmd := &cobra.Command{Use: "doctor", Short: "Find what is wrong and say how to put it right", Args: args(0, 0),
		Long: "doctor checks the configuration, the data directory, keys, logs, backups, swap and core\n" +
			"dumps, the clock, certificates, disk space, and whether each active server is as it\n" +
			"was approved. It changes nothing.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := app.Doctor(cmd.Context(), c.dir, c.options(connectWait))
			if err := c.print(page{kind: "FindingList", columns: []string{"state", "check", "detail", "fix"}, items: findings}); err != nil {
				return err
			}
			for _, f := range findings {
				if f.State == "fail" {
					return &admin.Error{Code: admin.Drift, Message: "something is wrong", Fix: "follow the fixes above"}
				}
			}
			return nil
		}}
	cmd.AddCommand(newDoctorAuth(c))
	return cmd
}
