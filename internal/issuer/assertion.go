package issuer

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"ostiary.dev/ostiary/internal/identity"
)

// assertionType is RFC 7523's.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// algorithms are those that clients may sign with: asymmetric ones only. The
// token's header chooses among them, never beyond (A03).
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256, jose.RS256}
}

func algorithmNames() []string {
	var out []string
	for _, a := range algorithms() {
		out = append(out, string(a))
	}
	return out
}

// prove finds the client of a request to the token endpoint and lets it prove
// itself: with its key if it has one, else with nothing. A client that has keys
// gets nothing without them, and there are no client secrets.
func (i *Issuer) prove(r *http.Request, f params) (client, error) {
	if r.Header.Get("Authorization") != "" || f["client_secret"] != "" {
		return client{}, errClient(errors.New("there are no client secrets"))
	}
	assertion, has := f["client_assertion"]
	id := f["client_id"]
	var err error
	if has {
		if f["client_assertion_type"] != assertionType {
			return client{}, errClient(errors.New("an assertion of another type"))
		}
		if id, err = claimed(assertion, id); err != nil {
			return client{}, errClient(err)
		}
	}
	c, err := i.client(r.Context(), id)
	if err != nil {
		return client{}, errClient(err)
	}
	if has != (c.JWKS != nil) {
		return client{}, errClient(errors.New("the client proves itself in another way than it registered"))
	}
	if has {
		if err := i.checkAssertion(c, assertion); err != nil {
			return client{}, errClient(err)
		}
	}
	return c, nil
}

// asserted are the claims of an assertion.
type asserted struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	ID       string   `json:"jti"`
	Expires  int64    `json:"exp"`
	NotYet   int64    `json:"nbf"`
	Issued   int64    `json:"iat"`
}

// audience is a string or a list of one string.
type audience string

// UnmarshalJSON refuses several audiences: the others could use the assertion
// here.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience(one)
		return nil
	}
	var list []string
	if err := json.Unmarshal(b, &list); err != nil || len(list) != 1 {
		return errors.New("an assertion with another number of audiences than one")
	}
	*a = audience(list[0])
	return nil
}

// claimed reads who an assertion says it is from, to find the keys.
func claimed(assertion, id string) (string, error) {
	if len(assertion) > 8<<10 {
		return "", errors.New("the assertion is too long")
	}
	s, err := jose.ParseSignedCompact(assertion, algorithms())
	if err != nil {
		return "", fmt.Errorf("read an assertion: %w", err)
	}
	var c asserted
	if err := json.Unmarshal(s.UnsafePayloadWithoutVerification(), &c); err != nil {
		return "", fmt.Errorf("read an assertion: %w", err)
	}
	if c.Issuer != c.Subject || c.Subject == "" || id != "" && id != c.Subject {
		return "", errors.New("the assertion is about somebody else")
	}
	return c.Subject, nil
}

// checkAssertion verifies an assertion with the keys of its client: for us
// alone, short, and once.
func (i *Issuer) checkAssertion(c client, assertion string) error {
	s, err := jose.ParseSignedCompact(assertion, algorithms())
	if err != nil || len(s.Signatures) != 1 {
		return errors.New("the assertion cannot be read")
	}
	payload, err := verifyWith(c.JWKS, s)
	if err != nil {
		return err
	}
	var a asserted
	if err := json.Unmarshal(payload, &a); err != nil {
		return fmt.Errorf("read an assertion: %w", err)
	}
	now := i.now()
	aud := string(a.Audience)
	switch {
	case aud != i.id() && aud != i.id()+"/oauth/token":
		return errors.New("the assertion is for somebody else")
	case a.Expires == 0 || now.Unix() >= a.Expires || a.Expires-now.Unix() > int64(maxAssertion/time.Second)+60:
		return errors.New("the assertion has expired, or lives too long")
	case a.NotYet > now.Unix()+60 || a.Issued > now.Unix()+60:
		return errors.New("the assertion is from the future")
	case a.ID == "" || len(a.ID) > 256:
		return errors.New("the assertion has no usable jti")
	}
	return i.used.take(c.ID+"\x00"+a.ID, time.Unix(a.Expires, 0), now)
}

// verifyWith verifies s with the keys in jwks that its kid selects, or with all
// of them. Keys in the token's own header are never looked at (A05).
func verifyWith(jwks json.RawMessage, s *jose.JSONWebSignature) ([]byte, error) {
	set, err := identity.ClientKeys(jwks)
	if err != nil {
		return nil, err
	}
	kid := s.Signatures[0].Protected.KeyID
	for _, k := range set.Keys {
		if kid != "" && k.KeyID != "" && kid != k.KeyID {
			continue
		}
		if payload, err := s.Verify(k.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the client signed the assertion")
}

// usedIDs remembers assertions until they end. When it is full, new ones are
// refused rather than forgotten (each costs its sender a signature with a
// registered key).
type usedIDs struct {
	mu   sync.Mutex
	till map[string]time.Time
}

const maxUsed = 1 << 16

func newUsedIDs() *usedIDs { return &usedIDs{till: map[string]time.Time{}} }

func (u *usedIDs) take(id string, until, now time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if t, ok := u.till[id]; ok && now.Before(t) {
		return errors.New("the assertion was used before")
	}
	if len(u.till) >= maxUsed {
		for id, t := range u.till {
			if !now.Before(t) {
				delete(u.till, id)
			}
		}
		if len(u.till) >= maxUsed {
			return errors.New("too many assertions are remembered")
		}
	}
	u.till[id] = until
	return nil
}
