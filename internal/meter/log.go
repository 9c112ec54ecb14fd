package meter

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Log is the state of the log, as metrics show it.
type Log struct {
	Entries    uint64        // appended by this process
	Batches    uint64        // commits of them
	Queued     int           // entries that wait
	Owed       int           // outcomes that the log has refused so far
	Took       time.Duration // of the newest commit
	Closed     bool          // it cannot be written; calls are refused
	Size       uint64        // of the calls log of this year
	Signed     uint64        // size of its newest checkpoint
	SignedAt   time.Time
	Cosigned   uint64 // size of the newest checkpoint that a witness signed too
	CosignedAt time.Time
}

// logValue is one metric of the log.
type logValue struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Log) float64
}

// logCollector asks for the state of the log when somebody looks.
type logCollector struct {
	state  func() Log
	values []logValue
}

// Log registers the metrics of the log with reg. state must not block.
func (m *Meters) Log(reg prometheus.Registerer, state func() Log) {
	c := &logCollector{state: state}
	add := func(name, help string, kind prometheus.ValueType, value func(Log) float64) {
		c.values = append(c.values, logValue{prometheus.NewDesc(name, help, nil, nil), kind, value})
	}
	unix := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return float64(t.UnixMilli()) / 1000
	}
	closed := func(l Log) float64 {
		if l.Closed {
			return 1
		}
		return 0
	}
	add("ostiary_audit_entries_total", "Entries that were appended to the log.", prometheus.CounterValue, func(l Log) float64 { return float64(l.Entries) })
	add("ostiary_audit_commits_total", "Commits of entries.", prometheus.CounterValue, func(l Log) float64 { return float64(l.Batches) })
	add("ostiary_audit_queue_entries", "Entries that wait for their commit.", prometheus.GaugeValue, func(l Log) float64 { return float64(l.Queued) })
	add("ostiary_audit_owed_entries", "Outcomes that the log could not take yet.", prometheus.GaugeValue, func(l Log) float64 { return float64(l.Owed) })
	add("ostiary_audit_append_seconds", "How long the newest commit took.", prometheus.GaugeValue, func(l Log) float64 { return l.Took.Seconds() })
	add("ostiary_audit_closed", "1 while the log cannot be written and calls are refused.", prometheus.GaugeValue, closed)
	add("ostiary_audit_size", "Entries in the calls log of this year.", prometheus.GaugeValue, func(l Log) float64 { return float64(l.Size) })
	add("ostiary_audit_unsigned_entries", "Entries after its newest checkpoint.", prometheus.GaugeValue, func(l Log) float64 { return float64(l.Size - min(l.Size, l.Signed)) })
	add("ostiary_audit_checkpoint_timestamp_seconds", "When its newest checkpoint was signed; 0: never.", prometheus.GaugeValue, func(l Log) float64 { return unix(l.SignedAt) })
	add("ostiary_audit_unwitnessed_entries", "Entries after the newest checkpoint that a witness signed.", prometheus.GaugeValue, func(l Log) float64 { return float64(l.Size - min(l.Size, l.Cosigned)) })
	add("ostiary_audit_witnessed_timestamp_seconds", "When a witness signed last; 0: never.", prometheus.GaugeValue, func(l Log) float64 { return unix(l.CosignedAt) })
	reg.MustRegister(c)
}

// Describe implements prometheus.Collector.
func (c *logCollector) Describe(out chan<- *prometheus.Desc) {
	for _, v := range c.values {
		out <- v.desc
	}
}

// Collect implements prometheus.Collector.
func (c *logCollector) Collect(out chan<- prometheus.Metric) {
	l := c.state()
	for _, v := range c.values {
		out <- prometheus.MustNewConstMetric(v.desc, v.kind, v.value(l))
	}
}
