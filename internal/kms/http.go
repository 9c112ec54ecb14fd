package kms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

// How long a key service may take, and how often a request that it did not
// take is repeated.
const (
	requestTimeout = 10 * time.Second
	attempts       = 4
	firstPause     = 200 * time.Millisecond
)

// maxAnswer is the longest answer that is read, bytes. A body of exactly that
// length is too long as well: its end is not seen.
const maxAnswer = 64 << 10

// newClient returns an HTTP client over the guarded dialler. ca, when it is
// set, replaces the system's authorities. TLS 1.2 is spoken only when tls12
// says so by name; there is no way to switch verification off.
//
// It follows no redirect: the request carries a credential and, in clear, the
// key to be wrapped, and whoever can answer for the service once could send
// both elsewhere (TestRedirectsAreNotFollowed).
func newClient(m Means, ca []byte, tls12 bool) (*http.Client, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	if tls12 {
		conf.MinVersion = tls.VersionTLS12
	}
	if ca != nil {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(ca) {
			return nil, why(ErrConfig, "the authorities file holds no certificate")
		}
	}
	return &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: bounded{&http.Transport{
			DialContext:            m.Dial,
			TLSClientConfig:        conf,
			TLSHandshakeTimeout:    requestTimeout,
			ResponseHeaderTimeout:  requestTimeout,
			IdleConnTimeout:        30 * time.Second,
			MaxIdleConns:           2,
			MaxConnsPerHost:        4,
			MaxResponseHeaderBytes: 32 << 10,
			DisableCompression:     true, // a small body that expands without bound is not an answer
			ForceAttemptHTTP2:      true,
		}},
	}, nil
}

// bounded ends every answer after maxAnswer bytes, also one that a cloud's
// client reads.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = &shortBody{ReadCloser: resp.Body, left: maxAnswer}
	}
	return resp, err
}

type shortBody struct {
	io.ReadCloser
	left int64
}

func (s *shortBody) Read(p []byte) (int, error) {
	if s.left <= 0 {
		return 0, errLong
	}
	n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	return n, err
}

// errLong ends an answer that no key service gives.
var errLong = fmt.Errorf("the answer is longer than %d bytes", maxAnswer)

// authorities reads a reference to PEM certificates; "" is the system's.
func authorities(m Means, ref string) ([]byte, error) {
	if ref == "" {
		return nil, nil
	}
	pem, err := m.Secret(ref)
	if err != nil {
		return nil, why(ErrCredential, "read authorities: %w", err)
	}
	return pem, nil
}

// checkAddress accepts https, and plain http to a literal loopback address,
// where a development server listens.
func checkAddress(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		(u.Path != "" && u.Path != "/") {
		return errors.New("must be https:// and a host, without path, such as https://vault.example.com:8200")
	}
	if u.Scheme == "https" {
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme != "http" || err != nil || !ip.IsLoopback() {
		return errors.New("must be https; plain http is only for a loopback address such as http://127.0.0.1:8200")
	}
	return nil
}

// pause waits on a timer.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retried calls f until it succeeds, fails for good, or was tried often
// enough. Only ErrUnreachable is worth another attempt.
func retried(ctx context.Context, m Means, f func(context.Context) error) error {
	wait := m.Pause
	if wait == nil {
		wait = pause
	}
	var err error
	for i := range attempts {
		if i > 0 {
			if stop := wait(ctx, firstPause<<(i-1)); stop != nil {
				return err
			}
		}
		if err = f(ctx); err == nil || !errors.Is(err, ErrUnreachable) {
			return err
		}
	}
	return err
}

// unreachable sorts what kept a request from being answered, and leaves out
// the URL, which net/http repeats. What another attempt does not mend is not
// ErrUnreachable.
func unreachable(err error) error {
	if cert := (*tls.CertificateVerificationError)(nil); errors.As(err, &cert) {
		return why(ErrUntrusted, "%w", cert.Err)
	}
	if errors.Is(err, errLong) {
		return why(ErrAnswer, "%w", errLong)
	}
	if fault.Is(err, fault.EgressForbidden) {
		return why(ErrConfig, "the gateway does not connect to such an address")
	}
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return why(ErrUnreachable, "%w", err)
}
