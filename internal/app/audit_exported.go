package app

import (
	"errors"
	"fmt"
	"os"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/verify"
)

// VerifyExport verifies the export of a log in folder as an outsider does.
func VerifyExport(folder string, of admin.AuditExportOf) (admin.AuditState, error) {
	s := admin.AuditState{Log: of.Log, Size: of.Signed, State: "ok"}
	key, err := verify.ParseKey(of.VKey)
	if err != nil {
		return s, fmt.Errorf("the public key of %s: %w", of.Log, err)
	}
	_, err = verify.Log(os.DirFS(folder), verify.LogOptions{Keys: []verify.Key{key}})
	var broken *verify.Broken
	if !errors.As(err, &broken) {
		if err != nil {
			err = fmt.Errorf("verify the export: %w", err)
		}
		return s, err
	}
	s.State, s.Why = "broken", broken.Why
	if broken.Index != verify.NoIndex {
		at := uint64(broken.Index)
		s.Bad = &at
	}
	return s, nil
}
