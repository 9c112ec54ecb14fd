package http1

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// ClientConfig configures a Client. Dial is required; it decides what may be
// reached.
type ClientConfig struct {
	Dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	Limits Limits // of heads, chunks and trailers; WriteTimeout. Bodies are for the caller to bound

	MaxIdlePerHost int           // connections kept open for later. Default 64
	MaxPerHost     int           // connections at once, more wait. Default 1,024
	IdleTimeout    time.Duration // how long a kept connection is used again. Default 30 s
	DialTimeout    time.Duration // default 5 s
	TLSTimeout     time.Duration // default 5 s
	HeadTimeout    time.Duration // from the request's last byte to the end of the answer's head. Default: ctx alone
}

// OutRequest is one request to an upstream.
type OutRequest struct {
	Method     string
	TLS        *tls.Config // nil: plain HTTP. Connections are shared within one *tls.Config, which must not change
	Addr       string      // host:port to dial
	ServerName string      // for TLS; default TLS.ServerName, else the host of Addr
	Host       string      // Host field; default Addr
	Target     string      // origin-form
	Header     Header      // without Host, Content-Length and other framing
	Body       []byte

	// PoolKey keeps credentials apart: a connection is shared only by
	// requests with equal PoolKey, TLS, ServerName and Addr.
	PoolKey string
	// Idempotent requests are sent a second time when a kept connection turns
	// out to be closed. Others never are.
	Idempotent bool
}

// InResponse is an upstream's answer.
type InResponse struct {
	Status        int
	Header        Header
	ContentLength int64 // -1: not stated
	// Body must be closed. Read to the end it gives its connection back;
	// closed earlier it ends it. Close may be called while Read waits.
	Body io.ReadCloser
}

// Client sends requests over kept connections. It follows no redirects and
// starts no goroutine per request. NewClient makes it; Close ends it.
type Client struct {
	cfg   ClientConfig
	lim   Limits
	clock clock.Clock

	cpus    int          // that this process may use
	waiting atomic.Int32 // calls whose answer has not begun

	mu     sync.Mutex
	hosts  map[hostKey]*host
	conns  map[*clientConn]struct{} // all open ones, for Close
	idle   int                      // kept connections of all hosts
	reaper *time.Timer
	closed bool
}

// NewClient returns a client. It panics without Dial.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Dial == nil {
		panic("http1: no dial function")
	}
	for v, d := range map[*int]int{&cfg.MaxIdlePerHost: 64, &cfg.MaxPerHost: 1024} {
		if *v <= 0 {
			*v = d
		}
	}
	for v, d := range map[*time.Duration]time.Duration{
		&cfg.IdleTimeout: 30 * time.Second, &cfg.DialTimeout: 5 * time.Second, &cfg.TLSTimeout: 5 * time.Second,
	} {
		if *v <= 0 {
			*v = d
		}
	}
	return &Client{cfg: cfg, cpus: runtime.GOMAXPROCS(0), lim: cfg.Limits.filled(), hosts: map[hostKey]*host{}, conns: map[*clientConn]struct{}{}}
}
