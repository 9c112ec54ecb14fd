package sealed

import (
	"fmt"

	"ostiary.dev/ostiary/internal/store"
)

// sealClear moves what schema 1 kept in clear into sealed rows and drops its
// tables, in one transaction: a process that is killed finds either all of the
// old or all of the new (TestMigrationSurvivesKill). The database's own files
// are cleaned afterwards, by Raw.Scrub.
func (s *Store) sealClear() error {
	old, err := s.raw.Clear()
	if err != nil || old == nil {
		return err
	}
	var t *tx
	err = s.raw.InTx(func(raw store.Raw) error {
		t = s.over(raw)
		if err := t.take(old); err != nil {
			return err
		}
		return raw.DropClear()
	})
	if err != nil {
		return fmt.Errorf("seal the rows of schema 1: %w", err)
	}
	s.ledger.merge(t.changes)
	return nil
}

// take inserts every noun of c.
func (t *tx) take(c *store.Clear) error {
	for name, value := range c.Meta {
		if err := t.SetMeta(name, value); err != nil {
			return err
		}
	}
	for _, v := range c.Servers {
		if err := t.InsertServer(v); err != nil {
			return err
		}
	}
	for _, v := range c.Agents {
		if err := t.InsertAgent(v); err != nil {
			return err
		}
	}
	for _, v := range c.Tokens {
		if err := t.InsertToken(v); err != nil {
			return err
		}
	}
	for _, v := range c.Certificates {
		if err := t.InsertCertificate(v); err != nil {
			return err
		}
	}
	for _, v := range c.Grants {
		if err := t.PutGrant(v); err != nil {
			return err
		}
	}
	return nil
}
