package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	neturl "net/url"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Upstream logs in at the authorization servers of servers; forward does. What
// a Prober also is, is used for it.
type Upstream interface {
	Begin(ctx context.Context, srv registry.Server, set oauth.Settings, before oauth.State) (*oauth.Pending, error)
	Finish(ctx context.Context, srv registry.Server, set oauth.Settings, p *oauth.Pending, query string) (oauth.State, error)
}

// CredentialRef names the credential of a server: of everybody, or of one agent
// or person.
type CredentialRef struct {
	Server string `json:"server"`
	Agent  string `json:"agent,omitempty"`
	Person string `json:"person,omitempty"`
}

// SetCredential says how the gateway obtains tokens for a server.
type SetCredential struct {
	Change
	CredentialRef
	Settings oauth.Settings `json:"settings"`
}

// RemoveCredential forgets how, and the tokens.
type RemoveCredential struct {
	Change
	CredentialRef
}

// BeginLogin asks for the URL at which a person lets the gateway use a server.
type BeginLogin struct {
	CredentialRef
	Redirect string `json:"redirect"` // where the browser is sent back
}

// LoginBegun is what the person opens, and what FinishLogin needs.
type LoginBegun struct {
	URL    string `json:"url"`
	Handle []byte `json:"handle"` // sealed
}

// FinishLogin ends a login with the query of the redirect.
type FinishLogin struct {
	Change
	CredentialRef
	Handle []byte `json:"handle"`
	Query  string `json:"query"`
}

// CredentialView is a credential without its secrets.
type CredentialView struct {
	Server  string     `json:"server"`
	For     string     `json:"for"` // agent or person, "everybody", or a pseudonym whose name is gone
	Grant   string     `json:"grant"`
	Issuer  string     `json:"issuer,omitempty"`
	State   string     `json:"state"` // "ready", "login", "set"
	Scope   string     `json:"scope,omitempty"`
	Expires *time.Time `json:"expires,omitempty"` // of the access token
	Changed time.Time  `json:"changed"`
}

// credentialIdentity is the identity under which the parts of a credential are
// sealed.
func credentialIdentity(kind registry.NounKind, id, part string) keys.Identity {
	return keys.Identity{Tenant: keys.DefaultTenant, Kind: string(kind), Record: id, Column: part, Version: "1"}
}

// CredentialIdentity is the identity of the settings of a credential.
func CredentialIdentity(id string) keys.Identity {
	return credentialIdentity(registry.KindCredential, id, "settings")
}

// UpstreamIdentity is the identity of its tokens.
func UpstreamIdentity(id string) keys.Identity {
	return credentialIdentity(registry.KindUpstream, id, "state")
}

// maxSettings bounds the settings of a credential, bytes.
const maxSettings = 64 << 10

// whose returns the id and owner of r's credential.
func (o *operator) whose(r CredentialRef) (id, owner string, err error) {
	srv, err := o.cfg.Store.Server(r.Server)
	if err != nil {
		return "", "", asError("server "+r.Server, err)
	}
	if srv.Transport != registry.HTTP {
		return "", "", invalid("use --env or --header of server submit", "only a server reached by Streamable HTTP takes such a credential")
	}
	if r.Agent != "" && r.Person != "" {
		return "", "", invalid("give one of them", "a credential is of an agent or a person, not both")
	}
	if owner = r.Agent + r.Person; owner == "" {
		return r.Server, "", nil
	}
	if r.Agent != "" {
		if _, err := o.cfg.Store.Agent(r.Agent); err != nil {
			return "", "", asError("agent "+r.Agent, err)
		}
	}
	whom, err := o.cfg.Store.Pseudonym(owner)
	if err != nil {
		return "", "", asError("credential", err)
	}
	return registry.CredentialID(r.Server, whom), owner, nil
}

// SetCredential seals the settings. Tokens that were obtained with others are
// forgotten: they may be of another authorization server.
func (o *operator) SetCredential(_ context.Context, r SetCredential) (Done[CredentialView], error) {
	var out Done[CredentialView]
	if err := checkSettings(&r.Settings); err != nil {
		return out, err
	}
	id, owner, err := o.whose(r.CredentialRef)
	if err != nil {
		return out, err
	}
	err = o.change(credentialAct("credential.set", id, r.CredentialRef, r.Change), func(s store.Store) (any, error) {
		if err := dropTokens(s, id); err != nil {
			return nil, err
		}
		c, err := o.putCredential(s, id, owner, &r.Settings)
		return detailOf(c), err
	})
	if err != nil {
		return out, err
	}
	out.Applied = !r.DryRun
	if r.Settings.Grant == oauth.Code {
		out.Notices = []string{"a person must log in: ostiary server login " + r.Server}
	}
	out.Item = CredentialView{Server: r.Server, For: forWhom(owner), Grant: r.Settings.Grant, Issuer: r.Settings.Issuer, State: "set", Changed: o.cfg.Clock.Now().UTC()}
	return out, nil
}

func forWhom(owner string) string {
	if owner == "" {
		return "everybody"
	}
	return owner
}

// credentialAct describes a change of a credential. Its id holds a pseudonym at
// most.
func credentialAct(kind, id string, r CredentialRef, c Change) *act {
	return &act{kind: kind, subject: r.Server, agent: r.Agent, noun: registry.NounRef{Kind: registry.KindCredential, ID: id},
		what: "the credential for server " + r.Server, Change: c}
}

// credentialDetail is what the log keeps of a credential.
type credentialDetail struct {
	Grant  string `json:"grant"`
	Shared bool   `json:"shared"`
	Round  int64  `json:"round"`
}

func detailOf(c registry.Credential) credentialDetail {
	return credentialDetail{c.Grant, c.For == "", c.Round}
}

// putCredential stores the next round of a credential; a nil set keeps the
// settings.
func (o *operator) putCredential(s store.Store, id, owner string, set *oauth.Settings) (registry.Credential, error) {
	_, whom, _ := strings.Cut(id, "/")
	c := registry.Credential{Server: registry.CredentialServer(id), For: whom}
	old, err := s.Noun(registry.KindCredential, id)
	fresh := errors.Is(err, registry.ErrNotFound)
	if err != nil && !fresh {
		return c, err
	}
	if !fresh {
		if c, err = registry.ValueOf[registry.Credential](old); err != nil {
			return c, err
		}
	}
	if set != nil {
		text, err := json.Marshal(set)
		if err != nil {
			return c, err
		}
		if c.Sealed, err = o.cfg.Ring.Seal(keys.UpstreamCredentials, CredentialIdentity(id), text); err != nil {
			return c, err
		}
		c.Grant, c.Issuer = set.Grant, set.Issuer
	}
	c.Round, c.Changed = c.Round+1, o.cfg.Clock.Now().UTC()
	n, err := registry.NewNoun(registry.KindCredential, id, owner, c)
	if err != nil {
		return c, err
	}
	if fresh {
		return c, s.InsertNoun(n)
	}
	n.Revision = old.Revision
	return c, s.UpdateNoun(n)
}

func dropTokens(s store.Store, id string) error {
	if err := s.DeleteNoun(registry.KindUpstream, id); err != nil && !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	return nil
}

// checkSettings refuses what could not work, and fills in what is implied.
func checkSettings(s *oauth.Settings) error {
	if !slices.Contains([]string{oauth.Code, oauth.Credentials, oauth.Exchange, oauth.Assertion}, s.Grant) {
		return invalid("use authorization-code, client-credentials, token-exchange or id-jag", "%q is not a grant", s.Grant)
	}
	if text, err := json.Marshal(s); err != nil || len(text) > maxSettings {
		return invalid("", "the settings are larger than %d bytes", maxSettings)
	}
	for _, raw := range []string{s.Issuer, s.Document, s.TokenURL} {
		if raw == "" {
			continue
		}
		if _, err := egress.CheckURL(raw, true); err != nil {
			return &Error{Code: Invalid, Message: "a URL of the credential cannot be used", Cause: err.Error(), Fix: "write an absolute https URL"}
		}
	}
	if s.Document != "" {
		if u, err := neturl.Parse(s.Document); err != nil || u.Scheme != "https" || u.Path == "" || u.Path == "/" {
			return invalid("write an https URL with a path", "the URL of the client's metadata document cannot be used")
		}
	}
	if s.ClientKey != "" {
		if _, err := keys.NewAsserter([]byte(s.ClientKey)); err != nil {
			return &Error{Code: Invalid, Message: "the client's key cannot be used", Cause: err.Error(), Fix: "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"}
		}
	}
	if s.Grant != oauth.Code && s.ClientID == "" {
		return invalid("add --client-id", "this grant needs a client that the authorization server knows")
	}
	// A secret without an issuer would go to whatever authorization server the
	// server names (U06, TestU06SecretsNeedAnIssuer).
	if (s.ClientSecret != "" || s.ClientKey != "") && s.Issuer == "" {
		return invalid("add --issuer URL", "a client's secret belongs to one authorization server")
	}
	if s.Grant == oauth.Assertion && s.TokenURL == "" {
		return invalid("add --token-url", "this grant needs the token endpoint of the identity provider")
	}
	return nil
}

// Credentials lists them.
func (o *operator) Credentials(_ context.Context, q CredentialRef) ([]CredentialView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindCredential)
	if err != nil {
		return nil, asError("credentials", err)
	}
	out := []CredentialView{}
	for _, n := range all {
		v, err := o.viewCredential(n)
		if err != nil {
			return nil, asError("credentials", err)
		}
		if q.Server == "" || q.Server == v.Server {
			out = append(out, v)
		}
	}
	return out, nil
}

func (o *operator) viewCredential(n registry.Noun) (CredentialView, error) {
	c, err := registry.ValueOf[registry.Credential](n)
	if err != nil {
		return CredentialView{}, err
	}
	v := CredentialView{Server: c.Server, For: forWhom(c.For), Grant: c.Grant, Issuer: c.Issuer, State: "set", Changed: c.Changed}
	if c.For != "" {
		if name, err := o.cfg.Store.Name(c.For); err == nil {
			v.For = name
		}
	}
	st, err := o.stateOf(n.ID)
	if err != nil {
		return v, err
	}
	switch {
	case st.Login || c.Grant == oauth.Code && st.Token == "":
		v.State = "login"
	case st.Token != "":
		v.State = "ready"
	}
	if v.Scope = st.Scope; v.Issuer == "" {
		v.Issuer = st.Issuer
	}
	if !st.Expires.IsZero() {
		v.Expires = &st.Expires
	}
	return v, nil
}

// stateOf opens the stored tokens; none are no error.
func (o *operator) stateOf(id string) (oauth.State, error) {
	var st oauth.State
	n, err := o.cfg.Store.Noun(registry.KindUpstream, id)
	if errors.Is(err, registry.ErrNotFound) {
		return st, nil
	}
	if err != nil {
		return st, err
	}
	t, err := registry.ValueOf[registry.UpstreamToken](n)
	if err != nil {
		return st, err
	}
	raw, err := o.cfg.Ring.Open(keys.UpstreamCredentials, UpstreamIdentity(id), t.Sealed)
	if err != nil {
		return st, fmt.Errorf("open tokens: %w", err)
	}
	return st, json.Unmarshal(raw, &st)
}

// settingsOf opens the settings; registry.ErrNotFound without a credential.
func (o *operator) settingsOf(id string) (oauth.Settings, error) {
	var set oauth.Settings
	n, err := o.cfg.Store.Noun(registry.KindCredential, id)
	if err != nil {
		return set, err
	}
	c, err := registry.ValueOf[registry.Credential](n)
	if err != nil {
		return set, err
	}
	raw, err := o.cfg.Ring.Open(keys.UpstreamCredentials, CredentialIdentity(id), c.Sealed)
	if err != nil {
		return set, fmt.Errorf("open settings: %w", err)
	}
	return set, json.Unmarshal(raw, &set)
}

// RemoveCredential forgets a credential and its tokens.
func (o *operator) RemoveCredential(_ context.Context, r RemoveCredential) (Done[CredentialView], error) {
	var out Done[CredentialView]
	id, owner, err := o.whose(r.CredentialRef)
	if err != nil {
		return out, err
	}
	err = o.change(credentialAct("credential.remove", id, r.CredentialRef, r.Change), func(s store.Store) (any, error) {
		if err := dropTokens(s, id); err != nil {
			return nil, err
		}
		return nil, s.DeleteNoun(registry.KindCredential, id)
	})
	if err != nil {
		return out, err
	}
	out.Applied = !r.DryRun
	out.Item = CredentialView{Server: r.Server, For: forWhom(owner), State: "removed", Changed: o.cfg.Clock.Now().UTC()}
	out.Notices = []string{"the tokens are forgotten here; end them at the authorization server too"}
	return out, nil
}

// login is what a handle holds between the two halves of a login.
type login struct {
	ID       string         `json:"id"`
	Settings oauth.Settings `json:"settings"`
	Pending  *oauth.Pending `json:"pending"`
}

func handleIdentity(id string) keys.Identity {
	return credentialIdentity(registry.KindUpstream, id, "login")
}

// BeginLogin starts a login. What it needs to end is in the handle, sealed, so
// that it ends whether or not the gateway was started or stopped meanwhile.
func (o *operator) BeginLogin(ctx context.Context, r BeginLogin) (LoginBegun, error) {
	var out LoginBegun
	id, _, err := o.whose(r.CredentialRef)
	if err != nil {
		return out, err
	}
	up, srv, err := o.upstream(r.Server)
	if err != nil {
		return out, err
	}
	set, err := o.settingsOf(id)
	if errors.Is(err, registry.ErrNotFound) {
		set, err = oauth.Settings{Grant: oauth.Code}, nil
	}
	if err != nil {
		return out, asError("the credential for server "+r.Server, err)
	}
	if set.Grant != oauth.Code {
		return out, invalid("tokens are obtained without a person", "the credential for server %s needs no login", r.Server)
	}
	if u, err := neturl.Parse(r.Redirect); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(r.Redirect) > 2048 {
		return out, invalid("", "the redirect is not a URL")
	}
	set.Redirect = r.Redirect
	before, err := o.stateOf(id)
	if err != nil {
		return out, asError("the credential for server "+r.Server, err)
	}
	p, err := up.Begin(ctx, srv, set, before)
	if err != nil {
		return out, loginError(r.Server, err)
	}
	text, err := json.Marshal(login{id, set, p})
	if err == nil {
		out.Handle, err = o.cfg.Ring.Seal(keys.UpstreamCredentials, handleIdentity(id), text)
	}
	out.URL = p.URL
	return out, asError("the login", err)
}

func loginError(server string, err error) error {
	return &Error{Code: Unavailable, Message: "nobody can log in at server " + server, Cause: err.Error(),
		Fix: "look at the server's authorization with: ostiary doctor; set a client with: ostiary server credential set " + server}
}

func (o *operator) upstream(server string) (Upstream, registry.Server, error) {
	srv, err := o.cfg.Store.Server(server)
	if err != nil {
		return nil, srv, asError("server "+server, err)
	}
	o.mu.Lock()
	up, ok := o.prober.(Upstream)
	o.mu.Unlock()
	if !ok {
		return nil, srv, &Error{Code: Unavailable, Message: "no server can be reached now"}
	}
	return up, srv, nil
}

// FinishLogin obtains the tokens and stores them with the credential.
func (o *operator) FinishLogin(ctx context.Context, r FinishLogin) (Done[CredentialView], error) {
	var out Done[CredentialView]
	id, owner, err := o.whose(r.CredentialRef)
	if err != nil {
		return out, err
	}
	raw, err := o.cfg.Ring.Open(keys.UpstreamCredentials, handleIdentity(id), r.Handle)
	if err != nil {
		return out, invalid("begin again: ostiary server login "+r.Server, "the login is not one of this server's")
	}
	var l login
	if err := json.NewDecoder(bytes.NewReader(raw)).Decode(&l); err != nil || l.ID != id || l.Pending == nil {
		return out, invalid("begin again: ostiary server login "+r.Server, "the login cannot be read")
	}
	up, srv, err := o.upstream(r.Server)
	if err != nil {
		return out, err
	}
	if r.DryRun { // asking would spend the code
		out.Item, out.Notices = CredentialView{Server: r.Server, For: forWhom(owner), Grant: oauth.Code}, []string{"the authorization server is not asked in a dry run"}
		return out, nil
	}
	st, err := up.Finish(ctx, srv, l.Settings, l.Pending, r.Query)
	if err != nil {
		return out, loginError(r.Server, err)
	}
	err = o.change(credentialAct("credential.login", id, r.CredentialRef, r.Change), func(s store.Store) (any, error) {
		if err := o.putState(s, id, owner, st); err != nil {
			return nil, err
		}
		c, err := o.putCredential(s, id, owner, &l.Settings)
		return detailOf(c), err
	})
	if err != nil {
		return out, err
	}
	out.Applied = true
	out.Item = CredentialView{Server: r.Server, For: forWhom(owner), Grant: oauth.Code, Issuer: st.Issuer, State: "ready", Scope: st.Scope, Changed: o.cfg.Clock.Now().UTC()}
	return out, nil
}

// putState replaces the stored tokens.
func (o *operator) putState(s registry.NounStore, id, owner string, st oauth.State) error {
	_, err := PutTokens(s, o.cfg.Ring, TokensRow{ID: id, Owner: owner, State: st, Version: -1})
	return err
}

// TokensRow is what a credential's tokens are stored from.
type TokensRow struct {
	ID, Owner string
	State     oauth.State
	Version   int64 // that is replaced; 0 = none, -1 = whatever is there
}

// PutTokens seals and stores tokens and returns their version;
// oauth.ErrConflict when another version than the expected one is stored.
func PutTokens(s registry.NounStore, ring *keys.Ring, r TokensRow) (int64, error) {
	text, err := json.Marshal(r.State)
	if err != nil {
		return 0, err
	}
	sealed, err := ring.Seal(keys.UpstreamCredentials, UpstreamIdentity(r.ID), text)
	if err != nil {
		return 0, err
	}
	n, err := registry.NewNoun(registry.KindUpstream, r.ID, r.Owner, registry.UpstreamToken{Sealed: sealed})
	if err != nil {
		return 0, err
	}
	old, err := s.Noun(registry.KindUpstream, r.ID)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		if r.Version > 0 {
			return 0, oauth.ErrConflict
		}
		err = s.InsertNoun(n)
	case err != nil:
		return 0, err
	case r.Version >= 0 && r.Version != old.Revision:
		return 0, oauth.ErrConflict
	default:
		n.Revision = old.Revision
		err = s.UpdateNoun(n)
	}
	if err != nil {
		return 0, err
	}
	now, err := s.Noun(registry.KindUpstream, r.ID)
	return now.Revision, err
}
