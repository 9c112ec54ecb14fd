package sealed

import (
	"encoding/json"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// Control is the control log as it is read back. *auditlog.Log is one.
type Control = auditlog.Source

// CheckRows compares the stored rows with the newest entry of the control logs
// that carries their digest; newest is the log that is written now, older are
// those before a restore, newest first. The attack: somebody who holds the
// database puts a whole row back to an older state, deletes one or adds one that
// was deleted; each opens by itself (storetest.Attacks). *store.Damage tells;
// whoever called then refuses to start.
func (s *Store) CheckRows(newest Control, older ...Control) error {
	for _, log := range append([]Control{newest}, older...) {
		digest, err := LastDigest(log)
		if err != nil {
			return err
		}
		if digest != "" {
			return s.CheckDigest(digest)
		}
	}
	return s.CheckDigest("")
}

// CheckDigest compares the stored rows with the digest that was recorded last;
// "" when none was. When they differ, the store refuses everything from then on.
func (s *Store) CheckDigest(recorded string) error {
	_, err := read(s, func(t *tx) (none struct{}, err error) {
		switch {
		case recorded == "" && t.has(t.key(kindMeta, anchored)):
			err = &store.Damage{Why: "the control log no longer holds what describes the rows"}
		case recorded != "" && recorded != s.ledger.digest(nil):
			err = &store.Damage{Why: "the rows are not those that the control log describes last: some were edited, deleted, added or put back to an older state"}
		}
		s.refuse = err
		return none, err
	})
	return err
}

// Sweep reads every row and holds it against what was written, which finds
// damage in rows that nobody asks for.
func (s *Store) Sweep() error {
	_, err := read(s, func(t *tx) (none struct{}, err error) {
		now, err := readLedger(t.raw)
		if err != nil {
			return none, err
		}
		return none, s.ledger.compare(now, t.damage)
	})
	return err
}

// compare returns damage when the rows now are not those of l.
func (l *ledger) compare(now *ledger, damage func(key, string) error) error {
	for b := range l.marks {
		if l.sums[b] == now.sums[b] {
			continue
		}
		for k, m := range l.marks[b] {
			if other, there := now.marks[b][k]; !there {
				return damage(k, "is missing")
			} else if other != m {
				return damage(k, "was edited or put back to an older state")
			}
		}
		for k := range now.marks[b] {
			if _, known := l.marks[b][k]; !known {
				return damage(k, "was added by somebody else")
			}
		}
	}
	return nil
}

// LastDigest returns the digest of rows that the newest entry with one carries,
// or "".
func LastDigest(control Control) (digest string, err error) {
	err = auditlog.Newest(control, func(part []byte) (found bool, err error) {
		var p struct {
			Rows string `json:"rows"`
		}
		if err := json.Unmarshal(part, &p); err != nil || p.Rows == "" {
			return false, err
		}
		digest = p.Rows
		return true, nil
	})
	return digest, err
}
