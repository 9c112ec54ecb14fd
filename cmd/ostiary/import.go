package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clientfile"
)

// imported is one server of a client file, and what import does with it.
type imported struct {
	App     string   `json:"app"`
	File    string   `json:"file"`
	Project string   `json:"project,omitempty"`
	Entry   string   `json:"entry"`
	Server  string   `json:"server,omitempty"` // its id in the gateway
	Action  string   `json:"action"`           // import, left or done
	Secrets []string `json:"secrets"`          // where credentials stand in clear; never the value
	Note    string   `json:"note,omitempty"`
}

var importedColumns = []string{"app", "entry", "server", "action", "secrets", "note"}

// What import does with an entry.
const (
	actionImport = "import" // goes behind the gateway
	actionLeft   = "left"   // stays as it is; the note says why
	actionDone   = "done"   // stands behind the gateway already
)

func newImport(c *cli) *cobra.Command {
	var from, inputs []string
	cmd := &cobra.Command{
		Use:   "import [--from auto|APP|FILE]...",
		Short: "Put the servers of the MCP clients on this machine behind the gateway",
		Long: "import reads the configuration files of MCP clients, shows what would change, and with\n" +
			"your yes registers each app as an agent, approves the servers it already had, grants it\n" +
			"exactly those, seals their environment values and headers, and replaces each entry by\n" +
			"ostiary wrap. ostiary client undo puts the files back byte for byte.\n\n" +
			"APP is one of: " + strings.Join(appNames(), ", ") + ".",
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.importFiles(cmd.Context(), from, inputs)
		},
	}
	cmd.Flags().StringArrayVar(&from, "from", []string{"auto"}, "auto, an app or a file; may be repeated")
	cmd.Flags().StringArrayVar(&inputs, "input", nil, "ID=REF: the value of ${input:ID}; REF is env:NAME, file:PATH or stdin:")
	return c.flags(cmd)
}

func (c *cli) importFiles(ctx context.Context, from, inputs []string) error {
	files, err := c.clientFiles(from)
	if err != nil {
		return err
	}
	binary, dir, err := c.self()
	if err != nil {
		return err
	}
	values, err := c.secrets(inputs)
	if err != nil {
		return err
	}
	p := &plan{cli: c, binary: binary, dir: dir, inputs: map[string]string{}, ids: map[string]bool{}}
	for _, v := range values {
		p.inputs[v.Name] = string(v.Value)
	}
	if err := c.with(ctx, func(api admin.API) error { return p.make(ctx, api, files) }); err != nil {
		return err
	}
	p.show()
	if len(p.servers) == 0 || c.change.dryRun {
		return c.print(p.page())
	}
	// The directory is free while a person reads: a gateway may start meanwhile.
	if err := c.confirm(fmt.Sprintf("Put %d servers behind the gateway and edit %d files?", len(p.servers), len(p.edits))); err != nil {
		return err
	}
	if err := c.with(ctx, func(api admin.API) error { return p.apply(ctx, api) }); err != nil {
		return err
	}
	return c.print(p.page())
}

// clientFiles reads the files that --from names, each once. A file that cannot
// be read stops the whole import: what is in it would be missed.
func (c *cli) clientFiles(from []string) ([]*clientfile.File, error) {
	host, err := c.host()
	if err != nil {
		return nil, err
	}
	var files []*clientfile.File
	seen := map[string]bool{}
	for _, f := range from {
		locations, err := locationsOf(host, f)
		if err != nil {
			return nil, err
		}
		for _, l := range locations {
			if seen[l.Path] {
				continue
			}
			seen[l.Path] = true
			file, err := clientfile.Read(l)
			if err != nil {
				return nil, fileError(err)
			}
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, &admin.Error{Code: admin.NotFound, Message: "no configuration file of an MCP client was found",
			Fix: "see where they are looked for: ostiary client list; or name one: ostiary import --from FILE"}
	}
	return files, nil
}

// locationsOf returns the files of "auto", of an app, or of a path.
func locationsOf(host clientfile.Host, from string) ([]clientfile.Location, error) {
	var found []clientfile.Location
	for _, l := range clientfile.Locations(host) {
		if (from == "auto" || from == string(l.App)) && l.Exists() {
			found = append(found, l)
		}
	}
	if from == "auto" || isApp(from) {
		return found, nil
	}
	l, err := host.FromFile(from)
	if err != nil {
		return nil, fileError(err)
	}
	return []clientfile.Location{l}, nil
}

// fileError gives a client file's error its code.
func fileError(err error) error {
	var parse *clientfile.ParseError
	var changed *clientfile.ChangedError
	switch {
	case errors.As(err, &parse):
		return &admin.Error{Code: admin.Invalid, Message: fmt.Sprintf("%s:%d:%d: %s", parse.File, parse.Line, parse.Column, parse.Reason), Fix: parse.Fix}
	case errors.As(err, &changed):
		return &admin.Error{Code: admin.Drift, Message: changed.Path + " was changed meanwhile; nothing was written",
			Fix: "take the change back, or edit the file by hand"}
	case errors.Is(err, clientfile.ErrNoBackup):
		return &admin.Error{Code: admin.NotFound, Message: err.Error(), Fix: "see what was edited: ostiary client list"}
	}
	return &admin.Error{Code: admin.Invalid, Message: err.Error(), Fix: "check the name of the file and who may read it"}
}

// page is what import answers.
func (p *plan) page() page {
	out := page{kind: "ImportList", columns: importedColumns, items: p.items, notices: p.notices}
	clear := 0
	for _, i := range p.items {
		if i.Action == actionImport {
			clear += len(i.Secrets)
		}
	}
	if clear > 0 {
		out.notices = append([]string{fmt.Sprintf("%s stood in clear text", count(clear, "credential"))}, out.notices...)
	}
	switch {
	case p.cli.change.dryRun:
		out.notices = append([]string{"dry run: nothing was changed"}, out.notices...)
	case len(p.edits) > 0:
		out.notices = append(out.notices, "restart the clients to use the gateway; back to the old files: ostiary client undo")
	}
	return out
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
