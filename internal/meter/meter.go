// Package meter counts what passes: Prometheus metrics for every exchange, and
// OpenTelemetry spans when a collector is configured.
//
// It reads finished exchanges and its own registry. It deliberately has no
// label of unbounded values: no agent, session, URI or tool, and a server or
// method beyond the known ones counts as "other". Names follow
// experience.md 7; attributes follow OpenTelemetry's MCP conventions.
package meter

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"ostiary.dev/ostiary/internal/exchange"
)

// Buckets, in seconds: whole requests as in OpenTelemetry's MCP metrics, and
// the gateway's own time below a millisecond.
var requestBuckets = []float64{.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60, 120, 300}

// maxServers bounds the servers that have series of their own.
const maxServers = 256

// other is the label of what has no series of its own.
const other = "other"

// Meters are the gateway's metrics. They are safe for concurrent use.
type Meters struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	decisions *prometheus.CounterVec
	auth      *prometheus.CounterVec
	sessions  *prometheus.GaugeVec
	upstream  *prometheus.GaugeVec
	found     *prometheus.CounterVec
	withheld  *prometheus.CounterVec
	unknown   prometheus.Counter
	failures  prometheus.Counter

	series   sync.Map // key -> *series
	verdicts sync.Map // verdict -> prometheus.Counter
	known    func(method string) bool

	mu      sync.Mutex                      // orders the writers of servers
	servers atomic.Pointer[map[string]bool] // those with series of their own; replaced, never changed
}

// key selects the series of one kind of exchange.
type key struct {
	server, method string
	outcome        exchange.Outcome
}

type verdict struct{ decision, reason string }

// series are the counters of a key, looked up once.
type series struct {
	requests prometheus.Counter
	duration prometheus.Observer
}

// Config is what Meters are made of.
type Config struct {
	Version string                   // of the gateway
	Known   func(method string) bool // whether a method is one of the protocol's
}

// New registers the gateway's metrics with reg.
func New(reg prometheus.Registerer, c Config) *Meters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		reg.MustRegister(v)
		return v
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		reg.MustRegister(v)
		return v
	}
	m := &Meters{
		requests:  counter("ostiary_requests_total", "Exchanges by how they ended.", "server", "method", "outcome"),
		duration:  histogram("ostiary_request_duration_seconds", "Whole exchanges.", requestBuckets, "server", "method"),
		decisions: counter("ostiary_decisions_total", "Decisions about calls.", "decision", "reason"),
		auth:      counter("ostiary_auth_failures_total", "Callers that could not be identified.", "reason"),
		sessions:  gauge("ostiary_sessions_active", "Open sessions and streams.", "transport"),
		upstream:  gauge("ostiary_upstream_up", "Whether the last contact with a server succeeded.", "server"),
		found:     counter("ostiary_pii_detections_total", "Findings in messages by what became of them.", "toward", "type", "action"),
		withheld:  counter("ostiary_filtered_total", "What filters withheld, by kind: fields, rows, blocks, bytes.", "server", "kind"),
		unknown:   counter("ostiary_pseudonyms_unknown_total", "Texts that look like pseudonyms and are none for their sender.").WithLabelValues(),
		failures:  counter("ostiary_detector_failures_total", "Messages that the detector failed on.").WithLabelValues(),
		known:     c.Known,
	}
	m.servers.Store(&map[string]bool{})
	gauge("ostiary_build_info", "The running version.", "version", "go").WithLabelValues(c.Version, runtime.Version()).Set(1)
	return m
}
