package main

import (
	"strings"

	"github.com/spf13/cobra"

	profiles "ostiary.dev/ostiary/internal/privacy"
)

// newPrivacy groups the commands about personal data. scan and explain work on
// files and standard input alone: no gateway need run.
func newPrivacy(c *cli) *cobra.Command {
	return group("privacy", "Find personal data and secrets; erase a person or an agent",
		newPrivacyScan(c), newPrivacyStats(c), newPrivacyExplain(c), newPrivacyTest(c), newPrivacyVault(c), newPrivacySubject(c))
}

// scanFlags are what scan and explain have in common.
type scanFlags struct {
	profile string
	format  string
	fail    bool
}

func (f *scanFlags) add(cmd *cobra.Command, profile string) {
	cmd.Flags().StringVar(&f.profile, "profile", profile, "all, identifiers (all but names), or a profile of the door: "+strings.Join(profiles.Names(), ", "))
	cmd.Flags().StringVar(&f.format, "format", "text", "text, or jsonl: {\"id\",\"text\"} a line in, {\"id\",\"spans\"} a line out")
}

func newPrivacyScan(c *cli) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan [FILE...]",
		Short: "Scan files or standard input and print types and places, never values",
		Long: "Scan files, or standard input without one. Offsets count bytes of UTF-8 text, the end is the first\n" +
			"byte after. A report has types and places only: no value that was found is printed. With -o json the\n" +
			"report is one document for programs.",
		Args: args(0, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.privacyScan(cmd.Context(), f, given, false)
		},
	}
	f.add(cmd, "all")
	cmd.Flags().BoolVar(&f.fail, "fail", false, "exit 1 if anything is found, for scripts that must see nothing")
	return cmd
}

func newPrivacyExplain(c *cli) *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "explain [FILE...]",
		Short: "Like scan, with the rule and the score behind every finding, and what a profile makes of it",
		Long: "explain prints the rule and the score behind every finding. With a profile of the door it also prints what\n" +
			"becomes of the finding in each zone; toward a server/toward a client, where the direction matters.",
		Args: args(0, -1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.privacyScan(cmd.Context(), f, given, true)
		},
	}
	f.add(cmd, "all")
	return cmd
}
