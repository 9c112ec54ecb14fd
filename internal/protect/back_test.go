package protect

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// rows is vault.Rows in memory.
type rows struct {
	mu  sync.Mutex
	all map[string]vault.Row
}

func (r *rows) PseudonymRow(name string) (vault.Row, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	row, ok := r.all[name]
	return row, ok, nil
}

func (r *rows) PutPseudonyms(rows []vault.Row) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		row.Revision++
		r.all[row.Name] = row
	}
	return nil
}

func (*rows) PseudonymRows(string, string, int) ([]vault.Row, error) {
	return nil, errors.ErrUnsupported
}
func (*rows) DropPseudonyms([]string) (int, error) { return 0, errors.ErrUnsupported }

// theRing has the keys of all tests here: it is slow to make.
var theRing = sync.OnceValue(func() *keys.Ring {
	dir, err := os.MkdirTemp("", "ostiary-protect")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) // what is needed of it is in memory
	ring, err := keys.Create(dir)
	if err != nil {
		panic(err)
	}
	return ring
})

// newBackWorld is newWorld with real keys, a real vault and a tool that takes
// numbers of a form.
func newBackWorld(t testing.TB, cfg privacy.Config, agentZone, serverZone string) *world {
	t.Helper()
	p, err := privacy.Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ring := theRing()
	w := &world{}
	const definition = `{"name":"find","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{` +
		`"phone":{"type":"string","pattern":"^\\+[0-9]{8,15}$"},"card":{"type":"string","pattern":"^[0-9]{13,19}$"},"account":{"type":"integer"}}}}`
	digest, err := registry.CanonicalDigest([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	w.view = registry.NewSnapshot(1,
		[]registry.Server{{ID: "crm", State: registry.Active, Zone: serverZone, Tools: []registry.Tool{{Name: "find", State: registry.ToolApproved, Definition: definition, Digest: digest}}}},
		[]registry.Agent{{ID: "bot", State: registry.Active, Zone: agentZone}}, nil, nil,
		[]registry.Grant{{Agent: "bot", Server: "crm", Access: registry.Modify, Purpose: "support"}})
	w.Step = New(Config{Profile: func() *privacy.Profile { return p }, Tenant: "default", Secrets: ring.Transforms(), Open: ring.Transforms(),
		Vault: vault.New(vault.Config{Rows: &rows{all: map[string]vault.Row{}}, Keys: ring, Clock: clock.Clock{}, Limit: vault.Limit{Lookalikes: 1 << 30}})})
	return w
}

// reversible is a profile that hides everything with one action, and gives it
// back in the argument to.
func reversible(a privacy.Action, keyed bool, types ...string) privacy.Config {
	return privacy.Config{Profile: "own", Scope: []string{"tenant", "server"},
		Profiles: map[string]privacy.Custom{"own": {Extends: "gdpr-minimal", Keyed: &keyed, Rules: []privacy.Rule{{Types: types, Action: string(a)}}}},
		Restore:  []privacy.RestoreRule{{Servers: []string{"crm"}, Paths: []string{"to", "list[*].to"}}}}
}

// member returns the text of a member of the structured result.
func member(t testing.TB, message, name string) string {
	t.Helper()
	text, ok := parse(t, message, wire.FromServer).Result().At("structuredContent", name).Text()
	if !ok {
		t.Fatalf("no %s in %s", name, message)
	}
	return text
}

// sent returns what a server receives of arguments.
func (w *world) sent(t testing.TB, arguments string) string {
	t.Helper()
	x := w.call(t, arguments)
	if err := w.Request(t.Context(), x); err != nil {
		t.Fatalf("%s: %v", arguments, err)
	}
	return string(x.Request.Params().Get("arguments").Raw())
}

// TestReversible: for every action with a way back, what is turned back is byte
// for byte what was hidden, in whatever text it stands; in any other argument, in
// another scope, and for a server that is not entitled, nothing comes back.
func TestReversible(t *testing.T) {
	for name, cfg := range map[string]privacy.Config{
		"token, random": reversible(privacy.Token, false, "EMAIL", "PERSON", "PHONE", "IBAN", "HEALTH_ID"),
		"token, keyed":  reversible(privacy.Token, true, "EMAIL", "PERSON", "PHONE", "IBAN", "HEALTH_ID"),
		"siv":           reversible(privacy.SIV, false, "EMAIL", "PERSON", "PHONE", "IBAN", "HEALTH_ID"),
	} {
		t.Run(name, func(t *testing.T) {
			w, other := newBackWorld(t, cfg, "token", "clear"), newBackWorld(t, cfg, "token", "token")
			rapid.Check(t, func(r *rapid.T) {
				t := drawn{t, r}
				key, value := drawValue(r)
				shown, err := w.answered(t, w.call(t, `{}`), result(`"content":[],"structuredContent":`+object(key, value)))
				if err != nil {
					t.Fatal(err)
				}
				hidden := member(t, shown, key)
				if strings.Contains(hidden, value) || hidden == "["+hidden[1:len(hidden)-1]+"]" && !strings.Contains(hidden, "~") {
					t.Fatalf("%q is hidden as %q", value, hidden)
				}
				before := rapid.SampledFrom([]string{"", "mail ", "<EMAIL_", "[PHONE~", "\"\\ ü "}).Draw(r, "before")
				if got, want := w.sent(t, object("to", before+hidden+" now")), object("to", before+value+" now"); got != want {
					t.Fatalf("%s, not %s", got, want)
				}
				for what, arguments := range map[string]string{
					"another argument": object("cc", hidden), "a key": object(hidden, "x"), "no whole one": object("to", hidden[:len(hidden)-1]),
					"another type": object("to", strings.Replace(strings.Replace(hidden, "EMAIL", "NRP", 1), hidden[1:4], "AGE", 1)),
				} {
					if got := w.sent(t, arguments); strings.Contains(undone(got), value) {
						t.Fatalf("%s: %s", what, got)
					}
				}
				if got := other.sent(t, object("to", hidden)); strings.Contains(undone(got), value) {
					t.Fatalf("for a server that is not entitled: %s", got)
				}
			})
		})
	}
}

func object(key, value string) string {
	return `{` + string(wire.Quote(key)) + `:` + string(wire.Quote(value)) + `}`
}

// drawValue draws somebody's value, and a key that tells what it is.
func drawValue(r *rapid.T) (key, value string) {
	letters := rapid.StringMatching(`[a-z]{4,12}`)
	switch rapid.IntRange(0, 3).Draw(r, "kind") {
	case 0:
		return "email", letters.Draw(r, "local") + "@" + letters.Draw(r, "host") + ".example.org"
	case 1:
		return "full_name", rapid.SampledFrom([]string{"Karla", "Jos\u00e9", "Anna"}).Draw(r, "given") + " " + rapid.SampledFrom([]string{"Brandt", "Garc\u00eda", "Nov\u00e1k", "M\u00fcller"}).Draw(r, "family")
	case 2:
		return "telephone", rapid.StringMatching(`\+49 30 [1-9][0-9]{5}`).Draw(r, "phone")
	}
	return "iban", withIBAN(rapid.StringMatching(`[0-9]{18}`).Draw(r, "account"))
}

// withIBAN returns a German IBAN with the right check digits.
func withIBAN(account string) string {
	rest := 0
	for _, c := range account + "131400" {
		rest = (rest*10 + int(c-'0')) % 97
	}
	return fmt.Sprintf("DE%02d%s", 98-rest, account)
}

// TestCodesStayInTheirScope: a text of SIV is opened in the scope it was made in,
// and nowhere else; a forged one is counted and stays.
func TestCodesStayInTheirScope(t *testing.T) {
	cfg := reversible(privacy.SIV, false, "EMAIL")
	cfg.Scope = []string{"tenant", "session"}
	w := newBackWorld(t, cfg, "token", "clear")
	shown, err := w.answered(t, w.call(t, `{}`), result(`"content":[],"structuredContent":{"email":"`+mail+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	hidden := member(t, shown, "email")
	for name, c := range map[string]struct {
		text    string
		session string
		want    string
		unknown int
	}{
		"its own":         {hidden, "s1", mail, 0},
		"another session": {hidden, "s2", hidden, 1},
		"forged":          {"[EMAIL~" + strings.Repeat("A", 40) + "]", "s1", "[EMAIL~" + strings.Repeat("A", 40) + "]", 1},
		"not base32":      {"[EMAIL~UUUU]", "s1", "[EMAIL~UUUU]", 1},
		"an unknown type": {"[NOBODY~" + hidden[7:], "s1", "[NOBODY~" + hidden[7:], 0},
		"a secret":        {"[SECRET~" + hidden[7:], "s1", "[SECRET~" + hidden[7:], 0},
	} {
		x := w.call(t, object("to", c.text))
		x.Session = &exchange.Session{ID: c.session}
		if err := w.Request(t.Context(), x); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, _ := x.Request.Params().At("arguments", "to").Text(); got != c.want || x.Privacy.Unknown != c.unknown {
			t.Errorf("%s: %s, %d unknown", name, got, x.Privacy.Unknown)
		}
	}
}

// TestRestoredIsHiddenAgain: a server that repeats what it got is answered to the
// caller with the same pseudonym.
func TestRestoredIsHiddenAgain(t *testing.T) {
	for _, a := range []privacy.Action{privacy.Token, privacy.SIV} {
		w := newBackWorld(t, reversible(a, false, "EMAIL"), "token", "clear")
		shown, err := w.answered(t, w.call(t, `{}`), result(`"content":[],"structuredContent":{"email":"`+mail+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		hidden := member(t, shown, "email")
		x := w.call(t, object("to", hidden))
		if err := w.Request(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		said, _ := x.Request.Params().At("arguments", "to").Text()
		if said != mail || x.Privacy.Restored != 1 || counted(x, toServer, pii.Email, restored) != 1 {
			t.Errorf("%s: the server gets %s, %d restored", a, said, x.Privacy.Restored)
		}
		again, err := w.answered(t, x, result(`"content":[],"structuredContent":{"email":"`+said+`"}`))
		if err != nil || member(t, again, "email") != hidden {
			t.Errorf("%s: %s, %v", a, again, err)
		}
		passed, err := w.answered(t, x, result(`"content":[],"structuredContent":{"email":`+string(wire.Quote(hidden))+`}`))
		if err != nil || member(t, passed, "email") != hidden {
			t.Errorf("%s: what is hidden already became %s, %v", a, passed, err)
		}
	}
}

// TestForgedCodesAreLookedAt: what is only written like a text of SIV hides
// nothing.
func TestForgedCodesAreLookedAt(t *testing.T) {
	w := newBackWorld(t, reversible(privacy.SIV, false, "EMAIL"), "token", "clear")
	shown, err := w.answered(t, w.call(t, `{}`), result(`"content":[],"structuredContent":{"credit_card":"[EMAIL~4111111111111111]"}`))
	if err != nil || strings.Contains(shown, "4111111111111111") {
		t.Errorf("%s, %v", shown, err)
	}
}

// TestDigitsComeBack: a number that a schema made FF1 stand for comes back at the
// argument that a rule names, and nowhere else; a number stays a number, and a
// card that is somebody's is left alone.
func TestDigitsComeBack(t *testing.T) {
	cfg := reversible(privacy.Token, false, "PHONE", "CREDIT_CARD", "BANK_ACCOUNT")
	cfg.Restore = []privacy.RestoreRule{
		{Servers: []string{"crm"}, Paths: []string{"phone"}, Types: []string{"PHONE"}, FF1: true},
		{Servers: []string{"crm"}, Paths: []string{"card"}, Types: []string{"CREDIT_CARD"}, FF1: true},
		{Servers: []string{"crm"}, Tools: []string{"find"}, Paths: []string{"account"}, Types: []string{"BANK_ACCOUNT"}, FF1: true},
	}
	w, other := newBackWorld(t, cfg, "token", "clear"), newBackWorld(t, cfg, "token", "token")
	tried, back := 0, map[string]int{}
	defer func() {
		for name := range typeOfNumber {
			if tried > 50 && back[name] < tried/10 {
				t.Errorf("of %d numbers %d of %s came back", tried, back[name], name)
			}
		}
	}()
	rapid.Check(t, func(r *rapid.T) {
		t := drawn{t, r}
		tried++
		name := rapid.SampledFrom([]string{"phone", "card", "account"}).Draw(r, "name")
		var value string
		switch name {
		case "phone":
			value = `"` + rapid.StringMatching(`\+4930[1-9][0-9]{6}`).Draw(r, "phone") + `"`
		case "card":
			value = `"` + withLuhn(rapid.StringMatching(`4[0-9]{14}`).Draw(r, "card")) + `"`
		default:
			value = rapid.StringMatching(`[1-9][0-9]{9}`).Draw(r, "account")
		}
		x := w.call(t, `{}`)
		shown, err := w.answered(t, x, result(`"content":[],"structuredContent":{"`+name+`":`+value+`}`))
		if err != nil {
			t.Fatal(err)
		}
		hidden := string(parse(t, shown, wire.FromServer).Result().At("structuredContent", name).Raw())
		if hidden == value {
			return // such a number is not one by itself
		}
		if counted(x, toClient, typeOfNumber[name], privacy.FF1) == 0 {
			return // an invented one, where FF1's would not fit: it has no way back
		}
		body := `{"` + name + `":` + hidden + `}`
		if got, want := w.sent(t, body), `{"`+name+`":`+value+`}`; got != want {
			t.Fatalf("%s, not %s (shown %s)", got, want, hidden)
		}
		back[name]++
		for what, arguments := range map[string]string{"another argument": `{"other":` + hidden + `}`, "deeper": `{"a":` + body + `}`} {
			if got := w.sent(t, arguments); strings.Contains(got, strings.Trim(value, `"`)) {
				t.Fatalf("%s: %s", what, got)
			}
		}
		if got := other.sent(t, body); strings.Contains(got, strings.Trim(value, `"`)) {
			t.Fatalf("for a server that is not entitled: %s", got)
		}
	})
	for _, arguments := range []string{`{"card":"4111111111111111"}`, `{"phone":"call me"}`, `{"phone":"12345"}`, `{"account":12}`, `{"phone":null,"card":true}`} {
		if got := w.sent(t, arguments); got != arguments {
			t.Errorf("%s became %s", arguments, got)
		}
	}
}

var typeOfNumber = map[string]pii.Type{"phone": pii.Phone, "card": pii.CreditCard, "account": pii.BankAccount}

// withLuhn adds the check digit of a card.
func withLuhn(digits string) string {
	sum := 0
	for i, c := range slices.Backward([]byte(digits)) {
		n := int(c - '0')
		if (len(digits)-1-i)%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return digits + string(rune('0'+(10-sum%10)%10))
}

// TestRestoreIntoJSON: a value with quotes in it stays one value where its
// pseudonym stood in a text that is JSON.
func TestRestoreIntoJSON(t *testing.T) {
	const name = `Karla "x\",\"admin\":\"" Brandt`
	for _, a := range []privacy.Action{privacy.Token, privacy.SIV} {
		w := newBackWorld(t, reversible(a, false, "PERSON"), "token", "clear")
		j := w.job(w.call(t, `{}`), w.c.Profile(), privacy.Client)
		f := []finding{{typ: pii.Person, value: name, action: a}}
		if err := w.replace(t.Context(), j, f); err != nil {
			t.Fatal(err)
		}
		once := func(hidden string) any { return map[string]any{"to": []any{hidden, 1}, "n": nil} }
		for depth := range 4 {
			text, want := "see "+f[0].text, "see "+name
			for range depth { // json.Marshal writes < as an escape
				text, want = marshal(t, once(text)), marshal(t, once(want))
			}
			got, _ := parse(t, `{"jsonrpc":"2.0","id":1,"method":"x","params":`+w.sent(t, object("to", text))+`}`, wire.FromClient).Params().Get("to").Text()
			if unmarshalled(t, got, depth) != unmarshalled(t, want, depth) {
				t.Errorf("%s, %d deep: %s, not %s", a, depth, got, want)
			}
		}
		torn := object("to", `run {"to":"`+f[0].text+`"}`)
		if got := w.sent(t, torn); got != torn {
			t.Errorf("%s: in quotes of a text: %s", a, got)
		}
		if got, want := w.sent(t, object("to", "{no JSON: "+f[0].text)), object("to", "{no JSON: "+name); got != want {
			t.Errorf("%s: %s, not %s", a, got, want)
		}
	}
}

func marshal(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unmarshalled returns the text that lies in JSON inside JSON, and fails where
// anything else lies there too.
func unmarshalled(t testing.TB, text string, depth int) string {
	t.Helper()
	for range depth {
		var v map[string]any
		if err := json.Unmarshal([]byte(text), &v); err != nil || len(v) != 2 {
			t.Fatalf("%s: %v", text, err)
		}
		list, _ := v["to"].([]any)
		if len(list) != 2 {
			t.Fatalf("%s", text)
		}
		text, _ = list[0].(string)
	}
	return text
}

// TestSafeHarborDrawsWhatASchemaDemands: where a schema leaves no room for a
// pseudonym, two people have two invented values, one person the same one in its
// scope and another one elsewhere, and nothing of it follows from the value.
func TestSafeHarborDrawsWhatASchemaDemands(t *testing.T) {
	show := func(w *world, session, value string) string {
		t.Helper()
		x := w.call(t, `{}`)
		x.Session = &exchange.Session{ID: session}
		got, err := w.answered(t, x, result(`"content":[],"structuredContent":{"phone":"`+value+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		if counted(x, toClient, pii.Phone, privacy.Surrogate) != 1 {
			t.Errorf("%+v", x.Privacy.Counts)
		}
		return member(t, got, "phone")
	}
	w := newBackWorld(t, privacy.Config{Profile: "hipaa-safe-harbor"}, "token", "")
	a, again, b, apart := show(w, "s1", "+493090182011"), show(w, "s1", "+493090182011"), show(w, "s1", "+493090182012"), show(w, "s2", "+493090182011")
	if a != again || a == b || a == apart || strings.Contains(a, "493090") {
		t.Errorf("%s, again %s, another person %s, another session %s", a, again, b, apart)
	}
	other := newBackWorld(t, privacy.Config{Profile: "hipaa-safe-harbor"}, "token", "")
	if got := show(other, "s1", "+493090182011"); got == a {
		t.Errorf("another gateway with the same keys draws the same: %s", got)
	}
}

// TestNoKeysNoRestore: without keys what carries its value along is refused, not
// sent on as if it were one.
func TestNoKeysNoRestore(t *testing.T) {
	w := newWorld(t, reversible(privacy.SIV, false, "EMAIL"), "token", "clear")
	if err := w.Request(t.Context(), w.call(t, `{"to":"[EMAIL~AAAA]"}`)); !fault.Is(err, fault.Unscannable) {
		t.Errorf("%v", err)
	}
}
