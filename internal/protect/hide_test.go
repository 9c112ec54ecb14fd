package protect

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

const (
	mail  = "karla.brandt@example.org"
	iban  = "DE89370400440532013000"
	other = "jens.olsen@example.org"
)

var gdpr = privacy.Config{Profile: "gdpr-minimal"}

func TestZoneDecidesWhatItsHolderSees(t *testing.T) {
	for zone, want := range map[string]string{"token": "<EMAIL_0000000000000001>", "minimal": "[EMAIL]", "": "[EMAIL]", "clear": mail, "nobody knows": "[EMAIL]"} {
		w := newWorld(t, gdpr, zone, "")
		got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"mail to `+mail+` please"}]`))
		if err != nil || !strings.Contains(got, "mail to "+want+" please") {
			t.Errorf("%q: %v, %s", zone, err, got)
		}
	}
	w := newWorld(t, gdpr, "sealed", "sealed")
	_, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+mail+`"}]`))
	wantBlocked(t, err)
	wantBlocked(t, w.Request(t.Context(), w.call(t, `{"to":"`+mail+`"}`)))
}

func TestHidingWorksTowardTheServerToo(t *testing.T) {
	w := newWorld(t, gdpr, "clear", "token")
	x := w.call(t, `{"to":"`+mail+`","n":1.50}`)
	if err := w.Request(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	want := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find","arguments":{"to":"<EMAIL_0000000000000001>","n":1.50}}}`
	if got := string(x.Request.Raw()); got != want || x.RequestSum == ([32]byte{}) {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	told, err := w.answered(t, x, result(`"content":[]`))
	if err != nil || told != result(`"content":[],"_meta":{"dev.ostiary/privacy":{"hidden_from_server":{"EMAIL":1}}}`) {
		t.Fatalf("the caller is not told: %v, %s", err, told)
	}
	uri := w.ask(t, "resources/read", `{"uri":"people://`+mail+`"}`)
	wantBlocked(t, w.Request(t.Context(), uri)) // another address would be another thing
}

// The same value has the same pseudonym all over a message, also where nothing
// gives it away as one: in the structure, the text beside it and blocks of a
// type that nobody knows (M24).
func TestTwinsAreHiddenAlike(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	text := result(`"content":[{"type":"text","text":"it says C01X00T47 there, not C01X00T479 or xC01X00T47"},{"type":"text","text":"{\"n\":\"C01X00T47\"}"},{"type":"novel","words":"C01X00T47"}],` +
		`"structuredContent":{"passport_no":"C01X00T47","log":"by C01X00T47"}`)
	got, err := w.answered(t, w.call(t, `{}`), text)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(got, "C01X00T47"); n != 2 || strings.Count(got, "[PASSPORT]") != 5 {
		t.Fatalf("%d are left in %s", n, got)
	}
}

func TestNumbersAndKeysStayJSON(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	x := w.call(t, `{}`)
	got, err := w.answered(t, x, result(`"content":[],"structuredContent":{"ssn":219099999,"`+mail+`":1,"`+other+`":2,"card":4111111111111111}`))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Result struct{ StructuredContent map[string]any }
	}
	if err := json.Unmarshal([]byte(got), &v); err != nil || len(v.Result.StructuredContent) != 4 {
		t.Fatalf("%v: %s", err, got)
	}
	for _, clear := range []string{mail, other, "219099999", "4111111111111111"} {
		if strings.Contains(got, clear) {
			t.Errorf("%s is in %s", clear, got)
		}
	}
	w = newWorld(t, gdpr, "minimal", "")
	got, err = w.answered(t, w.call(t, `{}`), result(`"content":[],"structuredContent":{"`+mail+`":1,"`+other+`":2}`))
	if err != nil || !strings.Contains(got, `{"[EMAIL]":1,"[EMAIL]-2":2}`) {
		t.Fatalf("two members became one: %v, %s", err, got)
	}
}

// What a transform leaves as it is does not count, and keeps its bytes.
func TestPlainAddressesKeepTheirBytes(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	x, text := w.call(t, `{}`), result(`"content":[{"type":"text","text":"see https:\/\/example.org\/a?b=c"}]`)
	if got, err := w.answered(t, x, text); err != nil || got != text || len(x.Privacy.Counts) != 0 {
		t.Fatalf("%v, %s, %+v", err, got, x.Privacy)
	}
}

// A result that cannot keep the shape that its tool promises is refused.
func TestPromisedShapeIsKeptOrRefused(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	w.c.Schemas = func(*registry.Tool) filter.Schema { return strict{} }
	_, err := w.answered(t, w.call(t, `{}`), result(`"content":[],"structuredContent":{"mail":"`+mail+`"}`))
	wantBlocked(t, err)
	clean := result(`"content":[],"structuredContent":{"mail":"nobody"}`)
	if got, err := w.answered(t, w.call(t, `{}`), clean); err != nil || got != clean {
		t.Fatalf("%v, %s", err, got)
	}
}

type strict struct{}

func (strict) Validate([]byte) error { return errors.New("nothing fits") }
func (strict) Text() wire.Value      { return wire.Value{} }

func TestDefinitionsHoldNoPseudonyms(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	got, err := w.answered(t, w.ask(t, "tools/list", `{}`), result(`"tools":[{"name":"find","description":"ask `+mail+`","inputSchema":{"type":"object"}}]`))
	if err != nil || !strings.Contains(got, "ask [EMAIL]") || w.vault.made != 0 {
		t.Fatalf("%v, %s, %d", err, got, w.vault.made)
	}
}

func TestOpaqueAndRoutingMembersAreNotTouched(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	text := result(`"tools":[],"nextCursor":"` + mail + `"`)
	if got, err := w.answered(t, w.ask(t, "tools/list", `{}`), text); err != nil || got != text {
		t.Fatalf("%v, %s", err, got)
	}
}

func TestShadowCountsAndChangesNothing(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal", Shadow: true}, "token", "")
	x := w.call(t, `{"q":"`+secret+`"}`)
	before := x.Request
	if err := w.Request(t.Context(), x); err != nil || x.Request != before {
		t.Fatalf("%v", err)
	}
	text := result(`"content":[{"type":"text","text":"` + mail + `"}]`)
	got, err := w.answered(t, x, text)
	if err != nil || got != text || counted(x, "client", pii.Email, privacy.Token) != 1 || counted(x, "server", pii.Secret, privacy.Block) != 1 || w.vault.made != 0 {
		t.Fatalf("%v, %s, %+v", err, got, x.Privacy)
	}
}

// A vault that fails, or is not there, refuses: nothing leaves in its place.
func TestNoPseudonymNoAnswer(t *testing.T) {
	w := newWorld(t, gdpr, "token", "")
	w.vault.fail = errors.New("the disk is full")
	if _, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+mail+`"}]`)); !fault.Is(err, fault.Unscannable) {
		t.Fatalf("%v", err)
	}
	w.c.Vault = nil
	if _, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+mail+`"}]`)); !fault.Is(err, fault.Unscannable) {
		t.Fatalf("%v", err)
	}
}

// TestNamesUnderKeysOnly: a profile can leave names in prose alone and still hides
// those under keys, and the same names wherever else they stand.
func TestNamesUnderKeysOnly(t *testing.T) {
	cfg := privacy.Config{Profile: "own", Profiles: map[string]privacy.Custom{"own": {Extends: "gdpr-minimal", Sure: map[string]float64{"PERSON": 0.8}}}}
	w := newWorld(t, cfg, "token", "")
	const prose = "Yesterday Peter Schuster wrote to Karla Brandt about the contract."
	got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+prose+`"}],"structuredContent":{"full_name":"Karla Brandt"}`))
	if err != nil || strings.Contains(got, "Karla Brandt") || !strings.Contains(got, "Peter Schuster") {
		t.Errorf("%s, %v", got, err)
	}
	all := newWorld(t, gdpr, "token", "")
	if got, err := all.answered(t, all.call(t, `{}`), result(`"content":[{"type":"text","text":"`+prose+`"}]`)); err != nil || strings.Contains(got, "Peter Schuster") {
		t.Errorf("without a threshold: %s, %v", got, err)
	}
}

// TestRefusalsOfTheVaultSayWhy: a caller is told what it can do, and nothing leaves.
func TestRefusalsOfTheVaultSayWhy(t *testing.T) {
	for cause, want := range map[error]struct {
		kind fault.Kind
		says string
	}{
		vault.ErrFresh:    {fault.RateLimited, "this hour"},
		vault.ErrReadOnly: {fault.Unscannable, "replica"},
		vault.ErrTooMuch:  {fault.Unscannable, "ask for less"},
	} {
		w := newWorld(t, gdpr, "token", "")
		w.vault.fail = fmt.Errorf("hide values: %w", cause)
		_, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+mail+`"}]`))
		if f := fault.As(err); f.Kind != want.kind || !strings.Contains(f.Public, want.says) || strings.Contains(f.Public, mail) {
			t.Errorf("%v: %v, %q", cause, err, f.Public)
		}
	}
}

func TestClearValuesSetLabels(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "own", Profiles: map[string]privacy.Custom{"own": {Extends: "gdpr-minimal",
		Rules: []privacy.Rule{{Types: []string{"EMAIL"}, Action: "flag"}}}}}, "token", "")
	x := w.call(t, `{}`)
	if _, err := w.answered(t, x, result(`"content":[{"type":"text","text":"`+mail+`"}]`)); err != nil {
		t.Fatal(err)
	}
	if strings.Join(w.seen, " ") != "personal" || counted(x, "client", pii.Email, privacy.Flag) != 1 {
		t.Fatalf("%v, %+v", w.seen, x.Privacy)
	}
}

// restoring is a profile that turns e-mail addresses back in one argument.
var restoring = privacy.Config{Profile: "gdpr-minimal", Restore: []privacy.RestoreRule{{Servers: []string{"crm"}, Paths: []string{"to", "list[*].to", "path"}, Types: []string{"EMAIL"}}}}

func TestRestoreIsTheWayBack(t *testing.T) {
	w := newWorld(t, restoring, "token", "clear")
	shown, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+mail+`"}]`))
	if err != nil || !strings.Contains(shown, "<EMAIL_0000000000000001>") {
		t.Fatalf("%v, %s", err, shown)
	}
	for _, token := range []string{`<EMAIL_0000000000000001>`, `\u003cEMAIL_0000000000000001\u003e`} {
		x := w.call(t, `{"list":[{"to":"Karla: `+token+`!"}],"n":1.50}`)
		if err := w.Request(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if got := string(x.Request.Params().Get("arguments").Raw()); got != `{"list":[{"to":"Karla: `+mail+`!"}],"n":1.50}` {
			t.Fatalf("got %s", got)
		}
		if x.Privacy.Restored != 1 || x.RequestSum == ([32]byte{}) {
			t.Fatalf("%+v", x.Privacy)
		}
	}
}

// C11: restoring is narrow. Each sentence of privacy.md 1.4 has its case.
func TestC11RestoreIsNarrow(t *testing.T) {
	const token = "<EMAIL_0000000000000001>"
	know := func(t *testing.T, cfg privacy.Config, zone string) *world {
		w := newWorld(t, cfg, "token", zone)
		if _, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+mail+`"}]`)); err != nil {
			t.Fatal(err)
		}
		return w
	}
	kept := func(t *testing.T, w *world, x *exchange.Exchange) {
		t.Helper()
		if err := w.Request(t.Context(), x); err != nil && !fault.Is(err, fault.ContentBlocked) {
			t.Fatal(err)
		}
		if strings.Contains(string(x.Request.Raw()), mail) || x.Privacy.Restored != 0 {
			t.Fatalf("it was turned back: %s", x.Request.Raw())
		}
	}
	for _, zone := range []string{"", "minimal", "token", "sealed"} {
		w := know(t, restoring, zone)
		kept(t, w, w.call(t, `{"to":"`+token+`"}`))
	}
	w := know(t, restoring, "clear")
	for name, x := range map[string]*exchange.Exchange{
		"another path":    w.call(t, `{"cc":"`+token+`"}`),
		"a key":           w.call(t, `{"`+token+`":1}`),
		"part of a token": w.call(t, `{"to":"EMAIL_0000000000000001"}`),
		"cut":             w.call(t, `{"to":"<EMAIL_000000000000001>"}`),
		"a forged one":    w.call(t, `{"to":"<EMAIL_0000000000000002>"}`),
		"another type":    w.call(t, `{"to":"<PERSON_0000000000000001>"}`),
		"in a header":     w.call(t, `{"path":"`+token+`"}`),
		"a tool's name":   w.ask(t, "tools/call", `{"name":"`+token+`","arguments":{}}`),
		"a URI":           w.ask(t, "resources/read", `{"uri":"x:`+token+`"}`),
		"a prompt":        w.ask(t, "prompts/get", `{"name":"p","arguments":{"to":"`+token+`"}}`),
		"a completion":    w.ask(t, "completion/complete", `{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"to","value":"`+token+`"}}`),
		"another session": in(w.call(t, `{"to":"`+token+`"}`), "s2", "bot"),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another session" {
				cfg := restoring
				cfg.Scope = []string{"session"}
				w := know(t, cfg, "clear")
				kept(t, w, in(w.call(t, `{"to":"`+token+`"}`), "s2", "bot"))
				return
			}
			kept(t, w, x)
		})
	}
	if got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"`+token+`"}]`)); err != nil || strings.Contains(got, mail) {
		t.Fatalf("an answer turns back: %v, %s", err, got)
	}
	off := know(t, gdpr, "clear")
	kept(t, off, off.call(t, `{"to":"`+token+`"}`))
}

func in(x *exchange.Exchange, session, agent string) *exchange.Exchange {
	x.Session, x.Principal.ID = &exchange.Session{ID: session}, agent
	return x
}

// TestNothingHiddenLeaves: in whatever nesting and encoding a value stands, its
// bytes are in no decoding of what leaves, the message stays JSON, a second pass
// changes nothing, and what is turned back is what it was.
func TestNothingHiddenLeaves(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		t := drawn{t, r}
		w := newWorld(t, gdpr, "token", "clear")
		value := rapid.SampledFrom([]string{mail, iban, "jos\u00e9.garc\u00eda@example.org", "+49 30 901820", "Karla Brandt"}).Draw(r, "value")
		key := map[string]string{"Karla Brandt": "full_name", "+49 30 901820": "phone"}[value]
		if key == "" {
			key = "note"
		}
		var node any = map[string]any{key: value}
		for range rapid.IntRange(0, 4).Draw(r, "depth") {
			switch rapid.IntRange(0, 3).Draw(r, "wrap") {
			case 0:
				node = map[string]any{"a": node, "n": 1}
			case 1:
				node = []any{node, "x"}
			case 2:
				text, _ := json.Marshal(node)
				node = map[string]any{"json": string(text)}
			default:
				node = map[string]any{"z": true, "list": []any{node}}
			}
		}
		body, _ := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "result": map[string]any{"content": []any{}, "structuredContent": map[string]any{"r": node}}})
		got, err := w.answered(t, w.call(t, `{}`), string(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		if !json.Valid([]byte(got)) || strings.Contains(undone(got), value) {
			t.Fatalf("%s\n-> %s", body, got)
		}
		again, err := w.answered(t, w.call(t, `{}`), strings.Replace(got, `"dev.ostiary/privacy"`, `"x/privacy"`, 1))
		if err != nil || strings.Contains(again, `"dev.ostiary/privacy"`) {
			t.Fatalf("a second pass changes %s\n-> %s (%v)", got, again, err)
		}
	})
}

// undone takes escapes out, as often as there are some.
func undone(s string) string {
	for range 8 {
		next := strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\u00e9`, "é", `\u00ed`, "í", `\u003c`, "<", `\u003e`, ">").Replace(s)
		if next == s {
			return s
		}
		s = next
	}
	return s
}

// drawn is a testing.TB whose failures are those of a property.
type drawn struct {
	testing.TB
	r *rapid.T
}

func (d drawn) Fatal(args ...any)                 { d.r.Fatal(args...) }
func (d drawn) Fatalf(format string, args ...any) { d.r.Fatalf(format, args...) }

// FuzzProtect feeds whole messages. Whatever comes, what leaves is a message, or
// a refusal.
func FuzzProtect(f *testing.F) {
	f.Add(result(`"content":[{"type":"text","text":"` + mail + ` \u0067hp_16C7e42F292c6912E7710c838347Ae178B4a"}],"structuredContent":{"ssn":219099999}`))
	f.Add(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":["` + mail + `"]}}`)
	f.Add(result(`"content":[{"type":"text","text":"{\"a\":\"{\\\"b\\\":\\\"` + iban + `\\\"}\"}"}]`))
	w := newWorld(f, gdpr, "token", "clear")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := wire.Parse([]byte(text), wire.DefaultLimits(), wire.FromServer)
		if err != nil {
			return
		}
		x := w.call(t, `{}`)
		x.Message = m
		if err := w.Answer(t.Context(), x); err != nil {
			if k := fault.As(err).Kind; k != fault.ContentBlocked && k != fault.Unscannable {
				t.Fatalf("%s: %v", text, err)
			}
			return
		}
		if !json.Valid(x.Message.Raw()) {
			t.Fatalf("%s\n-> %s", text, x.Message.Raw())
		}
	})
}

// A value for which the schema leaves no room goes with its member, where the
// schema can do without; privacy.md 4.2.
func TestMemberGoesWhereNoValueFits(t *testing.T) {
	definition := `{"name":"find","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"mail":{"type":"string","pattern":"^[a-z]+[.][a-z]+@example[.]org$"},"n":{"type":"integer"}}}}`
	w := newWorld(t, privacy.Config{Profile: "hipaa-safe-harbor"}, "token", "")
	digest, err := registry.CanonicalDigest([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	x := w.call(t, `{}`)
	x.Tool = &registry.Tool{Name: "find", State: registry.ToolApproved, Definition: definition, Digest: digest}
	got, err := w.answered(t, x, result(`"content":[],"structuredContent":{"mail":"`+mail+`","n":1}`))
	if err != nil || strings.Contains(got, mail) {
		t.Fatalf("%v, %s", err, got)
	}
	if !strings.Contains(got, `"structuredContent":{"n":1}`) && !strings.Contains(got, `@example.org`) {
		t.Fatalf("the value does not fit its schema: %s", got)
	}
}

// What goes with its member does not stay in the text beside it.
func TestTwinsOfWhatIsTakenOutAreHidden(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "own", Profiles: map[string]privacy.Custom{"own": {Extends: "gdpr-minimal",
		Rules: []privacy.Rule{{Types: []string{"PASSPORT"}, Action: "drop"}}}}}, "token", "")
	got, err := w.answered(t, w.call(t, `{}`), result(`"content":[{"type":"text","text":"row C01X00T47"}],"structuredContent":{"passport_no":"C01X00T47","n":1}`))
	if err != nil || strings.Contains(got, "C01X00T47") || !strings.Contains(got, `"row [PASSPORT]"`) || !strings.Contains(got, `"structuredContent":{"n":1}`) {
		t.Fatalf("%v, %s", err, got)
	}
}
