package admit

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/http1"
	"ostiary.dev/ostiary/internal/identity"
	"ostiary.dev/ostiary/internal/registry"
)

// TestChallenges: what a refused caller is told to do: sign in, ask for more
// scopes, step up in the words that tokens answer in, or repeat a nonce.
func TestChallenges(t *testing.T) {
	f := &face{door: &Door{cfg: Config{
		Challenge: func(endpoint, access string) string { return `scope="` + endpoint + " " + access + `"` },
		Nonce:     func(proof string) (string, bool) { return "n-1", proof != "with the nonce" },
	}}}
	for name, c := range map[string]struct {
		kind          fault.Kind
		authorization string
		proof         string
		want          []string
	}{
		"nothing shown":    {fault.Unauthenticated, "", "", []string{`Bearer realm="ostiary", scope="s "`}},
		"a bad token":      {fault.Unauthenticated, "Bearer x", "", []string{`Bearer realm="ostiary", error="invalid_token", scope="s "`}},
		"too narrow":       {fault.ScopeMissing, "Bearer x", "", []string{`error="insufficient_scope", scope="s write"`}},
		"not fresh enough": {fault.StepUpRequired, "Bearer x", "", []string{`error="insufficient_user_authentication"`, `acr_values="urn:ostiary:strength:3 urn:ostiary:strength:4"`, `max_age="900"`, `scope="s write"`}},
		"no nonce":         {fault.Unauthenticated, "DPoP x", "without", []string{`DPoP realm="ostiary", algs="ES256`, `error="use_dpop_nonce"`, `scope="s "`}},
		"nonce, bad token": {fault.Unauthenticated, "dpop x", "with the nonce", []string{`DPoP realm="ostiary", algs="ES256`, `error="invalid_token"`}},
	} {
		f.r = &http1.Request{}
		if c.authorization != "" {
			f.r.Header = http1.Header{{Name: "Authorization", Value: c.authorization}, {Name: "DPoP", Value: c.proof}}
		}
		x := &exchange.Exchange{Endpoint: "s", Fault: fault.New(c.kind)}
		x.Decision.Need = registry.Write
		got := f.challenge(x)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %s lacks %s", name, got, want)
			}
		}
		nonce, _ := f.nonce()
		if strings.Count(got, "error=") > 1 || strings.HasPrefix(c.authorization, "Bearer") && nonce != "" {
			t.Errorf("%s: %s, nonce %q", name, got, nonce)
		}
	}
	for _, acr := range strings.Fields(identity.StepUpACR()) { // a token that answers the challenge is strong enough
		if identity.StrengthOf(acr) < identity.StepUp {
			t.Errorf("%s is asked for and is not enough", acr)
		}
	}
}
