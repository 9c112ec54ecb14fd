package wire

import (
	"strconv"

	"ostiary.dev/ostiary/internal/fault"
)

// NewError returns the error answer to the request id for a refusal: its code
// and public sentence, and in data its kind, the exchange to quote to an
// operator and what the specification demands beside the code. Without an id,
// or with one that no message may have, the answer has none, or null before
// 2025-11-25, whose schemas require one.
func NewError(id ID, v Version, f *fault.Error, exchange string) *Message {
	tail := appendError(make([]byte, 0, 192), f, exchange)
	for _, id := range []ID{id, {}} {
		out := append(make([]byte, 0, 48+len(tail)), `{"jsonrpc":"2.0"`...)
		if id.IsZero() || id == NullID {
			if v.Known() && v < V20251125 {
				out = append(out, `,"id":null`...)
			}
		} else {
			out = append(append(out, `,"id":`...), id.Raw()...)
		}
		if m, err := Parse(append(out, tail...), ownLimits(), FromServer); err == nil {
			return m
		}
	}
	panic("wire: built an error answer that is none for " + string(f.Kind))
}

// appendError appends the error member and the end of the message.
func appendError(out []byte, f *fault.Error, exchange string) []byte {
	out = append(out, `,"error":{"code":`...)
	out = strconv.AppendInt(out, int64(f.Code()), 10)
	out = append(append(out, `,"message":`...), Quote(f.Public)...)
	out = append(append(out, `,"data":{"kind":`...), Quote(string(f.Kind))...)
	if exchange != "" {
		out = append(append(out, `,"exchange":`...), Quote(exchange)...)
	}
	return append(appendData(out, f.Data), `}}}`...)
}

// appendData appends the members of a refusal's data object. What is not an
// object is left out: the refusal itself must always be sayable.
func appendData(out []byte, data string) []byte {
	if data == "" {
		return out
	}
	lim := ownLimits()
	lim.Depth -= 8
	v, err := ParseValue([]byte(data), lim)
	if err != nil {
		return out
	}
	for m, member := range v.Members() {
		if m.Key != "kind" && m.Key != "exchange" {
			out = append(append(out, ','), Quote(m.Key)...)
			out = append(append(out, ':'), member.Raw()...)
		}
	}
	return out
}

// NewResult returns the answer to request id with a result, a JSON object.
func NewResult(id ID, result []byte) (*Message, error) {
	out := append(make([]byte, 0, len(result)+64), `{"jsonrpc":"2.0","id":`...)
	out = append(append(out, id.Raw()...), `,"result":`...)
	return built(append(append(out, result...), '}'), FromServer)
}

// NewRequest returns a request; params is a JSON object or nil.
func NewRequest(id ID, method string, params []byte) (*Message, error) {
	out := append(make([]byte, 0, len(params)+128), `{"jsonrpc":"2.0","id":`...)
	out = append(out, id.Raw()...)
	return built(appendCall(out, method, params), FromClient)
}

// NewNotification returns a notification; params is a JSON object or nil.
func NewNotification(method string, params []byte) (*Message, error) {
	out := append(make([]byte, 0, len(params)+128), `{"jsonrpc":"2.0"`...)
	return built(appendCall(out, method, params), FromClient)
}

// appendCall appends method, params and the end of the message.
func appendCall(out []byte, method string, params []byte) []byte {
	out = append(append(out, `,"method":`...), Quote(method)...)
	if params != nil {
		out = append(append(out, `,"params":`...), params...)
	}
	return append(out, '}')
}

// built checks a message that was put together here from parts.
func built(raw []byte, from Side) (*Message, error) {
	m, err := Parse(raw, ownLimits(), from)
	if err != nil {
		return nil, err
	}
	return m, nil
}
