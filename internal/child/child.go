// Package child runs one stdio tool server as a supervised process: it starts
// it, carries newline-delimited messages over its stdin and stdout, keeps the
// end of its stderr as bounded log text, and stops it with all its descendants.
//
// It is the only room that starts processes. It starts them without a shell,
// with the environment and the working directory that the caller states and
// nothing of its own, without open descriptors beyond 0-2, in a session and a
// process group of their own. It deliberately knows nothing of MCP, reads no
// environment, decides nothing about restarts (Backoff only paces them) and
// does not confine what a child may do to files and network.
//
// The framing is that of MCP's stdio transport (2025-11-25 and 2026-07-28,
// basic/transports): one message per line, no newline inside, stderr is never
// protocol.
package child

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/fault"
)

// Spec says what to start. Command is required; zero fields mean defaults.
type Spec struct {
	// Command is the program and its arguments. A bare name is looked up in
	// the PATH of Env; a relative path counts from Dir.
	Command []string
	Dir     string   // working directory; empty: the caller's own
	Env     []string // NAME=value: the whole environment
	// LineBytes bounds a line of stdout; a longer one ends the process.
	// Default 4 MiB.
	LineBytes int
	// Grace is how long the group may take to end between SIGTERM and
	// SIGKILL. Default 2 s.
	Grace time.Duration
	// WriteTimeout is how long the child may leave one message unread before
	// it is ended. Default 30 s.
	WriteTimeout time.Duration
	// Stderr, if set, is called by one goroutine with each line of stderr:
	// printable text of at most 1 KiB, at most 50 lines a second.
	Stderr func(line string)
	Clock  clock.Clock // paces Stderr
}

const (
	defaultLine  = 4 << 20
	defaultGrace = 2 * time.Second
	defaultWrite = 30 * time.Second
)

func (s Spec) withDefaults() Spec {
	if s.LineBytes <= 0 {
		s.LineBytes = defaultLine
	}
	if s.Grace <= 0 {
		s.Grace = defaultGrace
	}
	if s.WriteTimeout <= 0 {
		s.WriteTimeout = defaultWrite
	}
	return s
}

// Process is a started child. Write may be called by several goroutines, Read
// by one; the other methods by any. The owner must call Stop in the end, also
// when the child has ended by itself.
type Process struct {
	spec   Spec
	pid    int
	group  group
	stdin  *os.File
	stdout *os.File
	lines  *bufio.Reader
	notes  *notes

	writing sync.Mutex     // held during one Write
	owned   sync.WaitGroup // goroutines and timers
	exited  chan struct{}  // closed when the process is reaped
	drained chan struct{}  // closed when stdout gives no more
	stopped chan struct{}  // closed by the first Stop

	drain  sync.Once  // closes drained
	mu     sync.Mutex // guards the rest
	ending bool       // the group was asked to end
	wanted bool       // Stop was called
	reaped bool       // no signal may be sent any more
	cause  error      // the failure for which it was ended; the first wins
	state  error      // what Wait said
}

// Start starts a child. ctx bounds the start only; Stop ends the process. The
// error is fault.UpstreamUnreachable; its cause names the program, never its
// arguments or environment.
func Start(ctx context.Context, s Spec) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap(fault.UpstreamUnreachable, err)
	}
	s = s.withDefaults()
	path, err := find(s)
	if err != nil {
		return nil, fault.Wrap(fault.UpstreamUnreachable, err)
	}
	p, err := launch(s, path)
	if err != nil {
		return nil, fault.Wrap(fault.UpstreamUnreachable, err)
	}
	return p, nil
}

// launch makes the pipes and starts the process.
func launch(s Spec, path string) (*Process, error) {
	var theirs, ours [3]*os.File
	closeAll := func(files [3]*os.File) {
		for _, f := range files {
			if f != nil {
				_ = f.Close() // a pipe end without data of ours
			}
		}
	}
	defer func() { closeAll(theirs) }()
	for i := range theirs {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(ours)
			return nil, err
		}
		if i == 0 {
			theirs[i], ours[i] = r, w
		} else {
			theirs[i], ours[i] = w, r
		}
	}
	cmd := &exec.Cmd{
		Path: path, Args: s.Command, Dir: s.Dir,
		Env:   append([]string{}, s.Env...), // never nil: nil would inherit ours
		Stdin: theirs[0], Stdout: theirs[1], Stderr: theirs[2],
		SysProcAttr: attributes(),
	}
	p := &Process{
		spec: s, stdin: ours[0], stdout: ours[1],
		lines:  bufio.NewReaderSize(ours[1], 16<<10),
		notes:  newNotes(ours[2], s.Stderr, s.Clock),
		exited: make(chan struct{}), drained: make(chan struct{}), stopped: make(chan struct{}),
	}
	started := make(chan error)
	p.owned.Go(func() { p.supervise(cmd, started) })
	if err := <-started; err != nil {
		p.owned.Wait()
		closeAll(ours)
		return nil, err
	}
	p.owned.Go(p.notes.read)
	return p, nil
}

// supervise starts the process and reaps it. It keeps its OS thread until
// then: Linux sends the parent-death signal when the thread that forked ends,
// not when the gateway does.
func (p *Process) supervise(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := hideDescriptors(); err != nil {
		started <- err
		return
	}
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.pid = cmd.Process.Pid
	if err := p.group.adopt(cmd.Process); err != nil {
		_ = cmd.Process.Kill() // Wait tells how it ended
		_ = cmd.Wait()
		started <- err
		return
	}
	started <- nil
	// Descendants must not outlive the child (U08): its group is killed, if
	// possible while the child's number is taken so that no other has it.
	err := reap(cmd, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.reaped = true
		p.group.kill(p.pid)
	})
	p.mu.Lock()
	p.state = err
	p.mu.Unlock()
	p.group.release()
	close(p.exited)
	p.afterExit()
}

// afterExit closes the pipes. A descendant that left the group may still hold
// their other ends, so what the child wrote has Grace to be read, no longer.
func (p *Process) afterExit() {
	_ = p.stdin.Close() // nobody reads it any more
	timer := time.NewTimer(p.spec.Grace)
	defer timer.Stop()
	for read, noted := p.drained, p.notes.done; read != nil || noted != nil; {
		select {
		case <-read:
			read = nil
		case <-noted:
			noted = nil
		case <-timer.C:
			read, noted = nil, nil
		case <-p.stopped:
			read, noted = nil, nil
		}
	}
	_ = p.stdout.Close() // unblocks Read
	p.notes.close()
}

// Done is closed when the process has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.exited }

// Pid returns the process id, which is also the id of its group.
func (p *Process) Pid() int { return p.pid }

// Tail returns the last 64 KiB of stderr as printable lines.
func (p *Process) Tail() string { return p.notes.tail() }

// Err tells how the process ended: nil while it runs, after exit status 0 and
// after Stop. The text holds neither arguments nor environment nor output.
func (p *Process) Err() error {
	select {
	case <-p.exited:
	default:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.cause != nil:
		return p.cause
	case p.wanted:
		return nil
	case p.state != nil:
		return fault.Wrap(fault.UpstreamGone, errors.New("the server process ended: "+p.state.Error()))
	}
	return nil
}

// reapFirst waits for the end of the process, reaps it, and calls last.
func reapFirst(cmd *exec.Cmd, last func()) error {
	err := cmd.Wait()
	last()
	return err
}
