package main

import (
	"context"
	"path/filepath"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/app"
	"ostiary.dev/ostiary/internal/export"
)

// brokenName is the file in an export that says that it does not verify. Whoever
// investigates needs the export all the same.
const brokenName = "BROKEN.txt"

// badLogs recomputes the logs in the gateway, which knows more than an export
// holds: parts, and every checkpoint that was ever signed.
func (c *cli) badLogs(ctx context.Context, api admin.API) (map[string]admin.AuditState, error) {
	all, err := c.follow(ctx, api, "")
	if err != nil {
		return nil, err
	}
	bad := map[string]admin.AuditState{}
	for _, s := range all {
		if s.State != "ok" {
			bad[s.Log] = s
		}
	}
	return bad, nil
}

// checkExport verifies what was written as an outsider does, and adds to bad
// what does not verify (TestScripts/broken).
func checkExport(out string, x admin.AuditExported, written []export.Written, bad map[string]admin.AuditState) error {
	for i, w := range written {
		if _, known := bad[w.Log]; known {
			continue
		}
		s, err := app.VerifyExport(filepath.Join(out, w.Folder), x.Logs[i])
		if err != nil {
			return err
		}
		if s.State != "ok" {
			bad[w.Log] = s
		}
	}
	return nil
}

// markBroken writes into the export what does not verify. broken is what the
// command ends with.
func markBroken(out string, written []export.Written, bad map[string]admin.AuditState) (broken, err error) {
	text := ""
	for _, w := range written {
		s, is := bad[w.Log]
		if !is {
			continue
		}
		if broken == nil {
			broken = &admin.Error{Code: admin.Integrity, Message: "the export is written and broken: " + brokenText(s), Cause: s.Why,
				Fix: "keep the data directory as it is, and compare with a witness, an older export or a backup"}
		}
		text += brokenText(s) + ": " + s.Why + "\n"
	}
	if text == "" {
		return nil, nil
	}
	return broken, writeNew(filepath.Join(out, brokenName), []byte("This export does not verify.\n"+text))
}
