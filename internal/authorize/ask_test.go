package authorize

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

const everything = `{"sampling":{},"elicitation":{"form":{},"url":{}},"roots":{},"tasks":{}}`

func asked(t *testing.T, s *Step, version wire.Version, capable, text string) *exchange.Exchange {
	t.Helper()
	x := &exchange.Exchange{ID: "x-1", Verb: exchange.Stream, Endpoint: "files", Era: version.Era(), Version: version, Capable: capable}
	if err := answered(t, s, x, text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return x
}

// TestQuestions is M16: a server may ask what the table knows and the client
// declared; it is told why not, and the client never sees it.
func TestQuestions(t *testing.T) {
	s := world(t)
	question := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":"q-1","method":"` + method + `","params":` + params + `}`
	}
	const form = `{"message":"m","requestedSchema":{"type":"object","properties":{}}}`
	for _, c := range []struct {
		version         wire.Version
		capable, method string
		params          string
		drop            fault.Kind
	}{
		{wire.V20251125, everything, "sampling/createMessage", `{"messages":[],"maxTokens":1}`, ""},
		{wire.V20251125, everything, "elicitation/create", form, ""},
		{wire.V20251125, everything, "roots/list", `{}`, ""},
		{wire.V20251125, `{}`, "ping", `{}`, ""},
		{wire.V20251125, `{}`, "sampling/createMessage", `{"messages":[],"maxTokens":1}`, fault.CapabilityMissing},
		{wire.V20251125, `{"sampling":{}}`, "elicitation/create", form, fault.CapabilityMissing},
		{wire.V20251125, `{"sampling":{}}`, "roots/list", `{}`, fault.CapabilityMissing},
		{wire.V20251125, ``, "roots/list", `{}`, fault.CapabilityMissing},
		{wire.V20251125, `{"roots"`, "roots/list", `{}`, fault.CapabilityMissing},
		{wire.V20250326, everything, "elicitation/create", form, fault.MethodUnknown},
		{wire.V20251125, everything, "tools/list", `{}`, fault.MethodUnknown},
		{wire.V20251125, everything, "vendor/ask", `{}`, fault.MethodUnknown},
		{wire.V20260728, everything, "roots/list", `{}`, fault.MethodUnknown},
		{wire.V20251125, everything, "elicitation/create", `{"message":"m","requestedSchema":{"type":"object","properties":{"api_key":{"type":"string"}}}}`, fault.ElicitationBlocked},
		{wire.V20251125, `{"elicitation":{}}`, "elicitation/create", `{"mode":"url","message":"m","elicitationId":"e","url":"https://a.example/"}`, fault.CapabilityMissing},
	} {
		x := asked(t, s, c.version, c.capable, question(c.method, c.params))
		if x.Drop != c.drop {
			t.Errorf("%s %s with %s: drop %q, want %q", c.version, c.method, c.capable, x.Drop, c.drop)
			continue
		}
		switch {
		case c.drop == "" && x.Back != nil:
			t.Errorf("%s: passed on and refused", c.method)
		case c.drop != "" && (x.Back == nil || x.Back.Kind() != wire.ErrorResponse || x.Back.ID() != wire.StringID("q-1")):
			t.Errorf("%s: the server is told %v", c.method, x.Back)
		}
	}
}

// TestElicitation is M18.
func TestElicitation(t *testing.T) {
	value := func(text string) wire.Value {
		v, err := wire.ParseValue([]byte(text), wire.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range []struct {
		url   string
		hosts []string
		fine  bool
	}{
		{"https://login.example/a?b#c", nil, true}, {"https://login.example:8443/", nil, true}, {"https://login.example/", []string{"login.example"}, true},
		{"https://evil.example/", []string{"login.example"}, false}, {"https://login.example.evil.example/", []string{"login.example"}, false},
		{"http://login.example/", nil, false}, {"javascript:alert(1)", nil, false}, {"file:///etc/passwd", nil, false}, {"data:text/html,x", nil, false},
		{"https://user@login.example/", nil, false}, {"https://login.example@evil.example/", []string{"login.example"}, false}, {"https:///path", nil, false},
		{"https:login.example", nil, false}, {"//login.example/", nil, false}, {"", nil, false}, {"https://xn--80ak6aa92e.example/", nil, false},
		{"https://XN--80ak6aa92e.example/", nil, false}, {"https://\u0430pple.example/", nil, false}, {`https://a$(calc)/`, nil, false},
		{`https://login.example\\@evil.example/`, nil, false}, {"https://[::1]/", nil, false}, {"https://login_example/", nil, false}, {" https://login.example/", nil, false},
	} {
		s := &Step{URLHosts: c.hosts}
		params := value(`{"mode":"url","url":` + string(wire.Quote(c.url)) + `}`)
		if err := s.elicitation(params, everything); (err == nil) != c.fine {
			t.Errorf("%q of %v: %v", c.url, c.hosts, err)
		}
		if err := s.elicitation(params, `{"elicitation":{"form":{}}}`); err == nil || err.Kind != fault.CapabilityMissing {
			t.Errorf("%q without the capability: %v", c.url, err)
		}
	}
	for name, secret := range map[string]bool{
		"password": true, "Password": true, "api_key": true, "API-Key": true, "apiKey": true, "access token": true, "client.secret": true, "PIN": true, "cvv": true, "otp": true,
		"name": false, "shipping": false, "opinion": false, "email": false, "optional": false, "": false,
	} {
		params := value(`{"requestedSchema":{"type":"object","properties":{"first":{},` + string(wire.Quote(name)) + `:{"type":"string"}}}}`)
		if err := new(Step).elicitation(params, everything); (err != nil) != secret {
			t.Errorf("form with %q: %v", name, err)
		}
		params = value(`{"requestedSchema":{"type":"object","properties":{"first":{"title":` + string(wire.Quote(name)) + `}}}}`)
		if err := new(Step).elicitation(params, everything); (err != nil) != secret {
			t.Errorf("form with a field titled %q: %v", name, err)
		}
	}
	params := value(`{"mode":"form","requestedSchema":{"type":"object","properties":{"a":{"type":"string","format":"password"}}}}`)
	if err := new(Step).elicitation(params, everything); err == nil {
		t.Error("a field of format password passes")
	}
}

// TestInputRequired holds the modern replacement of questions to the same
// rules (SEP-2322).
func TestInputRequired(t *testing.T) {
	s := world(t)
	ask := func(method, params string) string {
		return `{"resultType":"input_required","inputRequests":{"a":{"method":"` + method + `","params":` + params + `}},"requestState":"s"}`
	}
	const form = `{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}}}`
	for _, c := range []struct {
		method, capable, body string
		kind                  fault.Kind
	}{
		{"tools/call", `{}`, `{"content":[]}`, ""},
		{"tools/call", `{}`, `{"resultType":"complete","content":[]}`, ""},
		{"tools/call", everything, ask("elicitation/create", form), ""},
		{"tools/call", everything, ask("roots/list", `{}`), ""},
		{"tools/call", everything, `{"resultType":"input_required","requestState":"s"}`, ""},
		{"tools/call", `{}`, ask("elicitation/create", form), fault.ElicitationBlocked},
		{"tools/call", `{"roots":{}}`, ask("sampling/createMessage", `{"messages":[],"maxTokens":1}`), fault.ElicitationBlocked},
		{"tools/call", everything, ask("tools/call", `{"name":"put"}`), fault.ElicitationBlocked},
		{"tools/call", everything, ask("vendor/ask", `{}`), fault.ElicitationBlocked},
		{"tools/call", everything, ask("elicitation/create", strings.Replace(form, `"properties":{}`, `"properties":{"pin":{}}`, 1)), fault.ElicitationBlocked},
		{"tools/call", everything, ask("elicitation/create", `{"mode":"url","message":"m","elicitationId":"e","url":"http://a.example/"}`), fault.ElicitationBlocked},
		{"tools/call", everything, `{"resultType":"vendor"}`, fault.UpstreamBad},
		{"tools/call", everything, `{"resultType":"task","taskId":"1"}`, fault.UpstreamBad},
		{"tools/call", `{"extensions":{"io.modelcontextprotocol/tasks":{}}}`, `{"resultType":"task","taskId":"1"}`, fault.UpstreamBad},
		{"tools/list", everything, `{"resultType":"input_required","requestState":"s"}`, fault.UpstreamBad},
	} {
		members := ""
		if c.method == "tools/call" {
			members = `,"name":"plain"`
		}
		x := called(t, s, modern(t, "reader", "files", c.method, members))
		x.Capable = c.capable
		wantKind(t, c.method+" "+c.body, answered(t, s, x, result(c.body)), c.kind)
	}
}
