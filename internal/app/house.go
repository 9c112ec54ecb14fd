package app

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/admit"
	"ostiary.dev/ostiary/internal/aggregate"
	"ostiary.dev/ostiary/internal/authorize"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/forward"
	"ostiary.dev/ostiary/internal/gateway"
	"ostiary.dev/ostiary/internal/identify"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/oauth"
	"ostiary.dev/ostiary/internal/protect"
	"ostiary.dev/ostiary/internal/quota"
	"ostiary.dev/ostiary/internal/record"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// house is the data plane: every room of the path, wired once.
type house struct {
	door    *admit.Door
	who     *identify.Step
	may     *authorize.Step
	forward *forward.Step
	path    *gateway.Gateway
	rate    *quota.Rate
	budget  *quota.Budget
}

// newForward returns the room that reaches servers; commands use it too, to
// examine a server before it is approved.
func (a *App) newForward(budget *quota.Budget) *forward.Step {
	l := a.config.Load().Limits
	return forward.New(forward.Config{
		Dial: func(ctx context.Context, network, addr string, private bool) (net.Conn, error) {
			return a.guard.Dial(ctx, network, addr, private)
		},
		Open: func(server string, s registry.Secret) ([]byte, error) {
			return a.ring.Open(keys.UpstreamCredentials, keys.Identity{
				Tenant: keys.DefaultTenant, Kind: "server-secret", Record: server, Column: s.Name, Version: "1"}, s.Sealed)
		},
		Live: a.live,
		Unseal: func(id string, sealed []byte) ([]byte, error) {
			return a.ring.Open(keys.UpstreamCredentials, admin.CredentialIdentity(id), sealed)
		},
		Tokens:  func(id string) oauth.Vault { return tokens{a, id} },
		Environ: a.environ,
		Budget:  budget,
		Clock:   a.clock,
		Log: func(server, msg string, err error) {
			msg = protect.Line(a.profile(), msg) // it may be a line of the server's own
			if err == nil {
				a.log.Info(msg, logs.Public("server", server))
				return
			}
			a.log.Warn(msg, logs.Public("server", server), logs.Err(err))
		},
		Dir:  filepath.Join(a.dir, runName),
		Wire: a.wireLimits(),
		Limits: forward.Limits{
			Call: time.Duration(l.CallTimeout), Idle: time.Duration(l.StreamIdle), ListenIdle: time.Duration(l.ListenIdle),
			Start: time.Duration(l.StartTimeout), InFlight: l.InFlightPerServer, Processes: l.Processes,
			ProcessIdle: time.Duration(l.ProcessIdle), PerSecond: l.NotificationsPerSecond, Queue: l.Queue,
		},
	})
}

func (a *App) environ(name string) (string, bool) {
	if a.options.Environ == nil {
		return "", false
	}
	return a.options.Environ(name)
}

// wireLimits returns the bounds of one message.
func (a *App) wireLimits() wire.Limits {
	l, w := a.config.Load().Limits, wire.DefaultLimits()
	w.Bytes, w.Depth, w.Members, w.Elements = int(l.MessageBytes), l.Depth, l.Members, l.Elements
	w.Tokens, w.Number, w.Blocks = l.Tokens, int(l.NumberBytes), l.ContentBlocks
	return w
}

// newHouse wires the path.
func (a *App) newHouse() (*house, error) {
	c := a.config.Load()
	l := c.Limits
	h := &house{budget: quota.NewBudget(int64(l.BufferedBytes)), rate: quota.NewRate(l.CallsPerMinute)}
	h.forward = a.newForward(h.budget)
	h.who = &identify.Step{Verifier: a.verifier(), Live: a.live, Clock: a.clock}
	h.who.Verifier.Own = a.own()
	var err error
	if h.who.Verifier.Foreign, err = a.foreign(); err != nil {
		return nil, err
	}
	nonce := a.proofNonces(h.who.Verifier.Foreign)
	h.may = &authorize.Step{Live: a.live, Drift: a.drifted.add, Shadow: &a.shadow, Clock: a.clock, Approvals: approvals{a}, Limits: a.newLimits(l.InFlightPerServer)}
	pages, page := mount(a.pagesOf(), c.Listeners.Data.CORSOrigins)
	h.door = admit.New(admit.Config{
		Pages: pages, Page: page, Challenge: a.challenge(), Nonce: nonce, Public: a.publicURL,
		Names: c.ServedNames(), Origins: c.Listeners.Data.CORSOrigins, Trusted: prefixes(c.TrustedProxies), Handles: a.ring.Handles(), Clock: a.clock,
		Budget: h.budget, Rate: h.rate, Wire: a.wireLimits(), Forget: h.forward.Forget,
		Limits: admit.Limits{
			InFlight: l.InFlight, Streams: l.Streams, Listen: l.ListenStreams, Sessions: l.Sessions, Batch: l.BatchMembers,
			URIs: l.Subscriptions, SessionIdle: time.Duration(l.SessionIdle), SessionLife: time.Duration(l.SessionAge),
			KeepAlive: 15 * time.Second, StateLife: 15 * time.Minute, RequestState: 64 << 10,
			ReplayBytes: int(l.ReplayBytes), ReplayAge: time.Duration(l.ReplayAge),
		},
	})
	split := &aggregate.Step{Live: a.live, Handles: a.ring.Handles(), Clock: a.clock, Patience: 5 * time.Second, Version: a.options.Version}
	receipts := a.newAttest()
	shown, err := a.newProtect(h)
	if err != nil {
		return nil, err
	}
	h.path, err = gateway.New(gateway.Steps{
		Asked:     receipts.Request,
		Response:  receipts.Response,
		Reply:     receipts.Reply,
		Identify:  a.fresh(h.who.Caller),
		Read:      a.read,
		Split:     split.Split,
		Authorize: h.may.Call,
		Hide:      shown.Request,
		Open:      a.begin,
		Forward:   a.onward(h.forward.Send),
		Answer:    h.may.Answer,
		Withhold:  shown.Answer,
		Return:    h.forward.Return,
		Close:     a.record.Close,
		Still:     a.still(h),
		Passed:    record.Passed,
		Done:      a.done,
	}, a.logExchange)
	if err != nil {
		return nil, err
	}
	h.door.Serve(h.path)
	return h, nil
}

// prefixes returns the validated addresses and prefixes of the configuration.
func prefixes(texts []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		} else if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

// still reports whether an exchange under way may go on.
func (a *App) still(h *house) func(x *exchange.Exchange) error {
	return func(x *exchange.Exchange) error {
		if err := a.behind(); err != nil {
			return err
		}
		if err := h.who.Still(x); err != nil {
			return err
		}
		return h.may.Still(x)
	}
}

// done counts an exchange when everything about it is over.
func (a *App) done(x *exchange.Exchange) {
	now := a.clock.Now()
	a.meters.Observe(x, now.Sub(x.Start))
	a.tracer.End(x, now)
}

// read lets the caller's face read the request; from then on it can be traced.
func (a *App) read(ctx context.Context, x *exchange.Exchange) error {
	err := x.Face.Read(ctx, x)
	a.tracer.Start(x)
	return err
}

// onward puts the trace context of a traced exchange into what goes to the
// server (SEP-414). Without a tracer, nothing is touched.
func (a *App) onward(send func(context.Context, *exchange.Exchange) error) func(context.Context, *exchange.Exchange) error {
	return func(ctx context.Context, x *exchange.Exchange) error {
		if a.tracer == nil || x.Request == nil || x.Join != nil || !x.Request.Params().Exists() {
			return send(ctx, x)
		}
		parent, state := a.tracer.Onward(x)
		if parent == "" {
			return send(ctx, x)
		}
		m, err := withTrace(x.Request, parent, state)
		if err != nil {
			return err
		}
		x.Request, x.Mirrors.Trace = m, nil
		return send(ctx, x)
	}
}

// withTrace returns m with the trace context in params._meta.
func withTrace(m *wire.Message, parent, state string) (*wire.Message, error) {
	meta := m.Params().Get("_meta")
	if !meta.Exists() {
		m, err := m.Rewrite(wire.SetMember(m.Params(), "_meta", []byte("{}")))
		if err != nil {
			return nil, err
		}
		return withTrace(m, parent, state)
	}
	m, err := m.Rewrite(wire.SetMember(meta, "traceparent", wire.Quote(parent)))
	if err != nil || state == "" {
		return m, err
	}
	return m.Rewrite(wire.SetMember(m.Params().Get("_meta"), "tracestate", wire.Quote(state)))
}

// logExchange logs why an exchange was refused or failed. Causes are for
// operators; they hold no credential and no content.
func (a *App) logExchange(msg string, x *exchange.Exchange, err error) {
	a.log.Info(msg, logs.Public("exchange", x.ID), logs.Public("server", x.Endpoint), logs.Public("method", x.Method()), logs.Err(err))
}
