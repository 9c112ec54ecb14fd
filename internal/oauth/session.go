package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Session holds the token of one credential at one server: for whoever shares
// the credential, or for one caller where each has a token of its own. It is
// safe for concurrent use; only one request to the authorization server is
// under way at a time, and the others wait for its outcome.
type Session struct {
	client  *Client
	vault   Vault
	turn    chan struct{} // capacity 1; holds the right to change what follows
	state   State
	version int64
	loaded  bool
	subject [32]byte // digest of what the token was exchanged for
	ups     int      // requests for more scopes since a call last went through
	secrets atomic.Pointer[[]string]
}

// NewSession returns a session whose state is in vault.
func NewSession(c *Client, vault Vault) *Session {
	return &Session{client: c, vault: vault, turn: make(chan struct{}, 1)}
}

// Subject is the caller's own token, for an exchange. It prints as a marker.
type Subject struct{ Token string }

// String returns a marker.
func (s Subject) String() string { return "[subject]" }

// GoString returns a marker.
func (s Subject) GoString() string { return s.String() }

// digest tells subjects apart without keeping them; zero without one.
func (s Subject) digest() [32]byte {
	if s.Token == "" {
		return [32]byte{}
	}
	return sha256.Sum256([]byte(s.Token))
}

// Bounds of what one call may lead to.
const (
	early     = 10 * time.Second // a token is renewed so long before its end
	maxUps    = 2                // requests for more scopes until a call goes through
	fetchTime = 30 * time.Second // for everything that one call waits for
	kept      = 8                // secrets of the past that are still looked for in answers
)

// Token returns the access token to send. "" with a nil error means that there
// is none yet and that the server shall say what it wants.
func (s *Session) Token(ctx context.Context, who Subject) (string, error) {
	if err := s.take(ctx); err != nil {
		return "", err
	}
	defer s.give()
	if err := s.load(ctx); err != nil {
		return "", err
	}
	if s.state.Token != "" && s.subject == who.digest() && s.fresh() {
		return s.state.Token, nil
	}
	if s.state.Token == "" {
		return "", nil
	}
	err := s.renew(ctx, Challenge{Status: 401}, who)
	if errors.Is(err, ErrBusy) && s.client.cfg.Clock.Now().Before(s.state.Expires) {
		return s.state.Token, nil // it still holds while another node renews it
	}
	return s.state.Token, err
}

// Challenged returns another token after the server answered used with ch.
func (s *Session) Challenged(ctx context.Context, ch Challenge, used string, who Subject) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	if err := s.take(ctx); err != nil {
		return "", err
	}
	defer s.give()
	if s.state.Token != used && s.state.Token != "" && s.fresh() && s.subject == who.digest() && covers(s.state.Scope, ch.Scope) {
		return s.state.Token, nil // somebody else has already asked
	}
	if ch.InsufficientScope() {
		// A server that is never content does not keep a person or an
		// authorization server busy for ever.
		if s.ups++; s.ups > maxUps {
			s.ups = maxUps
			return "", refused("the server asks for more scopes again and again")
		}
	}
	err := s.renew(ctx, ch, who)
	return s.state.Token, err
}

// Passed says that the server accepted the token.
func (s *Session) Passed() {
	select {
	case s.turn <- struct{}{}:
		s.ups = 0
		<-s.turn
	default: // somebody is at work
	}
}

// Secrets returns every value that a server might echo.
func (s *Session) Secrets() []string {
	if all := s.secrets.Load(); all != nil {
		return *all
	}
	return nil
}

func (s *Session) take(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Session) give() { <-s.turn }

func (s *Session) fresh() bool {
	e := s.state.Expires
	return e.IsZero() || s.client.cfg.Clock.Now().Add(early).Before(e)
}

// load reads the vault once.
func (s *Session) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	return s.reload(ctx)
}

func (s *Session) reload(ctx context.Context) error {
	st, version, err := s.vault.Load(ctx)
	if err != nil {
		return fmt.Errorf("load tokens: %w", err)
	}
	s.state, s.version, s.loaded = st, version, true
	s.remember()
	return nil
}

// keep stores st before anything uses it: a refresh token that was rotated and
// then lost would end the credential.
func (s *Session) keep(ctx context.Context, st State, who Subject) error {
	version, err := s.vault.Save(context.WithoutCancel(ctx), st, s.version)
	if err != nil {
		return err
	}
	s.state, s.version, s.subject, s.loaded = st, version, who.digest(), true
	s.remember()
	return nil
}

func (s *Session) remember() {
	set := s.client.cfg.Settings
	all := []string{s.state.Token, s.state.Refresh, s.state.Secret, set.ClientSecret, set.IdPClientSecret}
	all = append(all, s.Secrets()...)
	var out []string
	for _, one := range all {
		if one != "" && !slices.Contains(out, one) && len(out) < kept+5 {
			out = append(out, one)
		}
	}
	s.secrets.Store(&out)
}

// renew obtains a token by the grant of the settings.
func (s *Session) renew(ctx context.Context, ch Challenge, who Subject) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	switch s.client.cfg.Settings.Grant {
	case Credentials:
		return s.asItself(ctx, ch, who)
	case Exchange, Assertion:
		return s.exchanged(ctx, ch, who)
	case Code:
		return s.byPerson(ctx, ch, who)
	}
	return refused("the grant is not known")
}

// asItself obtains a token for the gateway.
func (s *Session) asItself(ctx context.Context, ch Challenge, who Subject) error {
	p, st, err := s.prepared(ctx, ch)
	if err != nil {
		return err
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope := s.client.scopes(p, ch, st.Scope); scope != "" {
		form.Set("scope", scope)
	}
	if err := s.client.token(ctx, p.Token, form, &st); err != nil {
		return err
	}
	err = s.keep(ctx, st, Subject{})
	if errors.Is(err, ErrConflict) {
		return s.reload(ctx) // another node was faster
	}
	return err
}

// prepared discovers and makes sure that there is a client.
func (s *Session) prepared(ctx context.Context, ch Challenge) (*Provider, State, error) {
	p, err := s.client.Discover(ctx, ch)
	if err != nil {
		return nil, State{}, err
	}
	st := s.state
	if st.Issuer != "" && st.Issuer != p.Issuer && s.client.cfg.Ask == nil {
		return nil, State{}, fmt.Errorf("%w: the server names another authorization server than before", ErrLogin)
	}
	if err := s.client.register(ctx, p, &st); err != nil {
		return nil, State{}, err
	}
	return p, st, nil
}

// byPerson renews with the refresh token; where that does not do, a person
// must log in.
func (s *Session) byPerson(ctx context.Context, ch Challenge, who Subject) error {
	if s.state.Refresh != "" && !s.state.Login && !ch.InsufficientScope() {
		err := s.refresh(ctx, ch)
		if err == nil || !errors.Is(err, errGrant) && !errors.Is(err, ErrLogin) {
			return err
		}
	}
	if s.client.cfg.Ask == nil {
		if !ch.InsufficientScope() && s.version != 0 && !s.state.Login {
			st := s.state
			st.Login = true
			if err := s.keep(ctx, st, who); err != nil && !errors.Is(err, ErrConflict) {
				return err
			}
		}
		return ErrLogin
	}
	pending, err := s.client.Begin(ctx, ch, s.state)
	if err != nil {
		return err
	}
	query, err := s.client.cfg.Ask(ctx, pending.URL)
	if err != nil {
		return err
	}
	st, err := s.client.Finish(ctx, pending, query)
	if err != nil {
		return err
	}
	return s.keep(ctx, st, Subject{})
}

// refresh uses the refresh token, which rotates and may be used once only: a
// second use looks like theft to an authorization server, which then ends the
// login. So a node first stores that it is about to; one that loses that race
// waits for nothing and says ErrBusy.
func (s *Session) refresh(ctx context.Context, ch Challenge) error {
	before := s.version
	if err := s.reload(ctx); err != nil {
		return err
	}
	now := s.client.cfg.Clock.Now()
	switch {
	case s.version != before && s.state.Token != "" && s.fresh():
		return nil
	case now.Before(s.state.Lease):
		return ErrBusy
	case s.state.Login:
		return ErrLogin
	}
	st := s.state
	st.Lease = now.Add(fetchTime)
	if err := s.keep(ctx, st, Subject{}); errors.Is(err, ErrConflict) {
		return ErrBusy
	} else if err != nil {
		return err
	}
	next, err := s.rotated(ctx, ch)
	if err != nil {
		next = s.state
	}
	next.Lease = time.Time{}
	return errors.Join(err, s.keep(ctx, next, Subject{}))
}

// rotated returns the state after one use of the refresh token.
func (s *Session) rotated(ctx context.Context, ch Challenge) (State, error) {
	p, st, err := s.prepared(ctx, ch)
	if err != nil {
		return st, err
	}
	if st.Refresh == "" {
		return st, ErrLogin // the authorization server is another one
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {st.Refresh}}
	err = s.client.token(ctx, p.Token, form, &st)
	return st, err
}

// exchanged trades the caller's token for one for the server.
func (s *Session) exchanged(ctx context.Context, ch Challenge, who Subject) error {
	if who.Token == "" {
		return ErrSubject
	}
	set := &s.client.cfg.Settings
	p := &Provider{Resource: s.client.cfg.Resource, Token: set.TokenURL, Issuer: set.Issuer}
	var st State
	if set.TokenURL == "" || set.Grant == Assertion {
		var err error
		if p, st, err = s.prepared(ctx, ch); err != nil {
			return err
		}
	} else {
		st = State{Issuer: set.Issuer, Resource: p.Resource, ClientID: set.ClientID, Auth: s.client.method(p, set.ClientSecret != "")}
	}
	form := url.Values{"grant_type": {grantExchange}, "subject_token": {who.Token}, "subject_token_type": {typeAccess}}
	if set.SubjectType != "" {
		form.Set("subject_token_type", set.SubjectType)
	}
	if set.Grant == Assertion {
		return s.idJAG(ctx, p, st, form, who)
	}
	form.Set("requested_token_type", typeAccess)
	if set.Requested != "" {
		form.Set("requested_token_type", set.Requested)
	}
	if set.Audience != "" {
		form.Set("audience", set.Audience)
	}
	if scope := s.client.scopes(p, ch, ""); scope != "" {
		form.Set("scope", scope)
	}
	st.Refresh = ""
	if err := s.client.token(ctx, p.Token, form, &st); err != nil {
		return err
	}
	st.Refresh = "" // the caller's token is the only way to the next one
	return s.keep(ctx, st, who)
}

// idJAG gets an identity assertion from the identity provider and shows it to
// the server's authorization server.
func (s *Session) idJAG(ctx context.Context, p *Provider, st State, form url.Values, who Subject) error {
	set := &s.client.cfg.Settings
	if set.TokenURL == "" {
		return refused("there is no identity provider to ask")
	}
	form.Set("requested_token_type", typeIDJAG)
	form.Set("audience", p.Issuer)
	form.Set("resource", p.Resource)
	idp := client{id: set.IdPClientID, secret: set.IdPClientSecret, method: authNone, audience: set.TokenURL}
	if idp.id == "" {
		idp.id = set.ClientID
	}
	if idp.secret != "" {
		idp.method = authBasic
	}
	d, err := s.client.ask(ctx, set.TokenURL, form, idp)
	if err != nil {
		return err
	}
	if d.text("issued_token_type") != typeIDJAG || !sendable(d.text("access_token")) {
		return refused("the identity provider gave no identity assertion")
	}
	next := url.Values{"grant_type": {grantBearer}, "assertion": {d.text("access_token")}}
	if scope := strings.Join(set.Scopes, " "); scope != "" {
		next.Set("scope", scope)
	}
	if err := s.client.token(ctx, p.Token, next, &st); err != nil {
		return err
	}
	st.Refresh = ""
	return s.keep(ctx, st, who)
}
