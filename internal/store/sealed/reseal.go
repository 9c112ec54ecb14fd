package sealed

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// resealAtOnce is how many rows one transaction of Reseal takes: calls wait for
// the database meanwhile.
const resealAtOnce = 64

// sealedIn are the nouns whose member "sealed" is sealed under
// keys.UpstreamCredentials, and the columns of their identities (admin's
// CredentialIdentity and UpstreamIdentity; TestResealCredentials compares).
var sealedIn = map[registry.NounKind]string{registry.KindCredential: "settings", registry.KindUpstream: "state"}

// Reseal seals what is stored under the key of a purpose anew: every row
// (keys.Rows), what rows hold of servers' secrets and of credentials and tokens
// for servers (keys.UpstreamCredentials), or the values behind pseudonyms
// (keys.Pseudonyms): what it left out would be lost with the old key.
// Revisions stay, so nobody's change is refused for it. It works in small
// transactions and may be cut short and repeated. progress may be nil.
func (s *Store) Reseal(ctx context.Context, p keys.Purpose, progress func(done, total int)) error {
	if p == keys.Pseudonyms {
		return s.resealPseudonyms(ctx, p, progress)
	}
	kinds := []string{kindServer, kindAgent, kindToken, kindCertificate, kindGrant, kindMeta, kindNoun, kindErased}
	anew := (*tx).resealRow
	if p == keys.UpstreamCredentials {
		kinds, anew = []string{kindServer, kindNoun}, (*tx).resealInner
	} else if p != keys.Rows {
		return fmt.Errorf("reseal: no row is sealed for %q", p)
	}
	todo := s.named(kinds)
	for done := 0; done < len(todo); {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("reseal: %w", err)
		}
		some := todo[done:min(done+resealAtOnce, len(todo))]
		err := s.inTx(func(t *tx) error {
			for _, k := range some {
				if !t.has(k) {
					continue // deleted meanwhile
				}
				if err := anew(t, k); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("reseal: %w", err)
		}
		if done += len(some); progress != nil {
			progress(done, len(todo))
		}
	}
	if p == keys.Rows {
		return s.resealPseudonyms(ctx, p, nil)
	}
	return nil
}

// named lists the rows of kinds.
func (s *Store) named(kinds []string) (all []key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, marks := range s.ledger.marks {
		for k := range marks {
			if slices.Contains(kinds, k.kind) {
				all = append(all, k)
			}
		}
	}
	return all
}

// resealRow seals the body of a row anew, in its place.
func (t *tx) resealRow(k key) error {
	r, err := t.row(k)
	if err != nil {
		return err
	}
	id := identity(k, r.Revision)
	plain, err := t.s.ring.Open(keys.Rows, id, r.Body)
	if err != nil {
		return t.damage(k, "does not open")
	}
	if r.Body, err = t.s.ring.Seal(keys.Rows, id, plain); err != nil {
		return err
	}
	return t.replace(r)
}

// resealInner seals anew what a row holds under keys.UpstreamCredentials.
func (t *tx) resealInner(k key) error {
	if k.kind == kindServer {
		return t.resealSecrets(k)
	}
	return t.resealNoun(k)
}

// resealNoun seals a credential's settings or tokens anew. Other nouns hold
// nothing sealed.
func (t *tx) resealNoun(k key) error {
	v, revision, err := get[nounRow](t, k)
	if err != nil {
		return err
	}
	column := sealedIn[registry.NounKind(v.Kind)]
	if column == "" {
		return nil
	}
	// The body is kept as it is but for this member: a field of a later
	// version must not be lost.
	var body map[string]json.RawMessage
	var old []byte
	if err := json.Unmarshal(v.Body, &body); err != nil {
		return fmt.Errorf("%s %s: %w", v.Kind, v.ID, err)
	}
	if err := json.Unmarshal(body["sealed"], &old); err != nil {
		return fmt.Errorf("%s %s: %w", v.Kind, v.ID, err)
	}
	id := keys.Identity{Tenant: keys.DefaultTenant, Kind: v.Kind, Record: v.ID, Column: column, Version: "1"}
	plain, err := t.s.ring.Open(keys.UpstreamCredentials, id, old)
	if err != nil {
		return fmt.Errorf("%s %s: %w", v.Kind, v.ID, err)
	}
	anew, err := t.s.ring.Seal(keys.UpstreamCredentials, id, plain)
	if err != nil {
		return err
	}
	if body["sealed"], err = json.Marshal(anew); err != nil {
		return err
	}
	if v.Body, err = json.Marshal(body); err != nil {
		return err
	}
	return t.restore(k, revision, v)
}

// resealSecrets seals the secrets of a server anew.
func (t *tx) resealSecrets(k key) error {
	v, revision, err := get[serverRow](t, k)
	if err != nil || len(v.Secrets) == 0 {
		return err
	}
	v.Secrets = slices.Clone(v.Secrets)
	for i, secret := range v.Secrets {
		id := keys.Identity{Tenant: keys.DefaultTenant, Kind: "server-secret", Record: v.ID, Column: secret.Name, Version: "1"}
		plain, err := t.s.ring.Open(keys.UpstreamCredentials, id, secret.Sealed)
		if err != nil {
			return fmt.Errorf("secret %s of server %s: %w", secret.Name, v.ID, err)
		}
		if v.Secrets[i].Sealed, err = t.s.ring.Seal(keys.UpstreamCredentials, id, plain); err != nil {
			return err
		}
	}
	return t.restore(k, revision, v)
}

// restore puts another value into the place of a row.
func (t *tx) restore(k key, revision int64, v any) error {
	r, err := t.sealRow(k, revision, v)
	if err != nil {
		return err
	}
	return t.replace(r)
}

// replace puts another body into the place of a row.
func (t *tx) replace(r store.Row) error {
	if err := t.raw.UpdateRow(r.Revision, r); err != nil {
		return err
	}
	m := markOf(r)
	t.set(key{r.Kind, r.ID}, &m)
	return nil
}
