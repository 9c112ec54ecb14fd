package http1

import (
	"net"
	"sync"
)

// holdSize is how many bytes a socket gathers before it sends them: a 64 KiB
// answer with its head, as TLS records.
const holdSize = 96 << 10

var holdBuffers = sync.Pool{New: func() any { return new([holdSize]byte) }}

// socket lies between TLS and the TCP connection. crypto/tls writes each
// record of 16 KiB by itself; between hold and send the records are gathered,
// which for large messages is the greatest saving there is.
type socket struct {
	net.Conn
	mu      sync.Mutex // guards the rest: a reader may write, too (key updates)
	holding bool
	pooled  *[holdSize]byte
	n       int // bytes of pooled that wait
}

// hold begins to gather.
func (s *socket) hold() {
	s.mu.Lock()
	s.holding = true
	s.mu.Unlock()
}

// send ends hold and sends what was gathered.
func (s *socket) send() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holding = false
	return s.flush()
}

// flush is called with mu held.
func (s *socket) flush() error {
	if s.pooled == nil {
		return nil
	}
	_, err := s.Conn.Write(s.pooled[:s.n])
	holdBuffers.Put(s.pooled)
	s.pooled, s.n = nil, 0
	return err
}

// Write sends p, or keeps it while holding.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n+len(p) > holdSize {
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	if !s.holding || len(p) > holdSize {
		if err := s.flush(); err != nil { // nothing waits unless holding: order holds either way
			return 0, err
		}
		return s.Conn.Write(p)
	}
	if s.pooled == nil {
		s.pooled = holdBuffers.Get().(*[holdSize]byte)
	}
	s.n += copy(s.pooled[s.n:], p)
	return len(p), nil
}

// sendTogether writes parts to nc in as few system calls as can be. s is nil
// on plaintext.
func sendTogether(nc net.Conn, s *socket, parts ...[]byte) error {
	if s == nil {
		_, err := (*net.Buffers)(&parts).WriteTo(nc)
		return err
	}
	s.hold()
	var err error
	for i := 0; i < len(parts) && err == nil; i++ {
		if len(parts[i]) > 0 {
			_, err = nc.Write(parts[i])
		}
	}
	if sent := s.send(); err == nil {
		err = sent
	}
	return err
}
