package protect

import (
	"fmt"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// weather is a tool that offers places, a person and an address for choice.
const weather = `{"name":"find","inputSchema":{"type":"object","properties":{` +
	`"location":{"type":"string","enum":["New York","Chicago","Los Angeles"]},` +
	`"where":{"oneOf":[{"const":"Berlin","title":"the capital"}]},` +
	`"many":{"type":"array","items":{"enum":["Chicago"]}},` +
	`"free":{"type":"string","description":"such as Chicago"},` +
	`"mail":{"enum":["` + mail + `"]},"who":{"enum":["Maria Lindqvist"]},"key":{"enum":["` + secret + `"]}}}}`

func weatherCall(t *testing.T, w *world, arguments string) string {
	t.Helper()
	digest, err := registry.CanonicalDigest([]byte(weather))
	if err != nil {
		t.Fatal(err)
	}
	x := w.call(t, arguments)
	x.Tool = &registry.Tool{Name: "find", State: registry.ToolApproved, Definition: weather, Digest: digest}
	if err := w.Request(t.Context(), x); err != nil {
		return err.Error()
	}
	return string(x.Request.Params().Get("arguments").Raw())
}

// TestChoicesOfAToolPass: a place that the tool's schema lists is a valid argument
// only as it is written. It is one in its place alone, and only what is a choice
// by nature: no address, no person, no key.
func TestChoicesOfAToolPass(t *testing.T) {
	for _, profile := range []string{"gdpr-minimal", "hipaa-safe-harbor"} {
		w := newWorld(t, privacy.Config{Profile: profile}, "token", "")
		for _, arguments := range []string{`{"location":"New York"}`, `{"where":"Berlin"}`, `{"many":["Chicago"]}`, `{"free":"x","location":"Chicago"}`} {
			if got := weatherCall(t, w, arguments); got != arguments {
				t.Errorf("%s: %s became %s", profile, arguments, got)
			}
		}
		if got := weatherCall(t, w, `{"free":"trip to Chicago","location":"Chicago"}`); !strings.Contains(got, `"location":"Chicago"`) || strings.Contains(got, "trip to Chicago") {
			t.Errorf("%s: a choice that stands in a text too became %s", profile, got)
		}
		for _, c := range [][2]string{
			{`{"location":"Lisbon, Portugal"}`, "Lisbon"}, {`{"free":"trip to Chicago"}`, "Chicago"}, {`{"where":"Chicago, Illinois"}`, "Illinois"},
			{`{"mail":"` + mail + `"}`, mail}, {`{"who":"Maria Lindqvist"}`, "Lindqvist"}, {`{"key":"` + secret + `"}`, secret},
		} {
			if got := weatherCall(t, w, c[0]); strings.Contains(got, c[1]) {
				t.Errorf("%s: %s passed as %s", profile, c[0], got)
			}
		}
	}
}

// TestChoicesOfADefinitionPass: the client must see what it may choose.
func TestChoicesOfADefinitionPass(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "")
	x := w.ask(t, "tools/list", `{}`)
	got, err := w.answered(t, x, result(`"tools":[`+weather+`]`))
	if err != nil {
		t.Fatal(err)
	}
	for _, choice := range []string{`["New York","Chicago","Los Angeles"]`, `"const":"Berlin"`} {
		if !strings.Contains(got, choice) {
			t.Errorf("%s is not offered: %s", choice, got)
		}
	}
	for _, hidden := range []string{mail, "Lindqvist", secret} {
		if strings.Contains(got, hidden) {
			t.Errorf("%s is shown: %s", hidden, got)
		}
	}
}

// TestC13NamesWithBrackets: no name of a member makes the way through a schema
// endless, and none leads to the choices of another member.
func TestC13NamesWithBrackets(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "")
	for _, name := range []string{"[x", "[", "[[", "a[", "a[*", "[*]x", "a.[", ".", "..", "", "]", ".[*].["} {
		for _, form := range []string{`{%q:"` + mail + `"}`, `{"a":{%q:["` + mail + `"]}}`, `{%q:{%[1]q:"` + mail + `"}}`} {
			if got := weatherCall(t, w, fmt.Sprintf(form, name)); strings.Contains(got, mail) {
				t.Errorf("%q: %s", name, got)
			}
		}
	}
	shape := shapes{parse(t, `{"jsonrpc":"2.0","id":1,"result":`+weather+`}`, wire.FromServer).Result().Get("inputSchema"), "params.arguments"}
	for path, want := range map[string]bool{"params.arguments.location": true, "params.argumentslocation": false, "params.arguments[location": false, "params.argumentsX.location": false} {
		f := finding{path: path, value: "Chicago", whole: true}
		if shape.offers(&f) != want {
			t.Errorf("%s: offered is %v", path, !want)
		}
	}
}

// TestOnlyAListOfToolsOffers: what looks like a tool in a list of something else was
// approved by nobody.
func TestOnlyAListOfToolsOffers(t *testing.T) {
	w := newWorld(t, privacy.Config{Profile: "gdpr-minimal"}, "token", "")
	for _, method := range []string{"resources/list", "resources/templates/list", "prompts/list"} {
		got, err := w.answered(t, w.ask(t, method, `{}`), result(`"tools":[`+weather+`]`))
		if err != nil || strings.Contains(got, "New York") || strings.Contains(got, "Chicago") {
			t.Errorf("%s: %s %v", method, got, err)
		}
	}
}

// TestOnlyASchemaLists: what is named as the parts of a schema are, but stands in
// none, offers nothing.
func TestOnlyASchemaLists(t *testing.T) {
	for path, want := range map[string]bool{
		"result.tools[*].inputSchema.properties.city.enum[*]":       true,
		"result.tools[*].outputSchema.properties.city.default":      true,
		"result.tools[*].annotations.inputSchema.enum[*]":           false,
		"result.resources[*]._meta.inputSchema.default":             false,
		"result.structuredContent.inputSchema.enum[*]":              false,
		"result.tools[*].inputSchema.properties.city.description":   false,
		"error.data.result.tools[*].inputSchema.properties.a.const": false,
	} {
		if listed(path) != want {
			t.Errorf("%s: listed is %v", path, !want)
		}
	}
}
