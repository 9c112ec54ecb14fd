package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/clientfile"
)

func newClientUndo(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "undo [FILE...]", Short: "Put client files back as they were before, byte for byte", Args: args(0, -1),
		Long: "undo restores every client file that import, connect or disconnect edited, or those named:\n" +
			"content, mode and time of change. A file that was changed since is refused, with both\n" +
			"differences. What the gateway learnt (servers, agents, grants) stays.",
		RunE: func(_ *cobra.Command, files []string) error { return c.undo(files) }})
}

func (c *cli) undo(files []string) error {
	b, err := c.backups()
	if err != nil {
		return err
	}
	kept, err := b.List()
	if err != nil {
		return err
	}
	paths, err := undoPaths(kept, files)
	if err != nil {
		return err
	}
	p := page{kind: "ClientEditList", columns: clientEditColumns}
	edits := []clientEdit{}
	for _, path := range paths {
		edits = append(edits, clientEdit{File: path, Action: "restored"})
	}
	if p.items = edits; c.change.dryRun {
		p.notices = []string{"dry run: nothing was changed"}
		return c.print(p)
	}
	if len(paths) == 0 {
		p.notices = []string{"no client file was edited"}
		return c.print(p)
	}
	if err := c.confirm(fmt.Sprintf("Restore %s?", count(len(paths), "file"))); err != nil {
		return err
	}
	// One file that cannot be restored must not keep the others edited.
	var first error
	for i, path := range paths {
		if err := b.Undo(path); err != nil {
			edits[i].Action = "refused"
			c.showChanged(err)
			if first == nil {
				first = fileError(err)
			}
		}
	}
	return errors.Join(first, c.print(p))
}

// undoPaths returns the files to restore: those named, else all, each once.
func undoPaths(kept []clientfile.Backup, files []string) ([]string, error) {
	var paths []string
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		paths = append(paths, abs)
	}
	if len(files) > 0 {
		return paths, nil
	}
	for _, k := range slices.Backward(kept) {
		if !slices.Contains(paths, k.Path) {
			paths = append(paths, k.Path)
		}
	}
	return paths, nil
}

// showChanged prints both differences of a file that was changed since.
func (c *cli) showChanged(err error) {
	var changed *clientfile.ChangedError
	if errors.As(err, &changed) {
		c.showDiff("our edit was:\n" + changed.Ours + "changed since:\n" + changed.Since)
	}
}
