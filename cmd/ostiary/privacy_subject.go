package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var erasureColumns = []string{"pseudonym", "key", "agents", "tokens", "certificates", "grants", "complete"}

func newPrivacySubject(c *cli) *cobra.Command {
	return group("subject", "Erase a person or an agent", newPrivacySubjectErase(c))
}

func newPrivacySubjectErase(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "erase ID --reason TEXT", Short: "End the access of a subject, delete its rows and destroy its key, for good", Args: args(1, 1),
		Long: "erase forgets a person or an agent, by name or by pseudonym. Its tokens, certificates and grants end at once,\n" +
			"with the calls under way. The log keeps its entries under a pseudonym that nobody can resolve any more, and\n" +
			"verifies as before. The name can be registered again, as somebody else.",
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("Erase " + given[0] + " for good?"); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.EraseSubject(cmd.Context(), admin.EraseSubject{Change: c.request(), ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Erasure", erasureColumns, d))
			})
		}})
}
