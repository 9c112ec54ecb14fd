// Package aggregate makes one server of many, on /mcp only: it splits an
// exchange into one part per server, each of which walks the whole path on its
// own, and joins the answers. Names become <server>__<name>, resource URIs
// ostiary://<server>/<uri>, cursors are sealed.
//
// It may read the registry's snapshot and make handles. It deliberately
// decides nothing about access: it asks only which servers the caller may see,
// and every part is authorized and recorded by itself. It follows protocol.md
// section 5 of the design and MCP 2025-11-25 and 2026-07-28.
package aggregate

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// Step splits exchanges of /mcp.
type Step struct {
	Live     *registry.Live
	Handles  *keys.Handles
	Clock    clock.Clock
	Wire     wire.Limits
	Patience time.Duration // how long a list waits for one server; 5 s
	Version  string        // of the gateway, shown in serverInfo
}

// Split sets x.Join for an exchange of /mcp. What belongs to one server alone
// becomes one part; what concerns all becomes one part per server that the
// caller may see and that speaks its era.
func (s *Step) Split(_ context.Context, x *exchange.Exchange) error {
	if x.Endpoint != "" || x.Join != nil {
		return nil
	}
	view := s.Live.Load()
	servers := visible(view, x)
	switch {
	case x.Pending != nil:
		return s.one(x, servers, x.Pending.Server, nil)
	case x.Resume != nil:
		return s.one(x, servers, x.Resume.Server, nil)
	case x.Verb != exchange.Post:
		x.Join = &fan{x: x, parts: s.parts(x, servers)}
		return nil
	}
	return s.request(x, servers, view.Version())
}

// request splits by method.
func (s *Step) request(x *exchange.Exchange, servers []*registry.Server, version uint64) error {
	switch x.Fact.Method {
	case "ping":
		x.Join = static{x, "{}"}
	case "initialize", "server/discover":
		x.Join = &hello{step: s, x: x, parts: s.parts(x, servers)}
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list":
		return s.list(x, servers, version)
	case "tools/call", "prompts/get":
		return s.byName(x, servers, x.Request.Params().Get("name"))
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		return s.byURI(x, servers, x.Request.Params().Get("uri"))
	case "completion/complete":
		ref := x.Request.Params().Get("ref")
		if uri := ref.Get("uri"); uri.Exists() {
			return s.byURI(x, servers, uri)
		}
		return s.byName(x, servers, ref.Get("name"))
	case "subscriptions/listen":
		return s.listen(x, servers)
	case "logging/setLevel":
		x.Join = &all{static: static{x, "{}"}, parts: s.parts(x, servers)}
	case "notifications/initialized", "notifications/roots/list_changed", "notifications/cancelled":
		x.Join = &all{parts: s.parts(x, servers)}
	default:
		return fault.New(fault.MethodUnknown)
	}
	return nil
}

// visible returns the servers that the caller may see and that speak its era.
func visible(view *registry.Snapshot, x *exchange.Exchange) []*registry.Server {
	var out []*registry.Server
	for _, srv := range policy.Visible(view, x.Principal.ID) {
		if speaks(srv, x.Era) && view.Killed("", srv.ID, "") == "" {
			out = append(out, srv)
		}
	}
	return out
}

func speaks(srv *registry.Server, era wire.Era) bool {
	for _, e := range srv.Eras {
		if e == era.String() {
			return true
		}
	}
	return len(srv.Eras) == 0
}

func find(servers []*registry.Server, id string) *registry.Server {
	for _, srv := range servers {
		if srv.ID == id {
			return srv
		}
	}
	return nil
}

// one makes x the exchange of a single server; m replaces the request.
func (s *Step) one(x *exchange.Exchange, servers []*registry.Server, id string, m *wire.Message) error {
	srv := find(servers, id)
	if srv == nil {
		return fault.New(fault.Denied)
	}
	p := s.part(x, srv)
	if m != nil {
		p.Request = m
	}
	x.Join = &route{x: x, part: p}
	return nil
}

// byName routes by a prefixed tool or prompt name.
func (s *Step) byName(x *exchange.Exchange, servers []*registry.Server, v wire.Value) error {
	full, _ := v.Text()
	id, name, ok := unprefix(full)
	if !ok || find(servers, id) == nil {
		return fault.New(fault.Denied)
	}
	m, err := x.Request.Rewrite(wire.Replace(v, wire.Quote(name)))
	if err != nil {
		return fault.Wrap(fault.BadParams, err)
	}
	return s.one(x, servers, id, m)
}

// byURI routes by a prefixed resource URI.
func (s *Step) byURI(x *exchange.Exchange, servers []*registry.Server, v wire.Value) error {
	full, _ := v.Text()
	id, uri, ok := unprefixURI(full)
	if !ok || find(servers, id) == nil {
		return fault.New(fault.ResourceUnknown)
	}
	m, err := x.Request.Rewrite(wire.Replace(v, wire.Quote(uri)))
	if err != nil {
		return fault.Wrap(fault.BadParams, err)
	}
	return s.one(x, servers, id, m)
}

// parts makes one part for each server.
func (s *Step) parts(x *exchange.Exchange, servers []*registry.Server) []*exchange.Exchange {
	out := make([]*exchange.Exchange, 0, len(servers))
	for _, srv := range servers {
		out = append(out, s.part(x, srv))
	}
	return out
}

// part makes the exchange of one server. It has the parent's caller, request
// and session, and a face that the join reads from.
func (s *Step) part(x *exchange.Exchange, srv *registry.Server) *exchange.Exchange {
	id, err := uuid.NewV7()
	if err != nil {
		panic("aggregate: no randomness: " + err.Error())
	}
	p := &exchange.Exchange{
		ID: id.String(), Parent: x.ID, Start: s.Clock.Now(), Verb: x.Verb, Endpoint: srv.ID, Peer: x.Peer,
		Era: x.Era, Version: x.Version, Principal: x.Principal, Carried: x.Carried, Request: x.Request, Fact: x.Fact,
		Resume: x.Resume, Pending: x.Pending, Capable: x.Capable, Face: &face{},
	}
	p.Mirrors = exchange.Mirrors{Version: x.Mirrors.Version, Params: x.Mirrors.Params, Trace: x.Mirrors.Trace}
	if x.Session != nil {
		own := *x.Session
		p.Session = &own
	}
	return p
}
