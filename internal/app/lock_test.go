package app

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/store/sqlite"
)

// TestLockSaysWhatToDo: a data directory that cannot be written says so with a
// next step.
func TestLockSaysWhatToDo(t *testing.T) {
	for cause, want := range map[error]string{syscall.EROFS: "read-write", syscall.EACCES: "user", syscall.ENOSPC: "free space", syscall.EIO: "doctor"} {
		err := unlockable(&fs.PathError{Op: "open", Path: "D/lock", Err: cause})
		var e *admin.Error
		if !errors.As(err, &e) || e.Code != admin.Unavailable || !strings.Contains(e.Fix, want) || !strings.Contains(e.Cause, "D/lock") {
			t.Errorf("%v: %#v", cause, err)
		}
	}
	for _, cause := range []error{sqlite.ErrLocked, sqlite.ErrDamaged, sqlite.ErrForeign, sqlite.ErrMissing, sqlite.ErrMode, sqlite.ErrNewer} {
		var e *admin.Error
		if err := explain(cause); !errors.As(err, &e) || e.Fix == "" {
			t.Errorf("%v has no next step", cause)
		}
	}
}
