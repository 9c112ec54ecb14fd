package logs

import (
	"log/slog"
	"time"

	"ostiary.dev/ostiary/internal/fault"
)

// classified is a value that somebody allowed. It prints as a marker wherever
// our handler is not in between.
type classified struct {
	value     slog.Value
	sensitive bool
}

// String returns a marker.
func (c classified) String() string { return Redacted }

// GoString returns a marker.
func (c classified) GoString() string { return Redacted }

// LogValue returns the value of a public attribute, so that another handler
// prints it, and a marker for the others.
func (c classified) LogValue() slog.Value {
	if c.sensitive {
		return slog.StringValue(Withheld)
	}
	return c.value
}

// scalar is what an attribute may hold: nothing that could print its insides.
type scalar interface {
	string | int | int64 | uint64 | bool | time.Duration | time.Time | []string
}

// Public is an attribute that anybody may read.
func Public[T scalar](key string, value T) slog.Attr {
	return slog.Any(key, classified{value: slog.AnyValue(value)})
}

// Sensitive is an attribute about a person or a network that only an operator
// who asked for it may read.
func Sensitive[T scalar](key string, value T) slog.Attr {
	return slog.Any(key, classified{value: slog.AnyValue(value), sensitive: true})
}

// Secret says that there was a value. It takes none.
func Secret(key string) slog.Attr { return slog.String(key, Redacted) }

// The attributes with fixed names. None of them holds payload.

// Exchange is the id of an exchange.
func Exchange(id string) slog.Attr { return Public("exchange", id) }

// Agent is the id of an agent.
func Agent(id string) slog.Attr { return Public("agent", id) }

// Server is the id of a server.
func Server(id string) slog.Attr { return Public("server", id) }

// Tool is a tool's name.
func Tool(name string) slog.Attr { return Public("tool", name) }

// Method is an MCP method.
func Method(name string) slog.Attr { return Public("method", name) }

// Step is the name of a step of the path.
func Step(name string) slog.Attr { return Public("step", name) }

// Outcome is how an exchange ended.
func Outcome(text string) slog.Attr { return Public("outcome", text) }

// Kind is a refusal's stable reason code.
func Kind(k fault.Kind) slog.Attr { return Public("kind", string(k)) }

// Reason is one of our own fixed texts.
func Reason(text string) slog.Attr { return Public("reason", text) }

// Listener is one of our own addresses.
func Listener(addr string) slog.Attr { return Public("listener", addr) }

// File is a path of the operator's own configuration or data.
func File(path string) slog.Attr { return Public("file", path) }

// Setting is the name of a configuration setting.
func Setting(name string) slog.Attr { return Public("setting", name) }

// Release is a version of this program.
func Release(version string) slog.Attr { return Public("version", version) }

// Count is a number of things.
func Count(n int) slog.Attr { return Public("count", n) }

// Took is how long something lasted.
func Took(d time.Duration) slog.Attr { return Public("took", d) }

// Peer is a caller's network address.
func Peer(addr string) slog.Attr { return Sensitive("peer", addr) }

// Err is an error of ours: a fault's kind and cause. The rooms that make errors
// keep payload and credentials out of them.
func Err(err error) slog.Attr {
	if err == nil {
		return Public("error", "")
	}
	return Public("error", err.Error())
}
