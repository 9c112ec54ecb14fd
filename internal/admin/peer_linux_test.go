package admin

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// as runs do on a thread of its own that is the user uid, and ends the thread.
func as(uid uintptr, do func() error) error {
	done := make(chan error)
	go func() {
		// Never unlocked: the thread, which cannot become root again, ends
		// with this goroutine.
		runtime.LockOSThread()
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid); e != 0 {
			done <- e
			return
		}
		done <- do()
	}()
	return <-done
}

// TestAnotherUserIsRefusedByTheKernelsWord opens the socket's mode, the first
// wall, and connects as another user: the second wall asks the kernel.
func TestAnotherUserIsRefusedByTheKernelsWord(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	w := newWorld(t)
	dir, err := os.MkdirTemp("", "os")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	s, err := w.admin.Serve(path, func(msg string, err error) { t.Errorf("%s: %v", msg, err) })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(ctx)
	const nobody = 65534
	dial := func() (c net.Conn, err error) {
		err = as(nobody, func() error {
			c, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
			return err
		})
		return c, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(); !errors.Is(err, syscall.EACCES) {
		t.Fatalf("the socket's mode let another user in: %v", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	client := NewClient(func(context.Context) (net.Conn, error) { return dial() })
	defer client.Close()
	_, err = client.Servers(ctx, None{})
	refused(t, err, Forbidden)
	_, err = client.RegisterAgent(ctx, RegisterAgent{ID: "evil"})
	refused(t, err, Forbidden)
	if len(w.records.entries) != 0 {
		t.Fatal("another user's request left a trace")
	}
}
