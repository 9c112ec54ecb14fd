package main

import (
	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var (
	labelledServer = []string{"id", "state", "labels", "zone"}
	labelledTool   = append(toolColumns[:len(toolColumns):len(toolColumns)], "labels")
)

// listed returns a repeated flag when it was given; one empty value is an empty
// list.
func listed(cmd *cobra.Command, flag string, list []string) *[]string {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	if len(list) == 1 && list[0] == "" {
		list = []string{}
	}
	return &list
}

// texted returns a flag when it was given.
func texted(cmd *cobra.Command, flag, text string) *string {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	return &text
}

func newServerSet(c *cli) *cobra.Command {
	var labels []string
	var zone string
	cmd := &cobra.Command{Use: "set NAME", Short: "Say what a server holds and where it runs, for policies", Args: args(1, 1),
		Long: "Labels replace those that the server had, and concern everything on it; --label '' takes\n" +
			"them away. Policies see them as resource.labels, and what was read as session_labels.",
		RunE: func(cmd *cobra.Command, given []string) error {
			r := admin.SetServer{Change: c.request(), ID: given[0], Labels: listed(cmd, "label", labels), Zone: texted(cmd, "zone", zone)}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.SetServer(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Server", labelledServer, d))
			})
		}}
	cmd.Flags().StringArrayVar(&labels, "label", nil, "what it holds, such as secret; may be repeated")
	cmd.Flags().StringVar(&zone, "zone", "", "where it runs, such as intern")
	return c.flags(cmd)
}

func newToolSet(c *cli) *cobra.Command {
	var labels []string
	cmd := &cobra.Command{Use: "set SERVER TOOL --label LABEL", Short: "Say what a tool reads, for policies", Args: args(2, 2),
		Long: "Labels stand beside those of the server and replace those that the tool had; --label '' takes\n" +
			"them away. A scan keeps them.",
		RunE: func(cmd *cobra.Command, given []string) error {
			r := admin.SetTool{Change: c.request(), Server: given[0], Tool: given[1], Labels: listed(cmd, "label", labels)}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.SetTool(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Tool", labelledTool, d))
			})
		}}
	cmd.Flags().StringArrayVar(&labels, "label", nil, "what it reads, such as secret; may be repeated")
	return c.flags(cmd)
}
