package meter

import (
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
)

// privacy counts what became of the content. The labels are closed sets.
func (m *Meters) privacy(x *exchange.Exchange) {
	p := &x.Privacy
	for _, c := range p.Counts {
		m.found.WithLabelValues(c.Toward, c.Type, c.Action).Add(float64(c.Count))
	}
	if p.Fields+p.Rows+p.Blocks+p.Bytes == 0 && p.Unknown == 0 && !p.Degraded && x.Fault == nil {
		return
	}
	for kind, n := range map[string]int{"fields": p.Fields, "rows": p.Rows, "blocks": p.Blocks, "bytes": p.Bytes} {
		if n > 0 {
			m.withheld.WithLabelValues(m.server(x), kind).Add(float64(n))
		}
	}
	if p.Unknown > 0 {
		m.unknown.Add(float64(p.Unknown))
	}
	if p.Degraded || x.Fault != nil && x.Fault.Kind == fault.Unscannable {
		m.failures.Inc()
	}
}
