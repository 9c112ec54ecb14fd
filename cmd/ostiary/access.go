package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/registry"
)

var grantColumns = []string{"agent", "server", "access", "tools", "purpose", "by", "createdAt"}

func newAccess(c *cli) *cobra.Command {
	return group("access", "Say which agent may use which server", newGrant(c), newRevoke(c), newGrants(c), newExplain(c),
		newWhoCan(c), newWhatCan(c), newUnused(c), newRequest(c), newRequests(c), newAnswer(c, true), newAnswer(c, false))
}

func newGrant(c *cli) *cobra.Command {
	var access, purpose string
	var tools []string
	cmd := &cobra.Command{Use: "grant AGENT SERVER --access read|write|modify", Short: "Allow an agent to use a server", Args: args(2, 2),
		Long: "grant allows AGENT to use SERVER, in place of an earlier grant. modify includes write,\n" +
			"write includes read. With --tool only those tools may be called. The purpose stays that of\n" +
			"an earlier grant unless --purpose is given.",
		RunE: func(cmd *cobra.Command, given []string) error {
			if access == "" {
				return invalid("add --access read, write or modify", "the access is missing")
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.Grant(cmd.Context(), admin.Grant{Change: c.request(), Agent: given[0], Server: given[1],
					Access: registry.Access(access), Tools: tools, Purpose: texted(cmd, "purpose", purpose)})
				if err != nil {
					return err
				}
				return c.print(done("Grant", grantColumns, d))
			})
		}}
	cmd.Flags().StringVar(&access, "access", "", "read, write or modify")
	cmd.Flags().StringArrayVar(&tools, "tool", nil, "allow only this tool; may be repeated")
	cmd.Flags().StringVar(&purpose, "purpose", "", "what for; policies see it")
	return c.flags(cmd)
}

func newRevoke(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "revoke AGENT SERVER", Short: "Take a grant back; running streams end", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("Take " + given[0] + "'s grant for " + given[1] + " back?"); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.Revoke(cmd.Context(), admin.Revoke{Change: c.request(), Agent: given[0], Server: given[1]})
				if err != nil {
					return err
				}
				return c.print(done("Grant", grantColumns, d))
			})
		}})
}

func newGrants(c *cli) *cobra.Command {
	var q admin.GrantQuery
	cmd := &cobra.Command{Use: "list", Short: "List every grant", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Grants(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "GrantList", columns: grantColumns, items: all})
			})
		}}
	cmd.Flags().StringVar(&q.Agent, "agent", "", "only of this agent")
	cmd.Flags().StringVar(&q.Server, "server", "", "only for this server")
	return cmd
}
