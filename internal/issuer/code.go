package issuer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
)

// byCode turns a code into the first tokens of a login. Whatever is shown with
// a code that exists, the code is spent; a second use ends the login that the
// first one began, because one of the two was a thief (RFC 6749 4.1.2).
func (i *Issuer) byCode(ctx context.Context, c client, f params) (given, error) {
	id, _, _ := strings.Cut(f["code"], ".")
	if err := i.there(registry.KindCode, id, "no such code"); err != nil {
		return given{}, err
	}
	family := i.cfg.Ring.NewSecret()
	var login registry.Login
	var refresh string
	var why error
	err := i.cfg.Store.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		n, err := s.Noun(registry.KindCode, idOr(id))
		if errors.Is(err, registry.ErrNotFound) {
			return nil, errGrant("no such code")
		}
		if err != nil {
			return nil, err
		}
		code, err := registry.ValueOf[registry.Code](n)
		if err != nil {
			return nil, err
		}
		if !i.matches("code", f["code"], code.Hash) {
			return nil, errGrant("no such code")
		}
		if code.Spent {
			why = errGrant("the code was used before")
			return failed("oauth.code_replayed", n.Owner, code.Login), endFamily(s, code.Family)
		}
		login = code.Login
		var person, agent string
		if person, agent, why = i.codeFor(c, f, code); why == nil {
			code.Family = family
			refresh, err = i.begin(s, person, family, login)
		}
		if err != nil {
			return nil, err
		}
		code.Spent = true
		if err := i.spend(s, n, code); err != nil {
			return nil, err
		}
		if why != nil {
			return failed("oauth.code_refused", n.Owner, code.Login), nil
		}
		return []auditlog.Act{{Kind: auditlog.AuthnSucceeded, Action: "oauth.login", By: person, Agent: agent, Subject: subjectOf(c.ID)}}, nil
	})
	if err == nil {
		err = why
	}
	if errors.Is(err, registry.ErrConflict) {
		err = errGrant("the code was used at the same moment")
	}
	if err != nil {
		return given{}, err
	}
	return i.first(family, login, refresh)
}

// idOr makes an empty id one that finds nothing.
func idOr(id string) string {
	if id == "" {
		return "-"
	}
	return id
}

// codeFor checks that a code is for who shows it.
func (i *Issuer) codeFor(c client, f params, code registry.Code) (person, agent string, err error) {
	uri, has := f["redirect_uri"]
	switch {
	case !i.now().Before(code.Expires):
		return "", "", errGrant("the code has expired")
	case code.Login.Client != c.ID:
		return "", "", errGrant("the code is for another client")
	case has && uri != code.Redirect:
		return "", "", errGrant("the code was sent to another redirect URI")
	case !fits(f["code_verifier"], code.Challenge):
		return "", "", errGrant("the verifier does not fit the challenge")
	}
	if err := sameResource(f, code.Login); err != nil {
		return "", "", err
	}
	return i.still(code.Login)
}

func (i *Issuer) spend(s registry.NounStore, n registry.Noun, code registry.Code) error {
	code.Hash = append([]byte{}, code.Hash...)
	spent, err := registry.NewNoun(n.Kind, n.ID, n.Owner, code)
	if err != nil {
		return err
	}
	spent.Revision = n.Revision
	return s.UpdateNoun(spent)
}

// failed records a use that was refused although the secret was right.
func failed(action, person string, l registry.Login) []auditlog.Act {
	return []auditlog.Act{{Kind: auditlog.AuthnFailed, Action: action, By: person, Subject: subjectOf(l.Client)}}
}

// begin keeps a new login and its first refresh token, which it returns.
func (i *Issuer) begin(s registry.NounStore, person, family string, l registry.Login) (string, error) {
	n, err := registry.NewNoun(registry.KindLogin, family, person, l)
	if err == nil {
		err = s.InsertNoun(n)
	}
	if err != nil {
		return "", fmt.Errorf("keep a login: %w", err)
	}
	token := family + "." + i.cfg.Ring.NewSecret()
	r, err := registry.NewNoun(registry.KindRefresh, family, person, i.refreshOf(token))
	if err == nil {
		err = s.InsertNoun(r)
	}
	return token, err
}

// first answers with the tokens of a new login.
func (i *Issuer) first(family string, l registry.Login, refresh string) (given, error) {
	out, err := i.mint(family, l)
	out.Refresh = refresh
	return out, err
}
