// Package portal is where people sign in: with a passkey, or with a password
// and a one-time code. It serves the pages below /login, knows who is signed in
// in which browser, and enrols whom an operator invited. The pages below
// /approvals show calls that wait for a person, and take the decisions.
//
// It keeps people as nouns through Store and sessions in memory. It
// deliberately decides nothing but who somebody is: what they may do is in
// admin's table of roles, whether a decision counts is Desk's to say, and which
// agents may act for them is in their noun. One factor alone never signs anybody
// in, and no page tells whether a name exists.
package portal

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/login"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/registry"
)

// Store keeps people. admin.Own has it.
type Store interface {
	Change(ctx context.Context, fn func(registry.NounStore) ([]auditlog.Act, error)) error
	Note(acts ...auditlog.Act) error
}

// Config is what the portal is made of.
type Config struct {
	Origins func() []string // of this gateway, the public one first: https://host[:port]

	Ring  *keys.Ring
	Live  *registry.Live
	Store Store
	Clock clock.Clock
	Desk  Desk // nil: no calls wait here
	Log   func(msg string, err error)
}

// Person is somebody who is signed in, as they are now.
type Person struct {
	Name      string
	Pseudonym string
	Roles     []registry.Role
	Agents    []string // that may act for them, by name
	Strength  identity.Strength
	AuthTime  time.Time
	Session   string // names the browser's session, and is no secret
	HasKey    bool   // has a passkey
}

// How long things live, and how often they may be tried in a minute.
const (
	idleLife  = 30 * time.Minute
	fullLife  = 12 * time.Hour
	tryLife   = 5 * time.Minute  // a ceremony
	enrolLife = 10 * time.Minute // the second page of enrolment

	perPeer   = 60 // pages
	perTry    = 20 // tries of an address
	perPair   = 5  // tries of an address at one name
	perRecord = 60 // failed tries that the log gets
	atOnce    = 2  // passwords hashed at once
)

// Portal serves the pages. It is safe for concurrent use.
type Portal struct {
	cfg Config
	mux *http.ServeMux

	pages, tries, pairs, records *quota.Rate
	hashing                      *quota.Slots

	mu         sync.Mutex
	sessions   map[string]*session // by keyed hash of the cookie
	ceremonies map[string]ceremony
}

// New returns the portal.
func New(cfg Config) *Portal {
	p := &Portal{cfg: cfg, mux: http.NewServeMux(), pages: quota.NewRate(perPeer), tries: quota.NewRate(perTry),
		pairs: quota.NewRate(perPair), records: quota.NewRate(perRecord), hashing: quota.NewSlots(atOnce),
		sessions: map[string]*session{}, ceremonies: map[string]ceremony{}}
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /login":                p.loginPage,
		"POST /login":               p.byPassword,
		"POST /login/passkey/begin": p.beginPasskey,
		"POST /login/passkey":       p.byPasskey,
		"GET /login/enrol":          p.enrolPage,
		"POST /login/enrol":         p.enrolFirst,
		"POST /login/enrol/confirm": p.enrolSecond,
		"GET /login/account":        p.account,
		"POST /login/add/begin":     p.beginAdd,
		"POST /login/add":           p.add,
		"POST /login/logout":        p.logout,
	} {
		p.mux.HandleFunc(pattern, h)
	}
	if cfg.Desk != nil {
		p.mux.HandleFunc("GET "+approvalsAt, p.waiting)
		p.mux.HandleFunc("GET "+approvalsAt+"/{id}", p.approval)
		p.mux.HandleFunc("POST "+approvalsAt+"/{id}", p.decide)
		p.mux.HandleFunc("POST "+glassAt+"{id}", p.review)
	}
	return p
}

// ServeHTTP answers one request. A form that a page elsewhere makes a browser
// send is refused before anything is read (K02, TestK02LoginCSRF).
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	if err := p.pages.Take(peer(r), p.now()); err != nil {
		w.Header().Set("Retry-After", "60")
		p.page(w, http.StatusTooManyRequests, problem("There were too many requests from your network. Wait a minute."))
		return
	}
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		p.page(w, http.StatusForbidden, problem("This form was not sent from a page of this gateway."))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 48<<10)
	p.mux.ServeHTTP(w, r)
}

func harden(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

func (p *Portal) now() time.Time { return p.cfg.Clock.Now() }

func (p *Portal) log(msg string, err error) {
	if p.cfg.Log != nil {
		p.cfg.Log(msg, err)
	}
}

// passkeys returns the ceremonies, or nil where browsers have none.
func (p *Portal) passkeys() *login.Passkeys {
	k, err := login.NewPasskeys(p.cfg.Origins())
	if err != nil {
		return nil
	}
	if host := hostOf(p.cfg.Origins()); net.ParseIP(host) != nil {
		return nil
	}
	return k
}

// person returns somebody who may sign in, by name.
func (p *Portal) person(name string) *registry.Person {
	who := registry.Get[registry.Person](p.cfg.Live.Load(), registry.KindPerson, name)
	if who == nil || who.State != registry.PersonActive {
		return nil
	}
	return who
}

func (p *Portal) view(name, pseudonym string, who *registry.Person) Person {
	v := Person{Name: name, Pseudonym: pseudonym, Roles: who.Roles, HasKey: len(who.Passkeys) > 0}
	for _, a := range who.Agents {
		if s, ok := p.cfg.Ring.SubjectOf(a); ok {
			v.Agents = append(v.Agents, s.Name())
		}
	}
	return v
}

// edit changes somebody's noun and records it.
func (p *Portal) edit(ctx context.Context, name string, act auditlog.Act, fn func(*registry.Person) error) error {
	return p.cfg.Store.Change(ctx, func(s registry.NounStore) ([]auditlog.Act, error) {
		n, err := s.Noun(registry.KindPerson, name)
		if err != nil {
			return nil, err
		}
		who, err := registry.ValueOf[registry.Person](n)
		if err != nil {
			return nil, err
		}
		if err := fn(&who); err != nil {
			return nil, err
		}
		who.Changed = p.now().UTC()
		next, err := registry.NewNoun(n.Kind, n.ID, n.Owner, who)
		if err != nil {
			return nil, err
		}
		next.Revision, act.By = n.Revision, name
		return []auditlog.Act{act}, s.UpdateNoun(next)
	})
}

// peer is what is counted as one address.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
