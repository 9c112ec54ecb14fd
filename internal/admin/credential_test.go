package admin

import (
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/oauth"
)

// A client's secret is for one authorization server, which the operator names.
func TestU06SecretsNeedAnIssuer(t *testing.T) {
	const https = "https://as.example.com"
	for name, s := range map[string]oauth.Settings{
		"a secret without an issuer": {Grant: oauth.Credentials, ClientID: "c", ClientSecret: "s"},
		"no grant":                   {},
		"another grant":              {Grant: "password"},
		"no client":                  {Grant: oauth.Credentials, Issuer: https},
		"a key that is none":         {Grant: oauth.Credentials, Issuer: https, ClientID: "c", ClientKey: "canary"},
		"an issuer that is no URL":   {Grant: oauth.Code, Issuer: "javascript:alert(1)"},
		"a document over http":       {Grant: oauth.Code, Document: "http://a.example.com/client"},
		"a document without a path":  {Grant: oauth.Code, Document: "https://a.example.com/"},
		"no identity provider":       {Grant: oauth.Assertion, Issuer: https, ClientID: "c"},
		"a giant":                    {Grant: oauth.Code, ClientID: strings.Repeat("x", maxSettings)},
	} {
		if err := checkSettings(&s); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := checkSettings(&oauth.Settings{Grant: oauth.Credentials, Issuer: https, ClientID: "c", ClientSecret: "s"}); err != nil {
		t.Error(err)
	}
}
