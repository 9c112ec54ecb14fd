package main

import (
	"context"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

var authorityColumns = []string{"trustDomain", "root", "rootEnds", "rootKey", "issuers"}

// maxPEM bounds a file of certificates or requests.
const maxPEM = 64 << 10

func newCA(c *cli) *cobra.Command {
	return group("ca", "Look after the gateway's own certificate authority; keep its root elsewhere",
		newCAShow(c), newCAExport(c), newCARequest(c), newCAIssue(c), newCAImport(c))
}

func newCAShow(c *cli) *cobra.Command {
	return &cobra.Command{Use: "show", Short: "Show root and issuers, never a key", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(api admin.API) error {
				v, err := api.Authority(cmd.Context(), admin.None{})
				if err != nil {
					return err
				}
				return c.print(page{kind: "Authority", items: []admin.AuthorityView{v}, wide: true, columns: authorityColumns})
			})
		}}
}

func newCAExport(c *cli) *cobra.Command {
	var r admin.ExportRoot
	var out, phrase string
	var keep bool
	cmd := &cobra.Command{Use: "export-root --out FILE --recipient age1...|--passphrase REF --reason TEXT",
		Short: "Seal the root's key into a file and remove it from this machine", Args: args(0, 0),
		Long: "export-root writes the root with its key into an age file and then removes the key here. Both issuers\n" +
			"are made anew first, so that the gateway goes on for a year without it. Copies in backups of the keys\n" +
			"stay until those end. Keep the file, and whatever opens it, on no machine of the gateway.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return invalid("add --out FILE", "the file is missing")
			}
			if _, err := os.Lstat(out); err == nil {
				return &admin.Error{Code: admin.Exists, Message: out + " is there already", Fix: "choose another file"}
			}
			if !keep {
				if err := c.confirm("Remove the root's key from this machine?"); err != nil {
					return err
				}
			}
			r.Change = c.request()
			if phrase != "" {
				var err error
				if r.Passphrase, err = app.Resolve(phrase, "", c.environ, nil); err != nil {
					return invalid("use env:NAME or file:PATH", "the passphrase cannot be read: %v", err)
				}
			}
			return c.with(cmd.Context(), func(api admin.API) error { return c.exportRoot(cmd.Context(), api, r, out, keep) })
		}}
	cmd.Flags().StringVar(&out, "out", "", "the age file that is made")
	cmd.Flags().StringVar(&r.Recipient, "recipient", "", "seal it to this age recipient (age1...)")
	cmd.Flags().StringVar(&phrase, "passphrase", "", "seal it with a passphrase instead: env:NAME or file:PATH")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the key here as well: the file is a copy")
	return c.flags(cmd)
}

// exportRoot removes the key only when the file is on the disk.
func (c *cli) exportRoot(ctx context.Context, api admin.API, r admin.ExportRoot, out string, keep bool) error {
	d, err := api.ExportRoot(ctx, r)
	if err != nil {
		return err
	}
	if d.Applied {
		if err := replaceFile(out, d.Item.Sealed, 0o600); err != nil {
			return err
		}
	}
	if keep {
		v, err := api.Authority(ctx, admin.None{})
		if err != nil {
			return err
		}
		return c.print(done("Authority", authorityColumns, admin.Done[admin.AuthorityView]{Applied: d.Applied, Item: v, Notices: d.Notices}))
	}
	gone, err := api.DropRoot(ctx, admin.DropRoot{Change: r.Change, Root: d.Item.Root})
	if err != nil {
		return err
	}
	return c.print(done("Authority", authorityColumns, gone))
}

func newCARequest(c *cli) *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "request-issuers --out FILE", Short: "Make the next issuers' keys, and requests that the root answers", Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return invalid("add --out FILE", "the file is missing")
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.RequestIssuers(cmd.Context(), admin.RequestIssuers{Change: c.request()})
				if err != nil {
					return err
				}
				if d.Applied {
					if err := replaceFile(out, d.Item.PEM, 0o644); err != nil {
						return err
					}
				}
				return c.print(done("IssuerRequests", []string{"out"}, admin.Done[written]{Applied: d.Applied, Item: written{out}, Notices: d.Notices}))
			})
		}}
	cmd.Flags().StringVar(&out, "out", "", "file for the requests, PEM; they hold no secret")
	return c.flags(cmd)
}

// written is what a command answers that wrote a file.
type written struct {
	Out string `json:"out"`
}

func newCAImport(c *cli) *cobra.Command {
	return c.flags(&cobra.Command{Use: "import-issuer FILE", Short: "Take issuers that the root made elsewhere", Args: args(1, 1),
		RunE: func(cmd *cobra.Command, given []string) error {
			text, err := readSmall(given[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(api admin.API) error {
				d, err := api.ImportIssuers(cmd.Context(), admin.ImportIssuers{Change: c.request(), PEM: text})
				if err != nil {
					return err
				}
				return c.print(done("Authority", authorityColumns, d))
			})
		}})
}

// offline are the choices of issue-intermediate.
type offline struct {
	root, identity, phrase, requests, out string
	life                                  time.Duration
	names, networks                       []string
}

// signed is one issuer that issue-intermediate made.
type signed struct {
	Use      keys.IssuerUse `json:"use"`
	Domain   string         `json:"trustDomain"`
	Serial   string         `json:"serial"`
	NotAfter time.Time      `json:"notAfter"`
}

func newCAIssue(c *cli) *cobra.Command {
	var o offline
	cmd := &cobra.Command{Use: "issue-intermediate --root FILE --identity FILE|--passphrase REF --csr FILE --out FILE",
		Short: "On the machine that has the root: answer a gateway's requests", Args: args(0, 0),
		Long: "issue-intermediate needs no gateway, no network and no other file. It opens what export-root wrote and\n" +
			"signs the issuers that request-issuers asked for, bound to the root's trust domain: that of agents may\n" +
			"name no host, and that of listeners what --dns and --network say, when they are given.",
		RunE: func(*cobra.Command, []string) error { return c.issueIntermediate(o) }}
	f := cmd.Flags()
	f.StringVar(&o.root, "root", "", "the age file of export-root")
	f.StringVar(&o.identity, "identity", "", "file with the age identity that opens it")
	f.StringVar(&o.phrase, "passphrase", "", "or its passphrase: env:NAME or file:PATH")
	f.StringVar(&o.requests, "csr", "", "the file of request-issuers")
	f.StringVar(&o.out, "out", "", "file for the issuers' certificates, PEM")
	f.DurationVar(&o.life, "life", 0, "how long they are valid, at most 26280h (default: a year)")
	f.StringArrayVar(&o.names, "dns", nil, "the issuer of listeners may name this domain and what is below it, and no other; may be repeated")
	f.StringArrayVar(&o.networks, "network", nil, "and addresses of this network (CIDR) alone; may be repeated")
	return cmd
}

func (c *cli) issueIntermediate(o offline) error {
	if o.root == "" || o.requests == "" || o.out == "" || (o.identity == "") == (o.phrase == "") {
		return invalid("see: ostiary ca issue-intermediate --help", "a file is missing, or not exactly one of --identity and --passphrase is given")
	}
	terms := keys.IssuerTerms{Life: o.life, Names: o.names}
	for _, text := range o.networks {
		_, n, err := net.ParseCIDR(text)
		if err != nil {
			return invalid("write it as 10.0.0.0/8", "--network %s is not a network", text)
		}
		terms.Networks = append(terms.Networks, n)
	}
	for _, name := range o.names {
		if err := keys.CheckTrustDomain(name); err != nil {
			return invalid("write a domain such as example.com, without *", "--dns %s is not a domain", name)
		}
	}
	root, err := c.openOffline(o)
	if err != nil {
		return err
	}
	requests, err := readSmall(o.requests)
	if err != nil {
		return err
	}
	text, made, err := root.Issue(requests, terms, clock.Clock{}.Now())
	if err != nil {
		return invalid("use the file of ostiary ca request-issuers of this root's gateway", "%v", err)
	}
	if err := replaceFile(o.out, text, 0o644); err != nil {
		return err
	}
	var items []signed
	for _, m := range made {
		items = append(items, signed{m.Use, root.Domain(), keys.Serial(m.Cert), m.Cert.NotAfter})
	}
	return c.print(page{kind: "IssuerList", columns: []string{"use", "trustDomain", "serial", "notAfter"}, items: items})
}

func (c *cli) openOffline(o offline) (*keys.OfflineRoot, error) {
	sealed, err := readSmall(o.root)
	if err != nil {
		return nil, err
	}
	var with keys.Unsealing
	if o.identity != "" {
		with.Identities, err = readIdentity(o.identity)
	} else {
		with.Passphrase, err = app.Resolve(o.phrase, "", c.environ, nil)
	}
	if err != nil {
		return nil, invalid("check the path", "what opens the root cannot be read: %v", err)
	}
	root, err := keys.OpenOfflineRoot(sealed, with)
	if err != nil {
		return nil, invalid("use the file of export-root, and what it was sealed to", "%v", err)
	}
	return root, nil
}

// readSmall reads a file of certificates or requests.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, invalid("check the path", "%v", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil || len(text) > maxPEM {
		return nil, invalid("check the path", "%s cannot be read, or is too long", path)
	}
	return text, nil
}
