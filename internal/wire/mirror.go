package wire

import (
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/fault"
)

// maxSafeInteger is the largest integer that a mirrored argument may have.
const maxSafeInteger = 1<<53 - 1

// MirrorHeaders returns the headers that repeat parts of a modern message:
// version, method, name and the arguments that the tool's schema annotates.
func MirrorHeaders(m *Message, v Version, params []HeaderParam) ([]Field, error) {
	fields := append(make([]Field, 0, 3+len(params)), Field{"MCP-Protocol-Version", string(v)})
	if m.method == "" {
		return fields, nil
	}
	fields = append(fields, Field{"Mcp-Method", EncodeHeader(m.method)})
	if m.routed() {
		fields = append(fields, Field{"Mcp-Name", EncodeHeader(m.name)})
	}
	if m.method != "tools/call" {
		return fields, nil
	}
	for _, p := range params {
		text, present, ok := argument(m, p)
		if !ok {
			return nil, fault.Newf(fault.BadParams, "The argument that belongs into %s has another type or is out of range.", p.Header)
		}
		if present {
			fields = append(fields, Field{p.Header, EncodeHeader(text)})
		}
	}
	return fields, nil
}

// routed reports whether Mcp-Name repeats a member of this request.
func (m *Message) routed() bool {
	if m.kind != Request {
		return false
	}
	f, ok := Lookup(m.method, V20260728, FromClient)
	return ok && f.Routed != ""
}

// argument returns the text of an annotated argument; present is false if it
// is absent or null, ok is false if it does not have the annotated type.
func argument(m *Message, p HeaderParam) (text string, present, ok bool) {
	v := m.Params().Get("arguments").At(p.Path...)
	switch k := v.Kind(); {
	case k == Absent || k == Null:
		return "", false, true
	case k == String && p.Type == "string":
		text, _ = v.Text()
		return text, true, true
	case k == Number && p.Type == "integer":
		n, ok := exactInteger(string(v.Raw()))
		return strconv.FormatInt(n, 10), true, ok
	case (k == True || k == False) && p.Type == "boolean":
		return string(v.Raw()), true, true
	}
	return "", true, false
}

// exactInteger returns the integer that a JSON number stands for, in any
// spelling (42, 42.0, 4.2e1), if it lies within +-(2^53-1).
func exactInteger(s string) (int64, bool) {
	negative := strings.HasPrefix(s, "-")
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(strings.TrimPrefix(s, "-")), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	trimmed := strings.TrimRight(digits, "0")
	if trimmed == "" {
		return 0, true
	}
	exp := 0
	if scientific {
		var err error
		if exp, err = strconv.Atoi(exponent); err != nil || exp > 1<<20 || exp < -1<<20 {
			return 0, false
		}
	}
	zeros := exp - len(fraction) + len(digits) - len(trimmed)
	if zeros < 0 || len(trimmed)+zeros > 16 {
		return 0, false
	}
	n, err := strconv.ParseInt(trimmed+strings.Repeat("0", zeros), 10, 64)
	if err != nil || n > maxSafeInteger {
		return 0, false
	}
	if negative {
		n = -n
	}
	return n, true
}

// CheckMirrors compares the headers of a modern message with its body. version,
// method and name are the header values as they came, got the Mcp-Param-*
// fields. With paramsKnown, params are all annotations of the tool; without,
// nothing is known of them and the fields need only be decodable. The error
// names the header, never a value: HeaderMismatch, or BadParams if the body
// lacks the version.
func CheckMirrors(m *Message, version, method string, hasMethod bool, name string, hasName bool,
	got []Field, params []HeaderParam, paramsKnown bool) error {
	named, ok := m.ProtocolVersion()
	switch {
	case !ok && m.kind == Request:
		return fault.Newf(fault.BadParams, "The request's _meta lacks %s.", metaVersion)
	case ok && trim(version) != named:
		return mismatch("MCP-Protocol-Version")
	case m.kind == Request && !hasMethod:
		return missing("Mcp-Method")
	case hasMethod && trim(method) != m.method:
		return mismatch("Mcp-Method")
	}
	if err := checkName(m, name, hasName); err != nil {
		return err
	}
	return checkParams(m, got, params, paramsKnown)
}

// checkName compares Mcp-Name.
func checkName(m *Message, name string, has bool) error {
	if !has {
		if m.routed() {
			return missing("Mcp-Name")
		}
		return nil
	}
	text, err := DecodeHeader(trim(name))
	if err != nil {
		return malformed("Mcp-Name", err)
	}
	if m.routed() && text != m.name {
		return mismatch("Mcp-Name")
	}
	return nil
}

// checkParams compares the Mcp-Param-* fields.
func checkParams(m *Message, got []Field, params []HeaderParam, known bool) error {
	values := make(map[string]string, len(got))
	for _, f := range got {
		key := strings.ToLower(f.Name)
		text, err := decodeHeader(trim(f.Value))
		if err != nil {
			return malformed("An Mcp-Param header", err)
		}
		if _, twice := values[key]; twice {
			return fault.Newf(fault.HeaderMismatch, "An Mcp-Param header occurs twice.")
		}
		values[key] = text
	}
	if !known || m.method != "tools/call" {
		return nil
	}
	for _, p := range params {
		value, has := values[strings.ToLower(p.Header)]
		text, present, ok := argument(m, p)
		switch {
		case !ok:
			return fault.Newf(fault.BadParams, "The argument that %s repeats has another type or is out of range.", p.Header)
		case present && !has:
			return missing(p.Header)
		case present != has || !sameValue(p.Type, value, text):
			return mismatch(p.Header)
		}
	}
	return nil
}

// sameValue compares a header's text with the argument's: integers by value.
func sameValue(kind, header, argument string) bool {
	if kind != "integer" || argument == "" {
		return header == argument
	}
	v, err := ParseValue([]byte(header), DefaultLimits())
	if err != nil || v.Kind() != Number {
		return false
	}
	n, ok := exactInteger(string(v.Raw()))
	return ok && strconv.FormatInt(n, 10) == argument
}

// trim takes optional white space off a header value (RFC 9110 section 5.5).
func trim(s string) string { return strings.Trim(s, " \t") }

func mismatch(header string) error {
	return fault.Newf(fault.HeaderMismatch, "%s does not agree with the body.", header)
}

func missing(header string) error {
	return fault.Newf(fault.HeaderMismatch, "%s is missing; repeat the value of the body in it.", header)
}

func malformed(header string, err error) error {
	return fault.Newf(fault.HeaderMismatch, "%s %s.", header, err)
}
