package doortest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bounds of what the fake server reads; a test that sends more is at fault.
const (
	maxHead = 1 << 20  // bytes of request line and headers
	maxBody = 64 << 20 // bytes of a decoded body
)

// Header is one header field as it stood on the wire.
type Header struct{ Name, Value string }

// Request is one HTTP request as the fake server received it.
type Request struct {
	Conn    int      // number of the connection, from 1 in order of acceptance
	Method  string   // GET, POST, DELETE, ...
	Target  string   // request target as written
	Headers []Header // in order, names and values as written, value trimmed of spaces
	Body    []byte   // decoded from chunks, otherwise untouched
}

// Get returns the value of the first field called name, in any case, or "".
func (r *Request) Get(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Has tells whether a field called name, in any case, is present.
func (r *Request) Has(name string) bool {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return true
		}
	}
	return false
}

// Message is the envelope of a JSON-RPC message; what is absent is nil or "".
type Message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

// Message reads the envelope of the body; a body that is no JSON object gives
// the zero Message.
func (r *Request) Message() Message { return Envelope(r.Body) }

// Envelope reads the envelope of b; anything but a JSON object gives the zero
// Message.
func Envelope(b []byte) Message {
	var m Message
	if json.Unmarshal(b, &m) != nil {
		return Message{}
	}
	return m
}

// Modern tells whether the message carries its protocol version in _meta, as
// every request of 2026-07-28 does.
func (m Message) Modern() bool {
	var p struct {
		Meta map[string]json.RawMessage `json:"_meta"`
	}
	return json.Unmarshal(m.Params, &p) == nil && p.Meta["io.modelcontextprotocol/protocolVersion"] != nil
}

var errHead = errors.New("doortest: request head too long or malformed")

// readRequest reads one HTTP/1.1 request. It is lenient on purpose: what the
// gateway lets out is for the test to judge.
func readRequest(r *bufio.Reader) (*Request, error) {
	line, err := readLine(r)
	if err != nil {
		return nil, err
	}
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("%w: %q", errHead, line)
	}
	req := &Request{Method: parts[0], Target: parts[1]}
	for size := 0; ; {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		if size += len(line); size > maxHead {
			return nil, errHead
		}
		name, value, _ := strings.Cut(line, ":")
		req.Headers = append(req.Headers, Header{name, strings.Trim(value, " \t")})
	}
	req.Body, err = readBody(r, req)
	return req, err
}

func readBody(r *bufio.Reader, req *Request) ([]byte, error) {
	if strings.EqualFold(req.Get("Transfer-Encoding"), "chunked") {
		return readChunks(r)
	}
	if !req.Has("Content-Length") {
		return nil, nil
	}
	n, err := strconv.ParseUint(req.Get("Content-Length"), 10, 32)
	if err != nil || n > maxBody {
		return nil, fmt.Errorf("%w: content length %q", errHead, req.Get("Content-Length"))
	}
	body := make([]byte, n)
	_, err = io.ReadFull(r, body)
	return body, err
}

func readChunks(r *bufio.Reader) ([]byte, error) {
	var body bytes.Buffer
	for {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 32)
		if err != nil || body.Len()+int(n) > maxBody {
			return nil, fmt.Errorf("%w: chunk %q", errHead, line)
		}
		if _, err := io.CopyN(&body, r, int64(n)); err != nil {
			return nil, err
		}
		if _, err := readLine(r); err != nil {
			return nil, err
		}
		if n == 0 {
			return body.Bytes(), nil
		}
	}
}

// readLine reads up to LF, without it and a CR before it.
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
		if len(line) > maxHead {
			return "", errHead
		}
	}
}
