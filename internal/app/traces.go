package app

import (
	"context"
	"net"

	"go.opentelemetry.io/otel"

	"ostiary.dev/ostiary/internal/meter"
)

// startTraces starts the tracer when the configuration names a collector. That
// the collector cannot be reached is logged and never stops a call.
func (a *App) startTraces(ctx context.Context) (func(context.Context) error, error) {
	t := a.config.Load().Telemetry
	if t.OTLPEndpoint == "" {
		return func(context.Context) error { return nil }, nil
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { a.logError("send traces", err) }))
	tracer, err := meter.NewTracer(ctx, meter.TraceConfig{
		Endpoint: t.OTLPEndpoint, Ratio: *t.SampleRatio, Version: a.options.Version, Known: knownMethod,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return a.guard.Dial(ctx, network, address, t.Private)
		},
	})
	if err != nil {
		return nil, err
	}
	a.tracer = tracer
	return func(ctx context.Context) error {
		if err := tracer.Close(ctx); err != nil {
			a.logError("send the last traces", err)
		}
		return nil
	}, nil
}
