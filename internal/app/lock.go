package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"ostiary.dev/ostiary/internal/admin"
)

// lock says that this process alone works on a data directory. The kernel
// gives it back when the process ends, however it ends.
type lock struct{ file *os.File }

// takeLock takes the lock at path, waiting at most wait for who has it.
func takeLock(ctx context.Context, path string, wait time.Duration) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unlockable(err)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		err := tryLock(f)
		if err == nil {
			return &lock{f}, nil
		}
		if !errors.Is(err, ErrLocked) || pause(ctx) != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
	}
}

// unlockable says what to do about a data directory in which no lock can be made.
func unlockable(err error) error {
	fix := "check the data directory and its disk: ostiary doctor"
	switch {
	case errors.Is(err, syscall.EROFS):
		fix = "the gateway writes to its data directory: mount that file system read-write"
	case errors.Is(err, fs.ErrPermission):
		fix = "run as the user that the data directory belongs to"
	case errors.Is(err, syscall.ENOSPC):
		fix = "free space on the data directory's disk"
	}
	return &admin.Error{Code: admin.Unavailable, Message: "the data directory cannot be locked", Cause: err.Error(), Fix: fix}
}

// release gives the lock back. The file stays: removing it would let two
// processes lock two files of one name.
func (l *lock) release() error { return l.file.Close() }
