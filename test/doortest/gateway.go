package doortest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// commandTime bounds one operator's command.
const commandTime = time.Minute

// Options say what Gateway sets up. The zero value is a gateway without
// servers and agents.
type Options struct {
	Servers []Server
	Agents  []string // registered; each is granted modify on every server of Servers
	Plain   string   // agent that callers of the plaintext loopback listener are; "" = no such listener
	Config  func(yaml string) string
	Env     []string // K=V for the gateway process and the commands
	Init    []string // further flags of init
	Down    bool     // do not start it
}

// Server is one tool server to submit and approve.
type Server struct {
	Name    string
	URL     string            // or Command
	Command []string          // stdio
	Env     []string          // K=V of a stdio server; the gateway seals the values
	Flags   []string          // further flags of submit
	Access  map[string]string // tool -> read, write or modify, set at approval
}

// Door is a gateway: its directory, its process and its addresses.
type Door struct {
	tb     testing.TB
	binary string
	env    []string

	Dir    string // data directory
	Data   string // host:port of the TLS listener
	Admin  string // host:port of the admin listener
	Plain  string // host:port of the plaintext listener, "" if none
	Agents map[string]*Agent
	proc   *Process
}

// Agent is what the gateway gave to a registered agent.
type Agent struct {
	Name  string
	Dir   string // client.pem, client.key, ca.pem, token
	Token string
	CA    *x509.CertPool
	Cert  tls.Certificate
}

// Gateway builds the binary, sets up a gateway by the operator's commands and
// starts it. It ends with the test.
func Gateway(tb testing.TB, o Options) *Door {
	tb.Helper()
	binary, err := Build("./cmd/ostiary")
	if err != nil {
		tb.Fatal(err)
	}
	home := tb.TempDir()
	d := &Door{
		tb: tb, binary: binary, Dir: filepath.Join(home, "gateway"), Agents: map[string]*Agent{},
		env: append([]string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, o.Env...),
	}
	d.Data, d.Admin = FreeAddr(tb), FreeAddr(tb)
	args := append([]string{"init", "--listen", d.Data, "--admin-listen", d.Admin}, o.Init...)
	if o.Plain != "" {
		d.Plain = FreeAddr(tb)
		args = append(args, "--loopback-plaintext", d.Plain, "--loopback-agent", o.Plain)
	}
	d.Must(append(args, o.Init...)...)
	if o.Config != nil {
		d.EditConfig(o.Config)
	}
	for _, s := range o.Servers {
		d.Onboard(s)
	}
	for _, name := range o.Agents {
		d.Register(name)
		for _, s := range o.Servers {
			d.Grant(name, s.Name, "modify")
		}
	}
	if o.Plain != "" && !slices.Contains(o.Agents, o.Plain) {
		for _, s := range o.Servers {
			d.Grant(o.Plain, s.Name, "modify")
		}
	}
	if !o.Down {
		d.Up()
	}
	return d
}

// Command prepares one of the binary's commands on the gateway's directory.
func (d *Door) Command(args ...string) *exec.Cmd {
	return d.command(context.Background(), args...)
}

func (d *Door) command(ctx context.Context, args ...string) *exec.Cmd {
	at := slices.Index(args, "--")
	if at < 0 {
		at = len(args)
	}
	cmd := exec.CommandContext(ctx, d.binary, slices.Insert(slices.Clone(args), at, "--dir", d.Dir)...)
	cmd.Env = d.env
	return cmd
}

// Try runs one of the operator's commands to its end.
func (d *Door) Try(args ...string) Result {
	d.tb.Helper()
	ctx, cancel := context.WithTimeout(d.tb.Context(), commandTime)
	defer cancel()
	return Run(d.tb, d.command(ctx, args...))
}

// Must runs one of the operator's commands, which must succeed, and returns
// its standard output.
func (d *Door) Must(args ...string) string {
	d.tb.Helper()
	r := d.Try(args...)
	if r.Code != 0 {
		d.tb.Fatalf("ostiary %s: exit %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// EditConfig rewrites ostiary.yaml.
func (d *Door) EditConfig(edit func(yaml string) string) {
	d.tb.Helper()
	path := filepath.Join(d.Dir, "ostiary.yaml")
	old, err := os.ReadFile(path)
	if err != nil {
		d.tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(edit(string(old))), 0o600); err != nil {
		d.tb.Fatal(err)
	}
}

// Onboard submits and approves a server. Loopback URLs get --private.
func (d *Door) Onboard(s Server) {
	d.tb.Helper()
	args := append([]string{"server", "submit", s.Name}, s.Flags...)
	if s.URL != "" {
		args = append(args, "--url", s.URL, "--private")
	}
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		path := filepath.Join(d.tb.TempDir(), name)
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
			d.tb.Fatal(err)
		}
		args = append(args, "--env", name+"=file:"+path)
	}
	if s.Command != nil {
		args = append(append(args, "--"), s.Command...)
	}
	d.Must(args...)
	args = []string{"server", "approve", s.Name, "--reason", "test"}
	for tool, access := range s.Access {
		args = append(args, "--tool-access", tool+"="+access)
	}
	d.Must(args...)
}

// Register registers an agent and reads what the gateway gave it.
func (d *Door) Register(name string) *Agent {
	d.tb.Helper()
	out := filepath.Join(d.tb.TempDir(), name)
	d.Must("agent", "register", name, "--out", out)
	a, err := LoadAgent(name, out)
	if err != nil {
		d.tb.Fatal(err)
	}
	d.Agents[name] = a
	return a
}

// LoadAgent reads the files that register wrote to dir.
func LoadAgent(name, dir string) (*Agent, error) {
	token, err := os.ReadFile(filepath.Join(dir, "token"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return &Agent{Name: name, Dir: dir, Token: strings.TrimSpace(string(token)), CA: pool, Cert: cert}, nil
}

// Grant lets an agent use a server, or only the named tools of it.
func (d *Door) Grant(agent, server, access string, tools ...string) {
	d.tb.Helper()
	args := []string{"access", "grant", agent, server, "--access", access}
	for _, t := range tools {
		args = append(args, "--tool", t)
	}
	d.Must(args...)
}

// Revoke takes the agent's grants on the server away.
func (d *Door) Revoke(agent, server string) {
	d.tb.Helper()
	d.Must("access", "revoke", agent, server)
}

// Up starts the gateway and returns once its data listeners accept.
func (d *Door) Up() {
	d.tb.Helper()
	d.proc = Start(d.tb, d.Command("up"))
	d.proc.Accepts(d.Data)
	if d.Plain != "" {
		d.proc.Accepts(d.Plain)
	}
}

// Process is the running gateway.
func (d *Door) Process() *Process { return d.proc }

// Restart stops the gateway in good order and starts it again.
func (d *Door) Restart() {
	d.tb.Helper()
	if err := d.proc.Stop(); err != nil {
		d.tb.Errorf("the gateway ended with %v", err)
	}
	d.Up()
}

// URL is the endpoint of a server, or of all of them for "", over TLS.
func (d *Door) URL(server string) string { return "https://" + d.Data + path(server) }

// PlainURL is the same on the plaintext listener, by the name localhost.
func (d *Door) PlainURL(server string) string {
	_, port, _ := strings.Cut(d.Plain, ":")
	return "http://localhost:" + port + path(server)
}

func path(server string) string {
	if server == "" {
		return "/mcp"
	}
	return "/s/" + server + "/mcp"
}
