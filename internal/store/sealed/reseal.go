package sealed

import (
	"context"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// resealAtOnce is how many rows one transaction of Reseal takes: calls wait for
// the database meanwhile.
const resealAtOnce = 64

// Reseal seals what is stored under the key of a purpose anew: every row
// (keys.Rows), or the secrets within rows of servers (keys.UpstreamCredentials).
// Revisions stay, so nobody's change is refused for it. It works in small
// transactions and may be cut short and repeated. progress may be nil.
func (s *Store) Reseal(ctx context.Context, p keys.Purpose, progress func(done, total int)) error {
	kinds := []string{kindServer, kindAgent, kindToken, kindCertificate, kindGrant, kindMeta, kindNoun}
	anew := (*tx).resealRow
	if p == keys.UpstreamCredentials {
		kinds, anew = kinds[:1], (*tx).resealSecrets
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
