package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// lock says that this process alone works on a data directory. The kernel
// gives it back when the process ends, however it ends.
type lock struct{ file *os.File }

// takeLock takes the lock at path, waiting at most wait for who has it.
func takeLock(ctx context.Context, path string, wait time.Duration) (*lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the data directory: %w", err)
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

// release gives the lock back. The file stays: removing it would let two
// processes lock two files of one name.
func (l *lock) release() error { return l.file.Close() }
