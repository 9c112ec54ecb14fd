package forward

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// fetchLimit bounds one request to an authorization server, with its body.
const fetchLimit = 15 * time.Second

// fetcher returns how srv's authorization server is reached: through the
// guarded dialler, over connections that no call to srv uses, without following
// a redirect and with bounds for size and time. Only a server registered as
// private may have its authorization server on loopback.
func (s *Step) fetcher(srv *registry.Server) oauth.Fetch {
	var mu sync.Mutex
	configs := map[string]*tls.Config{}
	config := func(name, host string) (*tls.Config, error) {
		mu.Lock()
		defer mu.Unlock()
		if c := configs[host]; c != nil {
			return c, nil
		}
		if len(configs) >= 16 {
			clear(configs)
		}
		as := &registry.Server{CAFile: srv.CAFile, TLS12: srv.TLS12}
		if own, err := egress.CheckURL(srv.URL, srv.Private); err == nil && own.Host == host {
			as = srv // its pins and client certificate are for its own host alone
		}
		c, err := tlsConfig(as, name)
		if err == nil {
			configs[host] = c
		}
		return c, err
	}
	return func(ctx context.Context, q oauth.Request) (oauth.Response, error) {
		u, err := egress.CheckURL(q.URL, srv.Private)
		if err != nil {
			return oauth.Response{}, fault.Wrap(fault.EgressForbidden, err)
		}
		out := &http1.OutRequest{Method: q.Method, Addr: hostPort(u), Host: u.Host, Target: u.RequestURI(), Body: q.Body, PoolKey: "oauth " + srv.ID}
		if u.Scheme == "https" {
			if out.TLS, err = config(u.Hostname(), u.Host); err != nil {
				return oauth.Response{}, fault.Wrap(fault.UpstreamUnreachable, err)
			}
		}
		for _, f := range []http1.Field{{Name: "Accept", Value: q.Accept}, {Name: "Content-Type", Value: q.Type}, {Name: "Authorization", Value: q.Basic},
			{Name: "Accept-Encoding", Value: "identity"}, {Name: "MCP-Protocol-Version", Value: string(wire.V20251125)}} {
			if f.Value != "" {
				out.Header = append(out.Header, f)
			}
		}
		ctx, cancel := context.WithTimeoutCause(ctx, fetchLimit, fault.New(fault.UpstreamLate))
		defer cancel()
		resp, err := s.clients[srv.Private].Do(ctx, out)
		if err != nil {
			return oauth.Response{}, cause(ctx, err)
		}
		return fetched(ctx, resp)
	}
}

// fetched reads a bounded body.
func fetched(ctx context.Context, resp *http1.InResponse) (oauth.Response, error) {
	defer resp.Body.Close()
	kind, _ := resp.Header.Get("Content-Type")
	name, _, _ := strings.Cut(kind, ";")
	name = strings.ToLower(strings.TrimSpace(name))
	body, err := io.ReadAll(io.LimitReader(resp.Body, oauth.MaxBody+1))
	if err != nil {
		return oauth.Response{}, cause(ctx, err)
	}
	if len(body) > oauth.MaxBody {
		return oauth.Response{}, fault.Wrap(fault.UpstreamTooLarge, errors.New("a document of an authorization server"))
	}
	return oauth.Response{Status: resp.Status, JSON: name == "application/json" || strings.HasSuffix(name, "+json"), Body: body}, nil
}

// Begin starts a person's login at srv's authorization server. It asks srv
// without a token first, for its challenge.
func (s *Step) Begin(ctx context.Context, srv registry.Server, set oauth.Settings, before oauth.State) (*oauth.Pending, error) {
	ch, err := s.challenge(ctx, &srv)
	if err != nil {
		return nil, err
	}
	return s.oauthClient(&srv, set).Begin(ctx, ch, before)
}

// Finish ends a login.
func (s *Step) Finish(ctx context.Context, srv registry.Server, set oauth.Settings, p *oauth.Pending, query string) (oauth.State, error) {
	return s.oauthClient(&srv, set).Finish(ctx, p, query)
}

// challenge returns what srv answers to a request without a token.
func (s *Step) challenge(ctx context.Context, srv *registry.Server) (oauth.Challenge, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.limits.Start, fault.New(fault.UpstreamLate))
	defer cancel()
	bare := *srv
	bare.Secrets = nil
	r, err := newRemote(s, &bare)
	if err != nil {
		return oauth.Challenge{}, err
	}
	defer r.close()
	m, err := wire.NewRequest(wire.IntID(1), "initialize", []byte(helloParams))
	if err != nil {
		return oauth.Challenge{}, err
	}
	resp, err := r.client.Do(ctx, &http1.OutRequest{Method: "POST", TLS: r.tls, Addr: r.addr, Host: r.host, Target: r.target,
		Header: r.plainHeaders("", ""), Body: m.Raw(), PoolKey: "oauth " + srv.ID})
	if err != nil {
		return oauth.Challenge{}, cause(ctx, err)
	}
	defer resp.Body.Close()
	if resp.Status/100 == 5 {
		return oauth.Challenge{}, fault.Wrap(fault.UpstreamBad, fmt.Errorf("status %d to a request without a token", resp.Status))
	}
	return challengeOf(resp), nil
}
