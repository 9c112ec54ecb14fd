package http1

import (
	"bytes"
	"io"
	"sync"
)

// readSize is the size of a pooled read buffer, bytes.
const readSize = 4 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// reader buffers the bytes of one connection. It holds a buffer only while it
// has to; release gives an empty one back. Not safe for concurrent use.
type reader struct {
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] was read and not consumed

	pooled *[readSize]byte // backing of buf, nil when buf outgrew it
}

// buffered returns how many bytes are waiting.
func (b *reader) buffered() int { return b.w - b.r }

// fill reads at least one byte more into the buffer, which grows as needed:
// the caller bounds what it asks for.
func (b *reader) fill() error {
	b.room()
	for range 100 {
		n, err := b.src.Read(b.buf[b.w:])
		b.w += n
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// room makes space for at least one byte at the end of the buffer.
func (b *reader) room() {
	if b.buf == nil {
		b.pooled = readBuffers.Get().(*[readSize]byte)
		b.buf, b.r, b.w = b.pooled[:], 0, 0
		return
	}
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
	if b.w < len(b.buf) {
		return
	}
	if b.r > 0 {
		b.w = copy(b.buf, b.buf[b.r:b.w])
		b.r = 0
		return
	}
	grown := make([]byte, 2*len(b.buf))
	copy(grown, b.buf[:b.w])
	b.giveBack()
	b.buf = grown
}

func (b *reader) giveBack() {
	if b.pooled != nil {
		readBuffers.Put(b.pooled)
		b.pooled = nil
	}
}

// release gives the buffer back if nothing is waiting in it.
func (b *reader) release() {
	if b.r == b.w && b.buf != nil {
		b.giveBack()
		b.buf, b.r, b.w = nil, 0, 0
	}
}

// push appends a byte that was read past the buffer.
func (b *reader) push(c byte) {
	b.room()
	b.buf[b.w] = c
	b.w++
}

// read copies waiting bytes to p; with none waiting, a large p is filled from
// the connection directly. Like io.Reader's Read, but it never returns 0, nil.
func (b *reader) read(p []byte) (int, error) {
	if b.r == b.w {
		if len(p) >= readSize {
			for range 100 {
				if n, err := b.src.Read(p); n > 0 || err != nil {
					if n > 0 {
						err = nil
					}
					return n, err
				}
			}
			return 0, io.ErrNoProgress
		}
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.buf[b.r:b.w])
	b.r += n
	return n, nil
}

// line returns the next line without its CRLF; it is valid until the next
// read. A line longer than max, CRLF included, and a bare LF are malformed.
func (b *reader) line(max int, long error) ([]byte, error) {
	seen := 0
	for {
		if i := bytes.IndexByte(b.buf[b.r+seen:b.w], '\n'); i >= 0 {
			end := seen + i + 1
			if end > max {
				return nil, long
			}
			line := b.buf[b.r : b.r+end]
			b.r += end
			if end < 2 || line[end-2] != '\r' {
				return nil, errBareLF
			}
			return line[:end-2], nil
		}
		seen = b.buffered()
		if seen >= max {
			return nil, long
		}
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
}
