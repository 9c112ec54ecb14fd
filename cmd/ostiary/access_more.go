package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var (
	accessColumns  = []string{"agent", "server", "tool", "need", "decision", "needs", "reasons"}
	requestColumns = []string{"id", "agent", "server", "access", "tools", "reason", "by", "at"}
)

func newWhoCan(c *cli) *cobra.Command {
	return &cobra.Command{Use: "who-can SERVER [TOOL]", Short: "List the agents that may use a server, or call a tool with some arguments", Args: args(1, 2),
		RunE: func(cmd *cobra.Command, given []string) error {
			r := admin.WhoCan{Server: given[0]}
			if len(given) == 2 {
				r.Tool = given[1]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.WhoCan(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(page{kind: "AccessList", columns: accessColumns, items: all})
			})
		}}
}

func newWhatCan(c *cli) *cobra.Command {
	return &cobra.Command{Use: "what-can AGENT", Short: "List what an agent may use, with some arguments", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.WhatCan(cmd.Context(), admin.ID{ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "AccessList", columns: accessColumns, items: all})
			})
		}}
}

func newUnused(c *cli) *cobra.Command {
	var since string
	cmd := &cobra.Command{Use: "unused --since 720h", Short: "List grants that allowed no call for a time", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := parseSince(since)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Unused(cmd.Context(), admin.Unused{Since: at})
				if err != nil {
					return err
				}
				return c.print(page{kind: "GrantList", columns: []string{"agent", "server", "access", "tools", "createdAt", "since"}, items: all})
			})
		}}
	cmd.Flags().StringVar(&since, "since", "720h", "how long ago, such as 720h, or a time")
	return cmd
}

func newRequest(c *cli) *cobra.Command {
	var r admin.Grant
	cmd := &cobra.Command{Use: "request AGENT SERVER --access read|write|modify", Short: "Ask for a grant; an operator accepts it", Args: args(2, 2),
		RunE: func(cmd *cobra.Command, given []string) error {
			r.Change, r.Agent, r.Server = c.request(), given[0], given[1]
			if r.Access == "" {
				return invalid("add --access read, write or modify", "the access is missing")
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RequestAccess(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("AccessRequest", requestColumns, d))
			})
		}}
	cmd.Flags().StringVar((*string)(&r.Access), "access", "", "read, write or modify")
	cmd.Flags().StringArrayVar(&r.Tools, "tool", nil, "only this tool; may be repeated")
	return c.flags(cmd)
}

func newRequests(c *cli) *cobra.Command {
	return &cobra.Command{Use: "requests", Short: "List the requests that wait", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.AccessRequests(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "AccessRequestList", columns: requestColumns, items: all})
			})
		}}
}

// newAnswer returns the command that accepts a request, or turns it down.
func newAnswer(c *cli, accept bool) *cobra.Command {
	cmd := &cobra.Command{Use: "accept ID", Short: "Turn a request into a grant", Args: args(1, 1)}
	if !accept {
		cmd.Use, cmd.Short = "refuse ID", "Turn a request down"
	}
	cmd.RunE = func(cmd *cobra.Command, given []string) error {
		return c.with(cmd.Context(), func(api admin.API) error {
			d, err := api.DecideRequest(cmd.Context(), admin.Choice{Change: c.request(), ID: given[0], Accept: accept})
			if err != nil {
				return err
			}
			return c.print(done("AccessRequest", requestColumns, d))
		})
	}
	return c.flags(cmd)
}
