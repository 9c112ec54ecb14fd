// Package forward is the only room that speaks to a server or starts one. It
// sends what the path decided to send, and yields the server's frames back,
// parsed and bounded: Streamable HTTP in both eras, the HTTP+SSE transport of
// 2024-11-05, and stdio children.
//
// It may dial through the guarded dialler, start children, and open the sealed
// credentials of servers. It deliberately decides nothing about who may call
// what, never retries what is not a plain read, and follows no redirect. It
// follows MCP 2025-11-25 and 2026-07-28, basic/transports.
package forward

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Config is what forward needs of the house.
type Config struct {
	// Dial reaches addr after vetting it; private allows loopback and
	// private addresses.
	Dial func(ctx context.Context, network, addr string, private bool) (net.Conn, error)
	// Open returns the clear value of a server's sealed credential.
	Open func(server string, s registry.Secret) ([]byte, error)
	// Environ resolves the names of variables that a child may inherit.
	// Live is where the credentials that servers are shown are found; nil:
	// there are none but the servers' own secrets.
	Live *registry.Live
	// Unseal returns the settings of a credential, Tokens where its tokens are
	// kept. Both are nil together with Live.
	Unseal func(id string, sealed []byte) ([]byte, error)
	Tokens func(id string) oauth.Vault
	// Ask lets a person log in while a call waits; nil: a login is a command.
	Ask     oauth.Ask
	Environ func(name string) (string, bool)
	Budget  *quota.Budget
	Clock   clock.Clock
	Log     func(server, msg string, err error)
	Dir     string // working directory of children
	Wire    wire.Limits
	Limits  Limits
}

// Limits bound what servers may do. The zero value of a field means its
// default.
type Limits struct {
	Call        time.Duration // absolute limit of a call; 5 min
	Idle        time.Duration // stream without a byte; 5 min
	ListenIdle  time.Duration // listen stream without a byte; 10 min
	Start       time.Duration // start and first answer of a child; 30 s
	InFlight    int           // calls at once per server; 256
	Processes   int           // children at once per server; 64
	ProcessIdle time.Duration // a shared child without calls is stopped; 10 min
	PerSecond   int           // notifications per second from one stream; 100
	Queue       int           // frames that wait for one caller on a shared pipe; 64
}

func (l Limits) withDefaults() Limits {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&l.Call, 5*time.Minute)
	def(&l.Idle, 5*time.Minute)
	def(&l.ListenIdle, 10*time.Minute)
	def(&l.Start, 30*time.Second)
	def(&l.ProcessIdle, 10*time.Minute)
	num(&l.InFlight, 256)
	num(&l.Processes, 64)
	num(&l.PerSecond, 100)
	num(&l.Queue, 64)
	return l
}

// backend speaks to one revision of one server.
type backend interface {
	// send forwards x and sets x.Answers (nil: accepted, nothing to answer).
	send(ctx context.Context, x *exchange.Exchange) error
	// tell gives m to the server outside of any request of the caller.
	tell(ctx context.Context, x *exchange.Exchange, m *wire.Message) error
	// forget drops what it holds for a legacy session.
	forget(session string)
	close()
}

// Step forwards exchanges. New makes it; Close ends every child and stream.
type Step struct {
	cfg     Config
	limits  Limits
	slots   *quota.Slots
	clients map[bool]*http1.Client // by whether private addresses are allowed
	buffers buffers

	mu       sync.Mutex
	backends map[string]*entry // by server id, and by credential where there is one
	closed   bool
	calls    uint64
	closing  sync.WaitGroup // backends that were replaced and end their work
}

type entry struct {
	revision int64
	round    int64 // of the credential, 0 without one
	server   string
	used     uint64 // when it was last asked for, in calls
	contact  string // how the server is reached; a change makes a new backend
	backend  backend
}

// New returns a forwarder.
func New(cfg Config) *Step {
	s := &Step{cfg: cfg, limits: cfg.Limits.withDefaults(), backends: map[string]*entry{}, clients: map[bool]*http1.Client{}}
	s.slots = quota.NewSlots(s.limits.InFlight)
	for _, private := range []bool{false, true} {
		s.clients[private] = http1.NewClient(http1.ClientConfig{
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return cfg.Dial(ctx, network, addr, private)
			},
		})
	}
	return s
}

// Send forwards x to x.Server. It is the path's only step with an effect
// outside. A cancellation that is posted in the modern era has none: there a
// client cancels by closing its request, and on a pipe that callers share the
// id could be another caller's (M14, TestHostileStreams; MCP 2026-07-28
// basic/patterns/cancellation).
func (s *Step) Send(ctx context.Context, x *exchange.Exchange) error {
	if x.Join != nil {
		return nil // the parts are forwarded, not the whole
	}
	if x.Server == nil {
		return fault.New(fault.Internal)
	}
	if x.Era == wire.Modern && x.Fact.Method == "notifications/cancelled" {
		return nil
	}
	b, err := s.backend(x)
	if err != nil {
		return err
	}
	return b.send(ctx, x)
}

// Return tells the server x.Back: the refusal of what it asked of the client.
func (s *Step) Return(ctx context.Context, x *exchange.Exchange) error {
	b, err := s.backend(x)
	if err != nil {
		return err
	}
	return b.tell(ctx, x, x.Back)
}

// Forget drops everything held for a legacy session that expired.
func (s *Step) Forget(session string) {
	s.mu.Lock()
	all := make([]backend, 0, len(s.backends))
	for _, e := range s.backends {
		all = append(all, e.backend)
	}
	s.mu.Unlock()
	for _, b := range all {
		b.forget(session)
	}
}

// backend returns the live backend of x's server with the credential that x
// is shown there, replacing one of an older revision. Callers with different
// credentials share no backend, and so no connection, no session and no stream
// (S08, TestS08PoolsAreKeyedByCredential).
func (s *Step) backend(x *exchange.Exchange) (backend, error) {
	srv := x.Server
	auth := s.boundTo(srv, x)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault.New(fault.Draining)
	}
	s.calls++
	key := srv.ID
	if auth != nil {
		key += "\x00" + auth.key
	}
	e := s.backends[key]
	if e != nil && e.round == auth.round() && (e.revision == srv.Revision || e.contact == contactOf(srv)) {
		e.revision, e.used = srv.Revision, s.calls
		if r, ok := e.backend.(*remote); ok {
			r.auth.take(auth)
		}
		return e.backend, nil
	}
	b, err := s.open(srv, auth)
	if err != nil {
		return nil, err
	}
	if e != nil {
		s.closing.Go(e.backend.close)
	} else if auth != nil && auth.personal {
		s.makeRoom()
	}
	s.backends[key] = &entry{srv.Revision, auth.round(), srv.ID, s.calls, contactOf(srv), b}
	return b, nil
}

// maxBackends bounds the backends that are kept; past it, the one that was
// not used for longest is dropped, and comes back when it is asked for.
const maxBackends = 4096

// makeRoom drops a backend when there are too many. The caller holds mu.
func (s *Step) makeRoom() {
	if len(s.backends) < maxBackends {
		return
	}
	oldest := ""
	for key, e := range s.backends {
		if r, ok := e.backend.(*remote); ok && r.auth != nil && r.auth.personal && (oldest == "" || e.used < s.backends[oldest].used) {
			oldest = key
		}
	}
	if oldest != "" {
		s.closing.Go(s.backends[oldest].backend.close)
		delete(s.backends, oldest)
	}
}

// callLimit returns the absolute limit of a call of x to srv.
func (s *Step) callLimit(x *exchange.Exchange, srv *registry.Server) time.Duration {
	switch {
	case x.Deadline > 0:
		return x.Deadline
	case srv.CallTimeout > 0:
		return srv.CallTimeout
	}
	return s.limits.Call
}

// contactOf returns everything that decides how srv is reached, as text to
// compare. It holds sealed values only.
func contactOf(srv *registry.Server) string {
	return fmt.Sprintf("%q %q %t %q %q %x %q %q %q %q %q %t %d", srv.Transport, srv.URL, srv.Private, srv.Command, srv.Dir,
		sealedOf(srv), srv.PassEnv, srv.CAFile, srv.Pins, srv.ClientCert, srv.ClientKey, srv.TLS12, srv.MessageBytes)
}

func sealedOf(srv *registry.Server) []string {
	var all []string
	for _, s := range srv.Secrets {
		all = append(all, s.Name, string(s.Sealed))
	}
	return all
}

func (s *Step) open(srv *registry.Server, auth *bound) (backend, error) {
	switch srv.Transport {
	case registry.HTTP:
		return newRemoteAs(s, srv, auth)
	case registry.SSE, registry.Stdio:
		return newPiped(s, srv)
	}
	return nil, fault.New(fault.Internal)
}

// Retain closes the backends of servers that view no longer lets anybody
// reach.
func (s *Step) Retain(view *registry.Snapshot) {
	s.mu.Lock()
	var gone []backend
	for key, e := range s.backends {
		if srv := view.Server(e.server); srv == nil || srv.State != registry.Active || !e.credentialLives(view) {
			gone = append(gone, e.backend)
			delete(s.backends, key)
		}
	}
	s.mu.Unlock()
	for _, b := range gone {
		b.close()
	}
}

// Close ends every child and every connection.
func (s *Step) Close() {
	s.mu.Lock()
	s.closed = true
	all := s.backends
	s.backends = map[string]*entry{}
	s.mu.Unlock()
	for _, e := range all {
		e.backend.close()
	}
	s.closing.Wait()
	for _, c := range s.clients {
		c.Close()
	}
}
