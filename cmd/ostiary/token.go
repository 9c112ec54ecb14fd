package main

import (
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

// timeFormat is RFC 3339 with the offset.
const timeFormat = time.RFC3339

var tokenColumns = []string{"id", "agent", "state", "createdAt", "expiresAt"}

func newToken(c *cli) *cobra.Command {
	return group("token", "Make and revoke API tokens of agents", newTokenCreate(c), newTokenList(c), newTokenRevoke(c))
}

func newTokenCreate(c *cli) *cobra.Command {
	var life time.Duration
	var r admin.CreateToken
	cmd := &cobra.Command{Use: "create AGENT", Short: "Make a token; it is printed once, alone", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				r.Change, r.Agent, r.Life = c.request(), given[0], admin.Duration(life)
				d, err := api.CreateToken(cmd.Context(), r)
				if err != nil {
					return err
				}
				if c.output == "table" && d.Applied {
					return c.bare(d.Item.Token)
				}
				return c.print(done("Token", []string{"id", "agent", "token", "expiresAt"}, d))
			})
		}}
	cmd.Flags().StringVar(&r.Scope, "scope", "", "read, write or modify: what it reaches at most (default: what the agent may)")
	cmd.Flags().StringVar(&r.Server, "server", "", "the one server at whose endpoint it is good (default: all)")
	cmd.Flags().DurationVar(&life, "life", 0, "how long it is valid, such as 720h (default: until it is revoked)")
	return c.flags(cmd)
}

func newTokenList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list [AGENT]", Short: "List tokens; their values are not stored", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			var q admin.TokenQuery
			if len(given) > 0 {
				q.Agent = given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Tokens(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "TokenList", columns: tokenColumns, items: all})
			})
		}}
}

func newTokenRevoke(c *cli) *cobra.Command {
	var r admin.RevokeToken
	cmd := &cobra.Command{Use: "revoke ID", Short: "End a token for good", Args: args(1, 1),
		Long: "revoke ends an API token, or with --jwt a token of an issuer by its jti. Whoever uses\nit is refused from the next message on, and its open streams end.",
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("End token " + given[0] + " for good?"); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				r.Change, r.ID = c.request(), given[0]
				d, err := api.RevokeToken(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Token", tokenColumns, d))
			})
		}}
	cmd.Flags().BoolVar(&r.JWT, "jwt", false, "ID is the jti of a token of an issuer")
	cmd.Flags().StringVar(&r.Issuer, "issuer", "", "of that token; default: any")
	return c.flags(cmd)
}
