package doortest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Client sends exactly the bytes that it is told to one endpoint. Fields may
// be changed before the first request; it is safe for concurrent use after.
type Client struct {
	tb      testing.TB
	URL     string
	TLS     *tls.Config // nil for http URLs
	Token   string      // "" = no Authorization
	Version string      // "" = ModernVersion
	HTTP2   bool
	Session string   // Mcp-Session-Id, set by Initialize
	Headers []Header // on every request, after the usual ones; "" as value removes one

	once sync.Once
	http *http.Client
}

// NewClient is a client of any URL.
func NewClient(tb testing.TB, url string) *Client { return &Client{tb: tb, URL: url} }

// Client is a client of a server's endpoint over TLS, with the agent's token.
func (d *Door) Client(a *Agent, server string) *Client {
	return &Client{tb: d.tb, URL: d.URL(server), Token: a.Token, TLS: &tls.Config{RootCAs: a.CA, MinVersion: tls.VersionTLS13}}
}

// CertClient is a client that authenticates by the agent's certificate alone.
func (d *Door) CertClient(a *Agent, server string) *Client {
	c := d.Client(a, server)
	c.Token, c.TLS.Certificates = "", []tls.Certificate{a.Cert}
	return c
}

// PlainClient is a client on the plaintext loopback listener.
func (d *Door) PlainClient(server string) *Client { return NewClient(d.tb, d.PlainURL(server)) }

// Reply is one whole HTTP answer.
type Reply struct {
	Status   int
	Header   http.Header
	Body     []byte   // as received, event framing included
	Messages []string // the JSON body, or the data of each event that has some
}

// Final is the last message, where a request's answer is; "" if there is none.
func (r Reply) Final() string {
	if len(r.Messages) == 0 {
		return ""
	}
	return r.Messages[len(r.Messages)-1]
}

// Message is the envelope of the last message.
func (r Reply) Message() Message { return Envelope([]byte(r.Final())) }

// Code is the error code of the last message, or 0.
func (r Reply) Code() int {
	var e struct {
		Code int `json:"code"`
	}
	_ = json.Unmarshal(r.Message().Error, &e) // no error: code 0
	return e.Code
}

// Text is the text of the first content block of a tool's result, or "".
func (r Reply) Text() string {
	var p struct {
		Content []struct {
			Text string `json:"text"`
		} `json:"content"`
	}
	if json.Unmarshal(r.Message().Result, &p) != nil || len(p.Content) == 0 {
		return ""
	}
	return p.Content[0].Text
}

// Post sends body with the headers that a well-behaved client of the version
// sends, and reads the whole answer.
func (c *Client) Post(body string, headers ...Header) Reply {
	c.tb.Helper()
	return c.Send(http.MethodPost, body, headers...)
}

// Send is Post with another HTTP method.
func (c *Client) Send(method, body string, headers ...Header) Reply {
	c.tb.Helper()
	r, err := c.send(method, body, headers)
	if err != nil {
		c.tb.Fatalf("%s %s: %v", method, c.URL, err)
	}
	return r
}

// Attempt is Post for tests in which the gateway may be gone: a request that
// got no whole answer is an error.
func (c *Client) Attempt(body string, headers ...Header) (Reply, error) {
	return c.send(http.MethodPost, body, headers)
}

func (c *Client) send(method, body string, headers []Header) (Reply, error) {
	ctx, cancel := context.WithTimeout(c.tb.Context(), Patience)
	defer cancel()
	res, err := c.do(ctx, method, body, headers)
	if err != nil {
		return Reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return Reply{}, fmt.Errorf("read answer: %w", err)
	}
	return Reply{res.StatusCode, res.Header, b, messages(res.Header.Get("Content-Type"), b)}, nil
}

func (c *Client) do(ctx context.Context, method, body string, headers []Header) (*http.Response, error) {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL, in)
	if err != nil {
		return nil, err
	}
	for _, h := range append(append(c.usual(method, body), c.Headers...), headers...) {
		switch {
		case h.Value == "":
			req.Header.Del(h.Name)
		case strings.EqualFold(h.Name, "Host"):
			req.Host = h.Value
		default:
			req.Header.Set(h.Name, h.Value)
		}
	}
	return c.transport().Do(req)
}

func (c *Client) transport() *http.Client {
	c.once.Do(func() {
		tr := &http.Transport{TLSClientConfig: c.TLS, ForceAttemptHTTP2: c.HTTP2, DisableCompression: true}
		c.http = &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		c.tb.Cleanup(tr.CloseIdleConnections)
	})
	return c.http
}

// usual are the headers of the client's version for body.
func (c *Client) usual(method, body string) []Header {
	out := []Header{{"Accept", "application/json, text/event-stream"}}
	if method == http.MethodPost {
		out = append(out, Header{"Content-Type", "application/json"})
	}
	if c.Token != "" {
		out = append(out, Header{"Authorization", "Bearer " + c.Token})
	}
	if c.modern() {
		return append(out, Mirror(body)...)
	}
	if c.Session != "" {
		out = append(out, Header{"Mcp-Session-Id", c.Session})
	}
	if m := Envelope([]byte(body)); m.Method != "initialize" && c.version() >= "2025-06-18" {
		out = append(out, Header{"MCP-Protocol-Version", c.version()})
	}
	return out
}

func (c *Client) version() string {
	if c.Version == "" {
		return ModernVersion
	}
	return c.Version
}

func (c *Client) modern() bool { return c.version() == ModernVersion }

// Mirror are the headers by which 2026-07-28 repeats parts of the body.
// Mcp-Param-* are left to the caller.
func Mirror(body string) []Header {
	m := Envelope([]byte(body))
	out := []Header{{"MCP-Protocol-Version", ModernVersion}}
	if m.Method == "" {
		return out
	}
	out = append(out, Header{"Mcp-Method", m.Method})
	name := ""
	switch m.Method {
	case "tools/call", "prompts/get":
		name = param(m, "name")
	case "resources/read":
		name = param(m, "uri")
	}
	if name != "" {
		out = append(out, Header{"Mcp-Name", Sentinel(name)})
	}
	return out
}

// Sentinel encodes a header value that visible ASCII cannot carry.
func Sentinel(v string) string {
	plain := strings.TrimSpace(v) == v && !strings.HasPrefix(v, "=?base64?")
	for i := range len(v) {
		plain = plain && v[i] >= 0x20 && v[i] < 0x7f
	}
	if plain {
		return v
	}
	return "=?base64?" + base64.StdEncoding.EncodeToString([]byte(v)) + "?="
}

// Meta is the _meta member that a modern request needs.
const Meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + ModernVersion + `","io.modelcontextprotocol/clientCapabilities":{}}`

// Request builds a request of the client's version. id and params are JSON;
// params must be an object, and gets _meta in the modern era.
func (c *Client) Request(id, method, params string) string {
	if c.modern() {
		inner := strings.TrimPrefix(params, "{")
		if strings.TrimSpace(inner) != "}" && inner != "" {
			inner = "," + inner
		} else {
			inner = "}"
		}
		params = "{" + Meta + inner
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, params)
}

// Call sends one request and reads its answer. params is a JSON object.
func (c *Client) Call(id, method, params string, headers ...Header) Reply {
	c.tb.Helper()
	return c.Post(c.Request(id, method, params), headers...)
}

// Tool calls a tool with arguments, a JSON object.
func (c *Client) Tool(id, name, arguments string, headers ...Header) Reply {
	c.tb.Helper()
	return c.Call(id, "tools/call", fmt.Sprintf(`{"name":%q,"arguments":%s}`, name, arguments), headers...)
}

// Initialize does the legacy handshake with a version and the client's
// capabilities, a JSON object, and keeps the session.
func (c *Client) Initialize(version, capabilities string) Reply {
	c.tb.Helper()
	c.Version, c.Session = version, ""
	r := c.Call(`"init"`, "initialize", fmt.Sprintf(`{"protocolVersion":%q,"capabilities":%s,"clientInfo":{"name":"doortest","version":"1"}}`, version, capabilities))
	if r.Status != http.StatusOK || r.Message().Result == nil {
		c.tb.Fatalf("initialize: %d %s", r.Status, r.Body)
	}
	c.Session = r.Header.Get("Mcp-Session-Id")
	if n := c.Post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`); n.Status != http.StatusAccepted {
		c.tb.Fatalf("notifications/initialized: %d %s", n.Status, n.Body)
	}
	return r
}

// messages splits an answer by its content type.
func messages(contentType string, b []byte) []string {
	if !strings.HasPrefix(contentType, "text/event-stream") {
		if len(bytes.TrimSpace(b)) == 0 {
			return nil
		}
		return []string{string(b)}
	}
	var out []string
	s := &Stream{in: bufio.NewReader(bytes.NewReader(b))}
	for {
		e, err := s.Next()
		if err != nil {
			return out
		}
		if e.Data != "" {
			out = append(out, e.Data)
		}
	}
}

// Stream is an answer that is read event by event.
type Stream struct {
	Status int
	Header http.Header
	res    *http.Response
	cancel context.CancelFunc
	in     *bufio.Reader
}

// Event is one event of a stream.
type Event struct{ ID, Type, Data, Retry string }

// Open sends a request and returns as soon as the answer's head is there. The
// caller closes the stream; the test's end does too.
func (c *Client) Open(method, body string, headers ...Header) *Stream {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(c.tb.Context(), Patience)
	res, err := c.do(ctx, method, body, headers)
	if err != nil {
		cancel()
		c.tb.Fatalf("%s %s: %v", method, c.URL, err)
	}
	s := &Stream{res.StatusCode, res.Header, res, cancel, bufio.NewReader(res.Body)}
	c.tb.Cleanup(s.Close)
	return s
}

// Close breaks the stream off, as a client does that went away.
func (s *Stream) Close() {
	s.cancel()
	_ = s.res.Body.Close()
}

// Next reads the next event; comments are passed over. At the end of the
// stream it returns io.EOF; an event that was cut is an error too.
func (s *Stream) Next() (Event, error) {
	var e Event
	var data []string
	some := false
	for {
		l, err := s.in.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && (some || l != "") {
				err = io.ErrUnexpectedEOF
			}
			return Event{}, err
		}
		l = strings.TrimRight(l, "\r\n")
		if l == "" {
			if some {
				e.Data = strings.Join(data, "\n")
				return e, nil
			}
			continue
		}
		field, value, _ := strings.Cut(l, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "":
			continue
		case "id":
			e.ID = value
		case "event":
			e.Type = value
		case "data":
			data = append(data, value)
		case "retry":
			e.Retry = value
		}
		some = true
	}
}

// Dial opens a bare connection to the endpoint, TLS if the URL says so, for
// tests that write raw HTTP. alpn may name protocols to offer.
func (c *Client) Dial(alpn ...string) net.Conn {
	c.tb.Helper()
	at, err := url.Parse(c.URL)
	if err != nil {
		c.tb.Fatal(err)
	}
	raw, err := net.Dial("tcp", at.Host)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.tb.Cleanup(func() { _ = raw.Close() })
	if at.Scheme != "https" {
		return raw
	}
	config := c.TLS.Clone()
	config.ServerName, config.NextProtos = at.Hostname(), alpn
	return tls.Client(raw, config)
}
