package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var (
	loginColumns       = []string{"id", "person", "agent", "client", "resource", "scope", "created", "expires"}
	oauthClientColumns = []string{"clientId", "agent", "keys", "created"}
)

func newOAuth(c *cli) *cobra.Command {
	return group("oauth", "See what people allowed clients, and register programs that log in with a key",
		newOAuthLogins(c), newOAuthEnd(c), newOAuthClients(c), newOAuthRegister(c), newOAuthUnregister(c))
}

func newOAuthLogins(c *cli) *cobra.Command {
	var q admin.LoginQuery
	cmd := &cobra.Command{Use: "logins", Short: "List what people allowed which clients", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Logins(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "LoginList", columns: loginColumns, items: all})
			})
		}}
	cmd.Flags().StringVar(&q.Person, "person", "", "only those of this person")
	cmd.Flags().StringVar(&q.Agent, "agent", "", "only those that act as this agent")
	return cmd
}

func newOAuthEnd(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "end ID", Short: "End a login: its tokens are refused from the next request on", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("End login " + given[0] + "?"); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.EndLogin(cmd.Context(), admin.EndLogin{Change: c.request(), ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Login", loginColumns, d))
			})
		}})
}

func newOAuthClients(c *cli) *cobra.Command {
	return &cobra.Command{Use: "clients", Short: "List the registered programs", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.OAuthClients(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "OAuthClientList", columns: oauthClientColumns, items: all})
			})
		}}
}

func newOAuthRegister(c *cli) *cobra.Command {
	var r admin.RegisterOAuthClient
	var file string
	cmd := &cobra.Command{Use: "register NAME --agent AGENT --jwks FILE", Short: "Register a program that gets tokens with its own key",
		Long: "register lets a program with the private half of a key in FILE, a JSON Web Key Set of public keys, get access tokens\n" +
			"as AGENT: grant client_credentials, private_key_jwt, client_id client:NAME. FILE may be - for standard input.",
		Example: "  ostiary oauth register nightly --agent reports --jwks nightly.jwks.json --reason 'nightly export'",
		Args:    args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			text, err := c.readJWKS(file)
			if err != nil {
				return err
			}
			r.Name, r.JWKS, r.Change = given[0], text, c.request()
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RegisterOAuthClient(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("OAuthClient", oauthClientColumns, d))
			})
		}}
	cmd.Flags().StringVar(&r.Agent, "agent", "", "agent that the program acts as")
	cmd.Flags().StringVar(&file, "jwks", "", "file of its public keys, or -")
	return c.flags(cmd)
}

// readJWKS reads a bounded file.
func (c *cli) readJWKS(file string) ([]byte, error) {
	in := c.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, &admin.Error{Code: admin.Invalid, Message: "the program's keys cannot be read", Cause: err.Error(), Fix: "give --jwks a file of public keys"}
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read the program's keys: %w", err)
	}
	return text, nil
}

func newOAuthUnregister(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "unregister NAME", Short: "Forget a program: its tokens are refused from the next request on", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("Forget client " + given[0] + "?"); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RemoveOAuthClient(cmd.Context(), admin.RemoveOAuthClient{Change: c.request(), Name: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("OAuthClient", oauthClientColumns, d))
			})
		}})
}
