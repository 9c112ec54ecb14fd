package main

import (
	"context"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/wrapper"
)

func newWrap(c *cli) *cobra.Command {
	var r admin.Attach
	cmd := &cobra.Command{
		Use:   "wrap [--agent NAME] [--server NAME] [-- COMMAND [ARG...]]",
		Short: "Connect a client that speaks stdio only to the running gateway",
		Long: "wrap stands where a client app had the command of an MCP server: it carries the\n" +
			"messages between standard input and output and the running gateway, as an agent.\n" +
			"With -- and a command it finds the server that was registered with just that\n" +
			"command, and refuses any other. It starts nothing itself.",
		RunE: func(cmd *cobra.Command, given []string) error {
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				r.Command, given = given[dash:], given[:dash]
			}
			if err := args(0, 0)(cmd, given); err != nil {
				return err
			}
			if err := absolute(r.Command); err != nil {
				return err
			}
			return c.wrap(cmd.Context(), r)
		},
	}
	cmd.Flags().StringVar(&r.Agent, "agent", "", "the agent that the client is (default: the only one)")
	cmd.Flags().StringVar(&r.Server, "server", "", "the server to connect to (default: all that the agent may see)")
	return cmd
}

func (c *cli) wrap(ctx context.Context, r admin.Attach) error {
	local, err := app.AttachLocal(ctx, c.dir, c.options(connectWait), r)
	if err != nil {
		return err
	}
	return wrapper.Run(ctx, wrapper.Config{URL: local.URL, TLS: local.TLS, Dial: local.Dial, MessageBytes: local.MessageBytes,
		In: c.stdin, Out: c.stdout, Log: c.stderr})
}
