package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/app"
)

// errDiffers says that a case came out otherwise than its file says.
var errDiffers = errors.New("what profiles make of a text is not what was expected")

func newPrivacyTest(c *cli) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "test CASES.yaml...",
		Short: "Say what a profile makes of texts, and hold it to what is wanted; exit code 1 when one differs",
		Long: "Every case has a text, a receiver (zone, toward, and server, tool, purpose, path where rules name them) and\n" +
			"either the text that is wanted or blocked: true. Pseudonyms are numbered, what is dropped is (dropped), and\n" +
			"values that a key makes are samples: no gateway and no key is touched. See examples/privacy.",
		Args: args(1, -1),
		RunE: func(_ *cobra.Command, given []string) error {
			base := app.PrivacyConfig{}
			if config != "" {
				loaded, err := app.LoadFile(config, nil)
				if err != nil {
					return err
				}
				base = loaded.Privacy
			}
			return c.privacyTest(base, given)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "an ostiary.yaml whose profiles and patterns the cases may use")
	return cmd
}

// privacyTest runs the cases of every file and prints their results.
func (c *cli) privacyTest(base app.PrivacyConfig, files []string) error {
	var all []app.PrivacyResult
	for _, name := range files {
		some, err := privacyCases(base, name)
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	if err := c.print(page{kind: "PrivacyTestList", items: all, columns: []string{"pass", "name", "profile", "zone", "toward", "actions"}}); err != nil {
		return err
	}
	differ := 0
	for _, r := range all {
		if r.Pass {
			continue
		}
		differ++
		fmt.Fprintf(c.stderr, "%s:\n%s", r.Name, difference(r.Want, r.Got))
	}
	if differ > 0 {
		return fmt.Errorf("%d of %d: %w", differ, len(all), errDiffers)
	}
	return nil
}

// maxPrivacyCases bounds a file of cases.
const maxPrivacyCases = 4 << 20

func privacyCases(base app.PrivacyConfig, name string) ([]app.PrivacyResult, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, invalid("check the path", "the cases cannot be read: %v", err)
	}
	if info.Size() > maxPrivacyCases {
		return nil, invalid("split it", "%s is larger than %d bytes", filepath.Base(name), maxPrivacyCases)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, invalid("check the path", "the cases cannot be read: %v", err)
	}
	cases, err := app.ReadPrivacyCases(text)
	if err != nil {
		return nil, invalid("see docs/privacy.md for the form of cases", "%s: %v", filepath.Base(name), err)
	}
	out, err := cases.Run(base)
	if err != nil {
		return nil, invalid("see docs/privacy.md for profiles", "%s: %v", filepath.Base(name), err)
	}
	return out, nil
}

// difference shows the lines that are wanted and those that came instead. Lines
// that are the same at both ends are left out.
func difference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for len(w) > 0 && len(g) > 0 && w[0] == g[0] {
		w, g = w[1:], g[1:]
	}
	for len(w) > 0 && len(g) > 0 && w[len(w)-1] == g[len(g)-1] {
		w, g = w[:len(w)-1], g[:len(g)-1]
	}
	var b strings.Builder
	for _, line := range w {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	for _, line := range g {
		fmt.Fprintf(&b, "+ %s\n", line)
	}
	return b.String()
}
