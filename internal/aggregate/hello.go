package aggregate

import (
	"context"
	"iter"
	"strings"
	"sync"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// hello joins initialize and server/discover: what the servers can do
// together, as one server of our own.
type hello struct {
	step  *Step
	x     *exchange.Exchange
	parts []*exchange.Exchange
}

// capability is one member of the capabilities that can be joined, with the
// flags that it may carry. What is not here is not offered on /mcp.
var capability = []struct {
	name  string
	flags []string
}{
	{"completions", nil},
	{"logging", nil},
	{"prompts", []string{"listChanged"}},
	{"resources", []string{"subscribe", "listChanged"}},
	{"tools", []string{"listChanged"}},
}

// Answers asks every server and yields the joined introduction. A server that
// does not answer is left out; it is tried again when it is needed.
func (h *hello) Answers(ctx context.Context, run func(context.Context, *exchange.Exchange)) iter.Seq2[exchange.Answer, error] {
	return func(yield func(exchange.Answer, error) bool) {
		var mu sync.Mutex
		answers := map[string]*wire.Message{}
		for _, p := range h.parts {
			p.Deadline = h.step.Patience
			p.Face.(*face).finish = func(p *exchange.Exchange) {
				mu.Lock()
				defer mu.Unlock()
				take(h.x, p)
				h.x.Sent = h.x.Sent || p.Sent
				if p.Final != nil && p.Final.Kind() == wire.Response {
					answers[p.Endpoint] = p.Final
				}
			}
		}
		runAll(ctx, h.parts, run)
		m, err := wire.NewResult(h.x.Request.ID(), h.result(answers))
		if err != nil {
			err = fault.Wrap(fault.UpstreamBad, err)
		}
		yield(exchange.Answer{Message: m}, err)
	}
}

func (h *hello) result(answers map[string]*wire.Message) []byte {
	var b strings.Builder
	info := `{"name":"ostiary","version":` + string(wire.Quote(h.step.Version)) + `}`
	if h.x.Era == wire.Modern {
		b.WriteString(`{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":` + info + `}`)
	} else {
		b.WriteString(`{"protocolVersion":"` + string(h.x.Version) + `","serverInfo":` + info)
	}
	b.WriteString(`,"capabilities":{`)
	b.WriteString(capabilities(answers))
	b.WriteString(`}`)
	if text := h.instructions(answers); text != "" {
		b.WriteString(`,"instructions":`)
		b.Write(wire.Quote(text))
	}
	b.WriteString(`}`)
	return []byte(b.String())
}

// capabilities returns the members of the union.
func capabilities(answers map[string]*wire.Message) string {
	var members []string
	for _, c := range capability {
		have := false
		flags := map[string]bool{}
		for _, m := range answers {
			v := m.Result().Get("capabilities").Get(c.name)
			have = have || v.Exists()
			for _, f := range c.flags {
				if on, _ := v.Get(f).Bool(); on {
					flags[f] = true
				}
			}
		}
		if !have {
			continue
		}
		var set []string
		for _, f := range c.flags {
			if flags[f] {
				set = append(set, `"`+f+`":true`)
			}
		}
		members = append(members, `"`+c.name+`":{`+strings.Join(set, ",")+`}`)
	}
	return strings.Join(members, ",")
}

// instructions puts each server's text under a heading of its own.
func (h *hello) instructions(answers map[string]*wire.Message) string {
	var b strings.Builder
	for _, p := range h.parts {
		m := answers[p.Endpoint]
		if m == nil {
			continue
		}
		if text, ok := m.Result().Get("instructions").Text(); ok && text != "" {
			b.WriteString("## " + p.Endpoint + "\n" + text + "\n\n")
		}
	}
	return strings.TrimSpace(b.String())
}

// listen splits a subscriptions/listen by server: list changes are asked of
// all, each URI of the server that it names.
func (s *Step) listen(x *exchange.Exchange, servers []*registry.Server) error {
	want := x.Request.Params().Get("notifications")
	uris := map[string][]string{}
	for v := range want.Get("resourceSubscriptions").Elements() {
		full, _ := v.Text()
		if id, uri, ok := unprefixURI(full); ok && find(servers, id) != nil {
			uris[id] = append(uris[id], string(wire.Quote(uri)))
		}
	}
	var parts []*exchange.Exchange
	granted := []string{}
	for _, key := range []string{"toolsListChanged", "promptsListChanged", "resourcesListChanged"} {
		if on, _ := want.Get(key).Bool(); on {
			granted = append(granted, `"`+key+`":true`)
		}
	}
	flags := strings.Join(granted, ",")
	all := []string{}
	for _, srv := range servers {
		members := append([]string{}, granted...)
		if own := uris[srv.ID]; len(own) > 0 {
			members = append(members, `"resourceSubscriptions":[`+strings.Join(own, ",")+`]`)
			for v := range want.Get("resourceSubscriptions").Elements() {
				if full, _ := v.Text(); strings.HasPrefix(full, scheme+srv.ID+"/") {
					all = append(all, string(v.Raw()))
				}
			}
		}
		if len(members) == 0 {
			continue
		}
		p := s.part(x, srv)
		m, err := x.Request.Rewrite(wire.Replace(want, []byte("{"+strings.Join(members, ",")+"}")))
		if err != nil {
			return fault.Wrap(fault.BadParams, err)
		}
		p.Request = m
		parts = append(parts, p)
	}
	return s.joinListen(x, parts, flags, all)
}

// joinListen acknowledges at once what was asked for and fans the servers'
// notifications in.
func (s *Step) joinListen(x *exchange.Exchange, parts []*exchange.Exchange, flags string, uris []string) error {
	if len(uris) > 0 {
		if flags != "" {
			flags += ","
		}
		flags += `"resourceSubscriptions":[` + strings.Join(uris, ",") + `]`
	}
	meta := `{"io.modelcontextprotocol/subscriptionId":` + x.Request.ID().Raw() + `}`
	ack, err := wire.NewNotification("notifications/subscriptions/acknowledged", []byte(`{"_meta":`+meta+`,"notifications":{`+flags+`}}`))
	if err != nil {
		return fault.Wrap(fault.BadParams, err)
	}
	last, err := wire.NewResult(x.Request.ID(), []byte(`{"resultType":"complete","_meta":`+meta+`}`))
	if err != nil {
		return fault.Wrap(fault.Internal, err)
	}
	x.Join = &fan{x: x, parts: parts, first: ack, last: last, keep: func(m *wire.Message) bool {
		return m.Method() != "notifications/subscriptions/acknowledged"
	}}
	return nil
}
