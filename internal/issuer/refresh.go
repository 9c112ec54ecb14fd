package issuer

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

func (i *Issuer) refreshOf(token string) registry.Refresh {
	now := i.now().UTC()
	return registry.Refresh{Hash: i.hash("refresh", token), Expires: now.Add(refreshIdle), Used: now}
}

// byRefresh gives the next tokens of a login. A refresh token is used once: one
// that was replaced already, or another client's, ends the whole login, because
// the thief and the owner cannot be told apart (OAuth 2.1 4.3.1).
func (i *Issuer) byRefresh(ctx context.Context, c client, f params) (given, error) {
	family, _, _ := strings.Cut(f["refresh_token"], ".")
	if err := i.there(registry.KindRefresh, family, "no such login"); err != nil {
		return given{}, err
	}
	var login registry.Login
	var next string
	var why error
	err := i.cfg.Store.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		n, r, l, err := i.family(s, family)
		if err != nil {
			return nil, err
		}
		login = l
		if !i.matches("refresh", f["refresh_token"], r.Hash) || l.Client != c.ID {
			why = errGrant("the refresh token was used before, or is another client's")
			return failed("oauth.refresh_replayed", n.Owner, l), endFamily(s, family)
		}
		now := i.now()
		if !now.Before(r.Expires) || !now.Before(l.Expires) {
			why = errGrant("the login has expired")
			return failed("oauth.expired", n.Owner, l), endFamily(s, family)
		}
		person, agent, err := i.still(l)
		if err != nil {
			why = err
			return failed("oauth.ended", n.Owner, l), endFamily(s, family)
		}
		// What is refused from here on is refused before anything is used up.
		if err := sameResource(f, l); err != nil {
			return nil, err
		}
		if login.Scope, err = narrower(l.Scope, f["scope"]); err != nil {
			return nil, err
		}
		next = family + "." + i.cfg.Ring.NewSecret()
		fresh, err := registry.NewNoun(registry.KindRefresh, family, n.Owner, i.refreshOf(next))
		if err != nil {
			return nil, err
		}
		fresh.Revision = n.Revision
		return []auditlog.Act{{Kind: auditlog.AuthnSucceeded, Action: "oauth.refresh", By: person, Agent: agent, Subject: subjectOf(c.ID)}}, s.UpdateNoun(fresh)
	})
	if err == nil {
		err = why
	}
	if errors.Is(err, registry.ErrConflict) {
		err = errGrant("the refresh token was used at the same moment")
	}
	if err != nil {
		return given{}, err
	}
	return i.first(family, login, next)
}

// family returns the refresh token in force and its login.
func (i *Issuer) family(s registry.NounStore, id string) (registry.Noun, registry.Refresh, registry.Login, error) {
	var r registry.Refresh
	var l registry.Login
	n, err := s.Noun(registry.KindRefresh, idOr(id))
	if err == nil {
		if r, err = registry.ValueOf[registry.Refresh](n); err != nil {
			return n, r, l, err
		}
		var login registry.Noun
		if login, err = s.Noun(registry.KindLogin, id); err == nil {
			l, err = registry.ValueOf[registry.Login](login)
		}
	}
	if errors.Is(err, registry.ErrNotFound) {
		err = errGrant("no such login")
	}
	return n, r, l, err
}

// revoke ends the login of a refresh token (RFC 7009), and with it its access
// tokens, which name it. An access token by itself lives for minutes; the
// operator revokes it. What is unknown is answered as if it had been revoked.
func (i *Issuer) revoke(w http.ResponseWriter, r *http.Request) {
	f, err := form(r)
	if err == nil {
		var c client
		if c, err = i.prove(r, f); err == nil {
			err = i.end(r.Context(), c, f["token"])
		}
	}
	if err != nil {
		i.refuse(w, "revoke a token", err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (i *Issuer) end(ctx context.Context, c client, token string) error {
	if strings.Count(token, ".") == 2 {
		return bad("unsupported_token_type", "Revoke the refresh token: the access tokens end with it.")
	}
	family, _, _ := strings.Cut(token, ".")
	if !strings.Contains(token, ".") {
		return nil
	}
	var gone *oauthError
	err := i.there(registry.KindRefresh, family, "no such login")
	if errors.As(err, &gone) {
		return nil
	} else if err != nil {
		return err
	}
	err = i.cfg.Store.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		n, r, l, err := i.family(s, family)
		if err != nil {
			return nil, err
		}
		if l.Client != c.ID || !i.matches("refresh", token, r.Hash) {
			return nil, errGrant("not a token of this client")
		}
		return []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "oauth.revoke", By: n.Owner, Subject: subjectOf(c.ID)}}, endFamily(s, family)
	})
	if errors.As(err, &gone) && gone.code == "invalid_grant" {
		return nil
	}
	return err
}
