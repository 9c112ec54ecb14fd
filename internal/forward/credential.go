package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
)

// bound is the credential that one backend shows to its server.
type bound struct {
	key      string // of the credential, and of the caller where each has a token of its own
	id       string
	personal bool   // a token for each caller, exchanged for their own
	agent    string // the caller, of a personal one
	at       int64
	open     func() (*oauth.Session, error)
	session  *oauth.Session // set when a backend is made of it
	subject  atomic.Pointer[oauth.Subject]
}

// round tells revisions of a credential apart.
func (b *bound) round() int64 {
	if b == nil {
		return 0
	}
	return b.at
}

// take adopts the caller's token of a newer call, which another may replace.
func (b *bound) take(newer *bound) {
	if b != nil && newer != nil {
		b.subject.Store(newer.subject.Load())
	}
}

func (b *bound) who() oauth.Subject {
	if s := b.subject.Load(); s != nil {
		return *s
	}
	return oauth.Subject{}
}

// credentialLives reports whether the backend's credential is still the one
// of view, or it has none. A token that was exchanged for a caller's own goes
// when the caller is out (A10, TestA10ExchangedTokensGoWithTheirAgent): it
// would be good at the server still.
func (e *entry) credentialLives(view *registry.Snapshot) bool {
	r, ok := e.backend.(*remote)
	if !ok || r.auth == nil {
		return true
	}
	c := registry.Get[registry.Credential](view, registry.KindCredential, r.auth.id)
	if r.auth.agent != "" {
		if a := view.Agent(r.auth.agent); a == nil || a.State != registry.Active || view.Killed(a.ID, "", "") != "" {
			return false
		}
	}
	return c != nil && c.Round == r.auth.at
}

// boundTo returns the credential of x at srv: the person's own, the agent's
// own, or the one of everybody; nil when there is none. x is nil for what the
// gateway does by itself.
func (s *Step) boundTo(srv *registry.Server, x *exchange.Exchange) *bound {
	if s.cfg.Live == nil || srv.Transport != registry.HTTP {
		return nil
	}
	view := s.cfg.Live.Load()
	whom := []string{""}
	if x != nil {
		whom = []string{x.Principal.Person, x.Principal.Pseudonym, ""}
	}
	for i, one := range whom {
		if one == "" && i < len(whom)-1 {
			continue
		}
		id := registry.CredentialID(srv.ID, one)
		if c := registry.Get[registry.Credential](view, registry.KindCredential, id); c != nil {
			return s.bind(srv, x, c, id)
		}
	}
	return nil
}

// bind returns the credential for one call.
func (s *Step) bind(srv *registry.Server, x *exchange.Exchange, c *registry.Credential, id string) *bound {
	b := &bound{key: id, id: id, at: c.Round, personal: c.Exchanges()}
	if b.personal && x != nil {
		b.agent = x.Principal.ID
		b.key += "\x00" + x.Principal.ID + "\x00" + x.Principal.Person
		if token := identity.Reveal(x.Carried); token != "" {
			b.subject.Store(&oauth.Subject{Token: token})
		}
	}
	b.open = func() (*oauth.Session, error) { return s.session(srv, c, b) }
	return b
}

// session opens the settings of c.
func (s *Step) session(srv *registry.Server, c *registry.Credential, b *bound) (*oauth.Session, error) {
	raw, err := s.cfg.Unseal(b.id, c.Sealed)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, fmt.Errorf("open credential %s: %w", b.id, err))
	}
	var set oauth.Settings
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fault.Wrap(fault.Internal, fmt.Errorf("read credential %s: %w", b.id, err))
	}
	vault := oauth.Vault(&memory{})
	if !b.personal {
		vault = s.cfg.Tokens(b.id)
	}
	return oauth.NewSession(s.oauthClient(srv, set), vault), nil
}

func (s *Step) oauthClient(srv *registry.Server, set oauth.Settings) *oauth.Client {
	return oauth.New(oauth.Config{
		Resource: srv.URL, Private: srv.Private, Settings: set, Fetch: s.fetcher(srv), Clock: s.cfg.Clock, Ask: s.cfg.Ask,
	})
}

// roundTrip sends a request with the token of the backend's credential. A
// refusal of the server for the token's sake is between the gateway and the
// server: it is answered here, by a newer token or one with more scopes, and a
// caller sees a failure of the server and never a challenge that would make
// them send a credential (protocol.md 6; TestA14ChallengesStayHere). The
// server has done nothing for a request that it answered so, so sending it once
// more repeats no effect.
func (r *remote) roundTrip(ctx context.Context, out *http1.OutRequest) (*http1.InResponse, error) {
	if r.auth == nil {
		resp, err := r.client.Do(ctx, out)
		if err == nil && resp.Status == 401 {
			resp.Body.Close()
			return nil, r.barred(errors.New("the server wants a credential and none is stored"))
		}
		return resp, err
	}
	token, err := r.auth.session.Token(ctx, r.auth.who())
	if err != nil {
		return nil, r.barred(err)
	}
	plain := out.Header
	for tries := 0; ; tries++ {
		out.Header = plain
		if token != "" {
			out.Header = append(append(http1.Header{}, plain...), http1.Field{Name: "Authorization", Value: "Bearer " + token})
		}
		resp, err := r.client.Do(ctx, out)
		if err != nil {
			return nil, err
		}
		ch := challengeOf(resp)
		if resp.Status != 401 && !ch.InsufficientScope() {
			if resp.Status/100 == 2 {
				r.auth.session.Passed()
			}
			return resp, nil
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
		resp.Body.Close()
		if tries == maxTries {
			return nil, r.barred(fmt.Errorf("status %d with a new token", resp.Status))
		}
		if token, err = r.auth.session.Challenged(ctx, ch, token, r.auth.who()); err != nil {
			return nil, r.barred(err)
		}
	}
}

// maxTries is how often one request is sent again: for a token that ended and
// for scopes that it lacks.
const maxTries = 3

func challengeOf(resp *http1.InResponse) oauth.Challenge {
	var fields []string
	for value := range resp.Header.All("WWW-Authenticate") {
		if fields = append(fields, value); len(fields) == 8 {
			break
		}
	}
	return oauth.ParseChallenge(resp.Status, fields)
}

// barred turns a failure to obtain a token into what a caller may know.
func (r *remote) barred(err error) error {
	if errors.As(err, new(*fault.Error)) {
		return err
	}
	e := fault.Newf(fault.UpstreamBad, "The server did not accept the gateway's credential; an operator can renew it with: ostiary server login %s", r.srv.ID)
	if errors.Is(err, oauth.ErrBusy) {
		e = fault.New(fault.UpstreamUnreachable)
	}
	if errors.Is(err, oauth.ErrSubject) {
		e = fault.Newf(fault.UpstreamBad, "The server takes callers with a token of their identity provider only.")
	}
	e.Cause = fmt.Errorf("credential for server %s: %w", r.srv.ID, err)
	return e
}

// secrets are what no answer of the server may hold.
func (r *remote) secrets() credentials {
	if r.auth == nil {
		return r.hidden
	}
	all := append(credentials{}, r.hidden...)
	for _, one := range r.auth.session.Secrets() {
		if len(one) >= shortest {
			all = append(all, one)
		}
	}
	return all
}

// memory keeps tokens that were exchanged for a caller's own and are not
// stored anywhere: they end with the caller's.
type memory struct {
	state   oauth.State
	version int64
}

// Load returns what was saved.
func (m *memory) Load(context.Context) (oauth.State, int64, error) { return m.state, m.version, nil }

// Save keeps st; its session is its only user.
func (m *memory) Save(_ context.Context, st oauth.State, version int64) (int64, error) {
	if version != m.version {
		return 0, oauth.ErrConflict
	}
	m.state, m.version = st, m.version+1
	return m.version, nil
}
