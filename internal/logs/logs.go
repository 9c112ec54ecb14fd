// Package logs builds the program's logger and says which attributes it may
// print. Every attribute is public, sensitive or secret; one that nobody
// classified counts as secret and prints as a marker, so that a value reaches
// a log only on purpose.
//
// It writes to what it is given and touches nothing else. It deliberately does
// not write records of exchanges (record does), and it does not look into
// messages: the message of a log line is constant text.
package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
)

// What withheld values print as.
const (
	Redacted  = "[redacted]"  // secret, or never classified
	Withheld  = "[sensitive]" // sensitive, and Options.Sensitive is off
	maxString = 2048          // bytes of one value
)

// Options says how to log.
type Options struct {
	Format    string     // "text" (default) or "json"
	Level     slog.Level // lowest level printed
	Sensitive bool       // print sensitive values too: a named loosening
}

// New returns a logger that writes to w, one line per record.
func New(w io.Writer, o Options) (*slog.Logger, error) {
	h, err := NewHandler(w, o)
	if err != nil {
		return nil, err
	}
	return slog.New(h), nil
}

// NewHandler returns the handler of such a logger.
func NewHandler(w io.Writer, o Options) (slog.Handler, error) {
	options := &slog.HandlerOptions{Level: o.Level}
	switch o.Format {
	case "", "text":
		return &handler{slog.NewTextHandler(w, options), o.Sensitive}, nil
	case "json":
		return &handler{slog.NewJSONHandler(w, options), o.Sensitive}, nil
	}
	return nil, fmt.Errorf("log format %q: use text or json", o.Format)
}

// Discard returns a logger that prints nothing.
func Discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// handler redacts attributes before the next handler sees them.
type handler struct {
	next      slog.Handler
	sensitive bool
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.redact(a))
		return true
	})
	return h.next.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	clean := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		clean[i] = h.redact(a)
	}
	return &handler{h.next.WithAttrs(clean), h.sensitive}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.next.WithGroup(name), h.sensitive}
}

// redact returns a with its value, if its class allows it. The members of a
// group are looked at one by one.
func (h *handler) redact(a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindGroup {
		members := a.Value.Group()
		clean := make([]slog.Attr, len(members))
		for i, m := range members {
			clean[i] = h.redact(m)
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(clean...)}
	}
	c, ok := a.Value.Any().(classified)
	switch {
	case !ok:
		return slog.String(a.Key, Redacted)
	case c.sensitive && !h.sensitive:
		return slog.String(a.Key, Withheld)
	}
	return slog.Attr{Key: a.Key, Value: bound(c.value)}
}

// bound cuts a text that is too long for a log line.
func bound(v slog.Value) slog.Value {
	if v.Kind() == slog.KindString && len(v.String()) > maxString {
		return slog.StringValue(v.String()[:maxString] + "...")
	}
	return v
}
