package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/app"
)

func newCheck(c *cli) *cobra.Command {
	cmd := newValidate(c)
	cmd.Use, cmd.Short = "check [FILE]", "Check the configuration without starting anything"
	return cmd
}

func newConfig(c *cli) *cobra.Command {
	return group("config", "See and check the configuration", newSchema(c), newValidate(c), newShow(c))
}

func newSchema(c *cli) *cobra.Command {
	return &cobra.Command{Use: "schema", Short: "Print the JSON Schema of ostiary.yaml", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			text, err := app.Schema()
			if err != nil {
				return err
			}
			_, err = c.stdout.Write(text)
			return err
		}}
}

// checked is what check answers.
type checked struct {
	File  string `json:"file"`
	Valid bool   `json:"valid"`
}

func newValidate(c *cli) *cobra.Command {
	return &cobra.Command{Use: "validate [FILE]", Short: "Check the configuration without starting anything", Args: args(0, 1),
		RunE: func(_ *cobra.Command, given []string) error {
			path := filepath.Join(c.dir, app.ConfigName)
			if len(given) > 0 {
				path = given[0]
			}
			if _, err := app.LoadFile(path, c.environ); err != nil {
				return err
			}
			return c.print(page{kind: "ConfigCheck", columns: []string{"file", "valid"}, items: []checked{{path, true}}})
		}}
}

func newShow(c *cli) *cobra.Command {
	var effective bool
	cmd := &cobra.Command{Use: "show", Short: "Show every value in force and where it comes from", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			all, err := app.Effective(filepath.Join(c.dir, app.ConfigName), c.environ)
			if err != nil {
				return fmt.Errorf("show configuration: %w", err)
			}
			if !effective {
				all = app.Written(all)
			}
			return c.print(page{kind: "ConfigValueList", columns: []string{"key", "value", "origin", "reload", "source"}, items: all})
		}}
	cmd.Flags().BoolVar(&effective, "effective", false, "also show the defaults")
	return cmd
}
