package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
)

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
