package wrapper

import (
	"iter"
	"strconv"
	"sync"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/wire"
)

const (
	maxTools = 10_000 // whose header parameters are kept
	maxPages = 64     // of tools/list that are read for one call
)

// toolParams knows which arguments of which tools modern requests repeat in
// Mcp-Param headers. It learns them from tools/list answers that pass by.
type toolParams struct {
	mu    sync.Mutex // guards known
	known map[string][]wire.HeaderParam
}

func (t *toolParams) of(tool string) []wire.HeaderParam {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[tool]
}

// learn takes over the tools of one page; the first page begins anew. It
// yields the tools whose annotations are against the rules.
func (t *toolParams) learn(m *wire.Message, first bool) iter.Seq2[string, error] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if first || t.known == nil {
		t.known = map[string][]wire.HeaderParam{}
	}
	var bad []string
	var errs []error
	for tool := range m.Result().Get("tools").Elements() {
		name, ok := tool.Get("name").Text()
		params, err := wire.HeaderParams(tool.Get("inputSchema"))
		switch {
		case !ok || len(t.known) >= maxTools:
		case err != nil:
			bad, errs = append(bad, name), append(errs, err)
		case len(params) > 0:
			t.known[name] = params
		default:
			delete(t.known, name)
		}
	}
	return func(yield func(string, error) bool) {
		for i, name := range bad {
			if !yield(name, errs[i]) {
				return
			}
		}
	}
}

// mismatched handles a 400 to a modern tools/call. If the headers did not fit
// the tool, its definition has changed or was never seen here: the list is
// read and the call, which the gateway did not run, is sent once more, if that
// changes its headers.
func (s *shim) mismatched(c *call, resp *http1.InResponse) error {
	defer resp.Body.Close()
	m, f := s.rejection(resp)
	if m != nil && codeOf(m) == fault.New(fault.HeaderMismatch).Code() {
		if head, changed := s.relearn(c); changed {
			again, err := s.request(c.ctx, "POST", head, c.body)
			if err != nil {
				return err
			}
			return s.answer(c, again)
		}
	}
	return s.pass(c, m, f)
}

// relearn reads tools/list until the call's tool is found, and returns the
// call's new head.
func (s *shim) relearn(c *call) (head http1.Header, changed bool) {
	cursor := ""
	for page := range maxPages {
		list, err := wire.NewRequest(wire.StringID("ostiary-wrap-"+strconv.Itoa(page)), "tools/list", listParams(c.first, cursor))
		if err != nil {
			return nil, false
		}
		answer, err := s.ask(c, list)
		if err != nil {
			s.out.say("The list of tools could not be read.", err)
			return nil, false
		}
		for range s.tools.learn(answer, page == 0) {
			continue // told when the app itself lists tools
		}
		head, err = s.modernHead(c.first, c.version)
		if err != nil {
			return nil, false
		}
		if len(head) != len(c.head) {
			return head, true
		}
		next, ok := answer.Result().Get("nextCursor").Text()
		if !ok || next == cursor {
			break
		}
		cursor = next
	}
	return head, !sameFields(head, c.head)
}

func sameFields(a, b http1.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// listParams returns the params of a tools/list that speaks as the call does:
// version, client and capabilities stand in its _meta.
func listParams(call *wire.Message, cursor string) []byte {
	params := append([]byte(`{"_meta":{`), identityMembers(call.Meta())...)
	params = append(params, '}')
	if cursor != "" {
		params = append(append(params, `,"cursor":`...), wire.Quote(cursor)...)
	}
	return append(params, '}')
}

// identityMembers returns the protocol's own members of a request's _meta;
// progress tokens and trace fields belong to the call alone.
func identityMembers(meta wire.Value) []byte {
	var out []byte
	for m, v := range meta.Members() {
		switch m.Key {
		case "io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientInfo",
			"io.modelcontextprotocol/clientCapabilities":
			if out != nil {
				out = append(out, ',')
			}
			out = append(append(append(out, wire.Quote(m.Key)...), ':'), v.Raw()...)
		}
	}
	return out
}

// ask sends a request of the shim's own and returns its response.
func (s *shim) ask(c *call, m *wire.Message) (*wire.Message, error) {
	head, err := s.modernHead(m, c.version)
	if err != nil {
		return nil, err
	}
	resp, err := s.request(c.ctx, "POST", head, m.Raw())
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.Status != 200 {
		_, f := s.rejection(resp)
		return nil, f
	}
	if mediaType(resp) == typeJSON {
		text, err := s.whole(resp)
		if err != nil {
			return nil, err
		}
		return s.response(m, text)
	}
	for events := wire.NewEvents(resp.Body, s.limits.Bytes); ; {
		ev, err := events.Next()
		if err != nil {
			return nil, err
		}
		if len(ev.Data) == 0 {
			continue
		}
		if answer, err := s.response(m, ev.Data); answer != nil || err != nil {
			return answer, err
		}
	}
}

// response returns the response to m that text is, nil if it is a
// notification.
func (s *shim) response(m *wire.Message, text []byte) (*wire.Message, error) {
	answer, err := wire.Parse(text, s.limits, wire.FromServer)
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.UpstreamBad, err)
	case answer.Kind() == wire.Notification:
		return nil, nil
	case answer.Kind() != wire.Response || answer.ID() != m.ID():
		return nil, fault.New(fault.UpstreamBad)
	}
	return answer, nil
}
