package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
)

// Renewal is a certificate that a client renews at its gateway.
type Renewal struct {
	Cert, Key, CA string // files; the key stays as it is
	URL           string // of the gateway, https
	Clock         clock.Clock
}

// Pair is a certificate as its holder sees it.
type Pair struct {
	Serial   string    `json:"serial"`
	NotAfter time.Time `json:"notAfter"`
	RenewAt  time.Time `json:"renewAt"` // half of its life
	Chain    []byte    `json:"-"`
}

// maxChainBytes bounds the gateway's answer.
const maxChainBytes = 64 << 10

// Current reads the certificate that is in force.
func (r Renewal) Current() (Pair, error) {
	pair, err := tls.LoadX509KeyPair(r.Cert, r.Key)
	if err != nil {
		return Pair{}, &admin.Error{Code: admin.Invalid, Message: "certificate and key cannot be used", Cause: err.Error()}
	}
	return pairOf(pair.Leaf, nil), nil
}

func pairOf(leaf *x509.Certificate, chain []byte) Pair {
	return Pair{Serial: keys.Serial(leaf), NotAfter: leaf.NotAfter, Chain: chain,
		RenewAt: leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)}
}

// Renew asks the gateway for the next certificate of the same key. It writes
// nothing: one file changes, the caller replaces it as a whole.
func (r Renewal) Renew(ctx context.Context) (Pair, error) {
	pair, err := tls.LoadX509KeyPair(r.Cert, r.Key)
	if err != nil {
		return Pair{}, &admin.Error{Code: admin.Invalid, Message: "certificate and key cannot be used", Cause: err.Error()}
	}
	keyPEM, err := os.ReadFile(r.Key)
	if err != nil {
		return Pair{}, err
	}
	request, err := keys.MakeRequest(keyPEM)
	if err != nil {
		return Pair{}, &admin.Error{Code: admin.Invalid, Message: err.Error()}
	}
	roots := x509.NewCertPool()
	if ca, err := os.ReadFile(r.CA); err != nil || !roots.AppendCertsFromPEM(ca) {
		return Pair{}, &admin.Error{Code: admin.Invalid, Message: r.CA + " holds no certificate to trust the gateway with", Fix: "name it with --ca"}
	}
	chain, err := r.ask(ctx, &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots, Certificates: []tls.Certificate{pair}}, request)
	if err != nil {
		return Pair{}, err
	}
	next, err := tls.X509KeyPair(chain, keyPEM)
	if err != nil {
		return Pair{}, fmt.Errorf("the gateway's answer is no certificate of this key: %w", err)
	}
	old, fresh := pair.Leaf, next.Leaf
	if len(old.URIs) != 1 || len(fresh.URIs) != 1 || old.URIs[0].String() != fresh.URIs[0].String() || !fresh.NotAfter.After(old.NotAfter) {
		return Pair{}, errors.New("the gateway's answer is not the next certificate of the same component")
	}
	return pairOf(fresh, chain), nil
}

// ask sends the request over mutual TLS, through the guarded dialler: a gateway
// on this machine or in a private network is what it is for.
func (r Renewal) ask(ctx context.Context, config *tls.Config, request []byte) ([]byte, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, &admin.Error{Code: admin.Invalid, Message: "the gateway's URL must be https://HOST[:PORT]"}
	}
	guard := egress.New(egress.Config{})
	client := &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true, DisableCompression: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return guard.Dial(ctx, network, addr, true)
			}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+u.Host+"/enrol/renew", bytes.NewReader(request))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/x-pem-file")
	resp, err := client.Do(q)
	if err != nil {
		return nil, &admin.Error{Code: admin.Unavailable, Message: "the gateway cannot be reached, or refuses the certificate", Cause: err.Error()}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxChainBytes+1))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK && len(body) <= maxChainBytes {
		return body, nil
	}
	var why struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &why) != nil || len(why.Error) > 200 {
		why.Error = ""
	}
	code := admin.Forbidden
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
		code = admin.Unavailable
	}
	return nil, &admin.Error{Code: code, Message: fmt.Sprintf("the gateway answers %d", resp.StatusCode), Cause: why.Error,
		Fix: "enrol again with a new join token: ostiary cert join-token AGENT"}
}
