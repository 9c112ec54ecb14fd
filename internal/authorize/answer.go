package authorize

import (
	"context"
	"strconv"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Answer decides whether x.Message may reach the caller. It refuses by setting
// x.Drop, and answers a refused question of the server through x.Back.
func (s *Step) Answer(_ context.Context, x *exchange.Exchange) error {
	if x.Join != nil {
		return nil // each part was decided on its own
	}
	if x.Fact.Method == "initialize" && x.Message.Method() != "" {
		x.Drop = fault.BadMessage // there is no session yet that it could belong to
		return nil
	}
	err := s.judge(x)
	if err == nil && x.Drop == "" {
		s.reads(x)
	}
	return err
}

func (s *Step) judge(x *exchange.Exchange) error {
	switch x.Message.Kind() {
	case wire.Response:
		return s.result(x)
	case wire.ErrorResponse:
		return nil
	case wire.Request:
		return s.question(x)
	}
	return s.notification(x)
}

// result filters lists, bounds caching and checks what a modern server asks
// of the client before it goes on.
func (s *Step) result(x *exchange.Exchange) error {
	if x.Request == nil { // the answer to an earlier request, on a resumed stream
		if err := s.filterTools(x); err != nil {
			return err
		}
		return s.filterItems(x, "")
	}
	if x.Fact.Method == "initialize" {
		v, _ := x.Message.Result().Get("protocolVersion").Text()
		if !wire.Version(v).Known() || wire.Version(v).Era() != wire.Legacy {
			return fault.New(fault.UpstreamBad)
		}
	}
	switch x.Fact.ListKey {
	case "":
	case "tools":
		if err := s.filterTools(x); err != nil {
			return err
		}
	default:
		if err := s.filterItems(x, x.Fact.ListKey); err != nil {
			return err
		}
	}
	if err := s.output(x); err != nil {
		return err
	}
	if x.Era != wire.Modern {
		return nil
	}
	if err := s.inputRequired(x); err != nil {
		return err
	}
	return capCaching(x)
}

// longestTTL is the most milliseconds for which a client may keep an answer.
const longestTTL = 3_600_000

// capCaching makes every answer private to its caller, because what it holds
// depends on the caller's grants (M20), and bounds its life.
func capCaching(x *exchange.Exchange) error {
	r := x.Message.Result()
	var edits []wire.Edit
	if scope := r.Get("cacheScope"); scope.Exists() {
		if text, ok := scope.Text(); !ok || text != "private" {
			edits = append(edits, wire.Replace(scope, []byte(`"private"`)))
		}
	}
	if ttl := r.Get("ttlMs"); ttl.Exists() {
		if n, ok := ttl.Int(); !ok || n > longestTTL {
			edits = append(edits, wire.Replace(ttl, strconv.AppendInt(nil, longestTTL, 10)))
		}
	}
	return rewrite(x, edits)
}

func rewrite(x *exchange.Exchange, edits []wire.Edit) error {
	if len(edits) == 0 {
		return nil
	}
	m, err := x.Message.Rewrite(edits...)
	if err != nil {
		return fault.Wrap(fault.UpstreamBad, err)
	}
	x.Message = m
	return nil
}

// filterTools removes from a result's list of tools, if it has one, what a call
// would be refused now, and what differs from the approved definition. An answer
// may come long after the list was asked for (TestListsShowWhatTheTimeAllows).
func (s *Step) filterTools(x *exchange.Exchange) error {
	drift := false
	lists, now := policy.Lister(x.View), s.Clock.Now()
	edits := wire.RemoveElements(x.Message.Result().Get("tools"), func(_ int, v wire.Value) bool {
		name, ok := v.Get("name").Text()
		if !ok {
			return true
		}
		q := policy.Query{Principal: x.Principal, Server: x.Endpoint, Method: "tools/call", Tool: name, IsTool: true, Some: true}
		q.Call.Time, q.Call.IP, q.Call.Labels = now, x.Peer.Addr(), x.Labels
		d := scoped(lists(q), q)
		tool := x.Server.Tool(name)
		if x.Server.Examined && differs(tool, v) {
			drift = true
			return true
		}
		return !d.Allow && d.Needs == "" || badHeaders(x, v) || s.unusable(tool, x.Era)
	})
	if drift && s.Drift != nil {
		s.Drift(x.Server.ID)
	}
	return rewrite(x, edits)
}

// differs reports whether v is another definition than the pinned one. A tool
// that is known to differ already needs no new alarm, but stays out.
func differs(tool *registry.Tool, v wire.Value) bool {
	if tool == nil || tool.Definition == "" {
		return tool == nil
	}
	if tool.Definition == string(v.Raw()) {
		return false
	}
	digest, err := registry.CanonicalDigest(v.Raw())
	return err != nil || digest != tool.Digest
}

// unusable reports whether a call of a pinned tool would be refused for its
// schema.
func (s *Step) unusable(tool *registry.Tool, era wire.Era) bool {
	return tool != nil && tool.Definition != "" && s.schemas.of(tool).unusable(era) != nil
}

// badHeaders reports whether a tool's x-mcp-header members break the rules of
// 2026-07-28; such a tool must not be offered.
func badHeaders(x *exchange.Exchange, v wire.Value) bool {
	if x.Era != wire.Modern {
		return false
	}
	_, err := wire.HeaderParams(v.Get("inputSchema"))
	return err != nil
}

// question decides on a request from the server to the client: only what the
// table knows, and only what the client declared (M16).
func (s *Step) question(x *exchange.Exchange) error {
	f, known := wire.Lookup(x.Message.Method(), x.Version, wire.FromServer)
	switch {
	case x.Era == wire.Modern, !known:
		return refuse(x, fault.New(fault.MethodUnknown))
	case !s.declared(x, f.Capability):
		return refuse(x, fault.New(fault.CapabilityMissing))
	}
	if f.Method == "elicitation/create" {
		if err := s.elicitation(x.Message.Params(), x.Capable); err != nil {
			return refuse(x, err)
		}
	}
	return nil
}

// refuse withholds a server's question and answers it with why.
func refuse(x *exchange.Exchange, why *fault.Error) error {
	x.Drop = why.Kind
	x.Back = wire.NewError(x.Message.ID(), x.Version, why, x.ID)
	return nil
}

// notification lets through what the table knows for this stream. Progress
// must carry the token of this very request (M15).
func (s *Step) notification(x *exchange.Exchange) error {
	f, known := wire.Lookup(x.Message.Method(), x.Version, wire.FromServer)
	if !known {
		x.Drop = fault.MethodUnknown
		return nil
	}
	switch f.Method {
	case "notifications/tools/list_changed":
		if s.Drift != nil {
			s.Drift(x.Server.ID)
		}
	case "notifications/resources/updated":
		if !s.updated(x) {
			x.Drop = fault.Denied
		}
	case "notifications/progress":
		if token := x.Message.ProgressToken(); token.IsZero() || token != progressOf(x) {
			x.Drop = fault.BadMessage
		}
	case "notifications/message":
		if x.Era == wire.Modern && x.Request != nil && !x.Request.Meta().Get("io.modelcontextprotocol/logLevel").Exists() {
			x.Drop = fault.BadMessage
		}
	}
	return nil
}

// progressOf returns the token under which x may be told of progress.
func progressOf(x *exchange.Exchange) wire.ID {
	switch {
	case x.Request != nil:
		return x.Request.ProgressToken()
	case x.Resume != nil:
		return x.Resume.Progress
	}
	return wire.ID{}
}
