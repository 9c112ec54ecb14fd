package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/registry"
)

var (
	userColumns       = []string{"id", "state", "roles", "agents", "passkeys", "code", "recovery"}
	invitationColumns = []string{"id", "url", "token", "expiresAt"}
)

func newUser(c *cli) *cobra.Command {
	return group("user", "Invite people, and say what they may do",
		newUserInvite(c), newUserList(c), newUserShow(c), newUserSet(c, "set"), newUserSet(c, "roles"),
		newUserMove(c, admin.ResetMFA, "Take all factors of a person away, and invite them again"),
		newUserMove(c, admin.DisableUser, "End every session of a person, and refuse them"),
		newUserMove(c, admin.EnableUser, "Let a disabled person sign in again"),
		newUserMove(c, admin.RemoveUser, "Remove a person"))
}

func roles(names []string) []registry.Role {
	all := make([]registry.Role, 0, len(names))
	for _, n := range names {
		all = append(all, registry.Role(n))
	}
	return all
}

func newUserInvite(c *cli) *cobra.Command {
	var with, agents []string
	cmd := &cobra.Command{Use: "invite NAME [--role R] [--agent A]", Short: "Let a person enrol; prints the invitation once", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.InviteUser(cmd.Context(), admin.InviteUser{Change: c.request(), ID: given[0], Roles: roles(with), Agents: agents})
				if err != nil {
					return err
				}
				return c.print(done("Invitation", invitationColumns, d))
			})
		}}
	cmd.Flags().StringArrayVar(&with, "role", nil, "admin, operator, approver, auditor or developer; may be repeated")
	cmd.Flags().StringArrayVar(&agents, "agent", nil, "agent that may act for the person; may be repeated")
	return c.flags(cmd)
}

func newUserList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List people", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Users(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "UserList", columns: userColumns, items: all})
			})
		}}
}

func newUserShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show one person", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				v, err := api.User(cmd.Context(), admin.ID{ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "User", columns: userColumns, items: []admin.UserView{v}})
			})
		}}
}

// newUserSet returns set, and roles, which sets nothing else.
func newUserSet(c *cli, name string) *cobra.Command {
	var with, agents []string
	var noRoles, noAgents bool
	cmd := &cobra.Command{Use: name + " NAME --role R...", Short: "Replace a person's roles", Args: args(1, 1)}
	if name == "set" {
		cmd.Use, cmd.Short = "set NAME [--role R...] [--agent A...]", "Replace a person's roles, and the agents that may act for them"
	}
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		r := admin.SetUser{Change: c.request(), ID: given[0]}
		if all := roles(with); len(all) > 0 || noRoles {
			r.Roles = &all
		}
		if len(agents) > 0 || noAgents {
			r.Agents = &agents
		}
		return c.with(cmd.Context(), func(api admin.API) error {
			d, err := api.SetUser(cmd.Context(), r)
			if err != nil {
				return err
			}
			return c.print(done("User", userColumns, d))
		})
	}
	cmd.Flags().StringArrayVar(&with, "role", nil, "admin, operator, approver, auditor or developer; may be repeated")
	cmd.Flags().BoolVar(&noRoles, "no-roles", false, "take every role away")
	if name == "set" {
		cmd.Flags().StringArrayVar(&agents, "agent", nil, "agent that may act for the person; may be repeated")
		cmd.Flags().BoolVar(&noAgents, "no-agents", false, "let no agent act for the person")
	}
	return c.flags(cmd)
}

func newUserMove(c *cli, action admin.UserAction, short string) *cobra.Command {
	cmd := &cobra.Command{Use: string(action) + " NAME", Short: short, Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.MoveUser(cmd.Context(), admin.MoveUser{Change: c.request(), ID: given[0], Action: action})
				if err != nil {
					return err
				}
				columns := userColumns
				if d.Item.Invitation != nil {
					return c.print(done("Invitation", invitationColumns, admin.Done[admin.Invitation]{Applied: d.Applied, Item: *d.Item.Invitation, Notices: d.Notices}))
				}
				return c.print(done("User", columns, d))
			})
		}}
	return c.flags(cmd)
}
