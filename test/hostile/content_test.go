package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"ostiary.dev/ostiary/test/doortest"
)

// leak is a random fake in a vendor's form; mailed is nobody's address.
const (
	leak   = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
	mailed = "karla.brandt@example.org"
	carded = "4111111111111111"
)

// contentWorld is a gateway with a privacy profile and the zones of its one
// agent and its one server.
type contentWorld struct {
	*doortest.Door
	t  *testing.T
	up *doortest.Upstream
}

func newContentWorld(t *testing.T, privacy string) *contentWorld {
	t.Helper()
	up := doortest.NewUpstream(t, doortest.Config{})
	w := &contentWorld{t: t, up: up}
	w.Door = doortest.Gateway(t, doortest.Options{Servers: []doortest.Server{{Name: "s", URL: up.URL()}}, Agents: []string{"app", "other"},
		Config: func(yaml string) string { return withPrivacy(yaml, privacy) }})
	return w
}

// withPrivacy puts a section in the place of the one that init writes.
func withPrivacy(yaml, section string) string {
	if section == "" {
		return yaml
	}
	var out []string
	for _, line := range strings.Split(yaml, "\n") {
		if strings.HasPrefix(line, "privacy:") || strings.HasPrefix(line, "  profile:") {
			continue
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n") + "\nprivacy:\n" + section
}

func (w *contentWorld) client(t *testing.T, agent, version string) *doortest.Client {
	t.Helper()
	c := w.Client(w.Agents[agent], "s")
	if c.Version = version; version != doortest.ModernVersion {
		c.Initialize(version, `{"sampling":{},"elicitation":{}}`)
	}
	w.up.Forget()
	return c
}

// says makes the server answer every call with a result.
func (w *contentWorld) says(members string) {
	w.up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) {
		head := "{"
		if r.Message().Modern() {
			head = `{"resultType":"complete",`
		}
		c.Result(head + members + `}`)
	})
}

// text quotes a text as JSON.
func text(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestC09SecretsDoNotCross: with the profile that init writes, a secret goes to
// no server in any place of a message, and reaches no client.
func TestC09SecretsDoNotCross(t *testing.T) {
	w := newContentWorld(t, "")
	for _, version := range eras {
		c := w.client(t, "app", version)
		for name, call := range map[string][2]string{
			"arguments":     {"tools/call", `{"name":"echo","arguments":{"text":"` + leak + `"}}`},
			"key":           {"tools/call", `{"name":"echo","arguments":{"` + leak + `":1}}`},
			"escape":        {"tools/call", `{"name":"echo","arguments":{"text":"\u0067hp_16C7e42F292c6912E7710c838347Ae178B4a"}}`},
			"resource uri":  {"resources/read", `{"uri":"file:///x?token=` + leak + `"}`},
			"annotations":   {"tools/call", `{"name":"echo","arguments":{"text":"x","note":{"deep":["` + leak + `"]}}}`},
			"prompt":        {"prompts/get", `{"name":"p","arguments":{"a":"` + leak + `"}}`},
			"completion":    {"completion/complete", `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"` + leak + `"}}`},
			"key in base64": {"tools/call", `{"name":"echo","arguments":{"text":"` + base64.StdEncoding.EncodeToString([]byte(`token = "`+leak+`"`)) + `"}}`},
		} {
			w.up.Forget()
			r := c.Call("1", call[0], call[1])
			if kindOf(r) != "content_blocked" || strings.Contains(string(w.up.Received()), leak[4:]) {
				t.Errorf("%s, %s: %d %s", version, name, r.Status, r.Body)
			}
			if strings.Contains(string(r.Body), leak[4:]) {
				t.Errorf("%s, %s: the refusal repeats it", version, name)
			}
		}
		w.says(`"content":[{"type":"text","text":"key ` + leak + `"}],"structuredContent":{"` + leak + `":["` + leak + `"]}`)
		r := c.Tool("2", "echo", `{"text":"x"}`)
		if got := r.Final(); strings.Contains(got, leak[4:]) || strings.Count(got, "[SECRET]") != 3 || !json.Valid([]byte(got)) {
			t.Errorf("%s: %s", version, got)
		}
		w.up.On("tools/call", func(c *doortest.Conn, r *doortest.Request) { c.Fail(200, -32000, "no access with "+leak) })
		if r := c.Tool("3", "echo", `{"text":"x"}`); strings.Contains(string(r.Body), leak[4:]) || !strings.Contains(string(r.Body), "[SECRET]") {
			t.Errorf("%s: error: %s", version, r.Body)
		}
		w.up.On("tools/call", nil)
	}
	found := false
	for _, r := range w.Exchanges() {
		if bytes.Contains(r.Line, []byte(leak[4:])) {
			t.Fatalf("the log has it: %s", r.Line)
		}
		found = found || bytes.Contains(r.Line, []byte(`"privacy"`)) && bytes.Contains(r.Line, []byte(`"action":"block"`))
	}
	if !found {
		t.Error("no entry says what was blocked")
	}
	if strings.Contains(w.Process().Output(), leak[4:]) {
		t.Error("the gateway printed it")
	}
	if n := w.Metrics()[`ostiary_pii_detections_total{action="block",toward="server",type="SECRET"}`]; n == 0 {
		t.Error("no metric counts it")
	}
}

// TestC09StreamsAndQuestions: the same on an open stream: progress, log lines,
// a server's questions and the client's answers to them.
func TestC09StreamsAndQuestions(t *testing.T) {
	w := newContentWorld(t, "")
	c := w.client(t, "app", doortest.LegacyVersion)
	w.up.On("tools/call", func(u *doortest.Conn, r *doortest.Request) {
		u.Begin()
		u.Event("", `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1,"message":"with `+leak+`"}}`)
		u.Event("", `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"k":"`+leak+`"}}}`)
		u.Message(`{"jsonrpc":"2.0","id":` + string(r.Message().ID) + `,"result":{"content":[]}}`)
	})
	r := c.Call("1", "tools/call", `{"name":"echo","arguments":{"text":"x"},"_meta":{"progressToken":"p"}}`)
	if body := string(r.Body); strings.Contains(body, leak[4:]) || strings.Count(body, "[SECRET]") != 2 {
		t.Fatalf("%s", body)
	}
}

// TestC06SplitOverEvents: what comes in parts does not become whole: over two
// events, over ten, one byte an event, over blocks, over text and structure.
func TestC06SplitOverEvents(t *testing.T) {
	w := newContentWorld(t, "")
	c := w.client(t, "app", doortest.LegacyVersion)
	for _, size := range []int{len(leak) / 2, 4, 1} {
		w.up.On("tools/call", func(u *doortest.Conn, r *doortest.Request) {
			u.Begin()
			for i := 0; i < len(leak); i += size {
				u.Event("", `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"`+leak[i:min(i+size, len(leak))]+`"}}`)
			}
			u.Message(`{"jsonrpc":"2.0","id":` + string(r.Message().ID) + `,"result":{"content":[]}}`)
		})
		r := c.Tool("1", "echo", `{"text":"x"}`)
		var got strings.Builder
		for _, m := range r.Messages {
			var n struct{ Params struct{ Data string } }
			if err := json.Unmarshal([]byte(m), &n); err == nil {
				got.WriteString(n.Params.Data)
			}
		}
		if got.String() == leak || kindOf(r) != "content_blocked" {
			t.Errorf("in parts of %d: %s", size, r.Body)
		}
	}
	half := len(leak) / 2
	for name, members := range map[string]string{
		"blocks":             `"content":[{"type":"text","text":"` + leak[:half] + `"},{"type":"text","text":"` + leak[half:] + `"}]`,
		"text and structure": `"content":[{"type":"text","text":"` + leak[:half] + `"}],"structuredContent":{"a":"` + leak[half:] + `"}`,
	} {
		w.says(members)
		if r := c.Tool("1", "echo", `{"text":"x"}`); kindOf(r) != "content_blocked" || strings.Contains(string(r.Body), leak[half:]) {
			t.Errorf("%s: %s", name, r.Body)
		}
	}
}

// people is a profile that hides people, for an agent that sees pseudonyms.
const peopleProfile = "  profile: gdpr-minimal\n  zones: {model: token, core: clear}\n" +
	"  restore:\n    - {servers: [s], types: [EMAIL], paths: [text]}\n"

// newPeopleWorld has agents in the zone of models, and a server that is the
// system of record.
func newPeopleWorld(t *testing.T) *contentWorld {
	t.Helper()
	w := newContentWorld(t, peopleProfile)
	w.Must("agent", "set", "app", "--zone", "model", "--reason", "test")
	w.Must("agent", "set", "other", "--zone", "model", "--reason", "test")
	w.Must("server", "set", "s", "--zone", "core", "--reason", "test")
	return w
}

// TestC07EncodedValuesAreFound: an encoding hides nothing, three layers deep, nor
// do characters that do not show (C04).
// What docs/privacy-limits.md lists as not caught is not tried here.
func TestC07EncodedValuesAreFound(t *testing.T) {
	w := newPeopleWorld(t)
	c := w.client(t, "app", doortest.LegacyVersion)
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	line := "Please write to " + mailed + " about it"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(line))
	_ = z.Close()
	arabic := strings.NewReplacer("4", "\u0664", "1", "\u0661").Replace(carded)
	for name, form := range map[string]string{
		"base64":        b64(line),
		"base64url":     base64.RawURLEncoding.EncodeToString([]byte(line + "??>>")),
		"double base64": b64(b64(line)),
		"hex":           hex.EncodeToString([]byte(line)),
		"percent":       url.QueryEscape(line),
		"html":          strings.ReplaceAll(line, "@", "&#64;"),
		"gzip":          base64.StdEncoding.EncodeToString(zipped.Bytes()),
		"nested JSON":   text(text(`{"m":"` + mailed + `"}`)),
		"zero width":    strings.ReplaceAll(line, "brandt", "br\u200band\u200dt"),
		"full width":    strings.ReplaceAll(line, "@", "\uff20"),
		"arabic digits": "card " + arabic,
		"soft hyphen":   strings.ReplaceAll(line, "karla", "kar\u00adla"),
		"tags":          strings.ReplaceAll(line, "karla", "kar\U000E0061la"),
		"bidi":          strings.ReplaceAll(line, "karla", "kar\u202ala"),
	} {
		w.says(`"content":[{"type":"text","text":` + text(form) + `}]`)
		r := c.Tool("1", "echo", `{"text":"x"}`)
		var v struct {
			Result struct{ Content []struct{ Text string } }
		}
		if err := json.Unmarshal([]byte(r.Final()), &v); err != nil || len(v.Result.Content) != 1 {
			t.Fatalf("%s: %v %s", name, err, r.Body)
		}
		got := v.Result.Content[0].Text
		if strings.Contains(got, form) || !strings.ContainsAny(got, "<[") {
			t.Errorf("%s: %s passed as %s", name, form, got)
		}
	}
}

// TestC05C08HarmlessTextsPass: what only looks like something, and real scripts
// and emoji, pass byte for byte.
func TestC05C08HarmlessTextsPass(t *testing.T) {
	w := newPeopleWorld(t)
	c := w.client(t, "app", doortest.LegacyVersion)
	for _, s := range []string{
		"order 123-45-67890, card 4111111111111112, iban DE89370400440532013001, build 1.2.3",
		"\U0001F468\u200d\U0001F469\u200d\U0001F467 \U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
		"\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
		"0199c0de-1234-7000-8000-0123456789ab 9c1185a5c5e9fc54612808977ee8f548b2258d31 978-3-16-148410-0 #ff8800 8443/tcp 1767225600",
	} {
		answer := `"content":[{"type":"text","text":` + text(s) + `}]`
		w.says(answer)
		r := c.Tool("1", "echo", `{"text":"x"}`)
		if want := `{"jsonrpc":"2.0","id":1,"result":{` + answer + `}}`; r.Final() != want {
			t.Errorf("got  %s\nwant %s", r.Final(), want)
		}
	}
	for _, s := range []string{"4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "4111\n1111\n1111\n1111", "DE89 3704 0044 0532 0130 00"} {
		w.says(`"content":[{"type":"text","text":` + text("number: "+s) + `}]`)
		if r := c.Tool("1", "echo", `{"text":"x"}`); strings.Contains(r.Final(), text(s)[1:len(text(s))-1]) {
			t.Errorf("%q passed: %s", s, r.Final())
		}
	}
}

// TestC11PseudonymsAreTheirScopes: a pseudonym becomes its value again for the
// server that is entitled to it, in the argument that the rule names, and for
// nobody else.
func TestC11PseudonymsAreTheirScopes(t *testing.T) {
	w := newPeopleWorld(t)
	c := w.client(t, "app", doortest.LegacyVersion)
	w.says(`"content":[{"type":"text","text":"it is ` + mailed + `"}]`)
	shown := c.Tool("1", "echo", `{"text":"x"}`).Final()
	at := strings.Index(shown, "<EMAIL_")
	if at < 0 || strings.Contains(shown, mailed) {
		t.Fatalf("%s", shown)
	}
	token := shown[at : at+24]
	again := c.Tool("1", "echo", `{"text":"x"}`).Final()
	if !strings.Contains(again, token) {
		t.Errorf("the same value has another pseudonym: %s, %s", shown, again)
	}
	w.up.Forget()
	back := c.Tool("2", "echo", fmt.Sprintf(`{"text":"mail %s"}`, token))
	if got := string(w.up.AwaitCalls("tools/call", 1)[0].Body); !strings.Contains(got, "mail "+mailed) || strings.Contains(back.Final(), mailed) {
		t.Errorf("the server got %s, the client %s", got, back.Final())
	}
	w.up.Forget()
	c.Tool("3", "echo", fmt.Sprintf(`{"text":"mail %s","cc":"%s"}`, strings.Replace(token, "EMAIL", "PHONE", 1), token))
	if got := string(w.up.Received()); strings.Contains(got, mailed) {
		t.Errorf("turned back in another argument or under another type: %s", got)
	}
	w.Must("server", "set", "s", "--zone", "model", "--reason", "test")
	w.up.Forget()
	c.Tool("4", "echo", fmt.Sprintf(`{"text":"mail %s"}`, token))
	if got := string(w.up.Received()); strings.Contains(got, mailed) {
		t.Errorf("turned back for a server that is not entitled: %s", got)
	}
	for _, r := range w.Exchanges() {
		if bytes.Contains(r.Line, []byte(mailed)) {
			t.Fatalf("the log has it: %s", r.Line)
		}
	}
}

// TestC14PicturesAtTheDoor: what a picture says beside its pixels is taken out of it
// on the way, also with the profile that init writes, and the answer is counted.
func TestC14PicturesAtTheDoor(t *testing.T) {
	w := newContentWorld(t, "")
	comment := "made with " + leak
	picture := "\xff\xd8\xff\xfe\x00" + string(rune(len(comment)+2)) + comment + "\xff\xda\x00\x02pixels\xff\xd9"
	for _, version := range eras {
		c := w.client(t, "app", version)
		w.says(`"content":[{"type":"image","data":"` + base64.StdEncoding.EncodeToString([]byte(picture)) + `","mimeType":"image/jpeg"}]`)
		r := c.Tool("1", "echo", `{"text":"x"}`)
		var m struct {
			Result struct{ Content []struct{ Data []byte } }
		}
		if err := json.Unmarshal([]byte(r.Final()), &m); err != nil || len(m.Result.Content) != 1 {
			t.Fatalf("%s: %s %v", version, r.Body, err)
		}
		if got := string(m.Result.Content[0].Data); got != "\xff\xd8\xff\xda\x00\x02pixels\xff\xd9" {
			t.Errorf("%s: left %q", version, got)
		}
	}
	if n := w.Metrics()[`ostiary_pii_detections_total{action="redact",toward="client",type="SECRET"}`]; n != float64(len(eras)) {
		t.Errorf("%v are counted", n)
	}
}
