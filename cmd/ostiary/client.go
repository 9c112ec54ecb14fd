package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/clientfile"
	"ostiary.dev/ostiary/internal/keys"
)

// clientView is one configuration file of an app.
type clientView struct {
	App     string `json:"app"`
	Scope   string `json:"scope"`
	File    string `json:"file"`
	Servers int    `json:"servers"`
	Wrapped int    `json:"wrapped"` // of them behind a gateway
	Clear   int    `json:"clear"`   // credentials in clear text
	State   string `json:"state"`   // ok, absent, or why it cannot be read
}

var clientColumns = []string{"app", "scope", "file", "servers", "wrapped", "clear", "state"}

// clientEdit is what connect, disconnect and undo answer.
type clientEdit struct {
	App    string `json:"app,omitempty"`
	File   string `json:"file"`
	Entry  string `json:"entry,omitempty"`
	Action string `json:"action"`
}

var clientEditColumns = []string{"app", "file", "entry", "action"}

func newClient(c *cli) *cobra.Command {
	return group("client", "Connect the MCP clients on this machine, and undo it",
		newClientList(c), newClientConnect(c), newClientDisconnect(c), newClientExport(c), newClientUndo(c))
}

// host is what client files are found by.
func (c *cli) host() (clientfile.Host, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return clientfile.Host{}, fmt.Errorf("find the current directory: %w", err)
	}
	h := clientfile.Host{GOOS: runtime.GOOS, Cwd: cwd, Env: c.environ}
	name := "HOME"
	if h.GOOS == "windows" {
		name = "USERPROFILE"
		h.AppData, _ = c.environ("APPDATA")
	}
	h.Home, _ = c.environ(name)
	return h, nil
}

// self returns what a wrap entry names: this program and the data directory.
func (c *cli) self() (binary, dir string, err error) {
	if binary, err = os.Executable(); err != nil {
		return "", "", fmt.Errorf("find this program: %w", err)
	}
	dir, err = filepath.Abs(c.dir)
	return binary, dir, err
}

// backups opens the originals of edited files, sealed by the gateway's keys.
func (c *cli) backups() (clientfile.Backups, error) {
	config, err := app.Load(c.dir, c.environ)
	if err != nil {
		return clientfile.Backups{}, err
	}
	ring, done, err := app.Keys(context.Background(), c.dir, c.options(0)) // which has a limit of its own
	if err != nil {
		return clientfile.Backups{}, err
	}
	if err := done(); err != nil { // a remote root key was needed to open only
		return clientfile.Backups{}, err
	}
	id := keys.Identity{Tenant: keys.DefaultTenant, Kind: "client-file", Record: "backup", Column: "content", Version: "1"}
	return clientfile.Backups{
		Dir:  filepath.Join(config.DataDir, "backups"),
		Seal: func(b []byte) ([]byte, error) { return ring.Seal(keys.UpstreamCredentials, id, b) },
		Open: func(b []byte) ([]byte, error) { return ring.Open(keys.UpstreamCredentials, id, b) },
	}, nil
}

func appNames() []string {
	var names []string
	for _, a := range clientfile.Apps() {
		names = append(names, string(a))
	}
	return names
}

func isApp(name string) bool { return slices.Contains(appNames(), name) }

func checkApp(name string) error {
	if isApp(name) {
		return nil
	}
	return invalid("use one of: "+strings.Join(appNames(), ", "), "%q is not a client app that is known", name)
}

// isWrap reports an entry that stands for a gateway, of this program or of one
// that was moved since.
func isWrap(e clientfile.Entry, binary string) bool {
	return clientfile.IsWrap(e, binary) ||
		strings.TrimSuffix(filepath.Base(e.Command), ".exe") == "ostiary" && clientfile.IsWrap(e, e.Command)
}

func newClientList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List the client files on this machine and what stands in them", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			host, err := c.host()
			if err != nil {
				return err
			}
			views := []clientView{}
			for _, l := range clientfile.Locations(host) {
				views = append(views, viewClient(l))
			}
			return c.print(page{kind: "ClientList", columns: clientColumns, items: views})
		}}
}

func viewClient(l clientfile.Location) clientView {
	v := clientView{App: string(l.App), Scope: l.Scope, File: l.Path, State: "absent"}
	if !l.Exists() {
		return v
	}
	f, err := clientfile.Read(l)
	if err != nil {
		v.State = err.Error()
		return v
	}
	v.State = "ok"
	for _, e := range f.Entries() {
		v.Servers++
		v.Clear += len(clientfile.Secrets(e))
		if isWrap(e, "") {
			v.Wrapped++
		}
	}
	return v
}

// clientTarget is where connect writes: the file, else the user's file of the
// app.
func (c *cli) clientTarget(name, file string) (*clientfile.File, error) {
	if err := checkApp(name); err != nil {
		return nil, err
	}
	host, err := c.host()
	if err != nil {
		return nil, err
	}
	for _, l := range clientfile.Locations(host) {
		if string(l.App) != name || file == "" && l.Scope != clientfile.ScopeUser {
			continue
		}
		if file != "" {
			if l.Path, err = filepath.Abs(file); err != nil {
				return nil, err
			}
		}
		if !l.Exists() {
			return clientfile.New(l), nil
		}
		f, err := clientfile.Read(l)
		if err != nil {
			return nil, fileError(err)
		}
		return f, nil
	}
	return nil, &admin.Error{Code: admin.NotFound, Message: "the file of " + name + " is not known on this machine", Fix: "name it with --file"}
}

func newClientConnect(c *cli) *cobra.Command {
	var server, file string
	cmd := &cobra.Command{Use: "connect APP", Short: "Write an entry for the gateway into an app's file", Args: args(1, 1),
		Long: "connect adds an entry that starts ostiary wrap as the agent APP: for one server, or without\n" +
			"--server for all that the agent may use.",
		RunE: func(_ *cobra.Command, given []string) error {
			f, err := c.clientTarget(given[0], file)
			if err != nil {
				return err
			}
			binary, dir, err := c.self()
			if err != nil {
				return err
			}
			w := clientfile.WrapEntry(f.App, binary, dir, given[0], server)
			for _, e := range f.Entries() {
				if e.Name == w.Name && e.Project == "" && !isWrap(e, binary) {
					return invalid("put it behind the gateway with: ostiary import --from "+f.Path, "%s has a server %q of its own", f.Path, e.Name)
				}
			}
			edits := []clientEdit{{App: given[0], File: f.Path, Entry: w.Name, Action: "connected"}}
			return c.editClient(f, []clientfile.Change{{Name: w.Name, New: &w}}, edits,
				"the agent must be registered: ostiary agent register "+given[0]+"; then restart the app")
		}}
	cmd.Flags().StringVar(&server, "server", "", "one server instead of all")
	cmd.Flags().StringVar(&file, "file", "", "the app's file, if it is not in its usual place")
	return c.flags(cmd)
}

func newClientDisconnect(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "disconnect APP", Short: "Remove the gateway's entries from an app's file, and nothing else", Args: args(1, 1),
		RunE: func(_ *cobra.Command, given []string) error {
			f, err := c.clientTarget(given[0], file)
			if err != nil {
				return err
			}
			binary, _, err := c.self()
			if err != nil {
				return err
			}
			var changes []clientfile.Change
			edits := []clientEdit{}
			for _, e := range f.Entries() {
				if isWrap(e, binary) {
					changes = append(changes, clientfile.Change{Name: e.Name, Project: e.Project})
					edits = append(edits, clientEdit{App: given[0], File: f.Path, Entry: e.Name, Action: "removed"})
				}
			}
			if len(changes) == 0 {
				return c.print(page{kind: "ClientEditList", columns: clientEditColumns, items: edits, notices: []string{"no entry of the gateway stands in " + f.Path}})
			}
			return c.editClient(f, changes, edits, "back again: ostiary client undo "+f.Path)
		}}
	cmd.Flags().StringVar(&file, "file", "", "the app's file, if it is not in its usual place")
	return c.flags(cmd)
}

// editClient shows an edit, asks, and writes it.
func (c *cli) editClient(f *clientfile.File, changes []clientfile.Change, edits []clientEdit, next string) error {
	content, err := f.Replace(changes)
	if err != nil {
		return fileError(err)
	}
	p := page{kind: "ClientEditList", columns: clientEditColumns, items: edits}
	diff := clientfile.Diff(f.Bytes(), content, f.Path)
	if diff == "" {
		p.notices = []string{"the file holds this already"}
		return c.print(p)
	}
	c.showDiff(diff)
	if c.change.dryRun {
		p.notices = []string{"dry run: nothing was changed"}
		return c.print(p)
	}
	if err := c.confirm("Edit " + f.Path + "?"); err != nil {
		return err
	}
	b, err := c.backups()
	if err != nil {
		return err
	}
	if err := writeClient(b, f, content); err != nil {
		return err
	}
	p.notices = []string{next}
	return c.print(p)
}

// exported is an entry to paste.
type exported struct {
	App   string `json:"app"`
	File  string `json:"file"`
	Entry string `json:"entry"`
	Text  string `json:"text"`
}

func newClientExport(c *cli) *cobra.Command {
	var server string
	cmd := &cobra.Command{Use: "export APP", Short: "Print the entry for an app's file, to paste it yourself", Args: args(1, 1),
		RunE: func(_ *cobra.Command, given []string) error {
			if err := checkApp(given[0]); err != nil {
				return err
			}
			host, err := c.host()
			if err != nil {
				return err
			}
			binary, dir, err := c.self()
			if err != nil {
				return err
			}
			i := slices.IndexFunc(clientfile.Locations(host), func(l clientfile.Location) bool { return string(l.App) == given[0] })
			if i < 0 {
				return &admin.Error{Code: admin.NotFound, Message: "the file of " + given[0] + " is not known on this machine"}
			}
			l := clientfile.Locations(host)[i]
			w := clientfile.WrapEntry(l.App, binary, dir, given[0], server)
			text, err := clientfile.New(l).Replace([]clientfile.Change{{Name: w.Name, New: &w}})
			if err != nil {
				return fileError(err)
			}
			if c.output == "table" {
				_, err = c.stdout.Write(text)
				return err
			}
			return c.print(page{kind: "ClientEntry", columns: []string{"app", "file", "entry", "text"},
				items: []exported{{App: given[0], File: l.Path, Entry: w.Name, Text: string(text)}}})
		}}
	cmd.Flags().StringVar(&server, "server", "", "one server instead of all")
	return cmd
}
