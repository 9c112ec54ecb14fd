package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ostiary.dev/ostiary/internal/admin"
)

// backupOld is the age of the newest backup from which on doctor warns.
const backupOld = 7 * 24 * time.Hour

// reserveFinding looks for the room that is held back for calls under way.
func reserveFinding(c *Config) Finding {
	f := Finding{State: stateOK, Check: "log reserve"}
	if c.Store.DSN != "" {
		f.Detail = "the log lies on the database server"
		return f
	}
	st, err := os.Stat(filepath.Join(c.DataDir, reserveName))
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && st.Size() < int64(c.Audit.Reserve):
		f.State, f.Detail = stateDegraded, fmt.Sprintf("less than %s is held back for calls under way", c.Audit.Reserve)
		f.Fix = "free space; the gateway lays it when it can"
	case err != nil:
		f.State, f.Detail, f.Fix = stateDegraded, err.Error(), "look at the data directory's disk"
	default:
		f.Detail = c.Audit.Reserve.String()
	}
	return f
}

// logFindings looks at every log: that it opened, how long it is and how much
// of it is signed.
func logFindings(ctx context.Context, api admin.API) ([]Finding, error) {
	logs, err := api.AuditLogs(ctx, admin.None{})
	if err != nil {
		return nil, err
	}
	var all []Finding
	for _, l := range logs {
		f := Finding{State: stateOK, Check: "log " + l.Log, Detail: fmt.Sprintf("%d entries, %d under a signed checkpoint", l.Size, l.Signed)}
		if l.Size > 0 && l.Signed == 0 {
			f.State, f.Fix = stateDegraded, "sign it: ostiary audit checkpoint --log "+l.Log+" --new"
		}
		all = append(all, f)
	}
	return all, nil
}

// backupFinding looks at the newest backup.
func backupFinding(ctx context.Context, api admin.API, now time.Time) (Finding, error) {
	f := Finding{State: stateOK, Check: "backup"}
	made, err := api.BackupList(ctx, admin.None{})
	if err != nil {
		return f, err
	}
	if len(made) == 0 {
		f.State, f.Detail, f.Fix = stateDegraded, "none was made", "ostiary backup --to FILE --recipient age1..."
		return f, nil
	}
	last := made[len(made)-1]
	f.Detail = fmt.Sprintf("the newest is of %s; its keys open until %s", last.Time.Format(time.RFC3339), last.Expires.Format(time.RFC3339))
	if now.Sub(last.Time) > backupOld {
		f.State, f.Fix = stateDegraded, "make one: ostiary backup --to FILE"
	}
	return f, nil
}
