package doortest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pollEvery paces the waits for another process.
const pollEvery = 10 * time.Millisecond

// Poll asks ok until it holds; after Patience the test fails. Use it only for
// what another process does; inside one process there are channels.
func Poll(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late.C:
			tb.Fatalf("waited in vain for %s", what)
		}
	}
}

// FreeAddr returns a loopback address with a port that was free just now.
func FreeAddr(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// Process is a program that runs beside the test.
type Process struct {
	tb   testing.TB
	cmd  *exec.Cmd
	out  tail
	done chan struct{}
	err  error // valid after done
}

// Start runs a program until the test ends: then it gets SIGTERM, and SIGKILL
// after Patience. Its output appears when the test has failed.
func Start(tb testing.TB, cmd *exec.Cmd) *Process {
	tb.Helper()
	p := &Process{tb: tb, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { // owned by Wait: Stop returns only after done is closed
		p.err = cmd.Wait()
		close(p.done)
	}()
	tb.Cleanup(func() {
		p.Stop()
		if tb.Failed() {
			tb.Logf("output of %s:\n%s", cmd.Path, p.Output())
		}
	})
	return p
}

// Accepts blocks until addr accepts connections or the program has ended.
func (p *Process) Accepts(addr string) {
	p.tb.Helper()
	Poll(p.tb, p.cmd.Path+" to listen on "+addr, func() bool {
		select {
		case <-p.done:
			p.tb.Fatalf("%s ended: %v\n%s", p.cmd.Path, p.err, p.Output())
		default:
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

// Signal sends s, if the program still runs.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Stop asks the program to end and waits; it fails the test when only a kill
// helps. It is idempotent.
func (p *Process) Stop() error {
	p.tb.Helper()
	p.Signal(syscall.SIGTERM)
	late := time.NewTimer(Patience)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
		p.tb.Errorf("%s did not end after SIGTERM", p.cmd.Path)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return p.err
}

// Kill ends the program at once, as a crash does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Output is the last megabyte that the program wrote to either stream.
func (p *Process) Output() string { return p.out.String() }

// tail keeps the last megabyte written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailBytes = 1 << 20

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	if over := t.buf.Len() - tailBytes; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

// Result is how a command ended.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Run runs a command to its end.
func Run(tb testing.TB, cmd *exec.Cmd) Result {
	tb.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		tb.Fatal(fmt.Errorf("run %s: %w", cmd.Path, err))
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}
