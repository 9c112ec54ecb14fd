package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/protect"
	"ostiary.dev/ostiary/internal/sidecar"
)

// checkSidecar is the check that says whether the detector outside answers.
const checkSidecar = "sidecar detector"

func (c *SidecarConfig) fill() {
	c.Language = cmp.Or(c.Language, sidecar.DefaultLanguage)
	c.Timeout = cmp.Or(c.Timeout, Duration(sidecar.DefaultTimeout))
	c.MaxBytes = cmp.Or(c.MaxBytes, sidecar.DefaultBytes)
	c.Concurrency = cmp.Or(c.Concurrency, sidecar.DefaultConcurrency)
	c.OnError = cmp.Or(c.OnError, "block")
	if c.MinScore == nil {
		score := sidecar.DefaultScore
		c.MinScore = &score
	}
}

// sidecar checks what the detector outside is reached with and asked for.
func (d *decoder) sidecar(c SidecarConfig) {
	d.check("privacy.sidecar.token", c.Token, reference)
	d.check("privacy.sidecar.ca", c.CA, fileReference)
	d.check("privacy.sidecar.url", c.URL, func(s string) error { return sidecarURL(s, c.Private) })
	if _, err := sidecar.New(c.room()); err != nil {
		key, text, _ := strings.Cut(err.Error(), ": ")
		d.problem("privacy.sidecar."+key, text)
	}
}

// sidecarURL accepts https, and plain http to a literal loopback address: what is
// sent there is personal data in clear.
func sidecarURL(raw string, private bool) error {
	u, err := egress.CheckURL(raw, private)
	if err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	return plainHTTP(u)
}

func plainHTTP(u *url.URL) error {
	if u.Scheme == "https" {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err != nil || !ip.IsLoopback() {
		return errors.New("must be https; plain http is only for a loopback address such as http://127.0.0.1:3000/analyze")
	}
	return nil
}

// room is the configuration as the room has it, without the means to send.
func (c SidecarConfig) room() sidecar.Config {
	out := sidecar.Config{URL: c.URL, Language: c.Language, Entities: c.Entities, Timeout: time.Duration(c.Timeout), Bytes: int(c.MaxBytes), Concurrency: c.Concurrency}
	for _, t := range c.Types {
		out.Types = append(out.Types, pii.Type(t))
	}
	if c.MinScore != nil {
		out.MinScore = *c.MinScore
	}
	return out
}

// outside is the detector as the path asks it.
type outside struct {
	*sidecar.Client
	optional bool
}

// Optional implements protect.Outside.
func (o outside) Optional() bool { return o.optional }

// newOutside returns the detector outside, nil when none is configured.
func (a *App) newOutside() (protect.Outside, error) {
	c := a.config.Load().Privacy.Sidecar
	if c.URL == "" {
		return nil, nil
	}
	room := c.room()
	if c.Token != "" {
		token, err := Resolve(c.Token, a.dir, a.options.Environ, nil)
		if err != nil {
			return nil, fmt.Errorf("privacy.sidecar.token: %w", err)
		}
		room.Token = string(token)
	}
	client, err := a.sidecarClient(c)
	if err != nil {
		return nil, err
	}
	room.Do, room.Clock = client.Do, a.clock
	asked, err := sidecar.New(room)
	if err != nil {
		return nil, fmt.Errorf("privacy.sidecar.%w", err)
	}
	a.health.Watch(checkSidecar, func() (string, string) {
		if ok, detail := asked.Health(); !ok {
			return stateDegraded, detail
		}
		return stateOK, ""
	})
	return outside{asked, c.OnError == "flag"}, nil
}

// sidecarClient returns a client over the guarded dialler. It follows no redirect:
// whoever could answer for the service once would send texts elsewhere.
func (a *App) sidecarClient(c SidecarConfig) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	if c.CA != "" {
		pem, err := os.ReadFile(a.filePath(c.CA))
		if err != nil {
			return nil, fmt.Errorf("privacy.sidecar.ca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &admin.Error{Code: admin.Invalid, Message: "privacy.sidecar.ca holds no certificate in PEM form"}
		}
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return a.guard.Dial(ctx, network, addr, c.Private)
			},
			TLSClientConfig: conf, DisableCompression: true, MaxIdleConnsPerHost: c.Concurrency, MaxConnsPerHost: c.Concurrency,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 16 << 10, ForceAttemptHTTP2: true,
		},
	}, nil
}
