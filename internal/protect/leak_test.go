package protect

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// canary is a value that must not leave toward a receiver who is not entitled.
type canary struct {
	typ   pii.Type
	key   string // a member's name that tells what it is; "" when its form does
	value string
}

// drawCanary draws a value that is nobody's. It comes from a seed, so that a
// failure is not made smaller into what only looks like a value.
func drawCanary(r *rapid.T) canary {
	d := seeded(rapid.Uint64().Draw(r, "seed"))
	const lower, digit, hex = "abcdefghijklmnoprstuvwz", "0123456789", "0123456789abcdef"
	switch rapid.IntRange(0, 13).Draw(r, "type") {
	case 12:
		return d.keyed()
	case 13:
		return d.secret()
	case 0:
		return canary{pii.Email, "", d.of(lower, 6) + "." + d.of(lower, 8) + "@" + d.of(lower, 7) + ".example.org"}
	case 1:
		return canary{pii.IBAN, "", withIBAN(d.of(digit, 18))}
	case 2:
		c := withLuhn("4" + d.of(digit, 14))
		return canary{pii.CreditCard, "", c[:4] + " " + c[4:8] + " " + c[8:12] + " " + c[12:]}
	case 3:
		return canary{pii.CreditCard, "credit_card", withLuhn("4" + d.of(digit, 14))}
	case 4:
		return canary{pii.SSN, "ssn", d.of("1234", 3) + "-" + d.of("3456", 2) + "-" + d.of("56789", 4)}
	case 5:
		return canary{pii.Secret, "", "ghp_" + d.of(lower+strings.ToUpper(lower)+digit, 36)}
	case 6:
		return canary{pii.Secret, "", "AKIA" + d.of("234567", 1) + d.of(strings.ToUpper(lower)+"234567", 15)}
	case 7:
		return canary{pii.Person, "full_name", d.one("Karla", "Anna", "Peter") + " " + d.one("Brandt", "Keller", "Schuster")}
	case 8:
		return canary{pii.Phone, "phone", "+49 30 " + d.of("123456789", 7)}
	case 9:
		return canary{pii.IPAddress, "", "85." + d.of("1", 2) + ".1" + d.of("1234", 2) + ".1" + d.of("1234", 2)}
	case 10:
		return canary{pii.Crypto, "wallet_address", "0x" + d.of(hex, 40)}
	}
	return canary{pii.MACAddress, "", "a4:" + d.of(hex, 2) + ":" + d.of(hex, 2) + ":" + d.of(hex, 2) + ":" + d.of(hex, 2) + ":" + d.of(hex, 2)}
}

// keyed returns a value that its key names.
func (d *seeds) keyed() canary {
	const digit = "0123456789"
	all := []canary{
		{pii.Passport, "passport_number", "C" + d.of(digit, 2) + "X" + d.of(digit, 2) + "T" + d.of(digit, 2)},
		{pii.DateTime, "date_of_birth", "19" + d.of("56", 1) + d.of(digit, 1) + "-0" + d.of("123456789", 1) + "-1" + d.of(digit, 1)},
		{pii.VehicleID, "vin", "1M8GDM9AXKP042788"},
		{pii.HealthID, "mrn", "MR-00" + d.of("123456789", 6)},
		{pii.HealthID, "medicare_mbi", "1EG4-TE5-MK73"},
		{pii.HealthID, "nhs_number", "943 476 5919"},
		{pii.BankAccount, "account_number", "000" + d.of("123456789", 9)},
		{pii.NationalID, "pesel", "44051401359"},
		{pii.VehicleID, "license_plate", "7ABC" + d.of("123456789", 3)},
		{pii.DriverLicense, "driver_license", "S" + d.of("123456789", 8)},
		{pii.Location, "street_address", d.of("123456789", 2) + " Chestnut Road"},
		{pii.Email, "contact", "o'" + d.of("abcdefgh", 6) + "+tag@" + d.of("abcdefgh", 7) + ".example.org"},
		{pii.Phone, "mobile", "(617) 555-01" + d.of("123456789", 2)},
		{pii.Person, "patient_name", "Dr. Katarzyna Wilk-Nowak"},
		{pii.Person, "last_name", "Wisniewska"},
	}
	return all[d.below(len(all))]
}

// secret returns a credential, by its vendor's form or by its key.
func (d *seeds) secret() canary {
	const digit, lower = "0123456789", "abcdefghijklmnopqrstuvwxyz"
	mixed := lower + strings.ToUpper(lower) + digit
	all := []canary{
		{pii.Secret, "password", "hunter2!" + d.of(mixed, 6)},
		{pii.Secret, "api_key", d.of("abcdef", 1) + d.of(mixed, 28) + d.of(digit, 2)},
		{pii.Secret, "client_secret", d.of("xyz", 1) + d.of(mixed, 30) + d.of(digit, 2)},
		{pii.Secret, "aws_secret_access_key", d.of(mixed, 20) + "/" + d.of(mixed, 17) + d.of(digit, 2)},
		{pii.Secret, "", "xoxb-" + d.of("123456789", 12) + "-" + d.of("123456789", 12) + "-" + d.of(mixed, 24)},
		{pii.Secret, "", "glpat-" + d.of(mixed, 18) + d.of(digit, 2)},
		{pii.Secret, "", "sk_live_" + d.of(mixed, 22) + d.of(digit, 2)},
		{pii.Secret, "", "eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+d.of(mixed, 20)+`"}`)) + "." + d.of(mixed, 43)},
		{pii.Secret, "authorization", "Bearer " + d.of(mixed, 38) + d.of(digit, 2)},
		{pii.Secret, "", "postgres://app:" + d.of(mixed, 12) + "9@db.example.org:5432/x"},
	}
	return all[d.below(len(all))]
}

// seeds makes the same texts of the same seed.
type seeds struct{ state uint64 }

func seeded(seed uint64) *seeds { return &seeds{seed*2 + 1} }

func (d *seeds) below(n int) int {
	d.state = d.state*6364136223846793005 + 1442695040888963407
	return int(d.state >> 33 % uint64(n))
}

func (d *seeds) of(letters string, n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = letters[d.below(len(letters))]
	}
	return string(out)
}

func (d *seeds) one(words ...string) string { return words[d.below(len(words))] }

// nested draws a value that holds the canary: in objects, arrays and names, in
// JSON inside text, in base64 and in URL encoding, at most three layers deep.
func nested(r *rapid.T, c canary) any {
	before := rapid.SampledFrom([]string{"", "see ", "it is: ", "\u00fc (", "\u4f60\u597d \U0001F600 "}).Draw(r, "before")
	after := rapid.SampledFrom([]string{"", " thanks", "\nnext", "; and so on", ")"}).Draw(r, "after")
	var node any = before + c.value + after
	if c.key != "" {
		node = rapid.SampledFrom([]any{map[string]any{c.key: c.value}, map[string]any{"a": 1, c.key: c.value, "z": nil}, map[string]any{c.key: []any{c.value}}, map[string]any{"name": c.key, "value": c.value}, map[string]any{strings.ToUpper(c.key): c.value},
			map[string]any{camel(c.key): map[string]any{"value": c.value}}}).Draw(r, "under its key")
	} else if rapid.IntRange(0, 5).Draw(r, "as a name") == 0 {
		node = map[string]any{c.value: 1}
	}
	for left := rapid.IntRange(0, 3).Draw(r, "layers"); left > 0; left-- {
		node = structured(r, node)
		if _, is := node.(string); !is {
			node = marshalled(r, node, &left)
			continue
		}
		text, _ := node.(string)
		switch rapid.IntRange(0, 4).Draw(r, "encoding") {
		case 0:
			node = base64.StdEncoding.EncodeToString([]byte(text))
		case 1:
			coded := base64.RawURLEncoding.EncodeToString([]byte(text))
			if strings.ContainsAny(coded[:min(16, len(coded))], "-_") {
				coded = base64.StdEncoding.EncodeToString([]byte(text)) // words with dashes look so: docs/privacy-limits.md
			}
			node = coded
		case 2:
			if node = url.QueryEscape(text); !strings.Contains(url.QueryEscape(text), "%") {
				node = url.PathEscape(text) // a plus alone is no encoding: docs/privacy-limits.md
			}
		case 3:
			node = url.PathEscape(text)
		default:
			node = marshalled(r, node, &left)
		}
	}
	return structured(r, node)
}

// camel writes a name as other languages do.
func camel(key string) string {
	parts := strings.Split(key, "_")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

func structured(r *rapid.T, node any) any {
	for range rapid.IntRange(0, 2).Draw(r, "depth") {
		switch rapid.IntRange(0, 2).Draw(r, "wrap") {
		case 0:
			node = map[string]any{rapid.SampledFrom([]string{"a", "data", "note", "phone", "mail", "x.y"}).Draw(r, "name"): node, "n": 1}
		case 1:
			node = []any{node, "x"}
		default:
			node = map[string]any{"z": true, "list": []any{0.5, node}}
		}
	}
	return node
}

// marshalled writes a value as text, with some characters escaped that need not be:
// to undo that is a layer of its own.
func marshalled(r *rapid.T, node any, left *int) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(rapid.Bool().Draw(r, "html"))
	if rapid.Bool().Draw(r, "indent") {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(node); err != nil {
		panic(err)
	}
	text := strings.TrimSpace(b.String())
	if *left > 1 && rapid.IntRange(0, 2).Draw(r, "escape") == 0 {
		*left--
		text = strings.NewReplacer("e", `\u0065`, "@", `\u0040`, "4", `\u0034`).Replace(text)
		if !json.Valid([]byte(text)) { // a number cannot be escaped
			return strings.TrimSpace(b.String())
		}
	}
	return text
}

// readable returns everything that a reader can make of a text: what is in its
// strings, in base64 and in URL encoding, as deep as there is something.
func readable(text string, depth int, out []string) []string {
	out = append(out, text)
	if depth == 0 {
		return out
	}
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		return inJSON(v, depth, out)
	}
	if strings.Contains(text, "%") {
		for _, undo := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
			if plain, err := undo(text); err == nil && plain != text {
				out = readable(plain, depth-1, out)
			}
		}
	}
	if plain, err := url.QueryUnescape(text); err == nil && plain != text {
		out = readable(plain, depth-1, out)
	}
	for _, run := range runs.FindAllString(text, -1) {
		run = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(run, "="))
		if plain, err := base64.RawStdEncoding.DecodeString(run); err == nil {
			out = readable(string(plain), depth-1, out)
		}
	}
	return out
}

var runs = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}={0,2}`)

func inJSON(v any, depth int, out []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for k, below := range v {
			out = inJSON(below, depth, readable(k, depth-1, out))
		}
	case []any:
		for _, below := range v {
			out = inJSON(below, depth, out)
		}
	case string:
		out = readable(v, depth-1, out)
	}
	return out
}

// leaks reports whether a canary can be read in a text.
func leaks(text string, c canary) bool {
	return slices.ContainsFunc(readable(text, 7, nil), func(s string) bool { return strings.Contains(s, c.value) })
}

// torn returns a text inside a message that looks like JSON and is none, "" if there
// is none.
func torn(message string) string {
	for _, s := range readable(message, 7, nil) {
		s = strings.TrimSpace(s)
		if (strings.HasPrefix(s, `{"`) && strings.HasSuffix(s, "}") || strings.HasPrefix(s, `["`) && strings.HasSuffix(s, "]")) && !json.Valid([]byte(s)) {
			return s
		}
	}
	return ""
}

// receivers are the built-in profiles with a zone that is not entitled.
func receivers() (all []privacy.Config, zones []string) {
	for _, profile := range []string{"secrets-only", "gdpr-minimal", "hipaa-safe-harbor"} {
		for _, zone := range []string{"token", "minimal", "sealed"} {
			all, zones = append(all, privacy.Config{Profile: profile}), append(zones, zone)
		}
	}
	return all, zones
}

// hidden reports whether a profile hides a canary.
func hides(w *world, c canary, toward privacy.Toward, zone string) bool {
	a := w.c.Profile().Decide(privacy.Where{Toward: toward, Zone: privacy.Zone(zone), Server: "crm", Tool: "find", Purpose: "support"}, c.typ, "")
	return a != privacy.Keep && a != privacy.Flag
}

// TestC07NoCanaryLeaves: whatever a built-in profile hides is in no decoding of any
// byte that leaves toward somebody who is not entitled, however it was nested and
// encoded, in every kind of message and in both directions; a message that is
// not refused stays JSON.
func TestC07NoCanaryLeaves(t *testing.T) {
	all, zones := receivers()
	for i, cfg := range all {
		t.Run(cfg.Profile+" "+zones[i], func(t *testing.T) {
			w := newBackWorld(t, cfg, zones[i], zones[i])
			passed := 0
			rapid.Check(t, func(r *rapid.T) {
				t := drawn{t, r}
				c := drawCanary(r)
				node, toward := nested(r, c), privacy.Client
				if rapid.IntRange(0, 2).Draw(r, "direction") == 0 {
					toward = privacy.Server
				}
				if !hides(w, c, toward, zones[i]) {
					return
				}
				body, got, err := walked(t, w, r, node, toward)
				if err != nil {
					return
				}
				passed++
				if bad := torn(got); bad != "" {
					t.Fatalf("JSON inside is torn: %s\n%s\n-> %s", bad, body, got)
				}
				if !json.Valid([]byte(got)) || leaks(got, c) {
					t.Fatalf("%s %q leaves\n%s\n-> %s", c.typ, c.value, body, got)
				}
			})
			if passed == 0 && zones[i] != "sealed" {
				t.Error("every message was refused")
			}
		})
	}
}

// walked sends one message with a value in it, and returns what leaves.
func walked(t drawn, w *world, r *rapid.T, node any, toward privacy.Toward) (body, got string, err error) {
	quote := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text, is := node.(string)
	if !is {
		text = marshalled(r, node, new(int))
	}
	if toward == privacy.Server {
		body = `{"in":` + quote(node) + `}`
		x := w.call(t, body)
		err = w.Request(t.Context(), x)
		return body, string(x.Request.Raw()), err
	}
	switch rapid.IntRange(0, 9).Draw(r, "message") {
	case 7:
		body = result(`"messages":[{"role":"user","content":{"type":"text","text":` + quote(text) + `}}],"description":` + quote(text))
	case 8:
		body = result(`"content":[{"type":"resource_link","uri":"x:y","name":"n","description":` + quote(text) + `,"_meta":` + quote(map[string]any{"m": node}) + `}],"isError":true`)
	case 9:
		body = `{"jsonrpc":"2.0","id":9,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":` + quote(text) + `}}],"systemPrompt":` + quote(text) + `,"metadata":{"m":` + quote(node) + `},"maxTokens":1}}`
	case 0:
		body = result(`"content":[{"type":"text","text":` + quote(text) + `}]`)
	case 1:
		body = result(`"content":[{"type":"text","text":` + quote(text) + `}],"structuredContent":{"r":` + quote(node) + `}`)
	case 2:
		body = result(`"content":[],"structuredContent":{"r":` + quote(node) + `}`)
	case 3:
		body = result(`"content":[{"type":"resource","resource":{"uri":"x:y","text":` + quote(text) + `}}],"_meta":{"m":` + quote(node) + `}`)
	case 4:
		body = `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":` + quote(text) + `,"data":` + quote(node) + `}}`
	case 5:
		body = `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":` + quote(node) + `}}`
	default:
		body = `{"jsonrpc":"2.0","id":9,"method":"elicitation/create","params":{"message":` + quote(text) + `,"requestedSchema":{"type":"object","properties":{}}}}`
	}
	x := w.call(t, `{}`)
	got, err = w.answered(t, x, body)
	if x.Drop != "" {
		err = fmt.Errorf("dropped: %s", x.Drop)
	}
	return body, got, err
}

// TestC06NoCanaryLeavesInParts: the same when a stream tells a value in two or three
// messages, cut at every byte. What passed before the seam is not the value.
func TestC06NoCanaryLeavesInParts(t *testing.T) {
	all, zones := receivers()
	for i, cfg := range all {
		t.Run(cfg.Profile+" "+zones[i], func(t *testing.T) {
			w := newBackWorld(t, cfg, zones[i], zones[i])
			rapid.Check(t, func(r *rapid.T) {
				t := drawn{t, r}
				c := drawCanary(r)
				if c.key != "" || !slices.Contains(splittable, c.typ) || !hides(w, c, privacy.Client, zones[i]) || strings.Contains(c.value, "://") {
					return // what shows a password of a URL comes after it: docs/privacy-limits.md
				}
				for at := 1; at < len(c.value); at++ {
					parts := []string{"it is " + c.value[:at], c.value[at:] + " thanks"}
					if more := rapid.IntRange(0, len(c.value)-at).Draw(r, "second"); more > 0 && more < len(c.value)-at {
						parts = []string{parts[0], c.value[at : at+more], c.value[at+more:] + " thanks"}
					}
					if got := streamed(t, w, parts); strings.Contains(got, c.value) {
						t.Fatalf("%q leaves %s in %q: %s", c.value, c.typ, parts, got)
					}
				}
			})
		})
	}
}

// streamed sends texts as messages of one stream and returns what of them leaves,
// one after the other.
func streamed(t drawn, w *world, parts []string) string {
	x := w.call(t, `{}`)
	x.Privacy = exchange.Privacy{}
	var left strings.Builder
	for _, p := range parts {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.answered(t, x, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":`+string(text)+`}}`)
		if err != nil {
			break // the stream ends
		}
		if x.Drop != "" {
			continue
		}
		data, _ := parse(t, got, wire.FromServer).Params().Get("data").Text()
		left.WriteString(data)
	}
	return left.String()
}
