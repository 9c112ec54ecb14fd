package admin

import (
	"encoding/json"
	"errors"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/registry"
)

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
