package protect

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/registry"
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
