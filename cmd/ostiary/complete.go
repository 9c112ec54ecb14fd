package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

// completeWait keeps a shell's completion from waiting for a busy gateway.
const completeWait = time.Second

// namesFunc lists the names that fit at one place of a command line.
type namesFunc func(context.Context, admin.API) ([]string, error)

// complete proposes names for the arguments of cmd, one list for each place.
// What cannot be found out is not proposed.
func (c *cli) complete(cmd *cobra.Command, places ...namesFunc) *cobra.Command {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(given) >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completeWait)
		defer cancel()
		api, done, err := app.Connect(ctx, c.dir, c.options(completeWait))
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names, err := places[len(given)](ctx, api)
		if done() != nil || err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

func serverNames(ctx context.Context, api admin.API) ([]string, error) {
	all, err := api.Servers(ctx, admin.None{})
	names := make([]string, 0, len(all))
	for _, s := range all {
		names = append(names, s.ID)
	}
	return names, err
}

func agentNames(ctx context.Context, api admin.API) ([]string, error) {
	all, err := api.Agents(ctx, admin.None{})
	names := make([]string, 0, len(all))
	for _, a := range all {
		names = append(names, a.ID)
	}
	return names, err
}

func toolNames(ctx context.Context, api admin.API) ([]string, error) {
	all, err := api.Tools(ctx, admin.ToolQuery{})
	names := make([]string, 0, len(all))
	for _, t := range all {
		names = append(names, visible(t.Name))
	}
	return names, err
}

func tokenIDs(ctx context.Context, api admin.API) ([]string, error) {
	all, err := api.Tokens(ctx, admin.TokenQuery{})
	names := make([]string, 0, len(all))
	for _, t := range all {
		names = append(names, t.ID)
	}
	return names, err
}

// completions sets the proposals of every command that takes names.
func (c *cli) completions(root *cobra.Command) {
	for path, places := range map[string][]namesFunc{
		"server show": {serverNames}, "server scan": {serverNames}, "server set": {serverNames}, "server approve": {serverNames}, "server reject": {serverNames},
		"server suspend": {serverNames}, "server resume": {serverNames}, "server retire": {serverNames},
		"tool list": {serverNames}, "tool show": {serverNames, toolNames}, "tool approve": {serverNames, toolNames}, "tool set": {serverNames, toolNames}, "agent set": {agentNames},
		"agent show": {agentNames}, "agent renew": {agentNames}, "agent suspend": {agentNames}, "agent resume": {agentNames},
		"agent retire": {agentNames}, "token create": {agentNames}, "token list": {agentNames}, "token revoke": {tokenIDs},
		"access grant": {agentNames, serverNames}, "access revoke": {agentNames, serverNames},
		"access explain": {agentNames, serverNames, toolNames},
	} {
		cmd, _, err := root.Find(strings.Fields(path))
		if err != nil {
			panic("ostiary: no command " + path)
		}
		c.complete(cmd, places...)
	}
}
