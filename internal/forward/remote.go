package forward

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/lifetime"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// remote is a server reached by Streamable HTTP.
type remote struct {
	step   *Step
	srv    *registry.Server
	client *http1.Client
	tls    *tls.Config
	addr   string // host:port
	host   string // Host header
	target string
	fixed  http1.Header // credentials of the gateway's own
	hidden credentials  // what of fixed no caller may see
	auth   *bound       // the OAuth credential; nil without one
	pool   string       // keeps its connections apart from those with another credential
	wire   wire.Limits
	hub    *hub

	mu       sync.Mutex
	sessions map[string]*remoteSession // legacy sessions of /mcp, by our session id
}

// remoteSession is an upstream session that was opened for a session of /mcp.
type remoteSession struct {
	ready   chan struct{}
	id      string
	version wire.Version
	err     error
}

func newRemote(s *Step, srv *registry.Server) (*remote, error) { return newRemoteAs(s, srv, nil) }

// newRemoteAs returns a backend that shows srv the credential auth, which may
// be nil.
func newRemoteAs(s *Step, srv *registry.Server, auth *bound) (*remote, error) {
	u, err := url.Parse(srv.URL)
	if err != nil {
		return nil, fault.Wrap(fault.UpstreamUnreachable, err)
	}
	r := &remote{
		step: s, srv: srv, pool: srv.ID, client: s.clients[srv.Private], addr: hostPort(u), host: u.Host,
		target: u.RequestURI(), wire: s.cfg.Wire, sessions: map[string]*remoteSession{},
	}
	if srv.MessageBytes > 0 {
		r.wire.Bytes = srv.MessageBytes
	}
	if u.Scheme == "https" {
		if r.tls, err = tlsConfig(srv, u.Hostname()); err != nil {
			return nil, fault.Wrap(fault.UpstreamUnreachable, err)
		}
	}
	if r.auth = auth; auth != nil {
		r.pool += "\x00" + auth.key
		if auth.session, err = auth.open(); err != nil {
			return nil, err
		}
	}
	for _, secret := range srv.Secrets {
		if auth != nil && strings.EqualFold(secret.Name, "Authorization") {
			continue // one Authorization header, and the newer decision of the two
		}
		value, err := s.cfg.Open(srv.ID, secret)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, fmt.Errorf("open credential %s of server %s: %w", secret.Name, srv.ID, err))
		}
		r.fixed = append(r.fixed, http1.Field{Name: secret.Name, Value: string(value)})
		r.hidden = r.hidden.with(secret.Name, string(value))
	}
	r.hub = newHub(r.listen, s.limits.Queue)
	return r, nil
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return u.Host + ":443"
	}
	return u.Host + ":80"
}

func (r *remote) send(ctx context.Context, x *exchange.Exchange) error {
	switch {
	case x.Verb == exchange.End:
		return r.end(ctx, x)
	case x.Verb == exchange.Stream:
		return r.stream(ctx, x)
	case x.Fact.Method == "subscriptions/listen":
		x.Answers = r.hub.listen(ctx, x)
		return nil
	case x.Request == nil:
		return fault.New(fault.Internal)
	}
	return r.post(ctx, x)
}

// post sends x.Request and prepares the answer.
func (r *remote) post(ctx context.Context, x *exchange.Exchange) error {
	session, version, err := r.session(ctx, x)
	if err != nil {
		return err
	}
	h, err := r.headers(x, session, version)
	if err != nil {
		return err
	}
	asks := x.Request.Kind() == wire.Request
	if asks {
		if err := r.step.slots.Take(r.srv.ID); err != nil {
			return err
		}
	}
	life := lifetime.Under(ctx)
	limit := time.AfterFunc(r.step.callLimit(x, r.srv), func() { life.End(fault.New(fault.UpstreamLate)) })
	done := func() {
		limit.Stop()
		life.End(nil)
		if asks {
			r.step.slots.Give(r.srv.ID)
		}
	}
	x.Sent = true
	resp, err := r.roundTrip(life, &http1.OutRequest{
		Method: "POST", TLS: r.tls, Addr: r.addr, Host: r.host, Target: r.target, Header: h,
		Body: x.Request.Raw(), PoolKey: r.pool, Idempotent: x.Decision.Need == registry.Read && x.Tool == nil,
	})
	if err != nil {
		err = cause(life, err)
		done()
		return err
	}
	if !asks {
		defer done()
		defer resp.Body.Close()
		return r.accepted(resp)
	}
	x.Answers = func(yield func(exchange.Answer, error) bool) {
		defer done()
		defer resp.Body.Close()
		r.answers(life, life.End, x, resp, yield)
	}
	return nil
}

// do sends one request that is not to be repeated.
func (r *remote) do(ctx context.Context, method string, h http1.Header, body []byte) (*http1.InResponse, error) {
	return r.roundTrip(ctx, &http1.OutRequest{
		Method: method, TLS: r.tls, Addr: r.addr, Host: r.host, Target: r.target, Header: h, Body: body, PoolKey: r.pool,
	})
}

// accepted reads the answer to what asks for none.
func (r *remote) accepted(resp *http1.InResponse) error {
	if resp.Status/100 != 2 {
		return fault.Wrap(fault.UpstreamBad, fmt.Errorf("server %s answered status %d to a notification", r.srv.ID, resp.Status))
	}
	_, _, err := readBody(resp, r.wire.Bytes, nil)
	return err
}

// answers reads the response to a POST.
func (r *remote) answers(ctx context.Context, abort context.CancelCauseFunc, x *exchange.Exchange, resp *http1.InResponse, yield func(exchange.Answer, error) bool) {
	if x.Request.Method() == "initialize" && x.Session != nil && resp.Status == 200 {
		x.Session.Remote, _ = resp.Header.Get("Mcp-Session-Id")
		if !validSession(x.Session.Remote) {
			yield(exchange.Answer{}, fault.New(fault.UpstreamBad))
			return
		}
		out := yield
		yield = func(a exchange.Answer, err error) bool {
			if err == nil && a.Message == nil {
				return true // nothing may leave before the session is there
			}
			if err == nil {
				r.opened(x, a.Message)
			}
			return out(a, err)
		}
	}
	kind, err := contentType(resp)
	if err != nil {
		yield(exchange.Answer{}, err)
		return
	}
	switch {
	case resp.Status == 200 && kind == eventStream:
		// The caller's stream begins with the server's, but for initialize,
		// whose answer brings the session id in its head.
		if x.Request.Method() == "initialize" || yield(exchange.Answer{}, nil) {
			r.events(ctx, abort, x, resp, yield)
		}
	case resp.Status == 200 && kind == jsonBody:
		m, err := r.message(ctx, x, resp)
		if err == nil {
			m, err = answerTo(x.Request.ID(), m)
		}
		yield(exchange.Answer{Message: m}, err)
	default:
		m, err := r.refusal(ctx, x, resp, kind)
		yield(exchange.Answer{Message: m}, err)
	}
}

// refusal reads an answer whose status says no. A JSON-RPC error of the
// server's own passes with its status; anything else becomes ours.
func (r *remote) refusal(ctx context.Context, x *exchange.Exchange, resp *http1.InResponse, kind mediaType) (*wire.Message, error) {
	if resp.Status == 404 && x.Session != nil && !x.Session.New {
		r.forget(x.Session.ID)
		return nil, fault.New(fault.SessionUnknown)
	}
	if (resp.Status == 400 || resp.Status == 404) && kind == jsonBody && x.Request.Kind() == wire.Request {
		m, err := r.message(ctx, x, resp)
		if err == nil && m.Kind() == wire.ErrorResponse {
			if m, err = answerTo(x.Request.ID(), m); err == nil {
				x.Status = resp.Status
				return m, nil
			}
		}
	}
	if resp.Status == 400 && x.Era == wire.Modern {
		return nil, fault.Wrap(fault.EraMismatch, fmt.Errorf("server %s answered 400 to a modern request", r.srv.ID))
	}
	return nil, fault.Wrap(fault.UpstreamBad, fmt.Errorf("server %s answered status %d", r.srv.ID, resp.Status))
}

// answerTo checks that m answers id. An error without an id, on a stream of
// this one request, answers it too (JSON-RPC 2.0, 5).
func answerTo(id wire.ID, m *wire.Message) (*wire.Message, error) {
	if m.Kind() != wire.Response && m.Kind() != wire.ErrorResponse {
		return nil, fault.Wrap(fault.UpstreamBad, fmt.Errorf("a %v where the answer was due", m.Kind()))
	}
	if m.ID() == id {
		return m, nil
	}
	if m.Kind() == wire.ErrorResponse && (m.ID().IsZero() || m.ID() == wire.NullID) {
		return m.WithID(id)
	}
	return nil, fault.Wrap(fault.UpstreamBad, fmt.Errorf("an answer to another request"))
}

// message reads one JSON message as the whole body.
func (r *remote) message(ctx context.Context, x *exchange.Exchange, resp *http1.InResponse) (*wire.Message, error) {
	raw, release, err := readBody(resp, r.wire.Bytes, &r.step.buffers)
	if release != nil {
		x.Release = append(x.Release, release)
	}
	if err != nil {
		return nil, cause(ctx, err)
	}
	if err := r.step.cfg.Budget.Take(int64(len(raw))); err != nil {
		return nil, err
	}
	x.Held += int64(len(raw))
	m, err := parse(raw, r.wire)
	if err != nil {
		return nil, err
	}
	return r.secrets().strip(m)
}

// parse reads a message from a server: what is malformed is the server's
// fault, never the caller's.
func parse(raw []byte, lim wire.Limits) (*wire.Message, error) {
	m, err := wire.Parse(raw, lim, wire.FromServer)
	switch {
	case err == nil:
		return m, nil
	case fault.Is(err, fault.TooLarge):
		return nil, fault.Wrap(fault.UpstreamTooLarge, err)
	}
	return nil, fault.Wrap(fault.UpstreamBad, err)
}

func (r *remote) tell(ctx context.Context, x *exchange.Exchange, m *wire.Message) error {
	session, version, err := r.session(ctx, x)
	if err != nil {
		return err
	}
	h, err := r.headers(x, session, version)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), tellLimit, fault.New(fault.UpstreamLate))
	defer cancel()
	resp, err := r.do(ctx, "POST", h, m.Raw())
	if err != nil {
		return cause(ctx, err)
	}
	_, _, err = readBody(resp, r.wire.Bytes, nil)
	resp.Body.Close()
	return err
}

// end ends the upstream's session; a server that cannot is no error.
func (r *remote) end(ctx context.Context, x *exchange.Exchange) error {
	if x.Session.Bound && !r.knows(x.Session.ID) {
		return nil // opening a session to end it helps nobody
	}
	session, version, err := r.session(ctx, x)
	r.forget(x.Session.ID)
	if err != nil || session == "" {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, tellLimit, fault.New(fault.UpstreamLate))
	defer cancel()
	x.Sent = true
	resp, err := r.do(ctx, "DELETE", r.sessionHeaders(session, version), nil)
	if err != nil {
		return nil // the session ends here in any case
	}
	return resp.Body.Close()
}

func (r *remote) close() {
	r.hub.close()
}
