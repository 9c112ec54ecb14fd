package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// conduit carries whole messages to and from a server. child.Process is one.
type conduit interface {
	Write(line []byte) error
	Read() ([]byte, error)
	Stop()
}

// pipe multiplexes requests over one conduit: it gives each an id of its own,
// and restores the caller's on the way back.
type pipe struct {
	conduit conduit
	owner   *piped
	done    chan struct{} // closed when the reader ended
	wait    sync.WaitGroup

	mu      sync.Mutex
	next    int64
	calls   map[int64]*call
	stream  *call             // the session's GET stream
	backlog []exchange.Answer // frames for a stream that is not there, bounded
	waiting int64             // bytes of backlog
	alone   bool              // examination: no client can answer the server's questions
	user    string            // principal whose calls it carries
	mixed   bool              // it carried calls of several principals
	err     error
}

// call is one request under way, or the session's stream.
type call struct {
	own    int64 // our id and progress token on the pipe; 0 for a stream
	id     wire.ID
	token  wire.ID
	idText []byte // id and token as the caller wrote them
	mark   []byte
	quiet  bool                 // initialize: not cancellable
	frames chan exchange.Answer // bounded: a caller too slow for it is cut
	held   atomic.Int64         // bytes of the messages in frames
	most   int64                // of held
	cut    chan struct{}
}

// queueBytes bounds what waits for one caller, besides the number of frames.
const queueBytes = 8 << 20

// queueLimit returns that bound; two messages of a server that may send larger ones
// always fit.
func (p *pipe) queueLimit() int64 { return max(queueBytes, 2*int64(p.owner.wire.Bytes)) }

func newPipe(c conduit, owner *piped, alone bool) *pipe {
	p := &pipe{conduit: c, owner: owner, alone: alone, done: make(chan struct{}), calls: map[int64]*call{}}
	p.wait.Go(p.read)
	return p
}

// broken returns why the pipe is of no more use, or nil.
func (p *pipe) broken() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// errEnded says that the gateway ended the pipe itself.
var errEnded = fault.New(fault.UpstreamGone)

func (p *pipe) stop() {
	p.fail(errEnded)
	p.conduit.Stop()
	p.wait.Wait()
}

func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
		close(p.done)
	}
}

func (p *pipe) newCall(own int64, id, token wire.ID) *call {
	return &call{own: own, id: id, token: token, most: p.queueLimit(), frames: make(chan exchange.Answer, p.owner.step.limits.Queue), cut: make(chan struct{})}
}

// ask sends x.Request under an id of the pipe's own.
func (p *pipe) ask(x *exchange.Exchange) (*call, error) {
	p.mu.Lock()
	if id := x.Principal.ID; id != "" {
		p.mixed = p.mixed || p.user != "" && p.user != id
		p.user = id
	}
	p.next++
	c := p.newCall(p.next, x.Request.ID(), x.Request.ProgressToken())
	c.quiet = x.Fact.Method == "initialize"
	c.idText = bytes.Clone(x.Request.Root().Get("id").Raw())
	c.mark = bytes.Clone(x.Request.Meta().Get("progressToken").Raw())
	p.calls[c.own] = c
	p.mu.Unlock()
	m, err := underOwnID(x.Request, c)
	if err == nil {
		err = p.write(m)
	}
	if err != nil {
		p.drop(c)
		return nil, err
	}
	return c, nil
}

func underOwnID(m *wire.Message, c *call) (*wire.Message, error) {
	own := []byte(strconv.FormatInt(c.own, 10))
	edits := []wire.Edit{wire.Replace(m.Root().Get("id"), own)}
	if !c.token.IsZero() {
		edits = append(edits, wire.Replace(m.Params().Get("_meta").Get("progressToken"), own))
	}
	return m.Rewrite(edits...)
}

func (p *pipe) write(m *wire.Message) error {
	if err := p.broken(); err != nil {
		return err
	}
	if err := p.conduit.Write(m.OneLine().Raw()); err != nil {
		return fault.Wrap(fault.UpstreamGone, err)
	}
	return nil
}

// notify sends a notification or an answer. The id in a cancellation is the
// caller's and becomes ours; one that names no call under way goes nowhere.
func (p *pipe) notify(m *wire.Message) error {
	if m.Method() == "notifications/cancelled" {
		id := m.Params().Get("requestId")
		c := p.callOf(id.ID())
		if c == nil || c.quiet {
			return nil
		}
		var err error
		if m, err = m.Rewrite(wire.Replace(id, []byte(strconv.FormatInt(c.own, 10)))); err != nil {
			return err
		}
	}
	return p.write(m)
}

func (p *pipe) callOf(id wire.ID) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.calls {
		if c.id == id {
			return c
		}
	}
	return nil
}

// drop forgets a call; what still comes for it is late and goes nowhere.
func (p *pipe) drop(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.own != 0 {
		delete(p.calls, c.own)
	} else if p.stream == c {
		p.stream = nil
	}
}

// yield hands frames to the caller until the answer; it reports whether the
// answer came. A caller that leaves before is told to the server.
func (c *call) yield(ctx context.Context, p *pipe, yield func(exchange.Answer, error) bool) bool {
	for {
		select {
		case a := <-c.frames:
			if !c.pass(a, yield) {
				return isAnswer(a.Message)
			}
			continue
		default:
		}
		select {
		case a := <-c.frames:
			if !c.pass(a, yield) {
				return isAnswer(a.Message)
			}
		case <-c.cut:
			yield(exchange.Answer{}, fault.New(fault.Busy))
			return false
		case <-p.done:
			select {
			case a := <-c.frames: // it came before the end
				if !c.pass(a, yield) {
					return isAnswer(a.Message)
				}
				continue
			default:
			}
			if err := p.broken(); c.own != 0 || !errors.Is(err, errEnded) {
				yield(exchange.Answer{}, err)
			}
			return false // a session's stream ends with its session
		case <-ctx.Done():
			p.cancel(c)
			yield(exchange.Answer{}, context.Cause(ctx))
			return false
		}
	}
}

// pass hands one frame on.
func (c *call) pass(a exchange.Answer, yield func(exchange.Answer, error) bool) bool {
	c.held.Add(-size(a))
	return yield(a, nil)
}

func size(a exchange.Answer) int64 {
	if a.Message == nil {
		return 0
	}
	return int64(len(a.Message.Raw()))
}

func isAnswer(m *wire.Message) bool {
	return m != nil && (m.Kind() == wire.Response || m.Kind() == wire.ErrorResponse)
}

// cancel tells the server that nobody waits for c any more.
func (p *pipe) cancel(c *call) {
	if c.own == 0 || c.quiet {
		return
	}
	m, err := wire.NewNotification("notifications/cancelled", []byte(`{"requestId":`+strconv.FormatInt(c.own, 10)+`}`))
	if err == nil {
		err = p.write(m)
	}
	if err != nil {
		p.owner.step.cfg.Log(p.owner.srv.ID, "cancel a call", err)
	}
}

// attach makes x the session's stream.
func (p *pipe) attach(ctx context.Context, x *exchange.Exchange) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stream != nil {
		return fault.New(fault.StreamTaken)
	}
	c := p.newCall(0, wire.ID{}, wire.ID{})
	p.stream = c
	for _, a := range p.backlog {
		c.put(a) // the backlog is never longer than the queue
	}
	p.backlog, p.waiting = nil, 0
	x.Answers = func(yield func(exchange.Answer, error) bool) {
		defer p.drop(c)
		c.yield(ctx, p, yield)
	}
	return nil
}

// handshake introduces the client of a session to a server that it has not
// spoken to yet.
func (p *pipe) handshake(ctx context.Context, s *exchange.Session, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fault.New(fault.UpstreamLate))
	defer cancel()
	answer, err := p.request(ctx, "initialize", initializeParams(s))
	if err != nil {
		return err
	}
	if answer.Kind() != wire.Response {
		return fault.Wrap(fault.UpstreamBad, errors.New("the server refused initialize"))
	}
	m, err := wire.NewNotification("notifications/initialized", nil)
	if err != nil {
		return err
	}
	return p.write(m)
}

// request sends a request of the gateway's own and waits for its answer.
func (p *pipe) request(ctx context.Context, method string, params []byte) (*wire.Message, error) {
	m, err := wire.NewRequest(wire.IntID(1), method, params)
	if err != nil {
		return nil, err
	}
	x := &exchange.Exchange{Request: m}
	x.Fact.Method = method
	c, err := p.ask(x)
	if err != nil {
		return nil, err
	}
	defer p.drop(c)
	var answer *wire.Message
	c.yield(ctx, p, func(a exchange.Answer, e error) bool {
		if err = e; err == nil && isAnswer(a.Message) {
			answer = a.Message
		}
		return err == nil && answer == nil
	})
	if answer == nil && err == nil {
		err = fault.New(fault.UpstreamGone)
	}
	return answer, err
}

// read routes what the server sends until the conduit ends. A line that is not
// one valid message ends the pipe: nothing after it can be trusted to be
// framed (U08).
func (p *pipe) read() {
	pace := newPace(p.owner.step.limits.PerSecond, p.owner.step.cfg.Clock)
	for {
		line, err := p.conduit.Read()
		if err != nil {
			p.fail(cause(context.Background(), err))
			return
		}
		if len(line) == 0 {
			continue
		}
		m, err := parse(line, p.owner.wire)
		if err == nil {
			m, err = p.owner.hidden.strip(m)
		}
		if err != nil {
			p.owner.step.cfg.Log(p.owner.srv.ID, "malformed message ends the server", err)
			p.fail(err)
			p.conduit.Stop()
			return
		}
		if m.Kind() == wire.Notification && !pace.allow() {
			continue
		}
		if err := p.route(m); err != nil {
			p.owner.step.cfg.Log(p.owner.srv.ID, "dropped a message", err)
		}
	}
}

var (
	errNoCall = errors.New("an answer that no call waits for")
	errNobody = errors.New("a message that nobody can receive")
)

// route gives m to the call it belongs to.
func (p *pipe) route(m *wire.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if isAnswer(m) {
		return p.routeAnswer(m)
	}
	if m.Method() == "notifications/progress" {
		return p.routeProgress(m)
	}
	if id := m.Params().Get("_meta").Get("io.modelcontextprotocol/subscriptionId").ID(); !id.IsZero() {
		return p.routeListen(m, id)
	}
	if (p.alone || p.mixed) && m.Kind() == wire.Request {
		return p.decline(m)
	}
	if p.mixed { // it names no call, so it could be about anybody's (S08, TestPipeOfSeveral)
		return errNobody
	}
	a := exchange.Answer{Message: m}
	switch {
	case aside(m) && p.stream != nil:
		p.stream.put(a)
	case !aside(m) && len(p.calls) > 0:
		p.latest().put(a)
	case p.stream != nil:
		p.stream.put(a)
	case len(p.backlog) < p.owner.step.limits.Queue && p.waiting+size(a) <= p.queueLimit():
		p.backlog, p.waiting = append(p.backlog, a), p.waiting+size(a)
	default:
		return errNobody
	}
	return nil
}

// aside reports whether m has nothing to do with a request under way: such
// messages belong on the session's stream.
func aside(m *wire.Message) bool {
	switch m.Method() {
	case "notifications/tools/list_changed", "notifications/prompts/list_changed",
		"notifications/resources/list_changed", "notifications/resources/updated":
		return true
	}
	return false
}

// decline answers a question of the server when no client is there. The
// caller holds mu; a pipe's write does not need it.
func (p *pipe) decline(m *wire.Message) error {
	no := wire.NewError(m.ID(), wire.LatestLegacy, fault.New(fault.MethodUnknown), "")
	return p.conduit.Write(no.OneLine().Raw())
}

func (p *pipe) latest() *call {
	var last *call
	for _, c := range p.calls {
		if last == nil || c.own > last.own {
			last = c
		}
	}
	return last
}

func (p *pipe) routeAnswer(m *wire.Message) error {
	own, err := strconv.ParseInt(m.ID().Raw(), 10, 64)
	c := p.calls[own]
	if err != nil || c == nil {
		return errNoCall
	}
	restored, err := m.Rewrite(wire.Replace(m.Root().Get("id"), c.idText))
	if err != nil {
		return fmt.Errorf("restore the caller's id: %w", err)
	}
	delete(p.calls, own)
	c.put(exchange.Answer{Message: restored})
	return nil
}

func (p *pipe) routeProgress(m *wire.Message) error {
	own, err := strconv.ParseInt(m.ProgressToken().Raw(), 10, 64)
	c := p.calls[own]
	if err != nil || c == nil || c.token.IsZero() {
		return errNoCall
	}
	restored, err := m.Rewrite(wire.Replace(m.Params().Get("progressToken"), c.mark))
	if err != nil {
		return err
	}
	c.put(exchange.Answer{Message: restored})
	return nil
}

// routeListen gives a subscription's message to its listen call, whose id is
// ours on the pipe.
func (p *pipe) routeListen(m *wire.Message, id wire.ID) error {
	own, err := strconv.ParseInt(id.Raw(), 10, 64)
	c := p.calls[own]
	if err != nil || c == nil {
		return errNoCall
	}
	c.put(exchange.Answer{Message: m})
	return nil
}

// put queues a frame, or cuts the call when its caller is too slow. One
// goroutine puts at a time.
func (c *call) put(a exchange.Answer) {
	n := size(a)
	if c.held.Load()+n <= c.most {
		c.held.Add(n)
		select {
		case c.frames <- a:
			return
		default:
			c.held.Add(-n)
		}
	}
	select {
	case <-c.cut:
	default:
		close(c.cut)
	}
}
