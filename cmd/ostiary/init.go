package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/keys"
)

func newInit(c *cli) *cobra.Command {
	var o app.InitOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a new gateway in the data directory",
		Long: "init makes keys, certificate authority, store and ostiary.yaml in the data\n" +
			"directory. It asks nothing, and refuses a directory that already holds a gateway.\n" +
			"\n" +
			"The root key opens all others. It is a file beside the data unless --root says\n" +
			"otherwise, for example\n" +
			"  ostiary init --root vault --root-set address=https://vault.example.com:8200 \\\n" +
			"    --root-set key=ostiary --root-set token=env:VAULT_TOKEN",
		Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error { return c.init(o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "", "address for MCP clients (default 127.0.0.1:8443)")
	f.StringVar(&o.AdminListen, "admin-listen", "", "address for health and metrics (default 127.0.0.1:8444)")
	f.StringVar(&o.LoopbackPlaintext, "loopback-plaintext", "", "also serve plain HTTP, without credentials, on this loopback address")
	f.StringVar(&o.LoopbackAgent, "loopback-agent", "", "the agent that every caller on that address is")
	f.StringVar(&o.Store, "store", "", "database of servers, agents and grants: sqlite or postgres (default sqlite)")
	f.StringVar(&o.DSN, "dsn", "", "where the PostgreSQL connection string is: env:NAME or file:PATH")
	f.BoolVar(&o.Replicas, "replicas", false, "let further gateways follow this one's store; needs postgres")
	f.StringVar(&o.Follow, "follow", "", "serve beside the gateway of this data directory, from its store and keys; needs postgres")
	f.StringVar(&o.Root, "root", "", "where the root key is: file, passphrase, vault, aws-kms, gcp-kms or pkcs11 (default file)")
	f.StringArrayVar(&o.RootSet, "root-set", nil, "a key of keys.root for it, KEY=VALUE; secrets as env:NAME or file:PATH; repeatable")
	f.StringVar(&o.Recovery, "recovery-recipient", "", "seal the root key to this age recipient (age1...) too; new makes one and shows its identity once")
	f.StringVar(&o.TrustDomain, "trust-domain", "", "SPIFFE trust domain of the gateway's own certificates (default ostiary.local); it cannot be changed later")
	return cmd
}

// made is what init answers.
type made struct {
	Dir    string   `json:"dir"`
	Config string   `json:"config"`
	CA     string   `json:"ca"`
	Next   []string `json:"next"`

	Recovery string `json:"recovery,omitempty"` // the identity that was made, shown only here
}

func (c *cli) init(o app.InitOptions) error {
	dir, err := filepath.Abs(c.dir)
	if err != nil {
		return err
	}
	o.Environ = c.environ
	identity := ""
	if o.Recovery == "new" {
		if identity, o.Recovery, err = keys.NewRecovery(); err != nil {
			return err
		}
	}
	if err := app.Init(dir, o); err != nil {
		return app.InitError(err)
	}
	m := made{Dir: dir, Config: filepath.Join(dir, app.ConfigName), CA: filepath.Join(dir, "ca.pem"), Next: []string{
		"ostiary import --dir " + dir,
		"ostiary up --dir " + dir,
		"ostiary status --dir " + dir,
	}}
	p := page{kind: "Gateway", columns: []string{"dir", "config", "ca"}, items: []made{m}, wide: true}
	if identity != "" {
		m.Recovery = identity
		p.items, p.columns = []made{m}, append(p.columns, "recovery")
		p.notices = append(p.notices, "keep the recovery identity off this machine: with it and a copy of keys/root.recovery anybody has the root key; it is not shown again")
	}
	for _, next := range m.Next {
		p.notices = append(p.notices, "next: "+next)
	}
	if o.LoopbackPlaintext != "" {
		p.notices = append(p.notices, fmt.Sprintf("loosening: every local program that connects to %s is agent %s",
			o.LoopbackPlaintext, o.LoopbackAgent))
	}
	return c.print(p)
}
