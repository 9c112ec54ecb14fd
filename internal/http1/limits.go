package http1

import "time"

// Limits bound what a peer may send and how long it may take. A zero field
// means its default. Sizes are bytes.
type Limits struct {
	URL         int // request target; 414 beyond. Default 8 KiB
	Line        int // one header line; 431 beyond. Default 8 KiB
	HeaderBytes int // all header lines together; 431 beyond. Default 32 KiB
	Fields      int // number of header lines; 431 beyond. Default 100

	HeaderTimeout time.Duration // TLS handshake; first byte of a connection or request to the end of the head. Default 10 s
	IdleTimeout   time.Duration // between two requests of a connection. Default 120 s
	WriteTimeout  time.Duration // each write, to a peer that must read it. Default 30 s

	// A body may take BodyTimeout, and one second more for every BodyRate
	// bytes that have arrived. Defaults 30 s and 1 KiB/s.
	BodyTimeout time.Duration
	BodyRate    int

	Drain     int64 // body bytes read and dropped to keep a connection. Default 64 KiB
	ChunkLine int   // one chunk-size line with its extensions. Default 256
	Trailers  int   // all trailer lines together. Default 2 KiB
}

// DefaultLimits returns the defaults.
func DefaultLimits() Limits { return Limits{}.filled() }

// filled returns l with a default in place of every zero.
func (l Limits) filled() Limits {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	wait := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	or(&l.URL, 8<<10)
	or(&l.Line, 8<<10)
	or(&l.HeaderBytes, 32<<10)
	or(&l.Fields, 100)
	wait(&l.HeaderTimeout, 10*time.Second)
	wait(&l.IdleTimeout, 120*time.Second)
	wait(&l.WriteTimeout, 30*time.Second)
	wait(&l.BodyTimeout, 30*time.Second)
	or(&l.BodyRate, 1<<10)
	if l.Drain <= 0 {
		l.Drain = 64 << 10
	}
	or(&l.ChunkLine, 256)
	or(&l.Trailers, 2<<10)
	return l
}
