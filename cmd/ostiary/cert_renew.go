package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/clock"
)

// renewed is what cert renew answers.
type renewed struct {
	Cert    string `json:"cert"`
	Renewed bool   `json:"renewed"`
	app.Pair
}

// renewRetry is how long --watch waits after a failure.
const renewRetry = time.Minute

func newCertRenew(c *cli) *cobra.Command {
	var r app.Renewal
	var watch, force bool
	cmd := &cobra.Command{Use: "renew --cert FILE --key FILE --url URL", Short: "Renew a client's certificate at its gateway", Args: args(0, 0),
		Long: "renew runs beside the client, not beside the gateway. From half of the certificate's life\n" +
			"on it gets the next one for the same key, over mutual TLS with the old one, and replaces\n" +
			"the file as a whole. With --watch it stays and does so again and again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Cert == "" || r.Key == "" || r.URL == "" {
				return invalid("add --cert FILE --key FILE --url https://HOST:PORT", "certificate, key or URL is missing")
			}
			if r.CA == "" {
				r.CA = filepath.Join(filepath.Dir(r.Cert), "ca.pem")
			}
			r.Clock = clock.Clock{}
			for {
				out, err := c.renewCert(cmd.Context(), r, force)
				if err == nil && (out.Renewed || !watch) {
					err = c.print(page{kind: "RenewedCertificate", items: []renewed{out}, columns: []string{"cert", "renewed", "serial", "notAfter", "renewAt"}})
				}
				if !watch {
					return err
				}
				wait := out.RenewAt.Sub(r.Clock.Now())
				if err != nil {
					fmt.Fprintln(c.stderr, "note:", err)
					if known := (*admin.Error)(nil); errors.As(err, &known) && known.Code == admin.Invalid {
						return err
					}
					wait = renewRetry
				}
				if !sleep(cmd.Context(), max(wait, time.Second)) {
					return nil
				}
			}
		}}
	cmd.Flags().StringVar(&r.Cert, "cert", "", "file of the certificate chain, PEM; it is replaced")
	cmd.Flags().StringVar(&r.Key, "key", "", "file of its private key, PEM; it stays")
	cmd.Flags().StringVar(&r.CA, "ca", "", "file of what to trust the gateway with (default: ca.pem beside the certificate)")
	cmd.Flags().StringVar(&r.URL, "url", "", "the gateway, https://HOST:PORT")
	cmd.Flags().BoolVar(&watch, "watch", false, "stay, and renew again at half of each life")
	cmd.Flags().BoolVar(&force, "now", false, "ask also before half of the life; the gateway may refuse")
	return cmd
}

func (c *cli) renewCert(ctx context.Context, r app.Renewal, force bool) (renewed, error) {
	out := renewed{Cert: r.Cert}
	var err error
	if out.Pair, err = r.Current(); err != nil {
		return out, err
	}
	if !force && r.Clock.Now().Before(out.RenewAt) {
		return out, nil
	}
	next, err := r.Renew(ctx)
	if err != nil {
		return out, err
	}
	if err := replaceFile(r.Cert, next.Chain, 0o600); err != nil {
		return out, err
	}
	out.Pair, out.Renewed = next, true
	return out, nil
}

// sleep waits, and reports whether it was not called off.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
