package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/registry"
)

// serverColumns are what lists and changes of servers show.
var serverColumns = []string{"id", "state", "transport", "eras", "examined", "tools"}

func newServer(c *cli) *cobra.Command {
	return group("server", "Register, approve and stop MCP servers",
		newServerSubmit(c), newServerList(c), newServerShow(c), newServerScan(c), newServerSet(c), newServerApprove(c),
		newServerMove(c, "reject", admin.Reject, "Refuse a submitted server"),
		newServerMove(c, "suspend", admin.Suspend, "Stop all use of a server for now"),
		newServerMove(c, "resume", admin.Resume, "Allow the use of a suspended server again"),
		newServerMove(c, "retire", admin.Retire, "End a server for good"),
		newServerCredential(c), newServerLogin(c),
	)
}

// submit holds the flags of server submit.
type submit struct {
	request      admin.SubmitServer
	headers, env []string
	transport    string
}

func newServerSubmit(c *cli) *cobra.Command {
	var s submit
	cmd := &cobra.Command{
		Use:   "submit NAME (--url URL | -- COMMAND [ARG...])",
		Short: "Register a server, which then waits for approval",
		Long: "submit registers a server under NAME. With --url it is reached over HTTP; with --\n" +
			"and a command it is started as a process, without a shell. Values of --header and\n" +
			"--env are references, env:NAME, file:PATH or stdin:, and are sealed at once.",
		Example: "  ostiary server submit wiki --url https://wiki.example.com/mcp --header Authorization=env:WIKI_AUTH\n" +
			"  ostiary server submit files -- npx -y @modelcontextprotocol/server-filesystem /srv/docs",
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := s.arguments(cmd, given); err != nil {
				return err
			}
			return c.submit(cmd.Context(), s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.request.URL, "url", "", "the server's MCP endpoint")
	f.BoolVar(&s.request.Private, "private", false, "allow a loopback or private address, and plain http to it")
	f.StringVar(&s.transport, "transport", "", "http (default) or sse, for servers of 2024-11-05")
	f.StringArrayVar(&s.headers, "header", nil, "K=REF: send this header; may be repeated")
	f.StringArrayVar(&s.env, "env", nil, "K=REF: set this variable; may be repeated")
	f.StringArrayVar(&s.request.PassEnv, "pass-env", nil, "K: pass the gateway's own variable on; may be repeated")
	f.StringVar(&s.request.Dir, "workdir", "", "the command's working directory")
	f.StringVar(&s.request.CAFile, "ca", "", "PEM file of the authorities to trust instead of the system's")
	f.StringArrayVar(&s.request.Pins, "pin", nil, "sha256/BASE64 of a public key that the server must show; may be repeated")
	f.StringVar(&s.request.ClientCert, "client-cert", "", "PEM file of the certificate to show to the server")
	f.StringVar(&s.request.ClientKey, "client-key", "", "PEM file of its key")
	f.BoolVar(&s.request.TLS12, "tls12", false, "loosening: allow TLS 1.2")
	return c.flags(cmd)
}

// arguments takes the name, and the command after --.
func (s *submit) arguments(cmd *cobra.Command, given []string) error {
	names := given
	if dash := cmd.ArgsLenAtDash(); dash >= 0 {
		names, s.request.Command = given[:dash], given[dash:]
		if len(s.request.Command) == 0 {
			return invalid("write the command after --", "there is no command after --")
		}
	}
	if err := args(1, 1)(cmd, names); err != nil {
		return err
	}
	s.request.ID = names[0]
	s.request.Transport = registry.Transport(s.transport)
	if len(s.request.Command) > 0 && len(s.headers) > 0 {
		return invalid("use --env", "--header belongs to a server with --url")
	}
	if len(s.request.Command) == 0 && len(s.env) > 0 {
		return invalid("use --header", "--env belongs to a server with a command")
	}
	return s.paths()
}

// paths makes files absolute: the gateway may run elsewhere.
func (s *submit) paths() error {
	r := &s.request
	for _, p := range []*string{&r.CAFile, &r.ClientCert, &r.ClientKey, &r.Dir} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return err
		}
		*p = abs
	}
	return absolute(r.Command)
}

// absolute makes a program with a relative path absolute; one without a path
// is looked up when it is started.
func absolute(command []string) error {
	if len(command) == 0 || !strings.ContainsRune(command[0], filepath.Separator) {
		return nil
	}
	abs, err := filepath.Abs(command[0])
	command[0] = abs
	return err
}

func (c *cli) submit(ctx context.Context, s submit) error {
	var err error
	if s.request.Secrets, err = c.secrets(append(s.headers, s.env...)); err != nil {
		return err
	}
	s.request.Change = c.request()
	return c.with(ctx, func(api admin.API) error {
		d, err := api.SubmitServer(ctx, s.request)
		if err != nil {
			return err
		}
		return c.print(done("Server", serverColumns, d))
	})
}

// secrets resolves K=REF flags. A value is never an argument itself, where
// every user of the machine could read it.
func (c *cli) secrets(flags []string) ([]admin.Clear, error) {
	var all []admin.Clear
	seen := map[string]bool{}
	for _, f := range flags {
		name, ref, ok := strings.Cut(f, "=")
		if !ok || name == "" {
			return nil, invalid("write K=env:NAME, K=file:PATH or K=stdin:", "a header or variable is not of the form K=REF")
		}
		if seen[strings.ToLower(name)] {
			return nil, invalid("give it once", "%s is given twice", name)
		}
		seen[strings.ToLower(name)] = true
		value, err := app.Resolve(ref, "", c.environ, c.stdin)
		if err != nil {
			return nil, &admin.Error{Code: admin.Invalid, Message: "there is no value for " + name, Cause: err.Error(),
				Fix: "write " + name + "=env:NAME, " + name + "=file:PATH or " + name + "=stdin:"}
		}
		all = append(all, admin.Clear{Name: name, Value: value})
	}
	return all, nil
}

func newServerList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List every registered server", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Servers(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "ServerList", columns: serverColumns, items: all})
			})
		}}
}

func newServerShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show one server", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				s, err := api.Server(cmd.Context(), admin.ID{ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Server", items: []admin.ServerView{s}, wide: true, columns: []string{
					"id", "state", "transport", "url", "private", "command", "dir", "secrets", "passEnv", "caFile", "pins",
					"clientCert", "eras", "examined", "tools", "labels", "zone", "basis", "reason", "by", "createdAt", "updatedAt"}})
			})
		}}
}

func newServerScan(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "scan NAME", Short: "Examine a server again and pin its tools", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.ScanServer(cmd.Context(), admin.Scan{Change: c.request(), ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Server", serverColumns, d))
			})
		}})
}

func newServerApprove(c *cli) *cobra.Command {
	var access []string
	cmd := &cobra.Command{Use: "approve NAME --reason TEXT", Short: "Examine a server and open it to agents with a grant", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			classes, err := toolAccess(access)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.ApproveServer(cmd.Context(), admin.ApproveServer{Change: c.request(), ID: given[0], ToolAccess: classes})
				if err != nil {
					return err
				}
				return c.print(done("Server", serverColumns, d))
			})
		}}
	cmd.Flags().StringArrayVar(&access, "tool-access", nil, "TOOL=read|write|modify: what a call of the tool needs; may be repeated")
	return c.flags(cmd)
}

// toolAccess reads TOOL=ACCESS flags; the name may hold an equals sign.
func toolAccess(flags []string) (map[string]registry.Access, error) {
	classes := map[string]registry.Access{}
	for _, f := range flags {
		i := strings.LastIndexByte(f, '=')
		if i <= 0 {
			return nil, invalid("write TOOL=read, TOOL=write or TOOL=modify", "%q is not of the form TOOL=ACCESS", f)
		}
		if _, twice := classes[f[:i]]; twice {
			return nil, invalid("give it once", "tool %q is classified twice", f[:i])
		}
		classes[f[:i]] = registry.Access(f[i+1:])
	}
	return classes, nil
}

func newServerMove(c *cli, use string, action admin.Action, short string) *cobra.Command {
	return c.flags(&cobra.Command{Use: use + " NAME", Short: short, Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if action == admin.Retire {
				if err := c.confirm("End server " + given[0] + " for good?"); err != nil {
					return err
				}
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.MoveServer(cmd.Context(), admin.Move{Change: c.request(), ID: given[0], Action: action})
				if err != nil {
					return err
				}
				return c.print(done("Server", serverColumns, d))
			})
		}})
}
