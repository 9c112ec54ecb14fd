package child

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

var (
	errNewline  = errors.New("child: a message holds a line break")
	errTooLong  = errors.New("a line of the server process exceeds the limit")
	errUnread   = errors.New("the server process does not read its input")
	errCut      = errors.New("the server process ended inside a message")
	errNoReader = errors.New("the server process closed its input")
)

// Write sends one message and its line feed. A line feed or carriage return
// inside is an error, because the child would read two messages. A child that
// does not read within WriteTimeout is ended. Other errors are
// fault.UpstreamGone.
func (p *Process) Write(line []byte) error {
	if bytes.ContainsAny(line, "\r\n") {
		return errNewline
	}
	framed := append(append(make([]byte, 0, len(line)+1), line...), '\n')
	p.writing.Lock()
	defer p.writing.Unlock()
	if err := p.over(); err != nil {
		return err
	}
	// The timer ends the whole group rather than the write alone: half a
	// message was sent, and the next would be read as its rest.
	fired := make(chan struct{})
	timer := time.AfterFunc(p.spec.WriteTimeout, func() {
		defer close(fired)
		p.fail(fault.Wrap(fault.UpstreamGone, errUnread))
		_ = p.stdin.Close() // unblocks the write
	})
	_, err := p.stdin.Write(framed)
	if !timer.Stop() {
		<-fired
	}
	if err == nil {
		return nil
	}
	if over := p.over(); over != nil {
		return over
	}
	return fault.Wrap(fault.UpstreamGone, errNoReader)
}

// over returns the reason why nothing can be sent any more, or nil.
func (p *Process) over() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.cause != nil:
		return p.cause
	case p.wanted || p.reaped:
		return fault.New(fault.UpstreamGone)
	}
	return nil
}

// Read returns the next line of stdout without its line break; empty lines
// are skipped. The slice is the caller's. After the last line it returns
// io.EOF if the child was stopped or ended with status 0 between two lines,
// and else a *fault.Error: UpstreamTooLarge for a line beyond LineBytes,
// UpstreamGone for a line cut by the end or another exit status.
func (p *Process) Read() ([]byte, error) {
	for {
		line, err := p.line()
		if err != nil {
			return nil, p.last(err)
		}
		if len(line) > 0 {
			return line, nil
		}
	}
}

// line reads up to a line feed and drops it with a carriage return before it.
func (p *Process) line() ([]byte, error) {
	var line []byte
	for {
		part, err := p.lines.ReadSlice('\n')
		if len(line)+len(part) > p.spec.LineBytes+len("\r\n") {
			return nil, errTooLong
		}
		line = append(line, part...)
		if err == nil {
			line = bytes.TrimSuffix(line[:len(line)-1], []byte("\r"))
			if len(line) > p.spec.LineBytes {
				return nil, errTooLong
			}
			return line, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			if len(line) > 0 {
				return nil, errCut
			}
			return nil, io.EOF
		}
	}
}

// last ends a child that closed its stdout or broke the framing, waits for its
// end, and turns the reason into Read's error.
func (p *Process) last(err error) error {
	if errors.Is(err, errTooLong) {
		p.fail(fault.Wrap(fault.UpstreamTooLarge, err))
	}
	p.drain.Do(func() { close(p.drained) })
	p.awaitEnd()
	if ended := p.Err(); ended != nil {
		return ended
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(err, errCut) && !p.wanted {
		return fault.Wrap(fault.UpstreamGone, errCut)
	}
	return io.EOF
}

// awaitEnd waits until the process is reaped. One that closed its stdout and
// stays is of no use: it gets Grace and is then told to end.
func (p *Process) awaitEnd() {
	timer := time.NewTimer(p.spec.Grace)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.terminate()
		<-p.exited
	}
}
