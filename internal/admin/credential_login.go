package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	neturl "net/url"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

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
