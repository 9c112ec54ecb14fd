package hostile

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// good is a call of echo in a version.
func good(version string) string { return inVersion(version, tool(`{"text":"x"}`)) }

// field is one header field.
func field(name, value string) doortest.Header { return doortest.Header{Name: name, Value: value} }

func TestH12Hosts(t *testing.T) {
	w := httpWorld(t)
	_, port, err := net.SplitHostPort(w.door.Data)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range eras {
		c := w.client(t, version)
		for _, host := range []string{
			"attacker.example", "attacker.example:" + port, "127.0.0.1.attacker.example:" + port, "localhost.attacker.example:" + port,
			"localhost.:" + port, "0.0.0.0:" + port, "[::ffff:127.0.0.1]:" + port, "2130706433:" + port, "127.1:" + port, "127.0.0.1.:" + port,
		} {
			got := c.Post(good(version), field("Host", host))
			what := version + "/" + host
			switch got.Status {
			case 421:
				w.holds(t, what, refusal{421, 31004, "", "host_unknown"}, got)
			case 400:
				w.holds(t, what, badHead, got)
			default:
				t.Errorf("%s: status %d", what, got.Status)
				w.mark()
			}
		}
	}
	for name, text := range map[string]string{
		"no Host":  strings.Replace(whole("1"), "Host: %HOST%\r\n", "", 1),
		"two":      strings.Replace(whole("1"), "Host: %HOST%\r\n", "Host: %HOST%\r\nHost: attacker.example\r\n", 1),
		"absolute": strings.Replace(whole("1"), "POST /s/s/mcp", "POST https://attacker.example/s/s/mcp", 1),
	} {
		t.Run(name, func(t *testing.T) { refusedRaw(t, name, text, badHead) })
	}
}

// H12 on the listener that asks for no credential: a page of another site whose
// name resolves to loopback must not get through.
func TestH12HostsOnLoopback(t *testing.T) {
	w := httpWorld(t)
	_, port, err := net.SplitHostPort(w.door.Plain)
	if err != nil {
		t.Fatal(err)
	}
	c := doortest.NewClient(t, w.door.PlainURL("s"))
	for _, host := range []string{"attacker.example:" + port, "127.0.0.1.attacker.example:" + port, "localhost.:" + port} {
		w.holds(t, host, refusal{421, 31004, "", "host_unknown"}, c.Post(good(doortest.ModernVersion), field("Host", host)))
	}
	if got := c.Post(good(doortest.ModernVersion)); got.Status != 200 || got.Text() != "x" {
		t.Errorf("the listener's own name: %d %s", got.Status, got.Body)
	}
	w.served(t, "own name")
}

func TestH13Origins(t *testing.T) {
	w := httpWorld(t)
	for _, version := range eras {
		for name, c := range map[string]*doortest.Client{"TLS": w.client(t, version), "plaintext": doortest.NewClient(t, w.door.PlainURL("s"))} {
			if name == "plaintext" && version != doortest.ModernVersion {
				continue // the Origin is looked at before the version is known
			}
			for _, origin := range []string{
				"https://evil.example", "null", "http://localhost:evil", "http://localhost", "https://localhost", "file://",
				"https://" + w.door.Data + ".evil.example", "https://" + w.door.Data + "/", "HTTPS://" + w.door.Data, "http://" + w.door.Data,
			} {
				what := name + "/" + version + "/" + origin
				got := c.Post(good(version), field("Origin", origin))
				w.holds(t, what, refusal{403, 31005, "", "origin_forbidden"}, got)
				for h := range got.Header {
					if strings.HasPrefix(h, "Access-Control-") {
						t.Errorf("%s: answered with %s", what, h)
					}
				}
			}
			got := c.Send(http.MethodOptions, "", field("Origin", "https://evil.example"), field("Access-Control-Request-Method", "POST"))
			w.holds(t, name+"/preflight", refusal{403, 31005, "", "origin_forbidden"}, got)
		}
	}
	two := strings.Replace(whole("1"), "Accept:", "Origin: https://%HOST%\r\nOrigin: https://%HOST%\r\nAccept:", 1)
	r := w.dial(t)
	r.send(two)
	w.holds(t, "two origins", refusal{403, 31005, "", "origin_forbidden"}, r.answer("POST"))
}

func TestH14ContentTypes(t *testing.T) {
	w := httpWorld(t)
	for _, version := range eras {
		c := w.client(t, version)
		for _, kind := range []string{
			"text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "",
			"application/json;x", "application/json;charset=utf-7", "application/json;charset=utf-16", "application/json, text/plain",
			"application/json;charset=utf-8;charset=utf-16", "application/jsonx", "application/json-rpc", "text/json", "*/*",
		} {
			got := c.Post(good(version), field("Content-Type", kind))
			w.holds(t, version+"/"+kind, unnamed(version, refusal{415, 31002, "", "media_type"}), got)
		}
		for _, coding := range []string{"gzip", "identity", "br"} {
			got := c.Post(good(version), field("Content-Encoding", coding))
			w.holds(t, version+"/"+coding, unnamed(version, refusal{415, 31002, "", "media_type"}), got)
		}
	}
	r := w.dial(t)
	r.send(strings.Replace(whole("1"), "Accept:", "Content-Type: text/plain\r\nAccept:", 1))
	w.holds(t, "two types", refusal{415, 31002, "", "media_type"}, r.answer("POST"))
}

// forged are fields by which other programs let a proxy speak for a caller, and
// names such as a gateway might use within.
var forged = []string{
	"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Real-IP",
	"X-Client-Cert", "X-SSL-Client-Verify", "X-Original-URL", "X-Rewrite-URL", "X-User", "X-User-Id", "X-Tenant", "X-Tenant-Id", "X-Agent",
	"X-Scopes", "X-Roles", "X-Auth-Request-User", "X-Ostiary-Agent", "X-Ostiary-User", "X-Ostiary-Tenant", "X-Ostiary-Scopes",
	"X-Ostiary-Decision", "X-Ostiary-Upstream", "Ostiary-Agent", "X-MCP-Init-Host", "X-Upstream-Authorization", "Proxy-Authorization",
	"X-Api-Key", "Cookie", "Via", "From", "Referer", "User-Agent", "Accept-Language", "Cache-Control", "Range", "If-None-Match",
}

// TestH16H17ForgedFields holds for H16, H17 and H29 that no field of a caller
// but those of MCP reaches the server, the decision or the record: the server
// gets the same fields, in name and value, as without them.
func TestH16H17ForgedFields(t *testing.T) {
	const canary = "203.0.113.77"
	w := httpWorld(t)
	for _, version := range eras {
		c := w.client(t, version)
		plain := fields(t, w, version, c.Post(good(version)))
		all := []doortest.Header{field("Forwarded", "for="+canary+";host=evil.example"), field("X-HTTP-Method-Override", "DELETE"), field("X-HTTP-Method", "GET")}
		for _, name := range forged {
			all = append(all, field(name, canary))
		}
		got := fields(t, w, version, c.Post(good(version), all...))
		if !slices.Equal(got, plain) {
			t.Errorf("%s: the server got\n%s\nwithout the forged fields\n%s", version, strings.Join(got, "\n"), strings.Join(plain, "\n"))
		}
	}
}

// fields checks that a call went well and was recorded for whom it came from,
// and returns the fields that the server got.
func fields(t *testing.T, w *world, version string, got doortest.Reply) []string {
	t.Helper()
	if got.Status != 200 || got.Text() != "x" || got.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s: %d %v %s", version, got.Status, got.Header, got.Body)
	}
	calls := w.up.Calls("tools/call")
	if len(calls) != 1 {
		t.Fatalf("%s: %d calls", version, len(calls))
	}
	var all []string
	for _, h := range calls[0].Headers {
		if !slices.Contains([]string{"host", "content-type", "content-length", "accept", "accept-encoding", "mcp-protocol-version",
			"mcp-method", "mcp-name", "mcp-session-id", "user-agent"}, strings.ToLower(h.Name)) {
			t.Errorf("%s: the server got %s", version, h.Name)
		}
		all = append(all, h.Name+": "+h.Value)
	}
	r := w.served(t, version)
	var line struct {
		Peer string `json:"peer"`
	}
	decode(t, r.Line, &line)
	if r.Actor != "app" || line.Peer != "127.0.0.1" || r.Method != "tools/call" || strings.Contains(string(r.Line), "203.0.113.77") {
		t.Errorf("%s: recorded as %s", version, r.Line)
	}
	return all
}

func TestH21UnknownServers(t *testing.T) {
	w := httpWorld(t)
	w.onboard(doortest.Server{Name: "hidden", URL: w.up.URL()})
	w.mark()
	at := "https://" + w.door.Data
	for _, version := range eras {
		for path, reason := range map[string]string{
			"/s/xyz/mcp": "server_unknown", "/s/hidden/mcp": "", "/s//mcp": "path_unknown", "/s/S/mcp": "", "/s/s%2f/mcp": "path_unknown",
			"/s/%73/mcp": "path_unknown", "/s/s/mcp/": "path_unknown", "/s/s/": "path_unknown", "/s/../mcp": "", "/s/s/../mcp": "path_unknown",
			"/S/s/mcp": "path_unknown", "/mcp/": "path_unknown", "//mcp": "path_unknown", "/": "path_unknown", "/s/default/mcp": "server_unknown",
			"/s/global/mcp": "server_unknown", "/s/*/mcp": "", "/s/" + strings.Repeat("a", 33) + "/mcp": "path_unknown",
		} {
			c, body := w.clientOf(t, "app", version), good(version)
			if version != doortest.ModernVersion {
				body = `{"jsonrpc":"2.0","id":"x","method":"initialize","params":{"protocolVersion":"` + version + `","capabilities":{}}}`
			}
			c.URL = at + path
			got := c.Post(body)
			if got.Status != 404 || got.Code() != 31007 {
				t.Errorf("%s%s: %d %s", version, path, got.Status, got.Body)
			}
			if n := w.up.Bytes(); n != 0 {
				t.Errorf("%s%s: %d bytes reached the server", version, path, n)
			}
			w.silent(t, path, got)
			added := w.exchanges()[w.seen:]
			if len(added) != 1 || added[0].Outcome != "refused" || reason != "" && added[0].Reason != reason {
				t.Errorf("%s%s: recorded as %s", version, path, lines(added))
			}
			w.mark()
		}
	}
}

func TestH29CachingFields(t *testing.T) {
	w := httpWorld(t)
	for _, version := range eras {
		c := w.client(t, version)
		for _, h := range []doortest.Header{
			field("Range", "bytes=0-3"), field("If-None-Match", "*"), field("If-Match", `"x"`), field("Cache-Control", "only-if-cached"),
			field("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"), field("If-Range", `"x"`),
		} {
			got := c.Post(good(version), h)
			if got.Status != 200 || got.Text() != "x" || got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("ETag") != "" {
				t.Errorf("%s %s: %d %v %s", version, h.Name, got.Status, got.Header, got.Body)
			}
			w.served(t, h.Name)
		}
		w.up.On("tools/call", doortest.Events(`{"jsonrpc":"2.0","id":%ID%,"result":{"resultType":"complete","content":[]}}`))
		if got := c.Post(good(version), field("Range", "bytes=0-3")); got.Status != 200 || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s stream: %d %v", version, got.Status, got.Header)
		}
		w.up.On("tools/call", nil)
		w.served(t, "stream")
		if got := c.Call("5", "nothing/known", "{}"); got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s refusal: %v", version, got.Header)
		}
		w.mark()
	}
}

// H30: nothing but MCP on the data listener; health and figures, and nothing
// more, on the operators' one.
func TestH30OperatorPages(t *testing.T) {
	w := httpWorld(t)
	pages := []string{"/livez", "/readyz", "/metrics", "/healthz", "/health", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/requests", "/admin", "/"}
	c := w.clientOf(t, "app", "")
	for _, page := range pages {
		c.URL = "https://" + w.door.Data + page
		w.holds(t, page, refusal{404, 31007, "", "path_unknown"}, c.Send(http.MethodGet, ""))
	}
	for _, page := range pages[3:] {
		if status, body := w.door.AdminGet(page); status != 404 {
			t.Errorf("the operators' listener serves %s: %d %s", page, status, body)
		}
	}
	for _, page := range pages[:3] {
		status, body := w.door.AdminGet(page)
		if status != 200 {
			t.Errorf("%s: %d", page, status)
		}
		for _, secret := range []string{w.up.Addr(), w.door.Dir, w.door.Data, w.door.Agents["app"].Token, "go1."} {
			if page != "/metrics" && strings.Contains(body, secret) {
				t.Errorf("%s tells %q:\n%s", page, secret, body)
			}
		}
	}
}

// TestH24Continue holds that a caller without a credential is turned away before
// it is asked for a body, and that one who never sends its body is not waited
// for.
func TestH24Continue(t *testing.T) {
	w := httpWorld(t)
	expect := fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(call))
	c := w.dial(t)
	c.send(strings.Replace(head, "Authorization: Bearer %TOKEN%\r\n", "", 1) + expect)
	w.holds(t, "no credential", refusal{401, 31020, "", "unauthenticated"}, c.answer("POST"))
	c.closed()

	c = w.dial(t)
	c.send(head + expect)
	if line, err := c.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	if line, err := c.in.ReadString('\n'); err != nil || line != "\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	c.send(call)
	if got := c.answer("POST"); got.Status != 200 || got.Text() != "x" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	w.served(t, "with credential")

	c = w.dial(t)
	c.send(head + expect)
	if line, err := c.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	if line, err := c.in.ReadString('\n'); err != nil || line != "\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	w.holds(t, "no body", refusal{408, 31011, "", "slow_client"}, c.answer("POST"))
	c.closed()
}
