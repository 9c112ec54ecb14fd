// Package wrapper is the shim behind "ostiary wrap": it stands where a client
// app expects a stdio server and carries each message to the running gateway
// over Streamable HTTP, in the legacy era (sessions) and in the modern one
// (2026-07-28), and each answer back.
//
// It reads the app's lines, writes protocol and nothing else to Out, and talks
// to one URL through the dialler and the TLS configuration that it is given;
// the TLS configuration holds the agent's credential. It passes the bytes of
// messages on unchanged. It deliberately decides nothing: policy, recording and
// limits are the gateway's. It starts no process, keeps no file, and opens no
// new session by itself when one has ended, because the app would not know
// that its state is gone.
//
// Specification: https://modelcontextprotocol.io/specification, basic/transports
// of 2025-03-26 to 2026-07-28; SEP-1699 (polling of streams), SEP-2243 (headers
// that mirror the body).
package wrapper

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

// Config says what to connect. URL, In, Out, Log and Dial are required.
type Config struct {
	URL string      // of the gateway's endpoint: https://host:port/s/NAME/mcp or .../mcp
	TLS *tls.Config // the gateway's CA and the agent's certificate; required for https
	In  io.Reader   // lines of the app
	Out io.Writer   // lines to the app; protocol only
	Log io.Writer   // sentences for a person

	// MessageBytes bounds one message either way. Default 4 MiB.
	MessageBytes int
	// Grace is how long outstanding answers are waited for at the end of In.
	// Default 10 s.
	Grace time.Duration
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	Clock clock.Clock // paces reconnections

	pause func(ctx context.Context, d time.Duration) error // tests only; nil: wait
}

const (
	defaultGrace   = 10 * time.Second
	noticeTimeout  = 30 * time.Second          // POST of a notification or response
	startTimeout   = time.Minute               // initialize; a server may take 30 s to start
	goodbyeTimeout = 2 * time.Second           // DELETE of a session
	callTimeout    = time.Hour + 5*time.Minute // above the longest call that the gateway allows
	maxCalls       = 256                       // requests of the app at once
	maxBatch       = 100                       // messages of one batch
)

// errEnding is why calls end when the app is gone.
var errEnding = errors.New("the app has ended")

// shim is one run.
type shim struct {
	cfg    Config
	client *http1.Client
	addr   string // host:port
	target string // path and query
	limits wire.Limits
	out    *output
	tools  toolParams

	calls     sync.WaitGroup          // goroutines of calls
	callCtx   context.Context         // parent of every call
	endCalls  context.CancelCauseFunc // ends them
	turn      chan struct{}           // closed when initialize is answered; the main loop's own
	listening sync.WaitGroup          // the goroutine of the GET stream

	mu      sync.Mutex         // guards what follows
	running map[wire.ID]*call  // by id of the app
	session session            // legacy
	modern  string             // version of the last modern request
	mute    context.CancelFunc // ends the GET stream
}

// Run carries messages until In ends, which is no error, ctx ends or Out
// fails. It first connects once: a gateway that cannot be reached is
// fault.UpstreamUnreachable, one that refuses the agent's certificate is
// fault.Unauthenticated; each is one sentence on Log, and In is not read. When
// ctx ends first, a Read of In that waits is left behind until In is closed.
func Run(ctx context.Context, c Config) error {
	s, err := newShim(c)
	if err != nil {
		return err
	}
	defer s.client.Close()
	if err := s.reach(ctx); err != nil {
		return err
	}
	return s.run(ctx)
}

func newShim(c Config) (*shim, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("wrapper: gateway URL: %w", err)
	}
	port := u.Port()
	switch {
	case u.Scheme == "https" && c.TLS != nil:
		port = orDefault(port, "443")
	case u.Scheme == "http" && c.TLS == nil:
		port = orDefault(port, "80")
	default:
		return nil, errors.New("wrapper: gateway URL and TLS configuration do not fit")
	}
	if u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Path == "" {
		return nil, errors.New("wrapper: gateway URL needs a host and a path, and nothing but a query besides")
	}
	if c.Grace <= 0 {
		c.Grace = defaultGrace
	}
	if c.pause == nil {
		c.pause = pause
	}
	limits := wire.DefaultLimits()
	if c.MessageBytes > 0 {
		limits.Bytes = c.MessageBytes
	}
	return &shim{
		cfg: c, addr: net.JoinHostPort(u.Hostname(), port), target: u.RequestURI(), limits: limits,
		client:  http1.NewClient(http1.ClientConfig{Dial: c.Dial}),
		out:     &output{out: c.Out, log: c.Log},
		running: map[wire.ID]*call{},
	}, nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (s *shim) run(ctx context.Context) error {
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	s.out.broken = abort
	s.callCtx, s.endCalls = context.WithCancelCause(ctx)
	defer s.endCalls(nil)
	input := readLines(ctx, s.cfg.In, s.limits.Bytes)
	for {
		select {
		case in, ok := <-input:
			if !ok {
				s.finish(ctx)
				return context.Cause(ctx)
			}
			s.take(ctx, in)
		case <-ctx.Done():
			s.finish(ctx)
			return context.Cause(ctx)
		}
	}
}

// finish waits for outstanding answers, ends the rest and then the session.
func (s *shim) finish(ctx context.Context) {
	s.hush()
	s.endStreams()
	done := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer close(done)
		s.calls.Wait()
	})
	timer := time.NewTimer(s.cfg.Grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-ctx.Done():
	}
	s.endCalls(errEnding)
	waiting.Wait()
	s.goodbye(ctx)
}

// pause waits for d or for the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
