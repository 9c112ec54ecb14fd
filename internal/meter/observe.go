package meter

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
)

// Observe counts a finished exchange; took is its whole time. It is called
// once for each, after its record is closed.
func (m *Meters) Observe(x *exchange.Exchange, took time.Duration) {
	s := m.find(key{m.server(x), m.method(x), x.Outcome})
	s.requests.Inc()
	s.duration.Observe(took.Seconds())
	if x.View != nil {
		v := verdict{decision: "allow"}
		if !x.Decision.Allow {
			v = verdict{"deny", string(x.Decision.Kind)}
		}
		m.decided(v).Inc()
	}
	m.privacy(x)
	if x.Fault == nil {
		m.contact(x, true)
		return
	}
	switch x.Fault.Kind {
	case fault.Unauthenticated:
		m.auth.WithLabelValues(string(x.Fault.Kind)).Inc()
	case fault.UpstreamUnreachable, fault.UpstreamGone, fault.UpstreamLate:
		m.contact(x, false)
	}
}

// Sessions sets how many sessions or streams are open of one transport.
func (m *Meters) Sessions(transport string, n int) {
	m.sessions.WithLabelValues(transport).Set(float64(n))
}

// Forget drops what is kept for a server that is gone.
func (m *Meters) Forget(server string) {
	m.mu.Lock()
	rest := maps.Clone(*m.servers.Load())
	delete(rest, server)
	m.servers.Store(&rest)
	m.mu.Unlock()
	m.series.Range(func(k, _ any) bool {
		if k.(key).server == server {
			m.series.Delete(k)
		}
		return true
	})
	label := prometheus.Labels{"server": server}
	m.requests.DeletePartialMatch(label)
	m.duration.DeletePartialMatch(label)
	m.upstream.DeletePartialMatch(label)
}

// contact notes whether a server could be reached.
func (m *Meters) contact(x *exchange.Exchange, up bool) {
	if x.Server == nil || !x.Sent && up {
		return
	}
	value := 0.0
	if up {
		value = 1
	}
	m.upstream.WithLabelValues(m.server(x)).Set(value)
}

// server is the label of x's server: only one that is registered has a series
// of its own, so that callers cannot make series by asking for names.
func (m *Meters) server(x *exchange.Exchange) string {
	if x.Server == nil {
		if x.Endpoint == "" && x.View != nil {
			return "all"
		}
		return other
	}
	id := x.Server.ID
	known := *m.servers.Load()
	switch {
	case known[id]:
		return id
	case len(known) >= maxServers:
		return other
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := *m.servers.Load()
	if !all[id] && len(all) >= maxServers {
		return other
	}
	all = maps.Clone(all)
	all[id] = true
	m.servers.Store(&all)
	return id
}

func (m *Meters) method(x *exchange.Exchange) string { return named(x, m.known) }

// named is the method of x when it is the protocol's; others are the caller's
// own text, and all alike.
func named(x *exchange.Exchange, known func(string) bool) string {
	name := x.Method()
	switch {
	case name == "GET" || name == "DELETE" || name != "" && known != nil && known(name):
		return name
	}
	return other
}

func (m *Meters) find(k key) *series {
	if s, ok := m.series.Load(k); ok {
		return s.(*series)
	}
	s := &series{
		requests: m.requests.WithLabelValues(k.server, k.method, string(k.outcome)),
		duration: m.duration.WithLabelValues(k.server, k.method),
	}
	got, _ := m.series.LoadOrStore(k, s)
	return got.(*series)
}

func (m *Meters) decided(v verdict) prometheus.Counter {
	if c, ok := m.verdicts.Load(v); ok {
		return c.(prometheus.Counter)
	}
	got, _ := m.verdicts.LoadOrStore(v, m.decisions.WithLabelValues(v.decision, v.reason))
	return got.(prometheus.Counter)
}
