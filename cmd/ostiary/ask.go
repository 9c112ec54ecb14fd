package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"ostiary.dev/ostiary/internal/admin"
)

func invalid(fix, format string, args ...any) error {
	return &admin.Error{Code: admin.Invalid, Message: fmt.Sprintf(format, args...), Fix: fix}
}

// confirm asks before something that cannot be undone. Only a terminal is ever
// asked; elsewhere a command with its required flags runs.
func (c *cli) confirm(question string) error {
	f, ok := c.stdin.(*os.File)
	if c.change.yes || c.change.dryRun || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	fmt.Fprintf(c.stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return errAborted
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errAborted
}

// done turns the outcome of a change into a page.
func done[T any](kind string, columns []string, d admin.Done[T]) page {
	p := page{kind: kind, columns: columns, items: []T{d.Item}, notices: d.Notices}
	if !d.Applied {
		p.notices = append([]string{"dry run: nothing was changed"}, p.notices...)
	}
	return p
}
