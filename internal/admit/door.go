// Package admit is where bytes come in and go out: the HTTP face of both
// protocol eras on one address. It checks what can be checked before anybody
// is identified, reads and parses the body once for whoever is, and replies
// once.
//
// It may read the request, mint and open handles, and count what callers use.
// It deliberately knows no server and no grant, and never passes a header on:
// forward builds its own. It follows MCP 2025-11-25 and 2026-07-28,
// basic/transports, and RFC 9110.
package admit

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/wire"
)

// Config is what admit needs of the house.
type Config struct {
	Names   []string       // accepted host names, lower case, without port
	Origins []string       // accepted origins, exact
	Trusted []netip.Prefix // proxies whose X-Forwarded-For names the caller
	Handles *keys.Handles
	Clock   clock.Clock
	Budget  *quota.Budget
	Rate    *quota.Rate
	Wire    wire.Limits
	Limits  Limits
	// Pages answers what is not an MCP endpoint, such as /.well-known/ and the
	// issuer's pages; Host and Origin are checked before. Page says which
	// paths are its. Nil: there are none.
	Pages http1.Handler
	Page  func(path string) bool
	// Challenge returns the parameters of the Bearer challenge at an endpoint:
	// the place of its metadata and the scopes that an access needs, "" for
	// what a client begins with. Nil: callers get no token anywhere.
	Challenge func(endpoint, access string) string
	// Public is the origin under which clients reach the gateway: a proof of a
	// key names it (RFC 9449). Nil: none is accepted.
	Public func() string
	// Nonce returns what proofs of keys must repeat, and whether a proof lacks
	// it (RFC 9449). Nil: they need none.
	Nonce func(proof string) (nonce string, lacks bool)
	// Forget is told of legacy sessions that ended without a DELETE.
	Forget func(session string)
}

// Limits bound what one principal may use at once.
type Limits struct {
	InFlight     int           // requests; 128
	Streams      int           // open SSE streams; 256
	Listen       int           // subscriptions/listen streams; 64
	Sessions     int           // legacy sessions; 256
	Batch        int           // messages in a batch of 2025-03-26; 100
	URIs         int           // resource subscriptions of one listen stream; 1000
	SessionIdle  time.Duration // 30 min
	SessionLife  time.Duration // 24 h
	KeepAlive    time.Duration // between comments on a silent stream; 15 s
	StateLife    time.Duration // requestState of a server; 15 min
	ReplayBytes  int           // kept of one stream for resumption; 8 MiB
	ReplayAge    time.Duration // 10 min
	RequestState int           // bytes of a server's requestState; 64 KiB
}

// Door is the HTTP face. New makes it; Path must be set before it serves.
type Door struct {
	cfg      Config
	names    map[string]bool
	origins  map[string]bool
	calls    *quota.Slots
	streams  *quota.Slots
	listens  *quota.Slots
	sessions *sessions
	path     Path
}

// Path is what the door hands exchanges to; gateway implements it.
type Path interface {
	Run(ctx context.Context, x *exchange.Exchange)
	Refuse(ctx context.Context, x *exchange.Exchange, why error)
}

// New returns a door.
func New(cfg Config) *Door {
	d := &Door{cfg: cfg, names: map[string]bool{}, origins: map[string]bool{}}
	for _, n := range cfg.Names {
		d.names[strings.ToLower(n)] = true
	}
	for _, o := range cfg.Origins {
		d.origins[o] = true
	}
	d.calls, d.streams, d.listens = quota.NewSlots(cfg.Limits.InFlight), quota.NewSlots(cfg.Limits.Streams), quota.NewSlots(cfg.Limits.Listen)
	d.sessions = newSessions(cfg)
	return d
}

// Serve sets where exchanges go.
func (d *Door) Serve(p Path) { d.path = p }

// Expire ends legacy sessions that were idle too long; app calls it once a
// minute.
func (d *Door) Expire(now time.Time) { d.sessions.expire(now) }

// Sessions returns how many legacy sessions are open.
func (d *Door) Sessions() int { return d.sessions.count() }

// Face returns the handler of one listener. local names the agent that every
// caller there is, on the loopback listener without credentials; otherwise it
// is empty.
func (d *Door) Face(local string) http1.Handler { return &handler{d, local} }

type handler struct {
	door  *Door
	local string
}

// Serve takes one HTTP request in, as one exchange.
func (h *handler) Serve(ctx context.Context, w http1.Response, r *http1.Request) {
	d := h.door
	x := &exchange.Exchange{ID: newID(), Start: d.cfg.Clock.Now(), Peer: peerOf(r, d.cfg.Trusted)}
	f := &face{door: d, w: w, r: r}
	x.Face = f
	err := f.edge(x)
	switch {
	case err == errPage:
		page := *r
		page.Peer = x.Peer // behind a trusted proxy, the caller's: pages count by it
		d.cfg.Pages.Serve(ctx, w, &page)
	case err != nil:
		d.path.Refuse(ctx, x, err)
	case r.Method == "OPTIONS":
		f.preflight()
	default:
		x.Credential = credentialOf(r, h.local)
		if x.Credential.DPoP {
			x.Credential.Method, x.Credential.URL = r.Method, d.public()+r.Path
		}
		d.path.Run(ctx, x)
	}
}

func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		panic("admit: no randomness: " + err.Error())
	}
	return id.String()
}

// errPage says that the request is for a page, not for an MCP endpoint.
var errPage = errors.New("admit: a page")

// edge checks the request line, Host and Origin (MCP: servers MUST validate
// Origin; Host stops DNS rebinding, H12) and finds the endpoint.
func (f *face) edge(x *exchange.Exchange) error {
	d, r := f.door, f.r
	if !d.names[hostOf(r.Host)] {
		return fault.New(fault.HostUnknown)
	}
	if n := r.Header.Count("Origin"); n > 0 {
		origin, _ := r.Header.Get("Origin")
		switch {
		case n == 1 && d.origins[origin]:
			f.origin = origin
		case n > 1 || origin != f.own():
			return fault.New(fault.OriginForbidden)
		}
	}
	server, ok := endpoint(r.Path)
	if !ok && d.cfg.Pages != nil && d.cfg.Page(r.Path) {
		return errPage
	}
	if !ok {
		return fault.New(fault.PathUnknown)
	}
	if r.Query != "" {
		return fault.Newf(fault.BadHeader, "This address takes no query.")
	}
	x.Endpoint = server
	switch r.Method {
	case "POST":
		x.Verb = exchange.Post
	case "GET":
		x.Verb = exchange.Stream
	case "DELETE":
		x.Verb = exchange.End
	case "OPTIONS":
		if f.origin == "" {
			return fault.New(fault.MethodNotAllowed)
		}
	default:
		return fault.New(fault.MethodNotAllowed)
	}
	return nil
}

// own returns the origin of this very listener. A page that has it was served
// by us: the host was just found to be one of our names.
func (f *face) own() string {
	if f.r.TLS == nil {
		return "http://" + f.r.Host
	}
	return "https://" + f.r.Host
}

// hostOf returns the host of a Host header in lower case, without its port;
// "" when the port is not a number.
func hostOf(host string) string {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name, port = host[:i], host[i+1:]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" {
			return ""
		}
	}
	if strings.HasPrefix(name, "[") {
		if ip := net.ParseIP(strings.Trim(name, "[]")); ip == nil || !strings.HasSuffix(name, "]") {
			return ""
		}
		name = strings.Trim(name, "[]")
	}
	return strings.ToLower(name)
}

// routes are the paths that carry MCP; * stands for the name of a server. What
// is neither here nor a page is nothing at all.
var routes = []string{"/mcp", "/s/*/mcp"}

// Routes returns them, for the matrix of who may do what on each (P03): a new
// one has no rule there, and fails it.
func Routes() []string { return slices.Clone(routes) }

// endpoint finds the route of a path and the server that it names.
func endpoint(path string) (server string, ok bool) {
	for _, r := range routes {
		before, after, named := strings.Cut(r, "*")
		if !named && path == r {
			return "", true
		}
		if !named || len(path) <= len(before)+len(after) || !strings.HasPrefix(path, before) || !strings.HasSuffix(path, after) {
			continue
		}
		if server = path[len(before) : len(path)-len(after)]; len(server) <= 32 && !strings.ContainsAny(server, "/%") {
			return server, true
		}
	}
	return "", false
}

func (d *Door) public() string {
	if d.cfg.Public == nil {
		return ""
	}
	return d.cfg.Public()
}

// credentialOf collects what the caller showed; identify judges it.
func credentialOf(r *http1.Request, local string) identity.Credential {
	c := identity.Credential{Local: local}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		c.Chain, c.Others = r.TLS.VerifiedChains[0], r.TLS.VerifiedChains[1:]
	}
	switch r.Header.Count("Authorization") {
	case 0:
	case 1:
		value, _ := r.Header.Get("Authorization")
		scheme, token, ok := strings.Cut(value, " ")
		c.DPoP = strings.EqualFold(scheme, "DPoP")
		if !ok || !c.DPoP && !strings.EqualFold(scheme, "Bearer") || token == "" {
			c.Malformed = true
			break
		}
		c.Token = token
		if c.DPoP {
			c.Proof, _ = r.Header.Get("DPoP")
			c.Malformed = r.Header.Count("DPoP") != 1
		}
	default:
		c.Malformed = true
	}
	return c
}
