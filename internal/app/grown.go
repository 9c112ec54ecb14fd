package app

import (
	"encoding/json"
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// checkKeys refuses a folder keys that is older than the newest entry of the
// control log says. The attack: whoever has a copy of the folder from before an
// erasure or a rotation puts it back, whole or one file of it, or cuts the last
// subjects off their file; every file opens by itself (TestOldKeysPutBack). A
// restore begins a new control log, and with it anew.
func (a *App) checkKeys() error {
	generation, subjects := a.ring.Grown()
	var said struct {
		Keys     uint64 `json:"keys"`
		Subjects uint64 `json:"subjects"`
	}
	err := auditlog.Newest(a.book.Control(), func(part []byte) (bool, error) {
		err := json.Unmarshal(part, &said)
		return said.Keys > 0, err
	})
	if err != nil || generation >= said.Keys && subjects >= said.Subjects {
		return err
	}
	old := &admin.Error{Code: admin.Integrity,
		Message: fmt.Sprintf("the folder keys is older than the log says: it is at change %d with %d subjects, and the log has seen change %d with %d",
			generation, subjects, said.Keys, said.Subjects),
		Fix: "put back the newest folder keys; if it is lost: ostiary restore, which destroys again what was destroyed since"}
	act := auditlog.Act{Kind: auditlog.IntegrityFailed, Action: "keys.open", Reason: clip(old.Message)}
	return errors.Join(old, a.store.Raw().InTx(func(raw store.Raw) error { return a.record.Admin(raw, act) }))
}
