package meter

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"ostiary.dev/ostiary/internal/exchange"
)

// TraceConfig says where spans go.
type TraceConfig struct {
	Endpoint string  // URL of an OTLP/HTTP collector
	Ratio    float64 // part of the exchanges that are traced, 0 to 1
	Version  string  // of the gateway
	// Known says whether a method is one of the protocol's. Any other is the
	// caller's own text, which a collector gets nothing of (TestNoByteTells).
	Known func(method string) bool
	// Dial reaches the collector; it is the guarded dialler.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Tracer makes a span for each exchange. A nil Tracer makes none. It is safe
// for concurrent use.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	known    func(method string) bool
	spans    sync.Map // id of the exchange -> trace.Span
}

// maxSpans bounds the spans that wait for the collector; beyond it they are
// dropped, never the exchanges.
const maxSpans = 4096

// NewTracer returns a tracer that sends to c's collector in the background.
// The collector need not be there.
func NewTracer(ctx context.Context, c TraceConfig) (*Tracer, error) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext:     c.Dial,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns:    2, IdleConnTimeout: time.Minute,
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	url := strings.TrimSuffix(c.Endpoint, "/")
	if !strings.HasSuffix(url, "/v1/traces") {
		url += "/v1/traces"
	}
	out, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(url), otlptracehttp.WithHTTPClient(client))
	if err != nil {
		return nil, fmt.Errorf("start traces: %w", err)
	}
	return newTracer(out, c), nil
}

func newTracer(out sdk.SpanExporter, c TraceConfig) *Tracer {
	p := sdk.NewTracerProvider(
		sdk.WithBatcher(out, sdk.WithMaxQueueSize(maxSpans)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Ratio))),
		sdk.WithResource(resource.NewSchemaless(
			attrService.String("ostiary"), attrServiceVersion.String(c.Version))),
	)
	return &Tracer{provider: p, tracer: p.Tracer("ostiary.dev/ostiary"), known: c.Known}
}

// method is the name of x in a trace.
func (t *Tracer) method(x *exchange.Exchange) string {
	return named(x, t.known)
}

// Start begins the span of x, whose request is known. Its parent is what the
// caller sent: in params._meta (SEP-414), else in the headers.
func (t *Tracer) Start(x *exchange.Exchange) {
	if t == nil {
		return
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), incoming{x})
	if up, ok := t.spans.Load(x.Parent); ok && x.Parent != "" {
		ctx = trace.ContextWithSpan(ctx, up.(trace.Span))
	}
	_, span := t.tracer.Start(ctx, t.method(x), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(x.Start))
	t.spans.Store(x.ID, span)
}

// Onward returns the trace context to put into what goes to the server, "" when
// x is not traced.
func (t *Tracer) Onward(x *exchange.Exchange) (traceparent, tracestate string) {
	if t == nil {
		return "", ""
	}
	span, ok := t.spans.Load(x.ID)
	if !ok {
		return "", ""
	}
	out := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpan(context.Background(), span.(trace.Span)), out)
	return out["traceparent"], out["tracestate"]
}

// End ends the span of x at now.
func (t *Tracer) End(x *exchange.Exchange, now time.Time) {
	if t == nil {
		return
	}
	held, ok := t.spans.LoadAndDelete(x.ID)
	if !ok {
		return
	}
	span := held.(trace.Span)
	span.SetAttributes(attrExchange.String(x.ID), attrMethod.String(t.method(x)), attrOutcome.String(string(x.Outcome)))
	if x.Version != "" {
		span.SetAttributes(attrVersion.String(string(x.Version)))
	}
	if x.Server != nil {
		span.SetAttributes(attrServer.String(x.Server.ID))
	}
	if x.Tool != nil {
		span.SetAttributes(attrTool.String(x.Tool.Name), attrOperation.String("execute_tool"))
	}
	if x.Fault != nil {
		span.SetAttributes(attrError.String(string(x.Fault.Kind)))
	}
	span.End(trace.WithTimestamp(now))
}

// Close sends what waits, no longer than ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// incoming reads the caller's trace context.
type incoming struct{ x *exchange.Exchange }

// Get returns the value of traceparent or tracestate.
func (i incoming) Get(name string) string {
	if i.x.Request != nil {
		if text, ok := i.x.Request.Meta().Get(name).Text(); ok {
			return text
		}
	}
	for _, f := range i.x.Mirrors.Trace {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Set does nothing: what came in is not changed.
func (incoming) Set(string, string) {}

// Keys are the names that Get knows.
func (incoming) Keys() []string { return []string{"traceparent", "tracestate"} }
