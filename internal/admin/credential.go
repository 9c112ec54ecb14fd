package admin

import (
	"context"
	"encoding/json"
	"errors"
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
