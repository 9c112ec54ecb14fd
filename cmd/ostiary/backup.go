package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/app"
)

func newBackup(c *cli) *cobra.Command {
	var o app.BackupOptions
	cmd := &cobra.Command{Use: "backup --to FILE", Short: "Copy the gateway into two encrypted files", Args: args(0, 0),
		Long: "backup writes FILE, the data (sealed rows, logs, configuration), and FILE.keys, the\n" +
			"keys that open it, both encrypted with age. Keep them in different places: whoever\n" +
			"has both and an identity has the gateway. The keys open for backup.keys_keep only,\n" +
			"so that what is erased stays erased. It works while the gateway runs.",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.backup(cmd.Context(), cmd, o) }}
	f := cmd.Flags()
	f.StringVar(&o.To, "to", "", "file of the data; it must not exist")
	f.StringVar(&o.KeysTo, "keys-to", "", "file of the keys (default: FILE.keys)")
	f.StringArrayVar(&o.Recipients, "recipient", nil, "age recipient, age1...; repeatable (default: backup.recipients)")
	f.StringVar(&o.Passphrase, "passphrase", "", "instead of recipients: where the passphrase is, env:NAME or file:PATH")
	f.DurationVar(&o.Keep, "keep-keys", 0, "how long the keys open (default: backup.keys_keep)")
	f.StringVar(&o.Reason, "reason", "", "why, for the record")
	return cmd
}

func (c *cli) backup(ctx context.Context, cmd *cobra.Command, o app.BackupOptions) error {
	if o.To == "" {
		return usage(cmd, fmt.Errorf("--to is missing; it names the file of the data"))
	}
	bar := c.newBar("backup", bytesText)
	o.Progress = bar.update
	made, notices, err := app.MakeBackup(ctx, c.dir, c.options(connectWait), o)
	bar.done()
	if err != nil {
		return err
	}
	return c.print(page{kind: "Backup", columns: []string{"data", "keys", "bytes", "time", "expires", "sha256", "keysSha256"},
		items: []app.Made{made}, wide: true, notices: notices})
}

func newRestore(c *cli) *cobra.Command {
	var o app.RestoreOptions
	cmd := &cobra.Command{Use: "restore --from FILE --keys FILE.keys --identity FILE --dir NEW", Short: "Make a gateway from a backup", Args: args(0, 0),
		Long: "restore makes a new gateway in an empty directory from the two files of a backup. It\n" +
			"verifies everything first and leaves nothing when something is wrong. What was\n" +
			"erased after the backup stays erased when the newer control log is given: an\n" +
			"export (ostiary audit export) by --control. The restored gateway goes on in new logs.",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.restore(cmd.Context(), cmd, o) }}
	f := cmd.Flags()
	f.StringVar(&o.From, "from", "", "file of the data")
	f.StringVar(&o.Keys, "keys", "", "file of the keys (default: the one of the data and .keys)")
	f.StringVar(&o.Identity, "identity", "", "file of the age identity that opens both")
	f.StringVar(&o.Passphrase, "passphrase", "", "instead of an identity: where the passphrase is, env:NAME or file:PATH")
	f.StringArrayVar(&o.Control, "control", nil, "directory of a newer export of the control log; repeatable")
	f.StringVar(&o.Config, "config", "", "file that replaces the configuration of the backup")
	f.StringVar(&o.Expired, "allow-expired-keys", "", "use an expired backup of the keys nevertheless: why; it is recorded, and may bring back what was erased")
	f.BoolVar(&o.DryRun, "dry-run", false, "verify everything, but keep nothing")
	f.StringVar(&o.Reason, "reason", "", "why, for the record")
	return cmd
}

func (c *cli) restore(ctx context.Context, cmd *cobra.Command, o app.RestoreOptions) error {
	if o.From == "" {
		return usage(cmd, fmt.Errorf("--from is missing; it names the file of the data"))
	}
	if !cmd.Flags().Changed("dir") {
		return usage(cmd, fmt.Errorf("--dir is missing; a gateway is restored into a directory that is named"))
	}
	if (o.Identity == "") == (o.Passphrase == "") {
		return usage(cmd, fmt.Errorf("name --identity or --passphrase"))
	}
	var now string
	var bar *bar
	o.Progress = func(what string, done, total int64) {
		if what != now {
			bar.done()
			now, bar = what, c.newBar(what, amountOf(what))
		}
		bar.update(done, total)
	}
	r, err := app.Restore(ctx, c.dir, c.options(0), o)
	bar.done()
	if err != nil {
		return err
	}
	return c.print(page{kind: "Restore", columns: []string{"dir", "gateway", "made", "rows", "entries", "erased", "log"},
		items: []app.Restored{r.Restored}, wide: true, notices: r.Notices})
}

// amountOf is how the progress of a part of restore is counted.
func amountOf(what string) func(int64) string {
	if what == "verify" {
		return entriesText
	}
	return bytesText
}

func newMigrate(c *cli) *cobra.Command {
	var status bool
	cmd := &cobra.Command{Use: "migrate", Short: "Bring store and keystore to this version's formats", Args: args(0, 0),
		Long: "migrate shows which formats store and keystore have and brings them up to date.\n" +
			"There is no way back but a backup: make one first. up does the same when it starts.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := app.Migrate(cmd.Context(), c.dir, c.options(connectWait), status)
			if err != nil {
				return err
			}
			return c.print(page{kind: "MigrationList", columns: []string{"what", "before", "after", "known", "state"}, items: all})
		}}
	cmd.Flags().BoolVar(&status, "status", false, "show only, change nothing")
	return cmd
}
