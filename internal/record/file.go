package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Space that must be free before a call may begin: what every call under way
// may still write, and a reserve for the calls that finish while the disk is
// filled by others.
const (
	perEntry = 2 << 10
	headroom = 256 << 10
	reserve  = 1 << 20
	plenty   = 1 << 30 // beyond this, not every call looks
)

var errFull = errors.New("no room for the record")

// File is the append-only file of records. Its promise: once Reserve has
// succeeded, the entry can be written even if the disk fills up meanwhile,
// because a reserve of real blocks is given up for it.
type File struct {
	path string
	free func(dir string) (int64, bool) // free bytes of the file system; false = cannot tell

	mu       sync.Mutex
	f        *os.File
	size     int64
	inflight int64
	trusted  int  // calls that are admitted without another look
	closed   bool // the last write failed: nothing new until it succeeds
	backlog  [][]byte
}

// OpenFile opens or creates the record at path, repairs a torn last line, and
// lays the reserve beside it.
func OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	size, err := repair(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("repair %s: %w", path, err)
	}
	r := &File{path: path, free: freeBytes, f: f, size: size}
	if err := r.layReserve(); err != nil {
		r.closed = true // calls are refused until there is room
	}
	return r, nil
}

// repair cuts a last line without its end, the trace of a crash, and returns
// the size of the rest. What is cut was never acknowledged to anyone.
func repair(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 64<<10)
	for at := end; at > 0; {
		n := min(int64(len(buf)), at)
		if _, err := f.ReadAt(buf[:n], at-n); err != nil {
			return 0, err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' {
				keep := at - n + i + 1
				return keep, f.Truncate(keep)
			}
		}
		at -= n
	}
	return 0, f.Truncate(0)
}

// Reserve admits one more entry or returns an error. Each success must be
// followed by one Release.
func (r *File) Reserve() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		if err := r.recover(); err != nil {
			return err
		}
	}
	if !r.room() {
		return errFull
	}
	r.inflight++
	return nil
}

// looks is how many calls one look at the file system admits when space is
// plenty, each of which could fill perEntry of it.
const looks = 64

// room reports whether one more entry fits. The caller holds mu.
func (r *File) room() bool {
	if r.trusted > 0 {
		r.trusted--
		return true
	}
	free, ok := r.free(r.path)
	if !ok {
		return true
	}
	if free > plenty {
		r.trusted = looks
	}
	return free >= headroom+(r.inflight+1)*perEntry
}

// Release gives back what Reserve took.
func (r *File) Release() {
	r.mu.Lock()
	r.inflight--
	r.mu.Unlock()
}

// Append writes one line. When the disk is full it gives up the reserve and
// tries again; when that fails too, the line is kept in memory for the next
// attempt and the error is returned.
func (r *File) Append(line []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.backlog) > 0 {
		if err := r.drain(); err != nil {
			r.keep(line)
			return err
		}
	}
	err := r.write(line)
	if err == nil {
		return nil
	}
	r.closed = true
	os.Truncate(r.reservePath(), 0)
	if err = r.write(line); err != nil {
		r.keep(line)
	}
	return err
}

// write appends line at the known end, so that a partial write is overwritten
// by the next one.
func (r *File) write(line []byte) error {
	if _, err := r.f.WriteAt(line, r.size); err != nil {
		return err
	}
	r.size += int64(len(line))
	return nil
}

// keep holds a line that could not be written. Calls in flight bound it: no
// new call is admitted while the file is closed.
func (r *File) keep(line []byte) {
	const most = 4096
	if len(r.backlog) < most {
		r.backlog = append(r.backlog, append([]byte(nil), line...))
	}
}

func (r *File) drain() error {
	for len(r.backlog) > 0 {
		if err := r.write(r.backlog[0]); err != nil {
			return err
		}
		r.backlog = r.backlog[1:]
	}
	return nil
}

// recover writes what is owed and lays the reserve again.
func (r *File) recover() error {
	if err := r.drain(); err != nil {
		return errFull
	}
	if err := r.layReserve(); err != nil {
		return errFull
	}
	r.closed = false
	return nil
}

func (r *File) reservePath() string { return r.path + ".reserve" }

// layReserve fills the reserve with real blocks.
func (r *File) layReserve() error {
	if st, err := os.Stat(r.reservePath()); err == nil && st.Size() == reserve {
		return nil
	}
	err := os.WriteFile(r.reservePath(), make([]byte, reserve), 0o600)
	if err != nil {
		os.Truncate(r.reservePath(), 0)
	}
	return err
}

// Healthy reports whether calls can be recorded now.
func (r *File) Healthy() error {
	if err := r.Reserve(); err != nil {
		return err
	}
	r.Release()
	return nil
}

// Close flushes to stable storage and closes the file.
func (r *File) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.drain(), r.f.Sync(), r.f.Close())
}
