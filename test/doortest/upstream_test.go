package doortest

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	Main()
	goleak.VerifyTestMain(m)
}

const modernPing = `{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`

func post(t *testing.T, c *http.Client, url, body string, headers ...Header) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		req.Header.Set(h.Name, h.Value)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func httpClient(t *testing.T, config *tls.Config) *http.Client {
	tr := &http.Transport{TLSClientConfig: config}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestUpstreamAnswersBothErasAndKeepsEveryByte(t *testing.T) {
	u := NewUpstream(t, Config{})
	c := httpClient(t, nil)
	status, _, body := post(t, c, u.URL(), modernPing)
	if status != 200 || !strings.Contains(body, `"id":"a"`) || !strings.Contains(body, `"resultType":"complete"`) {
		t.Fatalf("modern answer %d %s", status, body)
	}
	status, head, body := post(t, c, u.URL(), `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}`)
	session := head.Get("Mcp-Session-Id")
	if status != 200 || session == "" || !strings.Contains(body, `"protocolVersion":"2025-06-18"`) {
		t.Fatalf("legacy answer %d %q %s", status, session, body)
	}
	if status, _, _ := post(t, c, u.URL(), `{"jsonrpc":"2.0","id":2,"method":"ping"}`); status != 404 {
		t.Fatalf("a request without session got %d", status)
	}
	status, _, body = post(t, c, u.URL(), `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"A"}}}`, Header{"Mcp-Session-Id", session})
	if status != 200 || !strings.Contains(body, `"text":"A"`) {
		t.Fatalf("echo %d %s", status, body)
	}
	if got := string(u.Received()); !strings.Contains(got, modernPing) || !strings.Contains(got, `"A"`) {
		t.Fatalf("the record lacks bytes: %s", got)
	}
	if n := len(u.Calls("tools/call")); n != 1 {
		t.Fatalf("%d calls recorded", n)
	}
	u.Forget()
	if u.Bytes() != 0 || len(u.Requests()) != 0 {
		t.Fatal("Forget left something")
	}
}

func TestUpstreamServesTLSFromTheTestAuthority(t *testing.T) {
	ca := NewAuthority(t)
	u := NewUpstream(t, Config{TLS: ca.ServerConfig("127.0.0.1")})
	status, _, body := post(t, httpClient(t, &tls.Config{RootCAs: ca.Pool()}), u.URL(), modernPing)
	if status != 200 || !strings.Contains(body, "echo") {
		t.Fatalf("%d %s", status, body)
	}
	if u.Bytes() <= int64(len(u.Received())) {
		t.Fatal("Bytes must count the TLS records")
	}
}

func TestUpstreamAsksOnTheStreamAndGetsTheAnswer(t *testing.T) {
	u := NewUpstream(t, Config{Stateless: true})
	u.On("tools/call", func(w *Conn, _ *Request) {
		answer, ok := w.Ask(`"q1"`, "sampling/createMessage", `{"messages":[]}`)
		if !ok {
			return
		}
		w.Result(string(answer.Result))
	})
	c := httpClient(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, u.URL(), strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call"}`))
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	asked, err := in.ReadString('}')
	if err != nil || !strings.Contains(asked, `"id":"q1"`) {
		t.Fatalf("%q %v", asked, err)
	}
	if status, _, _ := post(t, c, u.URL(), `{"jsonrpc":"2.0","id":"q1","result":{"model":"m"}}`); status != 202 {
		t.Fatalf("the answer got %d", status)
	}
	rest, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(rest), `"result":{"model":"m"}`) {
		t.Fatalf("%q %v", rest, err)
	}
}

func TestUpstreamNoticesThatTheCallerLeft(t *testing.T) {
	u := NewUpstream(t, Config{})
	left := make(chan struct{})
	u.On("tools/call", func(w *Conn, _ *Request) {
		<-w.Gone()
		close(left)
	})
	c, err := net.Dial("tcp", u.Addr())
	if err != nil {
		t.Fatal(err)
	}
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call"}`
	_, _ = io.WriteString(c, "POST /mcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n"+body+"\r\n0\r\n\r\n")
	u.AwaitCalls("tools/call", 1)
	_ = c.Close()
	<-left
}

func TestUpstreamSpeaksTheOldTransport(t *testing.T) {
	u := NewUpstream(t, Config{OldSSE: true})
	c := httpClient(t, nil)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, u.URL(), nil)
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	in := bufio.NewReader(res.Body)
	var endpoint string
	for !strings.HasPrefix(endpoint, "data: ") {
		if endpoint, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	at := "http://" + u.Addr() + strings.TrimSpace(strings.TrimPrefix(endpoint, "data: "))
	u.AwaitStreams(1)
	if status, _, _ := post(t, c, at, `{"jsonrpc":"2.0","id":5,"method":"ping"}`); status != 202 {
		t.Fatalf("POST got %d", status)
	}
	for {
		got, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(got, "data: ") {
			if got != `data: {"jsonrpc":"2.0","id":5,"result":{}}`+"\n" {
				t.Fatalf("%q", got)
			}
			return
		}
	}
}

func TestUpstreamModes(t *testing.T) {
	gate := make(chan struct{})
	close(gate)
	cases := map[string]struct {
		handler Handler
		status  int
		want    string
	}{
		"redirect": {Redirect(302, "http://127.0.0.1:1/"), 302, ""},
		"status":   {Status(503, "text/plain", "down"), 503, "down"},
		"exactly":  {Exactly(`{"jsonrpc":"2.0","id":%ID%,"result":{"n":1e400}}`), 200, `{"jsonrpc":"2.0","id":"a","result":{"n":1e400}}`},
		"events":   {Events(`{"id":%ID%}`), 200, "event: message\ndata: {\"id\":\"a\"}\n\n"},
		"trickle":  {Trickle(gate, `{"id":%ID%}`), 200, `{"id":"a"}`},
		"raw":      {Bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), 200, "hi"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			u := NewUpstream(t, Config{})
			u.On("tools/list", c.handler)
			client := httpClient(t, nil)
			client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			status, _, body := post(t, client, u.URL(), modernPing)
			if status != c.status || body != c.want {
				t.Fatalf("%d %q", status, body)
			}
		})
	}
	u := NewUpstream(t, Config{})
	u.On("tools/list", Huge(3<<20))
	if _, _, body := post(t, httpClient(t, nil), u.URL(), modernPing); len(body) < 3<<20 || !strings.HasSuffix(body, `"}]}}`) {
		t.Fatalf("huge answer of %d bytes", len(body))
	}
}
