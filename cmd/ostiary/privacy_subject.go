package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var (
	erasureColumns     = []string{"pseudonym", "key", "agents", "tokens", "certificates", "grants", "complete"}
	dataErasureColumns = []string{"subject", "key", "tokens", "scopes", "complete", "receipt"}
	exportColumns      = []string{"subject", "tokens", "places"}
)

// maxSubjectValue bounds a value on standard input or in a file, in bytes.
const maxSubjectValue = 64 << 10

func newPrivacySubject(c *cli) *cobra.Command {
	return group("subject", "Erase a person or an agent, or whom data is about; list what is held about somebody",
		newPrivacySubjectExport(c), newPrivacySubjectErase(c))
}

// dataFlags are the flags that name somebody whom data is about. A value is read from
// a file or standard input: arguments of programs can be seen by everybody.
type dataFlags struct {
	admin.DataSubject
	file    string
	subject string // a file with the subject
}

func (w *dataFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.Token, "token", "", "a token that stands for something of theirs")
	cmd.Flags().StringVar(&w.file, "value-file", "", "a file with something of theirs, such as an address; - reads it from standard input")
	cmd.Flags().StringVar(&w.Type, "type", "", "the type of that value, such as EMAIL; any, if left out")
	cmd.Flags().StringVar(&w.Subject, "subject", "", "the name or pseudonym that a subject path gave, such as patient:4711")
	cmd.Flags().StringVar(&w.subject, "subject-file", "", "a file with that name, where it tells who somebody is; - reads it from standard input")
}

// read fills in what stands in files, and says whether anybody is named.
func (w *dataFlags) read(c *cli) (bool, error) {
	for _, f := range []struct {
		path string
		into *string
	}{{w.file, &w.Value}, {w.subject, &w.Subject}} {
		if f.path == "" {
			continue
		}
		text, err := c.private(f.path)
		if err != nil {
			return false, err
		}
		*f.into = text
	}
	return w.DataSubject != (admin.DataSubject{}), nil
}

// private reads what must not stand in a command from a file or standard input.
func (c *cli) private(path string) (string, error) {
	in := c.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("read the value: %w", err)
		}
		defer f.Close() // only read: closing cannot lose anything
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxSubjectValue+1))
	if err != nil {
		return "", fmt.Errorf("read the value: %w", err)
	}
	if len(text) > maxSubjectValue {
		return "", invalid("give one value", "the value is longer than %d bytes", maxSubjectValue)
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return "", invalid("give one value", "the value is empty")
	}
	return value, nil
}

func newPrivacySubjectExport(c *cli) *cobra.Command {
	var w dataFlags
	cmd := &cobra.Command{Use: "export [TOKEN]", Short: "List what is held about somebody, by pseudonym; values are not shown", Args: args(0, 1),
		Long: "export lists the pseudonyms of somebody's values (GDPR Art. 15): their types and times, and what their scopes\n" +
			"tell of agents, servers, sessions and purposes. The record counts what was hidden in each call but holds no\n" +
			"tokens, so the calls themselves are not listed.",
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) > 0 {
				w.Token = given[0]
			}
			if _, err := w.read(c); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				e, err := api.ExportData(cmd.Context(), w.DataSubject)
				if err != nil {
					return err
				}
				if c.output == "json" || c.output == "yaml" || c.output == "jsonl" {
					return c.print(page{kind: "DataExport", columns: exportColumns, items: []admin.DataExport{e}, wide: true})
				}
				return c.print(page{kind: "DataExport", columns: vaultColumns, items: e.Tokens})
			})
		}}
	w.add(cmd)
	return cmd
}

func newPrivacySubjectErase(c *cli) *cobra.Command {
	var w dataFlags
	cmd := c.flags(&cobra.Command{Use: "erase [ID] --reason TEXT", Short: "End the access of a subject, delete its rows and destroy its key, for good", Args: args(0, 1),
		Long: "erase forgets a person or an agent, by name or by pseudonym. Its tokens, certificates and grants end at once,\n" +
			"with the calls under way. The log keeps its entries under a pseudonym that nobody can resolve any more, and\n" +
			"verifies as before. The name can be registered again, as somebody else.\n\n" +
			"With --token, --value-file, --subject or --subject-file it forgets somebody whom data is about: every token of theirs, in all\n" +
			"scopes, stands for nothing from then on. It prints a signed receipt.",
		RunE: func(cmd *cobra.Command, given []string) error {
			data, err := w.read(c)
			if err != nil {
				return err
			}
			switch {
			case data && len(given) == 0:
				return c.eraseData(cmd, w.DataSubject)
			case data || len(given) == 0:
				return usage(cmd, fmt.Errorf("name an agent or a person, or give one of --token, --value-file, --subject and --subject-file"))
			}
			if err := c.confirm("Erase " + given[0] + " for good?"); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.EraseSubject(cmd.Context(), admin.EraseSubject{Change: c.request(), ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Erasure", erasureColumns, d))
			})
		}})
	w.add(cmd)
	return cmd
}

// eraseData erases somebody whom data is about.
func (c *cli) eraseData(cmd *cobra.Command, who admin.DataSubject) error {
	if err := c.confirm("Erase what is held about them for good?"); err != nil {
		return err
	}
	return c.with(cmd.Context(), func(api admin.API) error {
		d, err := api.EraseData(cmd.Context(), admin.EraseData{Change: c.request(), DataSubject: who})
		if err != nil {
			return err
		}
		return c.print(done("DataErasure", dataErasureColumns, d))
	})
}
