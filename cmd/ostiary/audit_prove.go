package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

func newAuditProve(c *cli) *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "prove EXCHANGE|LOG/INDEX [--out FILE]", Short: "Write the proof that an entry is in the log", Args: args(1, 1),
		Long: "prove writes a proof that a stranger can check with the log's public key and the entry alone\n" +
			"(c2sp.org/tlog-proof). Of an exchange it proves the entry that says how it ended. When no\n" +
			"checkpoint covers the entry yet, one is signed.",
		RunE: func(cmd *cobra.Command, given []string) error {
			ref, err := parseRef(given[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				p, err := api.AuditProve(cmd.Context(), ref)
				if err != nil {
					return err
				}
				if out != "" {
					if err := writeNew(out, []byte(p.Proof)); err != nil {
						return err
					}
				}
				if c.output == "table" && out == "" {
					return c.bareText(p.Proof)
				}
				return c.print(page{kind: "AuditProof", columns: []string{"log", "index", "vkey"}, items: []admin.AuditProof{p}, wide: true})
			})
		}}
	cmd.Flags().StringVar(&out, "out", "", "file for the proof; it must not exist")
	return cmd
}

func newAuditCheckpoint(c *cli) *cobra.Command {
	var fresh bool
	cmd := &cobra.Command{Use: "checkpoint [LOG]", Short: "Print the newest signed checkpoint of each log, or of one", Args: args(0, 1),
		Long: "checkpoint prints what stands for a whole log: its name, size and root, signed. Kept elsewhere,\n" +
			"it shows later whether anything was taken away or changed.",
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				logs := given
				if len(logs) == 0 {
					all, err := api.AuditLogs(cmd.Context(), admin.None{})
					if err != nil {
						return err
					}
					for _, l := range all {
						logs = append(logs, l.Log)
					}
				}
				items := []admin.AuditCheckpoint{}
				for _, log := range logs {
					p, err := api.AuditCheckpoint(cmd.Context(), admin.AuditSign{Log: log, New: fresh})
					if err != nil {
						return err
					}
					items = append(items, p)
				}
				return c.checkpoints(items)
			})
		}}
	cmd.Flags().BoolVar(&fresh, "new", false, "sign what the log holds now")
	return cmd
}

func (c *cli) checkpoints(items []admin.AuditCheckpoint) error {
	if c.output != "table" {
		return c.print(page{kind: "AuditCheckpointList", columns: []string{"log", "size"}, items: items})
	}
	for i, p := range items {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		if err := c.bareText(p.Note); err != nil {
			return err
		}
	}
	return nil
}

// bareText prints a text that ends its own lines.
func (c *cli) bareText(text string) error {
	_, err := fmt.Fprint(c.stdout, text)
	return err
}

// writeNew writes a file that must not exist.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &admin.Error{Code: admin.Exists, Message: path + " is there already", Fix: "choose another file"}
	}
	if err != nil {
		return &admin.Error{Code: admin.Invalid, Message: path + " cannot be written", Cause: err.Error()}
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func newAuditLogs(c *cli) *cobra.Command {
	return &cobra.Command{Use: "logs", Short: "List the logs with the public keys that verify them", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.AuditLogs(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "AuditLogList", columns: []string{"log", "size", "signed", "witnessed", "vkey"}, items: all})
			})
		}}
}
