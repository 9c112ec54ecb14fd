package admin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// OAuthAPI is what operators do about the built-in issuer: see and end what
// people allowed, and register programs that prove a key.
type OAuthAPI interface {
	Logins(context.Context, LoginQuery) ([]LoginView, error)
	EndLogin(context.Context, EndLogin) (Done[LoginView], error)
	OAuthClients(context.Context, None) ([]OAuthClientView, error)
	RegisterOAuthClient(context.Context, RegisterOAuthClient) (Done[OAuthClientView], error)
	RemoveOAuthClient(context.Context, RemoveOAuthClient) (Done[OAuthClientView], error)
}

// LoginQuery limits a list of logins; "" is everybody.
type LoginQuery struct {
	Person string `json:"person,omitempty"` // name
	Agent  string `json:"agent,omitempty"`
}

// EndLogin ends a login: its tokens are refused from the next request on.
type EndLogin struct {
	Change
	ID string `json:"id"`
}

// LoginView is what one person allowed one client.
type LoginView struct {
	ID       string    `json:"id"`
	Person   string    `json:"person"` // name, or the pseudonym when it is gone
	Agent    string    `json:"agent"`
	Client   string    `json:"client"` // what it calls itself
	ClientID string    `json:"clientId"`
	Resource string    `json:"resource"`
	Scope    string    `json:"scope"`
	Strength int       `json:"strength"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`
}

// RegisterOAuthClient registers a program that gets tokens with its own key.
type RegisterOAuthClient struct {
	Change
	Name  string          `json:"name"`
	Agent string          `json:"agent"` // that it acts as
	JWKS  json.RawMessage `json:"jwks"`  // its public keys
}

// RemoveOAuthClient forgets one. Its tokens are refused from the next request on.
type RemoveOAuthClient struct {
	Change
	Name string `json:"name"`
}

// OAuthClientView is a registered program.
type OAuthClientView struct {
	ClientID string    `json:"clientId"` // what it calls itself at the token endpoint
	Name     string    `json:"name"`
	Agent    string    `json:"agent"`
	Keys     int       `json:"keys"`
	Created  time.Time `json:"created"`
}

// clientPrefix begins the client_id of what an operator registered.
const clientPrefix = "client:"

// called returns the name behind a pseudonym, or the pseudonym of somebody who
// was erased.
func called(s store.Store, pseudonym string) string {
	if name, err := s.Name(pseudonym); err == nil {
		return name
	}
	return pseudonym
}

func viewLogin(s store.Store, id string, l registry.Login) LoginView {
	return LoginView{ID: id, Person: called(s, l.Person), Agent: called(s, l.Agent), Client: l.Name, ClientID: l.Client, Resource: l.Resource,
		Scope: l.Scope, Strength: l.Strength, Created: l.Created, Expires: l.Expires}
}

// Logins lists what people allowed, the newest first.
func (o *operator) Logins(_ context.Context, q LoginQuery) ([]LoginView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindLogin)
	if err != nil {
		return nil, asError("logins", err)
	}
	views := []LoginView{}
	for _, n := range all {
		l, err := registry.ValueOf[registry.Login](n)
		if err != nil {
			return nil, asError("login "+n.ID, err)
		}
		v := viewLogin(o.cfg.Store, n.ID, l)
		if (q.Person == "" || q.Person == v.Person) && (q.Agent == "" || q.Agent == v.Agent) && o.cfg.Clock.Now().Before(l.Expires) {
			views = append(views, v)
		}
	}
	slices.SortStableFunc(views, func(a, b LoginView) int { return b.Created.Compare(a.Created) })
	return views, nil
}

// EndLogin ends what a person allowed.
func (o *operator) EndLogin(_ context.Context, r EndLogin) (Done[LoginView], error) {
	var out Done[LoginView]
	t := &act{kind: "oauth.end", subject: r.ID, noun: registry.NounRef{Kind: registry.KindLogin, ID: r.ID}, what: "login " + r.ID, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindLogin, r.ID)
		if err != nil {
			return nil, err
		}
		l, err := registry.ValueOf[registry.Login](n)
		if err != nil {
			return nil, err
		}
		out.Item = viewLogin(s, n.ID, l)
		t.agent = out.Item.Agent
		if err := s.DeleteNoun(registry.KindRefresh, r.ID); err != nil && !errors.Is(err, registry.ErrNotFound) {
			return nil, err
		}
		return map[string]string{"client": l.Client, "person": l.Person}, s.DeleteNoun(registry.KindLogin, r.ID)
	})
	out.Applied, out.Notices = err == nil && !r.DryRun, []string{}
	return out, err
}

func (o *operator) viewOAuthClient(s store.Store, n registry.Noun) (OAuthClientView, error) {
	c, err := registry.ValueOf[registry.OAuthClient](n)
	if err != nil {
		return OAuthClientView{}, err
	}
	set, err := identity.ClientKeys(c.JWKS)
	return OAuthClientView{ClientID: n.ID, Name: c.Name, Agent: called(s, c.Agent), Keys: len(set.Keys), Created: c.Created}, err
}

// OAuthClients lists the registered programs by name.
func (o *operator) OAuthClients(context.Context, None) ([]OAuthClientView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindOAuthClient)
	if err != nil {
		return nil, asError("clients", err)
	}
	views := []OAuthClientView{}
	for _, n := range all {
		v, err := o.viewOAuthClient(o.cfg.Store, n)
		if err != nil {
			return nil, asError("client "+n.ID, err)
		}
		views = append(views, v)
	}
	return views, nil
}

// RegisterOAuthClient registers a program with its keys. It belongs to the
// agent: whoever erases the agent erases it.
func (o *operator) RegisterOAuthClient(_ context.Context, r RegisterOAuthClient) (Done[OAuthClientView], error) {
	var out Done[OAuthClientView]
	if err := registry.ValidID(r.Name); err != nil {
		return out, invalid("choose another name, such as nightly-job", "%q cannot be the name of a client: %v", r.Name, err)
	}
	if _, err := identity.ClientKeys(r.JWKS); err != nil {
		return out, invalid("give a JSON Web Key Set of the program's public keys, such as {\"keys\":[{\"kty\":\"EC\",...}]}", "the keys cannot be used: %v", err)
	}
	id := clientPrefix + r.Name
	t := &act{kind: "oauth.register", subject: id, agent: r.Agent, noun: registry.NounRef{Kind: registry.KindOAuthClient, ID: id}, what: "client " + r.Name, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		if err := active(s, r.Agent); err != nil {
			return nil, err
		}
		whom, err := s.Pseudonym(r.Agent)
		if err != nil {
			return nil, err
		}
		n, err := registry.NewNoun(registry.KindOAuthClient, id, r.Agent, registry.OAuthClient{Name: r.Name, Agent: whom, JWKS: r.JWKS,
			Created: o.cfg.Clock.Now().UTC().Truncate(time.Second)})
		if err == nil {
			err = s.InsertNoun(n)
		}
		if err != nil {
			return nil, err
		}
		out.Item, err = o.viewOAuthClient(s, n)
		return map[string]int{"keys": out.Item.Keys}, err
	})
	out.Applied, out.Notices = err == nil && !r.DryRun, []string{}
	return out, err
}

// RemoveOAuthClient forgets a program.
func (o *operator) RemoveOAuthClient(_ context.Context, r RemoveOAuthClient) (Done[OAuthClientView], error) {
	var out Done[OAuthClientView]
	id := clientPrefix + r.Name
	t := &act{kind: "oauth.unregister", subject: id, noun: registry.NounRef{Kind: registry.KindOAuthClient, ID: id}, what: "client " + r.Name, Change: r.Change}
	err := o.change(t, func(s store.Store) (any, error) {
		n, err := s.Noun(registry.KindOAuthClient, id)
		if err != nil {
			return nil, err
		}
		if out.Item, err = o.viewOAuthClient(s, n); err != nil {
			return nil, err
		}
		t.agent = out.Item.Agent
		return nil, s.DeleteNoun(registry.KindOAuthClient, id)
	})
	out.Applied, out.Notices = err == nil && !r.DryRun, []string{}
	return out, err
}
