package http1

import "strings"

// version is the one protocol version that a request may have.
const version = "HTTP/1.1"

// requestLine parses a request's first line without CRLF (RFC 9112 section 3):
// one space between the parts, and none elsewhere.
func requestLine(line string) (method, target string, err error) {
	method, rest, ok := strings.Cut(line, " ")
	if !ok {
		return "", "", errStartLine
	}
	target, proto, ok := strings.Cut(rest, " ")
	if !ok {
		return "", "", errStartLine
	}
	if proto != version {
		if len(proto) == len(version) && strings.HasPrefix(proto, "HTTP/") && only(proto, tokenByte|targetByte) {
			return "", "", errVersion
		}
		return "", "", errStartLine
	}
	if err := checkMethod(method); err != nil {
		return "", "", err
	}
	if err := checkTarget(target); err != nil {
		return "", "", err
	}
	return method, target, nil
}

func checkMethod(method string) error {
	switch {
	case method == "" || len(method) > 32 || !only(method, tokenByte):
		return errMethod
	case method == "CONNECT" || method == "TRACE":
		return errForbidden
	}
	return nil
}

// checkTarget accepts origin-form only: an absolute path and an optional
// query, of printable ASCII without '#', with well-formed percent-encoding.
func checkTarget(target string) error {
	if target == "" || target[0] != '/' || !only(target, targetByte) {
		return errTarget
	}
	for rest := target; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return nil
		}
		rest = rest[i+1:]
		if len(rest) < 2 || !only(rest[:2], hexByte) {
			return errTarget
		}
	}
}

// checkHost accepts a name or address with an optional port. Whether it is one
// of the gateway's own names is for the handler to say.
func checkHost(host string) error {
	if host == "" || len(host) > 512 || !only(host, hostByte) {
		return errHost
	}
	return nil
}

// statusLine parses a response's first line without CRLF (RFC 9112 section 4).
// old tells that the version is 1.0: such a connection is not kept.
func statusLine(line string) (status int, old bool, err error) {
	proto, rest, ok := strings.Cut(line, " ")
	if !ok || proto != version && proto != "HTTP/1.0" {
		return 0, false, errStartLine
	}
	code, reason, _ := strings.Cut(rest, " ")
	if len(code) != 3 || !only(reason, valueByte) {
		return 0, false, errStartLine
	}
	for i := range 3 {
		if code[i] < '0' || code[i] > '9' {
			return 0, false, errStartLine
		}
		status = status*10 + int(code[i]-'0')
	}
	if status < 100 || status > 599 {
		return 0, false, errStartLine
	}
	return status, proto != version, nil
}
