package forward

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// credentials are the values that the gateway shows to one server. A server
// that hands one back, on purpose or in an error page, must not give it to a
// caller, who would then reach the server without the gateway (A14,
// TestHostileServers).
type credentials []string

// shortest is the length in bytes from which a value is looked for: anything
// shorter occurs by chance.
const shortest = 8

// redacted stands in place of a credential.
const redacted = "[redacted]"

// secretNames are parts of the names of headers and variables whose values are
// secret. Others hold addresses and folders, which answers rightly name.
var secretNames = []string{"auth", "token", "key", "secret", "passw", "credential", "cookie"}

// with adds value if name says that it is secret, without the scheme of an
// Authorization header.
func (c credentials) with(name, value string) credentials {
	name = strings.ToLower(name)
	if !slices.ContainsFunc(secretNames, func(part string) bool { return strings.Contains(name, part) }) {
		return c
	}
	value = strings.TrimSpace(value)
	if scheme, token, ok := strings.Cut(value, " "); ok && strings.IndexFunc(scheme, notLetter) < 0 {
		value = strings.TrimSpace(token)
	}
	if len(value) < shortest {
		return c
	}
	return append(c, value)
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

// strip returns m without the credentials: in strings they are replaced, a
// message that has one as a key is refused. Other encodings than JSON's own
// escapes are not looked into.
func (c credentials) strip(m *wire.Message) (*wire.Message, error) {
	if len(c) == 0 || m == nil || !c.suspects(m.Raw()) {
		return m, nil
	}
	var edits []wire.Edit
	if !c.walk(m.Root(), &edits) {
		return nil, fault.Wrap(fault.UpstreamBad, errors.New("the server's credential is a key of its answer"))
	}
	if len(edits) == 0 {
		return m, nil
	}
	clean, err := m.Rewrite(edits...)
	if err != nil {
		return nil, fault.Wrap(fault.UpstreamBad, err)
	}
	return clean, nil
}

// suspects reports whether raw holds a credential, or escapes that could hide
// one.
func (c credentials) suspects(raw []byte) bool {
	if bytes.IndexByte(raw, '\\') >= 0 {
		return true
	}
	for _, value := range c {
		if bytes.Contains(raw, []byte(value)) {
			return true
		}
	}
	return false
}

// walk collects the edits for every string below v; false when a key holds a
// credential. The depth is that of a parsed message, which is bounded.
func (c credentials) walk(v wire.Value, edits *[]wire.Edit) bool {
	switch v.Kind() {
	case wire.String:
		if text, ok := v.Text(); ok {
			if clean := c.clean(text); clean != text {
				*edits = append(*edits, wire.Replace(v, wire.Quote(clean)))
			}
		}
	case wire.Array:
		for e := range v.Elements() {
			if !c.walk(e, edits) {
				return false
			}
		}
	case wire.Object:
		for m, e := range v.Members() {
			if c.clean(m.Key) != m.Key || !c.walk(e, edits) {
				return false
			}
		}
	}
	return true
}

func (c credentials) clean(text string) string {
	for _, value := range c {
		text = strings.ReplaceAll(text, value, redacted)
	}
	return text
}
