package meter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

func newMeters(t testing.TB) (*Meters, func() string) {
	reg := prometheus.NewPedanticRegistry()
	m := New(reg, Config{Version: "test", Known: func(string) bool { return false }})
	return m, func() string {
		t.Helper()
		all, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, f := range all {
			for _, s := range f.Metric {
				var labels []string
				for _, l := range s.Label {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
				value := s.GetCounter().GetValue() + s.GetGauge().GetValue() + float64(s.GetHistogram().GetSampleCount())
				fmt.Fprintf(&b, "%s{%s} %g\n", f.GetName(), strings.Join(labels, ","), value)
			}
		}
		return b.String()
	}
}

// stream is a finished exchange of a registered server.
func stream(server string) *exchange.Exchange {
	return &exchange.Exchange{ID: "x-" + server, Verb: exchange.Stream, Endpoint: server, Server: &registry.Server{ID: server},
		View: &registry.Snapshot{}, Decision: policy.Decision{Allow: true}, Outcome: exchange.OK, Sent: true}
}

func TestObserveCounts(t *testing.T) {
	m, text := newMeters(t)
	m.Observe(stream("wiki"), 20*time.Millisecond)
	denied := stream("wiki")
	denied.Decision, denied.Outcome, denied.Fault = policy.Decision{Kind: fault.Denied}, exchange.Refused, fault.New(fault.Denied)
	m.Observe(denied, time.Millisecond)
	m.Observe(&exchange.Exchange{Fault: fault.New(fault.Unauthenticated), Outcome: exchange.Refused}, time.Millisecond)
	gone := stream("wiki")
	gone.Fault, gone.Outcome = fault.New(fault.UpstreamUnreachable), exchange.Failed
	m.Observe(gone, time.Second)
	got := text()
	for _, want := range []string{
		"ostiary_requests_total{method=GET,outcome=ok,server=wiki} 1",
		"ostiary_requests_total{method=GET,outcome=refused,server=wiki} 1",
		"ostiary_requests_total{method=other,outcome=refused,server=other} 1",
		"ostiary_request_duration_seconds{method=GET,server=wiki} 3",
		"ostiary_decisions_total{decision=allow,reason=} 2",
		"ostiary_decisions_total{decision=deny,reason=denied} 1",
		"ostiary_auth_failures_total{reason=unauthenticated} 1",
		"ostiary_upstream_up{server=wiki} 0",
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("missing %s in\n%s", want, got)
		}
	}
}

// TestCallersCannotMakeSeries asks for servers and names that nobody
// registered: each would be a series if it were a label.
func TestCallersCannotMakeSeries(t *testing.T) {
	m, text := newMeters(t)
	for i := range 1000 {
		m.Observe(&exchange.Exchange{Endpoint: fmt.Sprintf("guess-%d", i), Outcome: exchange.Refused, Fault: fault.New(fault.ServerUnknown)}, 0)
	}
	if n := strings.Count(text(), "ostiary_requests_total{"); n != 1 {
		t.Fatalf("%d series for unknown servers", n)
	}
	for i := range 2 * maxServers {
		m.Observe(stream(fmt.Sprintf("s%d", i)), 0)
	}
	if n := strings.Count(text(), "ostiary_requests_total{"); n > maxServers+2 {
		t.Fatalf("%d series for registered servers", n)
	}
	m.Forget("s1")
	if strings.Contains(text(), "server=s1}") {
		t.Fatal("a forgotten server still has series")
	}
}

func BenchmarkObserve(b *testing.B) {
	m, _ := newMeters(b)
	x := stream("wiki")
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(x, time.Millisecond)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	m, _ := newMeters(t)
	x := stream("wiki")
	m.Observe(x, time.Millisecond)
	if n := testing.AllocsPerRun(100, func() { m.Observe(x, time.Millisecond) }); n > 2 {
		t.Fatalf("%g allocations for each exchange", n)
	}
}

// TestSpanOfAnUnknownMethod: a method that no protocol version has is the
// caller's own text.
func TestSpanOfAnUnknownMethod(t *testing.T) {
	for known, want := range map[bool]string{true: "tools/call", false: other} {
		out := tracetest.NewInMemoryExporter()
		tr := newTracer(out, TraceConfig{Ratio: 1, Known: func(string) bool { return known }})
		x := stream("wiki")
		x.Verb, x.Pending = exchange.Post, &exchange.Pending{Method: "tools/call"}
		if x.Method() != "tools/call" {
			t.Fatalf("the method is %q", x.Method())
		}
		tr.Start(x)
		tr.End(x, time.Unix(103, 0))
		if err := tr.provider.ForceFlush(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, span := range out.GetSpans() {
			if span.Name != want {
				t.Errorf("the span is %q, want %q", span.Name, want)
			}
			for _, a := range span.Attributes {
				if a.Key == attrMethod && a.Value.AsString() != want {
					t.Errorf("the attribute is %q, want %q", a.Value.AsString(), want)
				}
			}
		}
		if err := tr.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpanContinuesTheCallersTrace(t *testing.T) {
	out := tracetest.NewInMemoryExporter()
	tr := newTracer(out, TraceConfig{Ratio: 0, Version: "test"})
	x := stream("wiki")
	x.Start = time.Unix(100, 0)
	x.Mirrors.Trace = []wire.Field{{Name: "Traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	tr.Start(x)
	parent, _ := tr.Onward(x)
	if !strings.HasPrefix(parent, "00-0af7651916cd43dd8448eb211c80319c-") || strings.Contains(parent, "b7ad6b7169203331") {
		t.Fatalf("onward %q: not the same trace under a new span", parent)
	}
	tr.End(x, time.Unix(103, 0))
	if parent, _ := tr.Onward(x); parent != "" {
		t.Fatal("a span is kept after its end")
	}
	if err := tr.provider.ForceFlush(context.Background()); err != nil {
		t.Fatal(err)
	}
	spans := out.GetSpans()
	if len(spans) != 1 || spans[0].EndTime.Sub(spans[0].StartTime) != 3*time.Second ||
		spans[0].Parent.SpanID().String() != "b7ad6b7169203331" {
		t.Fatalf("got %+v", spans)
	}
	for _, a := range spans[0].Attributes {
		if strings.Contains(a.Value.String(), "canary") {
			t.Fatalf("%s holds what was sent", a.Key)
		}
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestGarbledTraceContextIsIgnored(t *testing.T) {
	out := tracetest.NewInMemoryExporter()
	tr := newTracer(out, TraceConfig{Ratio: 1})
	for _, bad := range []string{"", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", strings.Repeat("0", 10000)} {
		x := stream("wiki")
		x.Mirrors.Trace = []wire.Field{{Name: "traceparent", Value: bad}}
		tr.Start(x)
		if parent, _ := tr.Onward(x); parent == "" || parent == bad {
			t.Errorf("%.20q: onward %q", bad, parent)
		}
		tr.End(x, time.Now())
	}
	if err := tr.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestNoTracerDoesNothing(t *testing.T) {
	var tr *Tracer
	x := stream("wiki")
	tr.Start(x)
	tr.End(x, time.Now())
	if parent, state := tr.Onward(x); parent != "" || state != "" || tr.Close(context.Background()) != nil {
		t.Fatal("a nil tracer does something")
	}
}

// TestACollectorThatIsDownStopsNothing dials nobody: exchanges go on, and
// Close ends within its context.
func TestACollectorThatIsDownStopsNothing(t *testing.T) {
	tr, err := NewTracer(context.Background(), TraceConfig{Endpoint: "https://127.0.0.1:9", Ratio: 1,
		Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("down") }})
	if err != nil {
		t.Fatal(err)
	}
	x := stream("wiki")
	tr.Start(x)
	tr.End(x, time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tr.Close(ctx); err == nil {
		t.Fatal("spans that could not be sent were reported as sent")
	}
}
