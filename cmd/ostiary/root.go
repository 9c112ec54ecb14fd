package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
)

// cli is what every command shares.
type cli struct {
	process
	dir    string // --dir
	output string // -o
	change change // flags of a command that changes something
}

// change holds the flags that every command for a change has.
type change struct {
	reason string
	dryRun bool
	yes    bool
}

// connectWait bounds how long a command waits for another one or for a gateway
// that starts.
const connectWait = 30 * time.Second

func newRoot(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:           "ostiary",
		Short:         "A security gateway for the Model Context Protocol",
		Long:          "ostiary stands between MCP clients and MCP servers: it identifies every caller,\nallows what was granted, refuses the rest and records both.",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return c.checkOutput()
		},
	}
	root.PersistentFlags().StringVar(&c.dir, "dir", c.defaultDir(), "data directory, which also holds ostiary.yaml (OSTIARY_DIR)")
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "table, json, yaml, csv or jsonl")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usage(cmd, err) })
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		newInit(c), newUp(c), newStatus(c), newCheck(c), newVersion(c), newConfig(c), newDoctor(c), newWrap(c),
		newServer(c), newTool(c), newAgent(c), newToken(c), newUser(c), newApproval(c), newLimit(c), newFilter(c), newCert(c), newCA(c), newKill(c), newUnkill(c), newAccess(c), newPolicy(c), newImport(c), newClient(c),
		newOAuth(c),
		newPrivacy(c), newAudit(c), newWitness(c), newKey(c), newBackup(c), newRestore(c), newMigrate(c),
	)
	addTopics(root)
	c.completions(root)
	return root
}

// defaultDir is OSTIARY_DIR, or the user's data directory.
func (c *cli) defaultDir() string {
	if dir, ok := c.environ("OSTIARY_DIR"); ok && dir != "" {
		return dir
	}
	if dir, ok := c.environ("XDG_DATA_HOME"); ok && filepath.IsAbs(dir) {
		return filepath.Join(dir, "ostiary")
	}
	if home, ok := c.environ("HOME"); ok && home != "" {
		return filepath.Join(home, ".local", "share", "ostiary")
	}
	return "ostiary"
}

// options are what the process hands to the gateway's parts.
func (c *cli) options(wait time.Duration) app.Options {
	return app.Options{Environ: c.environ, Version: buildVersion(), Wait: wait, Exposed: c.exposed}
}

// with runs do with the operator functions of the gateway in the directory.
func (c *cli) with(ctx context.Context, do func(admin.API) error) error {
	api, done, err := app.Connect(ctx, c.dir, c.options(connectWait))
	if err != nil {
		return err
	}
	return errors.Join(do(api), done())
}

// flags adds the flags of a command that changes something.
func (c *cli) flags(cmd *cobra.Command) *cobra.Command {
	f := cmd.Flags()
	f.StringVar(&c.change.reason, "reason", "", "why, for the record")
	f.BoolVar(&c.change.dryRun, "dry-run", false, "check and show the result, but change nothing")
	f.BoolVar(&c.change.yes, "yes", false, "do not ask on a terminal")
	return cmd
}

// request is the part that every request for a change has.
func (c *cli) request() admin.Change {
	return admin.Change{Reason: c.change.reason, DryRun: c.change.dryRun}
}

// usage turns a mistake on the command line into an error of its own class.
func usage(cmd *cobra.Command, err error) error {
	return &admin.Error{Code: admin.Invalid, Message: err.Error(), Fix: "see: " + cmd.CommandPath() + " --help"}
}

// args checks the number of arguments, named as in the command's usage line.
func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		switch {
		case len(given) < least:
			return usage(cmd, fmt.Errorf("an argument is missing; use: %s", cmd.UseLine()))
		case most >= 0 && len(given) > most:
			return usage(cmd, fmt.Errorf("there are too many arguments; use: %s", cmd.UseLine()))
		}
		return nil
	}
}

// group returns a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return usage(cmd, errors.New("a subcommand is missing"))
	}}
	cmd.AddCommand(children...)
	return cmd
}

// buildVersion is the version that the build set, or what Go recorded.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || strings.HasPrefix(info.Main.Version, "(") {
		return "development"
	}
	return info.Main.Version
}
