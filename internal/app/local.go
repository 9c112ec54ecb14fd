package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/egress"
)

// localLife is how long the certificate of a local client lives. It is never
// written to a disk: the client asks for the next one itself.
const localLife = 24 * time.Hour

// Local is what a client on this machine needs to reach the running gateway as
// an agent.
type Local struct {
	Agent        string
	URL          string      // the MCP endpoint
	TLS          *tls.Config // trusts the gateway, shows the agent's certificate
	Dial         func(ctx context.Context, network, addr string) (net.Conn, error)
	MessageBytes int // the gateway's limit of one message
}

// AttachLocal asks the running gateway in dir for a way in. Who may open the
// gateway's socket may become any of its agents; nobody else can.
func AttachLocal(ctx context.Context, dir string, o Options, r admin.Attach) (*Local, error) {
	c, err := Load(dir, o.Environ)
	if err != nil {
		return nil, err
	}
	a, err := attach(ctx, dir, o, r)
	if err != nil {
		return nil, err
	}
	cert := &borrowed{dir: dir, options: o, agent: a.Agent, clock: o.Clock}
	if _, err := cert.get(ctx); err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: a.ServerName,
		GetClientCertificate: func(i *tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert.get(i.Context()) }}
	if len(a.CAPEM) > 0 {
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(a.CAPEM) {
			return nil, errors.New("the gateway's authority is not a PEM certificate")
		}
	}
	guard := egress.New(egress.Config{})
	return &Local{Agent: a.Agent, URL: a.URL, TLS: cfg, MessageBytes: int(c.Limits.MessageBytes),
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return guard.Dial(ctx, network, a.Address, true)
		}}, nil
}

func attach(ctx context.Context, dir string, o Options, r admin.Attach) (a admin.Attachment, err error) {
	api, done, err := Connect(ctx, dir, o)
	if err != nil {
		return a, err
	}
	a, err = api.Attach(ctx, r)
	return a, errors.Join(err, done())
}

// borrowed is the certificate of an agent, renewed by use.
type borrowed struct {
	dir     string
	options Options
	agent   string
	clock   clock.Clock

	mu    sync.Mutex
	cert  *tls.Certificate
	renew time.Time
}

func (b *borrowed) get(ctx context.Context) (*tls.Certificate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cert != nil && b.clock.Now().Before(b.renew) {
		return b.cert, nil
	}
	api, done, err := Connect(ctx, b.dir, b.options)
	if err != nil {
		return nil, err
	}
	d, err := api.IssueCertificate(ctx, admin.IssueCertificate{Agent: b.agent, Life: admin.Duration(localLife),
		Change: admin.Change{Reason: "a local client connects"}})
	if err := errors.Join(err, done()); err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(d.Item.CertPEM, d.Item.KeyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the issued certificate: %w", err)
	}
	b.cert, b.renew = &cert, b.clock.Now().Add(localLife*2/3)
	return b.cert, nil
}
