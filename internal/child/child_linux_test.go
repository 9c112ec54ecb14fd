package child

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestU09NoDescriptors(t *testing.T) {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inherited, err := unix.Dup(int(f.Fd())) // without close-on-exec, as from a service manager
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(inherited) }()
	for name, hide := range map[string]func() error{
		"by range": hideDescriptors,
		"by list":  func() error { return hideListed("/proc/self/fd") },
	} {
		if _, err := unix.FcntlInt(uintptr(inherited), unix.F_SETFD, 0); err != nil {
			t.Fatal(err)
		}
		if err := hide(); err != nil {
			t.Fatal(name, err)
		}
		if flags, err := unix.FcntlInt(uintptr(inherited), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: flags %d, %v", name, flags, err)
		}
	}
	if _, err := unix.FcntlInt(uintptr(inherited), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	got, err := lines(begin(t, Spec{Command: script("descriptors")}))
	slices.Sort(got)
	if err != io.EOF || !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("open descriptors %q, %v", got, err)
	}
}

func TestChildHasASessionOfItsOwn(t *testing.T) {
	p := begin(t, Spec{Command: script("echo")})
	group, err := unix.Getpgid(p.Pid())
	session, err2 := unix.Getsid(p.Pid())
	if err := errors.Join(err, err2); err != nil || group != p.Pid() || session != p.Pid() {
		t.Errorf("child %d is in group %d and session %d, %v", p.Pid(), group, session, err)
	}
}

// gone waits until a process that need not be our child has ended.
func gone(t *testing.T, pidfd int) {
	t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 30_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n != 1 {
			t.Fatalf("the process lives on: %v", err)
		}
		return
	}
}

func watch(t *testing.T, pid string) int {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// A descendant in a session of its own escapes the group and keeps the pipes;
// neither Read nor Stop may hang on it.
func TestU08EscapedDescendantDoesNotHang(t *testing.T) {
	p := begin(t, Spec{Command: script("escape"), Grace: time.Second})
	pid := ""
	for pid == "" { // child and descendant write in either order
		line, err := p.Read()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := strconv.Atoi(string(line)); err == nil {
			pid = string(line)
		}
	}
	fd := watch(t, pid)
	if _, err := lines(p); err != io.EOF {
		t.Errorf("after the child's end: %v", err)
	}
	p.Stop()
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil {
		t.Errorf("the descendant had not escaped: %v", err)
	}
	gone(t, fd)
}

func TestChildDiesWithTheGateway(t *testing.T) {
	gateway := exec.Command(os.Args[0], "script:parent")
	out, err := gateway.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	pid, rest, _ := strings.Cut(string(buf[:n]), " ")
	if rest != "ready <nil>\n" {
		t.Fatalf("the gateway said %q", buf[:n])
	}
	fd := watch(t, pid)
	if err := gateway.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := gateway.Wait(); err == nil {
		t.Error("the gateway ended by itself")
	}
	gone(t, fd)
}
