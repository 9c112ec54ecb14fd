package admin

import (
	"encoding/json"
	"errors"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// resume finishes what changes of keys were ordered when the process died. It
// runs before anything reads the registry: a subject that is half erased has
// no name.
func (a *Admin) resume() error {
	for _, t := range a.cfg.Ring.Condemned() {
		if err := a.resumeDestruction(t); err != nil {
			return asError("an unfinished destruction", err)
		}
	}
	for _, o := range a.cfg.Ring.Orders() {
		if err := a.resumeOrder(o); err != nil {
			return asError("an unfinished rotation", err)
		}
	}
	return nil
}

// resumeDestruction records the destruction unless the log tells of it already,
// and removes the bytes (TestErasureKilledAnywhere, TestErasureIsToldOnce).
func (a *Admin) resumeDestruction(t keys.Tombstone) error {
	told, err := a.told(func(e *entry) bool { return e.Kind == auditlog.KeyDestroyed && e.Name == t.KeyID }, 0)
	if err != nil {
		return err
	}
	detail := destroyed{Key: t.KeyID, Purpose: t.Purpose, Version: t.Version, Pseudonym: t.Pseudonym, Resumed: true}
	if !told {
		err = a.cfg.Store.InTx(func(s store.Store) error {
			if t.Pseudonym == "" {
				return a.cfg.Recorder.Admin(rowsOf(s), auditlog.Act{Kind: auditlog.KeyDestroyed, Action: "key.destroy", Subject: t.KeyID, Change: detail})
			}
			gone, err := s.EraseSubject(t.Pseudonym)
			if err != nil {
				return err
			}
			return a.cfg.Recorder.Admin(rowsOf(s), erasedActs(erasure{Pseudonym: t.Pseudonym, Key: t.KeyID, Rows: gone, Resumed: true}, detail)...)
		})
	}
	if err != nil {
		return err
	}
	return a.cfg.Ring.Bury(t.KeyID)
}

// orderActions are what the acts of orders are called.
var orderActions = map[string]string{keys.OrderRotate: "key.rotate", keys.OrderMove: "key.move", keys.OrderRecover: "key.recover"}

// resumeOrder takes a new key into use whose entry stands in the log, and takes
// back one of which the log does not tell; one that could not wait is recorded
// now (TestRotationKilledAnywhere).
func (a *Admin) resumeOrder(o keys.Order) error {
	told, err := a.told(func(e *entry) bool {
		return (e.Kind == auditlog.KeyRotated || e.Kind == auditlog.KeyCompromised) && e.Change.Purpose == o.Name && e.Change.Key == o.KeyID
	}, o.Generation)
	if err != nil {
		return err
	}
	if !told && !o.Done {
		return a.cfg.Ring.Withdraw(o)
	}
	if !told {
		action := orderActions[o.Act]
		if o.Compromised {
			action = "key.compromise"
		}
		detail := rotatedBy(o)
		detail.Resumed = true
		if err := a.cfg.Recorder.Act(auditlog.Act{Kind: kindOf(action), Action: action, Subject: o.Old, Change: detail}); err != nil {
			return err
		}
	}
	return a.cfg.Ring.Fulfil(o)
}

// entry is what resume reads of an entry of the control log.
type entry struct {
	Kind   auditlog.Kind `json:"kind"`
	Name   string        `json:"name"`
	Keys   uint64        `json:"keys"`
	Change struct {
		Purpose string `json:"purpose"`
		Key     string `json:"key"`
	} `json:"-"`
	Detail json.RawMessage `json:"change"`
}

// told reports whether the control log has such an entry. It looks no further
// back than to an entry that was written before the keystore's generation from.
func (a *Admin) told(is func(*entry) bool, from uint64) (found bool, err error) {
	if a.cfg.Book == nil {
		return false, nil
	}
	err = auditlog.Newest(a.cfg.Book.Control(), func(part []byte) (bool, error) {
		var e entry
		if err := json.Unmarshal(part, &e); err != nil {
			return false, err
		}
		// The detail of another act has another form, and is not ours.
		var other *json.UnmarshalTypeError
		if err := json.Unmarshal(e.Detail, &e.Change); e.Detail != nil && err != nil && !errors.As(err, &other) {
			return false, err
		}
		found = is(&e)
		return found || e.Keys > 0 && e.Keys < from, nil
	})
	return found, err
}
