package forward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// asker sends requests of the gateway's own to one server in one era.
type asker interface {
	// ask returns the answer to method; params are the members of the params
	// object after _meta, "" for none.
	ask(ctx context.Context, method, params string) (*wire.Message, error)
	stop()
}

// examineLimit bounds a whole examination, in pages of one list and in time.
const (
	examinePages = 100
	examineLimit = 60 * time.Second
)

// Examine asks srv which eras it speaks and what tools it offers. It is how
// registry.Prober reaches servers; it uses a backend of its own, so that a
// server need not be approved to be examined.
func (s *Step) Examine(ctx context.Context, srv registry.Server) (registry.Examination, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, examineLimit, fault.New(fault.UpstreamLate))
	defer cancel()
	var e registry.Examination
	var failures []error
	for _, era := range []wire.Era{wire.Modern, wire.Legacy} {
		only, err := s.examineEra(ctx, &srv, era, &e)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", era, err))
			continue
		}
		e.Eras = append(e.Eras, era.String())
		if only {
			break
		}
	}
	if len(e.Eras) == 0 {
		return e, fault.Wrap(fault.UpstreamUnreachable, errors.Join(failures...))
	}
	return e, nil
}

// examineEra speaks to srv in one era and adds what it says to e. It reports
// whether the server says that it speaks no other.
func (s *Step) examineEra(ctx context.Context, srv *registry.Server, era wire.Era, e *registry.Examination) (only bool, err error) {
	a, hello, err := s.greet(ctx, srv, era)
	if err != nil {
		return false, err
	}
	defer a.stop()
	only = modernOnly(hello)
	if info := hello.Result().Get("serverInfo"); info.Exists() {
		e.ServerInfo = string(info.Raw())
	}
	if text, ok := hello.Result().Get("instructions").Text(); ok {
		e.Instructions = text
	}
	if hello.Result().Get("capabilities").Kind() != wire.Object {
		return false, fault.Wrap(fault.UpstreamBad, errors.New("the server's introduction has no capabilities"))
	}
	if err := listTools(ctx, a, e); err != nil && hello.Result().Get("capabilities").Get("tools").Exists() {
		return false, err
	}
	return only, nil
}

// modernOnly reports whether the answer to server/discover lists versions, and
// none of the legacy era among them.
func modernOnly(hello *wire.Message) bool {
	versions := hello.Result().Get("supportedVersions")
	for v := range versions.Elements() {
		text, _ := v.Text()
		if wire.Version(text).Era() == wire.Legacy {
			return false
		}
	}
	return versions.Len() > 0
}

// greet opens a conversation with initialize or server/discover.
func (s *Step) greet(ctx context.Context, srv *registry.Server, era wire.Era) (asker, *wire.Message, error) {
	a, err := s.asker(srv, era)
	if err != nil {
		return nil, nil, err
	}
	hello, err := a.hello(ctx)
	if err == nil && era == wire.Modern && offersModern(hello) {
		hello, err = a.hello(ctx) // it refused the version that it offers: ask once more
	}
	if err == nil && hello.Kind() != wire.Response {
		err = fault.Wrap(fault.UpstreamBad, errors.New("the server refused"))
	}
	if err != nil {
		a.stop()
		return nil, nil, err
	}
	return a, hello, nil
}

// offersModern reports whether m refuses a version (-32022) and names ours as
// one that the server supports.
func offersModern(m *wire.Message) bool {
	code, _ := m.ErrorObject().Get("code").Int()
	if code != -32022 {
		return false
	}
	for v := range m.ErrorObject().Get("data").Get("supported").Elements() {
		if v.Is(string(wire.V20260728)) {
			return true
		}
	}
	return false
}

// listTools adds every page of tools/list to e. A tool that both eras list the
// same is added once; of one that differs the modern definition counts, and the
// difference is a finding.
func listTools(ctx context.Context, a asker, e *registry.Examination) error {
	cursor := ""
	for range examinePages {
		m, err := a.ask(ctx, "tools/list", cursor)
		if err != nil {
			return err
		}
		if m.Kind() != wire.Response {
			return fault.Wrap(fault.UpstreamBad, errors.New("the server refused tools/list"))
		}
		if kind := m.Result().Get("tools").Kind(); kind != wire.Array && kind != wire.Null {
			return fault.Wrap(fault.UpstreamBad, errors.New("the answer to tools/list holds no list"))
		}
		for v := range m.Result().Get("tools").Elements() {
			addTool(e, v)
		}
		next, ok := m.Result().Get("nextCursor").Text()
		if !ok {
			e.Listed = true
			return nil
		}
		cursor = `"cursor":` + string(wire.Quote(next))
	}
	return fault.Wrap(fault.UpstreamTooLarge, errors.New("too many pages of tools"))
}

func addTool(e *registry.Examination, v wire.Value) {
	name, ok := v.Get("name").Text()
	if !ok {
		e.Findings = append(e.Findings, "a tool without a name was left out")
		return
	}
	definition := string(v.Raw())
	digest, err := registry.CanonicalDigest(v.Raw())
	if err != nil {
		e.Findings = append(e.Findings, fmt.Sprintf("the definition of tool %q is not canonical JSON", name))
	}
	at := slices.IndexFunc(e.Tools, func(t registry.Tool) bool { return t.Name == name })
	switch {
	case at < 0:
		e.Tools = append(e.Tools, registry.Tool{Name: name, Definition: definition, Digest: digest})
	case e.Tools[at].Digest != digest:
		e.Findings = append(e.Findings, fmt.Sprintf("tool %q has different definitions in the two protocol eras", name))
	}
}

// greeter is an asker that can introduce itself.
type greeter interface {
	asker
	hello(ctx context.Context) (*wire.Message, error)
}

func (s *Step) asker(srv *registry.Server, era wire.Era) (greeter, error) {
	if srv.Transport == registry.HTTP {
		r, err := newRemoteAs(s, srv, s.boundTo(srv, nil))
		if err != nil {
			return nil, err
		}
		return &remoteAsker{r: r, era: era}, nil
	}
	if srv.Transport == registry.SSE && era == wire.Modern {
		return nil, fault.New(fault.EraMismatch)
	}
	p, err := newPiped(s, srv)
	if err != nil {
		return nil, err
	}
	p.alone = true
	c, err := p.start()
	if err != nil {
		return nil, err
	}
	return &pipeAsker{owner: p, pipe: c, era: era, limit: s.limits.Start}, nil
}

// params returns a params object with the metadata that era demands.
func params(era wire.Era, members string) []byte {
	if era == wire.Modern {
		if members != "" {
			members = "," + members
		}
		return []byte(`{"_meta":` + gatewayMeta + members + `}`)
	}
	return []byte(`{` + members + `}`)
}

// helloParams declares every capability, because some servers offer certain
// tools only to clients that can serve them.
const helloParams = `{"protocolVersion":"` + string(wire.V20251125) + `","capabilities":{"roots":{"listChanged":true},"sampling":{"tools":{},"context":{}},"elicitation":{"form":{},"url":{}},"tasks":{"list":{},"cancel":{},"requests":{"sampling":{"createMessage":{}},"elicitation":{"create":{}}}}},"clientInfo":{"name":"ostiary","version":"1"}}`

type remoteAsker struct {
	r       *remote
	era     wire.Era
	session string
	version wire.Version
	last    int64
}

func (a *remoteAsker) hello(ctx context.Context) (*wire.Message, error) {
	if a.era == wire.Modern {
		return a.ask(ctx, "server/discover", "")
	}
	m, err := wire.NewRequest(wire.IntID(1), "initialize", []byte(helloParams))
	if err != nil {
		return nil, err
	}
	answer, session, err := a.r.ask(ctx, m, a.r.plainHeaders("", ""))
	if err != nil || answer.Kind() != wire.Response {
		return answer, err
	}
	v, _ := answer.Result().Get("protocolVersion").Text()
	a.session, a.version, a.last = session, wire.Version(v), 1
	done, err := wire.NewNotification("notifications/initialized", nil)
	if err == nil {
		_, _, err = a.r.ask(ctx, done, a.r.plainHeaders(a.session, a.version))
	}
	return answer, err
}

func (a *remoteAsker) ask(ctx context.Context, method, members string) (*wire.Message, error) {
	a.last++
	m, err := wire.NewRequest(wire.IntID(a.last), method, params(a.era, members))
	if err != nil {
		return nil, err
	}
	h := a.r.plainHeaders(a.session, a.version)
	if a.era == wire.Modern {
		x := &exchange.Exchange{Era: wire.Modern, Version: wire.V20260728, Request: m}
		if h, err = a.r.headers(x, "", ""); err != nil {
			return nil, err
		}
	}
	answer, _, err := a.r.ask(ctx, m, h)
	return answer, err
}

func (a *remoteAsker) stop() {
	if a.session != "" {
		ctx, cancel := context.WithTimeout(context.Background(), tellLimit)
		defer cancel()
		if resp, err := a.r.do(ctx, "DELETE", a.r.sessionHeaders(a.session, a.version), nil); err == nil {
			resp.Body.Close()
		}
	}
	a.r.close()
}

type pipeAsker struct {
	owner *piped
	pipe  *pipe
	era   wire.Era
	limit time.Duration
}

func (a *pipeAsker) hello(ctx context.Context) (*wire.Message, error) {
	if a.era == wire.Modern {
		return a.ask(ctx, "server/discover", "")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.limit, fault.New(fault.UpstreamLate))
	defer cancel()
	answer, err := a.pipe.request(ctx, "initialize", []byte(helloParams))
	if err != nil || answer.Kind() != wire.Response {
		return answer, err
	}
	done, err := wire.NewNotification("notifications/initialized", nil)
	if err == nil {
		err = a.pipe.write(done)
	}
	return answer, err
}

func (a *pipeAsker) ask(ctx context.Context, method, members string) (*wire.Message, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, a.limit, fault.New(fault.UpstreamLate))
	defer cancel()
	return a.pipe.request(ctx, method, params(a.era, members))
}

func (a *pipeAsker) stop() {
	a.pipe.stop()
	a.owner.close()
}
