package admin

import (
	"errors"
	neturl "net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// checkForeign refuses a binding that no token could ever fit.
func (o *operator) checkForeign(r RegisterAgent) error {
	if err := o.checkSPIFFE(r); err != nil {
		return err
	}
	if r.JWTIssuer == "" && r.JWTSubject == "" {
		return nil
	}
	if r.JWTIssuer == "" || r.JWTSubject == "" {
		return invalid("give both", "--jwt-issuer and --jwt-subject belong together")
	}
	u, err := neturl.Parse(r.JWTIssuer)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(r.JWTIssuer) > 512 {
		return invalid("write it exactly as the iss of its tokens", "%q cannot be an issuer", r.JWTIssuer)
	}
	if len(r.JWTSubject) > 255 || !utf8.ValidString(r.JWTSubject) {
		return invalid("write it exactly as the sub of its tokens", "the subject is longer than 255 bytes or not text")
	}
	return nil
}

// ForeignName is the name under which the subject of an issuer is stored: a
// keyed hash, the same for the same subject. A subject is a person's address or
// number at their IdP perhaps, and nobody needs it back, so it is not kept:
// when its agent is erased, nothing is left that tells who it was.
func ForeignName(ring *keys.Ring, issuer, subject string) string {
	return ring.Index(string(registry.KindForeign), registry.ForeignID(issuer, subject))
}

// bind binds the subject to the new agent. One subject is one agent: with two,
// which one a token names would be chance.
func bind(s store.Store, ring *keys.Ring, r RegisterAgent, now time.Time) error {
	source := ""
	if domain, _, err := identity.ParseSPIFFE(r.SPIFFE); err == nil {
		source = identity.SPIFFESource(domain)
	}
	for _, one := range [][2]string{{r.JWTIssuer, r.JWTSubject}, {source, r.SPIFFE}} {
		if one[0] == "" {
			continue
		}
		n, err := registry.NewNoun(registry.KindForeign, ForeignName(ring, one[0], one[1]), r.ID, registry.Foreign{Issuer: one[0], At: now})
		if err != nil {
			return err
		}
		if err = s.InsertNoun(n); errors.Is(err, registry.ErrExists) {
			return &Error{Code: Exists, Message: "this subject of the issuer, or this SPIFFE id, is bound to an agent already",
				Fix: "use that agent, or retire it: ostiary agent list"}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkSPIFFE refuses an id that no certificate could name, and ours: who has
// one of those is what our own certificates say.
func (o *operator) checkSPIFFE(r RegisterAgent) error {
	if r.SPIFFE == "" {
		return nil
	}
	domain, _, err := identity.ParseSPIFFE(r.SPIFFE)
	if err != nil {
		return invalid("write it exactly as in its certificates, spiffe://DOMAIN/PATH", "%.80q is not a SPIFFE id", r.SPIFFE)
	}
	if domain == o.cfg.Ring.CA().Domain() {
		return invalid("leave it out: the agent's own certificates name it", "%s is this gateway's own trust domain", domain)
	}
	return nil
}

// untrusted says when certificates with a SPIFFE id would be refused anyway.
func (o *operator) untrusted(id string) []string {
	domain, _, err := identity.ParseSPIFFE(id)
	if err != nil || slices.Contains(o.cfg.TrustDomains, domain) {
		return []string{}
	}
	return []string{"its certificates are refused until identity.trust in ostiary.yaml names " + domain}
}

// unbind frees the subjects of an agent that is gone for good, so that another
// agent can be registered for them.
func unbind(s store.Store, agent string) error {
	all, err := s.Nouns(registry.KindForeign)
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Owner != agent {
			continue
		}
		if err := s.DeleteNoun(registry.KindForeign, n.ID); err != nil {
			return err
		}
	}
	return nil
}

// jtiKept is how long a revoked jti is kept: longer than the longest max_life
// that an issuer's entry can have.
const jtiKept = 31 * 24 * time.Hour

// forgetJWTs drops what no token can need any more, so that revoking does not
// fill the store and every view.
func forgetJWTs(s store.Store, now time.Time) error {
	all, err := s.Nouns(registry.KindRevokedJWT)
	if err != nil {
		return err
	}
	for _, n := range all {
		v, err := registry.ValueOf[registry.RevokedJWT](n)
		if err != nil {
			return err
		}
		if now.Sub(v.At) < jtiKept {
			continue
		}
		if err := s.DeleteNoun(registry.KindRevokedJWT, n.ID); err != nil {
			return err
		}
	}
	return nil
}

// checkRevoked refuses a whole token in the place of its id, without a word of
// it: it stands in the shell's history by now, and must not in a log too.
func checkRevoked(r RevokeToken) error {
	if _, whole := keys.TokenID(r.ID); whole || strings.HasPrefix(r.ID, "eyJ") && strings.Count(r.ID, ".") == 2 {
		return invalid("give its id (ostiary token list), or with --jwt the jti in its claims; then take it out of the shell's history",
			"this is a whole token, not its id")
	}
	return nil
}

// revokeJWT refuses a token of an issuer from now on.
func (o *operator) revokeJWT(r RevokeToken) (Done[TokenView], error) {
	var out Done[TokenView]
	if r.ID == "" || len(r.ID) > 256 || len(r.Issuer) > 512 {
		return out, invalid("give the token's jti, as in its claims", "%q cannot be the id of a token", r.ID)
	}
	id := registry.ForeignID(r.Issuer, r.ID)
	n, err := registry.NewNoun(registry.KindRevokedJWT, id, "", registry.RevokedJWT{Issuer: r.Issuer, JTI: r.ID, At: o.cfg.Clock.Now().UTC()})
	if err != nil {
		return out, asError("token "+r.ID, err)
	}
	t := &act{kind: "token.revoke", subject: r.ID, what: "token " + r.ID, noun: registry.NounRef{Kind: registry.KindRevokedJWT, ID: id}, Change: r.Change}
	err = o.change(t, func(s store.Store) (any, error) {
		if err := forgetJWTs(s, o.cfg.Clock.Now()); err != nil {
			return nil, err
		}
		err := s.InsertNoun(n)
		if errors.Is(err, registry.ErrExists) {
			err = nil // it is refused already
		}
		return map[string]string{"jti": r.ID, "issuer": r.Issuer}, err
	})
	if err != nil {
		return out, err
	}
	return Done[TokenView]{!r.DryRun, TokenView{ID: r.ID, State: "revoked"}, []string{}}, nil
}
