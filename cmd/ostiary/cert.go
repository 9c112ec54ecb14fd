package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
)

var certColumns = []string{"serial", "kind", "name", "state", "notAfter"}

func newCert(c *cli) *cobra.Command {
	return group("cert", "Issue, renew and revoke certificates",
		newJoinToken(c), newCertList(c), newCertShow(c), newCertIssue(c), newCertRevoke(c), newCertCRL(c), newCertRenew(c))
}

func newJoinToken(c *cli) *cobra.Command {
	var r admin.JoinToken
	var server bool
	cmd := &cobra.Command{Use: "join-token AGENT", Short: "Let one key be enrolled; the token is printed once, alone", Args: args(1, 1),
		Long: "join-token makes a token that is good for one certificate request within 15 minutes.\n" +
			"The program that becomes the agent makes its own key and sends a request to /enrol:\n" +
			"the key never leaves it. See docs/certificates.md. With --server it is for a\n" +
			"registered server that ends TLS itself.",
		RunE: func(cmd *cobra.Command, given []string) error {
			r.Change = c.request()
			if r.Agent = given[0]; server {
				r.Agent, r.Server = "", given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.CreateJoinToken(cmd.Context(), r)
				if err != nil {
					return err
				}
				if c.output == "table" && d.Applied {
					return c.bare(d.Item.Token)
				}
				return c.print(done("JoinToken", []string{"id", "for", "token", "expiresAt"}, d))
			})
		}}
	cmd.Flags().BoolVar(&server, "server", false, "the name is of a registered server")
	cmd.Flags().StringArrayVar(&r.Hosts, "host", nil, "name in the server's certificate (default: the host of its URL); may be repeated")
	return c.flags(cmd)
}

func newCertList(c *cli) *cobra.Command {
	var q admin.CertQuery
	cmd := &cobra.Command{Use: "list [NAME]", Short: "List certificates in force", Args: args(0, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if len(given) > 0 {
				q.Name = given[0]
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Certificates(cmd.Context(), q)
				if err != nil {
					return err
				}
				return c.print(page{kind: "CertificateList", columns: certColumns, items: all})
			})
		}}
	cmd.Flags().BoolVar(&q.All, "all", false, "also those that ended")
	return cmd
}

func newCertShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show SERIAL", Short: "Show one certificate", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				all, err := api.Certificates(cmd.Context(), admin.CertQuery{Serial: given[0]})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Certificate", items: all, wide: true,
					columns: append(certColumns[:len(certColumns):len(certColumns)], "spiffeId", "hosts", "createdAt", "revokedAt")})
			})
		}}
}

// issuedFiles are what cert issue writes.
var issuedFiles = []string{"cert.pem", "cert.key", "ca.pem"}

func newCertIssue(c *cli) *cobra.Command {
	var r admin.IssueComponent
	var agent, out string
	var life time.Duration
	cmd := &cobra.Command{Use: "issue --agent NAME|--server NAME|--gateway --out DIR", Short: "Make a certificate with its key, and write both", Args: args(0, 0),
		Long: "issue writes cert.pem, cert.key and ca.pem into a directory. A server's certificate is for\n" +
			"one that ends TLS itself; the gateway's own is shown to servers that ask for one. Prefer\n" +
			"join-token: with it, the key never leaves the program that uses it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return invalid("add --out DIR", "the directory is missing")
			}
			if (agent != "") == (r.Server != "" || r.Gateway) {
				return invalid("use one of them", "name an agent, a server or the gateway")
			}
			if err := c.prepareFiles(out, issuedFiles); err != nil {
				return err
			}
			r.Change, r.Life = c.request(), admin.Duration(life)
			return c.with(cmd.Context(), func(api admin.API) error {
				var d admin.Done[admin.Credentials]
				var err error
				if agent != "" {
					d, err = api.IssueCertificate(cmd.Context(), admin.IssueCertificate{Change: r.Change, Agent: agent, Life: r.Life})
				} else {
					d, err = api.IssueComponent(cmd.Context(), r)
				}
				if err != nil {
					return err
				}
				if d.Applied {
					if err := writeAll(out, map[string][]byte{"cert.pem": d.Item.CertPEM, "cert.key": d.Item.KeyPEM, "ca.pem": d.Item.CAPEM}); err != nil {
						return err
					}
				}
				shown := admin.Done[delivered]{Applied: d.Applied, Notices: d.Notices,
					Item: delivered{Agent: d.Item.Agent, Out: out, NotAfter: d.Item.NotAfter.UTC().Format(timeFormat)}}
				return c.print(done("Credentials", []string{"agent", "out", "notAfter"}, shown))
			})
		}}
	cmd.Flags().StringVar(&agent, "agent", "", "a registered agent")
	cmd.Flags().StringVar(&r.Server, "server", "", "a registered server that ends TLS itself")
	cmd.Flags().BoolVar(&r.Gateway, "gateway", false, "this gateway, towards servers")
	cmd.Flags().StringArrayVar(&r.Hosts, "host", nil, "name in the server's certificate (default: the host of its URL); may be repeated")
	cmd.Flags().StringVar(&out, "out", "", "directory for the files; made when it is not there")
	cmd.Flags().DurationVar(&life, "life", 0, "how long it is valid, at most 720h (default: 24h, an agent's 720h)")
	return c.flags(cmd)
}

func newCertRevoke(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "revoke SERIAL", Short: "End a certificate for good; its connections are closed", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			if err := c.confirm("End certificate " + given[0] + " for good?"); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RevokeCertificate(cmd.Context(), admin.RevokeCert{Change: c.request(), Serial: given[0]})
				if err != nil {
					return err
				}
				return c.print(done("Certificate", certColumns, d))
			})
		}})
}

func newCertCRL(c *cli) *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "crl", Short: "Write the signed list of revoked certificates", Args: args(0, 0),
		Long: "crl prints a certificate revocation list in PEM, for servers that check the gateway's\n" +
			"certificates themselves. The data listener serves it in DER at /enrol/crl.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				l, err := api.RevocationList(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				if out != "" {
					return replaceFile(out, l.PEM, 0o644)
				}
				if c.output == "table" {
					_, err := c.stdout.Write(l.PEM)
					return err
				}
				return c.print(page{kind: "RevocationList", items: []admin.CRL{l}, columns: []string{"next"}})
			})
		}}
	cmd.Flags().StringVar(&out, "out", "", "write it to this file instead")
	return cmd
}

// replaceFile writes data beside path and moves it there: a reader sees the old
// file or the new one, whole.
func replaceFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return unwritable(path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return unwritable(path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
