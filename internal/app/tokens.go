package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
)

// tokens keeps the tokens of one credential in the store, sealed. Every node
// reads the same row, and the one that renews first is the one whose outcome
// counts.
type tokens struct {
	app *App
	id  string
}

// Load returns the stored tokens, or version 0.
func (t tokens) Load(context.Context) (oauth.State, int64, error) {
	var st oauth.State
	n, err := t.app.admin.Own().Noun(registry.KindUpstream, t.id)
	if errors.Is(err, registry.ErrNotFound) {
		return st, 0, nil
	}
	if err != nil {
		return st, 0, err
	}
	v, err := registry.ValueOf[registry.UpstreamToken](n)
	if err != nil {
		return st, 0, err
	}
	raw, err := t.app.ring.Open(keys.UpstreamCredentials, admin.UpstreamIdentity(t.id), v.Sealed)
	if err != nil {
		return st, 0, fmt.Errorf("open tokens: %w", err)
	}
	return st, n.Revision, json.Unmarshal(raw, &st)
}

// Save stores tokens in place of a version; the control log tells that a
// credential was renewed, and nothing of it.
func (t tokens) Save(ctx context.Context, st oauth.State, version int64) (int64, error) {
	var now int64
	err := t.app.admin.Own().Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		c, err := s.Noun(registry.KindCredential, t.id)
		if err != nil {
			return nil, err // it was removed meanwhile: nothing is kept for it
		}
		now, err = admin.PutTokens(s, t.app.ring, admin.TokensRow{ID: t.id, Owner: c.Owner, State: st, Version: version})
		return []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "credential.renew", Subject: registry.CredentialServer(t.id)}}, err
	})
	if errors.Is(err, registry.ErrConflict) || errors.Is(err, registry.ErrExists) {
		err = oauth.ErrConflict
	}
	return now, err
}
