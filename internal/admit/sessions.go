package admit

import (
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/wire"
)

// sessions holds the legacy sessions of this process. A session travels as a
// sealed handle, so that one whose state fits into it survives a restart; what
// is kept here is what cannot travel: ids under way, questions that wait for
// an answer, the open stream.
type sessions struct {
	handles *keys.Handles
	limits  Limits
	forget  func(string)
	node    string // names this process: a bound session of another one is gone

	mu       sync.Mutex
	byHandle map[string]*session
	held     map[string]int       // sessions per principal
	evicted  []string             // ids whose state elsewhere is still to be dropped
	ended    map[string]time.Time // ids of ended sessions, until their handles expire
}

// session is one open legacy session.
type session struct {
	session   *exchange.Session
	principal string
	endpoint  string
	handle    string
	rings     rings
	tasks     tasks

	mu     sync.Mutex
	used   time.Time
	under  map[wire.ID]struct{}
	asked  map[wire.ID]exchange.Pending // by the id that the client sees
	stream bool
}

func newSessions(cfg Config) *sessions {
	return &sessions{
		handles: cfg.Handles, limits: cfg.Limits, forget: cfg.Forget, node: rand.Text(),
		byHandle: map[string]*session{}, held: map[string]int{}, ended: map[string]time.Time{},
	}
}

// carried is what a handle holds.
type carried struct {
	ID      string `json:"i"`
	Version string `json:"v"`
	Caps    string `json:"c"`
	Info    string `json:"n,omitempty"`
	Remote  string `json:"r,omitempty"`
	Node    string `json:"p,omitempty"` // set: lives in that process only
	Created int64  `json:"t"`
}

// headerRoom is the longest handle that fits into a header; what is longer
// binds the session to this process.
const headerRoom = 2 << 10

// Take and Give let a session be counted while initialize is under way. A
// principal that holds as many as it may loses the one that it has not used
// for longest, unless all of them are busy: many clients never end theirs.
func (s *sessions) Take(principal string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.limits.Sessions > 0 && s.held[principal] >= s.limits.Sessions && !s.evict(principal) {
		return fault.New(fault.Busy)
	}
	s.held[principal]++
	return nil
}

// evict ends the least recently used session of principal that is not busy.
// The caller holds mu.
func (s *sessions) evict(principal string) bool {
	var oldest *session
	var since time.Time
	for _, live := range s.byHandle {
		if live.principal != principal {
			continue
		}
		if used, busy := live.state(); !busy && (oldest == nil || used.Before(since)) {
			oldest, since = live, used
		}
	}
	if oldest == nil {
		return false
	}
	s.drop(oldest)
	s.evicted = append(s.evicted, oldest.session.ID)
	return true
}

// Give frees one session of principal.
func (s *sessions) Give(principal string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(principal)
}

func (s *sessions) release(principal string) {
	if s.held[principal]--; s.held[principal] <= 0 {
		delete(s.held, principal)
	}
}

// begin makes the handle of a new session and keeps it.
func (s *sessions) begin(x *exchange.Exchange, now time.Time) (*session, error) {
	e := *x.Session
	e.New = false
	c := carried{ID: e.ID, Version: string(e.Version), Caps: e.Capabilities, Info: e.ClientInfo, Remote: e.Remote, Created: e.Created.Unix()}
	if e.Bound {
		c.Node, c.Remote = s.node, ""
	}
	handle := s.seal(x, c, now)
	if len(handle) > headerRoom {
		handle = s.seal(x, carried{ID: e.ID, Version: c.Version, Node: s.node, Created: c.Created}, now)
	}
	if handle == "" {
		return nil, fault.New(fault.Internal)
	}
	live := newSession(&e, x.Principal.ID, x.Endpoint, handle, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byHandle[handle] = live
	s.held[live.principal]++ // beside the one that initialize holds until its end
	return live, nil
}

func (s *sessions) seal(x *exchange.Exchange, c carried, now time.Time) string {
	payload, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return s.handles.Seal("legacy-session", x.Principal.ID, x.Endpoint, payload, now.Add(s.limits.SessionLife))
}

func newSession(e *exchange.Session, principal, endpoint, handle string, now time.Time) *session {
	return &session{
		session: e, principal: principal, endpoint: endpoint, handle: handle, used: now,
		under: map[wire.ID]struct{}{}, asked: map[wire.ID]exchange.Pending{},
	}
}

// open returns the session behind a handle. Whatever is wrong with it is the
// same 404; an id that we did not mint is never adopted (S02).
func (s *sessions) open(principal, endpoint, handle string, now time.Time) (*session, error) {
	s.mu.Lock()
	live := s.byHandle[handle]
	s.mu.Unlock()
	if live != nil {
		if live.principal != principal || live.endpoint != endpoint || now.Sub(live.session.Created) > s.limits.SessionLife {
			return nil, fault.New(fault.SessionUnknown)
		}
		live.touch(now)
		return live, nil
	}
	payload, err := s.handles.Open("legacy-session", principal, endpoint, handle, now)
	if err != nil {
		return nil, fault.Wrap(fault.SessionUnknown, err)
	}
	var c carried
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, fault.Wrap(fault.SessionUnknown, err)
	}
	return s.revive(c, principal, endpoint, handle, now)
}

// revive takes a session up again that an earlier process began.
func (s *sessions) revive(c carried, principal, endpoint, handle string, now time.Time) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, over := s.ended[c.ID]; over || c.Node != "" {
		return nil, fault.New(fault.SessionUnknown)
	}
	if live := s.byHandle[handle]; live != nil {
		return live, nil
	}
	if s.limits.Sessions > 0 && s.held[principal] >= s.limits.Sessions && !s.evict(principal) {
		return nil, fault.New(fault.Busy)
	}
	e := &exchange.Session{
		ID: c.ID, Version: wire.Version(c.Version), Capabilities: c.Caps, ClientInfo: c.Info, Remote: c.Remote, Created: time.Unix(c.Created, 0),
	}
	live := newSession(e, principal, endpoint, handle, now)
	s.byHandle[handle] = live
	s.held[principal]++
	return live, nil
}

// end ends a session for good: its handle opens no more.
func (s *sessions) end(live *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(live)
}

// drop ends a session. The caller holds mu.
func (s *sessions) drop(live *session) {
	if s.byHandle[live.handle] == live {
		delete(s.byHandle, live.handle)
		s.release(live.principal)
		s.ended[live.session.ID] = live.session.Created.Add(s.limits.SessionLife)
	}
}

// expire ends idle sessions and forgets ended ones whose handles are void.
func (s *sessions) expire(now time.Time) {
	s.mu.Lock()
	var idle []*session
	for _, live := range s.byHandle {
		if live.idle(now, s.limits.SessionIdle) || now.Sub(live.session.Created) > s.limits.SessionLife {
			idle = append(idle, live)
		}
	}
	evicted := s.evicted
	s.evicted = nil
	for id, until := range s.ended {
		if now.After(until) {
			delete(s.ended, id)
		}
	}
	s.mu.Unlock()
	for _, live := range idle {
		s.end(live)
		s.forget(live.session.ID)
	}
	for _, id := range evicted {
		s.forget(id)
	}
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byHandle)
}

func (s *session) touch(now time.Time) {
	s.mu.Lock()
	s.used = now
	s.mu.Unlock()
}

// state returns when the session was used last and whether it is in use now.
func (s *session) state() (used time.Time, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.stream || len(s.under) > 0
}

func (s *session) idle(now time.Time, most time.Duration) bool {
	used, busy := s.state()
	return !busy && now.Sub(used) > most
}

func (s *session) enter(id wire.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, twice := s.under[id]; twice {
		return false
	}
	s.under[id] = struct{}{}
	return true
}

func (s *session) leave(id wire.ID) {
	s.mu.Lock()
	delete(s.under, id)
	s.mu.Unlock()
}

// mostAsked bounds the questions of servers that wait in one session.
const mostAsked = 128

// ask remembers a server's question under the id that the client will see.
func (s *session) ask(id wire.ID, p exchange.Pending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) >= mostAsked {
		return false
	}
	s.asked[id] = p
	return true
}

// answered takes a question out: it can be answered once.
func (s *session) answered(id wire.ID) (exchange.Pending, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.asked[id]
	delete(s.asked, id)
	return p, ok
}

// seen returns the id under which the client knows the server's question.
func (s *session) seen(server string, id wire.ID) (wire.ID, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ours, p := range s.asked {
		if p.Server == server && p.ID == id {
			return ours, true
		}
	}
	return wire.ID{}, false
}

func (s *session) openStream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stream {
		return false
	}
	s.stream = true
	return true
}

func (s *session) closeStream() {
	s.mu.Lock()
	s.stream = false
	s.mu.Unlock()
}
