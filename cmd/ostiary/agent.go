package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var agentColumns = []string{"id", "state", "era", "tokens", "certificates", "grants"}

func newAgent(c *cli) *cobra.Command {
	return group("agent", "Register and stop clients: apps, models, programs",
		newAgentRegister(c), newAgentSet(c), newAgentRenew(c), newAgentList(c), newAgentShow(c),
		newAgentMove(c, "suspend", admin.Suspend, "Refuse an agent for now"),
		newAgentMove(c, "resume", admin.Resume, "Admit a suspended agent again"),
		newAgentMove(c, "retire", admin.Retire, "End an agent for good"),
	)
}

// credentialFiles are what register and renew write.
var credentialFiles = []string{"client.pem", "client.key", "ca.pem", "token"}

// delivered is what register and renew answer: where the credentials are.
type delivered struct {
	Agent    string `json:"agent"`
	Out      string `json:"out,omitempty"`
	NotAfter string `json:"notAfter,omitempty"` // of the certificate
	TokenID  string `json:"tokenId,omitempty"`
}

var deliveredColumns = []string{"agent", "out", "notAfter", "tokenId"}

func newAgentRegister(c *cli) *cobra.Command {
	var r admin.RegisterAgent
	var out, receipts string
	cmd := &cobra.Command{
		Use:   "register NAME [--out DIR]",
		Short: "Register a client; with --out, write its credentials",
		Long: "register makes an agent. With --out it also makes a certificate of 30 days and a\n" +
			"token, and writes client.pem, client.key, ca.pem and token into that directory.",
		Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			foreign := r.JWTIssuer != "" || r.JWTSubject != "" || r.SPIFFE != ""
			r.ID, r.Credentials, r.Change = given[0], out != "" && !foreign, c.request()
			var err error
			if r.Receipts, err = onOff("--receipts", receipts); err != nil {
				return err
			}
			return c.register(cmd.Context(), r, out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for the credentials; made when it is not there")
	cmd.Flags().StringVar(&r.JWTIssuer, "jwt-issuer", "", "the agent shows tokens of this issuer (their iss); then --out gets ca.pem alone")
	cmd.Flags().StringVar(&r.JWTSubject, "jwt-subject", "", "and is this subject of it (their sub)")
	cmd.Flags().StringVar(&r.SPIFFE, "spiffe-id", "", "the agent shows certificates of an outside trust domain with this SPIFFE id; then --out gets ca.pem alone")
	cmd.Flags().StringVar(&receipts, "receipts", "off", "on or off: a signed receipt in each of its answers")
	cmd.Flags().StringVar(&r.Era, "era", "", "legacy or modern: pin the agent to one protocol era")
	return c.flags(cmd)
}

func (c *cli) register(ctx context.Context, r admin.RegisterAgent, out string) error {
	if err := c.prepare(out); err != nil {
		return err
	}
	return c.with(ctx, func(api admin.API) error {
		d, err := api.RegisterAgent(ctx, r)
		if err != nil {
			return err
		}
		if err := deliver(out, d.Item); err != nil {
			return &admin.Error{Code: admin.Failed, Message: "the agent is registered, but its credentials could not be written",
				Cause: err.Error(), Fix: "ostiary agent renew " + r.ID + " --out DIR"}
		}
		return c.print(done("AgentCredentials", deliveredColumns, admin.Done[delivered]{
			Applied: d.Applied, Item: deliveryOf(r.ID, out, d.Item.Credentials, d.Item.Token), Notices: d.Notices}))
	})
}

func deliveryOf(agent, out string, cred *admin.Credentials, token *admin.NewToken) delivered {
	v := delivered{Agent: agent, Out: out}
	if cred != nil {
		v.NotAfter = cred.NotAfter.Local().Format(timeFormat)
	}
	if token != nil {
		v.TokenID = token.ID
	}
	return v
}

func newAgentRenew(c *cli) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "renew NAME --out DIR",
		Short: "Make a further certificate and token for an agent",
		Long:  "renew makes a certificate of 30 days and a token for an agent. The earlier ones stay\nvalid until they end or are revoked.",
		Args:  args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if out == "" {
				return invalid("add --out DIR", "the directory for the credentials is missing")
			}
			return c.renew(cmd.Context(), given[0], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for the credentials; made when it is not there")
	return c.flags(cmd)
}

func (c *cli) renew(ctx context.Context, agent, out string) error {
	if err := c.prepare(out); err != nil {
		return err
	}
	return c.with(ctx, func(api admin.API) error {
		cert, err := api.IssueCertificate(ctx, admin.IssueCertificate{Change: c.request(), Agent: agent})
		if err != nil {
			return err
		}
		token, err := api.CreateToken(ctx, admin.CreateToken{Change: c.request(), Agent: agent})
		if err != nil {
			return err
		}
		d := admin.Done[delivered]{Applied: cert.Applied, Item: delivered{Agent: agent}}
		if cert.Applied {
			if err := deliver(out, admin.Registration{Credentials: &cert.Item, Token: &token.Item}); err != nil {
				return err
			}
			d.Item = deliveryOf(agent, out, &cert.Item, &token.Item)
		}
		return c.print(done("AgentCredentials", deliveredColumns, d))
	})
}

// prepare makes the directory and refuses to overwrite credentials in it.
func (c *cli) prepare(out string) error { return c.prepareFiles(out, credentialFiles) }

// prepareFiles makes the directory and refuses to overwrite any of names in it.
func (c *cli) prepareFiles(out string, names []string) error {
	if out == "" {
		return nil
	}
	for _, name := range names {
		path := filepath.Join(out, name)
		if _, err := os.Lstat(path); err == nil {
			return &admin.Error{Code: admin.Exists, Message: path + " is there already", Fix: "choose another directory"}
		}
	}
	if c.change.dryRun {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(out)), 0o755); err != nil {
		return unwritable(out, err)
	}
	if err := os.Mkdir(out, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return unwritable(out, err)
	}
	probe, err := os.CreateTemp(out, ".write-")
	if err != nil {
		return unwritable(out, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func unwritable(out string, err error) error {
	return &admin.Error{Code: admin.Invalid, Message: "credentials cannot be written to " + out, Cause: err.Error()}
}

// deliver writes the credentials, readable by their owner only.
func deliver(out string, r admin.Registration) error {
	files := map[string][]byte{}
	switch {
	case out == "":
		return nil
	case r.Credentials != nil && r.Token != nil:
		files = map[string][]byte{"client.pem": r.Credentials.CertPEM, "client.key": r.Credentials.KeyPEM, "ca.pem": r.Credentials.CAPEM,
			"token": []byte(r.Token.Token)}
	case len(r.CAPEM) > 0:
		files["ca.pem"] = r.CAPEM
	}
	return writeAll(out, files)
}

// writeAll writes new files into out, readable by their owner only.
func writeAll(out string, files map[string][]byte) error {
	for name, text := range files {
		f, err := os.OpenFile(filepath.Join(out, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func newAgentList(c *cli) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "List every registered agent", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Agents(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "AgentList", columns: agentColumns, items: all})
			})
		}}
}

func newAgentShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Show one agent", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				a, err := api.Agent(cmd.Context(), admin.ID{ID: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Agent", items: []admin.AgentView{a}, wide: true,
					columns: append(agentColumns[:len(agentColumns):len(agentColumns)], "roles", "clearance", "zone", "basis", "reason", "by", "createdAt", "updatedAt")})
			})
		}}
}

func newAgentMove(c *cli, use string, action admin.Action, short string) *cobra.Command {
	return c.flags(&cobra.Command{Use: use + " NAME", Short: short, Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if action == admin.Retire {
				if err := c.confirm("End agent " + given[0] + " for good?"); err != nil {
					return err
				}
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.MoveAgent(cmd.Context(), admin.Move{Change: c.request(), ID: given[0], Action: action})
				if err != nil {
					return err
				}
				return c.print(done("Agent", agentColumns, d))
			})
		}})
}

// onOff reads a flag that is on or off.
func onOff(flag, text string) (bool, error) {
	if text != "on" && text != "off" {
		return false, invalid("use on or off", "%s is %q", flag, text)
	}
	return text == "on", nil
}

func newAgentSet(c *cli) *cobra.Command {
	var receipts, zone string
	var roles, clearance []string
	cmd := &cobra.Command{Use: "set NAME", Short: "Change how an agent is served and what policies see of it", Args: args(1, 1),
		Long: "With receipts on, each answer to the agent carries a signed statement of the exchange and of its\n" +
			"place in the log, in _meta of the result or of the error's data. Verify it with ostiary-verify receipt.\n" +
			"Roles, clearance and zone replace those that the agent had; an empty value takes them away.",
		RunE: func(cmd *cobra.Command, given []string) error {
			r := admin.SetAgent{ID: given[0], Change: c.request(), Roles: listed(cmd, "role", roles), Clearance: listed(cmd, "clearance", clearance), Zone: texted(cmd, "zone", zone)}
			if cmd.Flags().Changed("receipts") {
				on, err := onOff("--receipts", receipts)
				if err != nil {
					return err
				}
				r.Receipts = &on
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.SetAgent(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.print(done("Agent", append(agentColumns[:len(agentColumns):len(agentColumns)], "receipts", "roles", "clearance", "zone"), d))
			})
		}}
	cmd.Flags().StringVar(&receipts, "receipts", "", "on or off: a signed receipt in each of its answers")
	cmd.Flags().StringArrayVar(&roles, "role", nil, "a role, for policies; may be repeated")
	cmd.Flags().StringArrayVar(&clearance, "clearance", nil, "a label that it may see, for policies; may be repeated")
	cmd.Flags().StringVar(&zone, "zone", "", "where it runs, for policies")
	return c.flags(cmd)
}
