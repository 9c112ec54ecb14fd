package authorize

import (
	"net/url"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/wire"
)

// declared reports whether the client declared a capability.
func (s *Step) declared(x *exchange.Exchange, capability string) bool {
	if capability == "" {
		return true
	}
	v, err := wire.ParseValue([]byte(x.Capable), wire.DefaultLimits())
	return err == nil && v.Get(capability).Exists()
}

// inputRequired checks what a modern server asks of the client in place of a
// result (SEP-2322): only on methods that allow it, only what was declared.
func (s *Step) inputRequired(x *exchange.Exchange) error {
	r := x.Message.Result()
	kind, ok := r.Get("resultType").Text()
	switch {
	case !r.Get("resultType").Exists(), ok && kind == "complete":
		return nil
	case !ok || kind != "input_required" || !x.Fact.MRTR:
		return fault.Newf(fault.UpstreamBad, "The server's answer has a result type that was not negotiated.")
	}
	for _, v := range r.Get("inputRequests").Members() {
		method, _ := v.Get("method").Text()
		f, known := wire.LookupInput(method, x.Version)
		if !known || f.Capability == "" {
			return fault.New(fault.ElicitationBlocked)
		}
		if !s.declared(x, f.Capability) {
			return fault.New(fault.ElicitationBlocked)
		}
		if method == "elicitation/create" {
			if err := s.elicitation(v.Get("params"), x.Capable); err != nil {
				return err
			}
		}
	}
	return nil
}

// elicitation refuses questions that a person should not be asked through a
// model's client: secrets in a form, and addresses that are not https or not
// on the operator's list (M18).
func (s *Step) elicitation(params wire.Value, capable string) *fault.Error {
	if mode, _ := params.Get("mode").Text(); mode == "url" {
		if !declaresURL(capable) {
			return fault.New(fault.CapabilityMissing)
		}
		raw, _ := params.Get("url").Text()
		return s.address(raw)
	}
	for m, field := range params.Get("requestedSchema").Get("properties").Members() {
		title, _ := field.Get("title").Text()
		if asksSecret(m.Key) || asksSecret(title) || field.Get("format").Is("password") {
			return fault.Newf(fault.ElicitationBlocked, "The server asked for a secret in a form, which is not allowed.")
		}
	}
	return nil
}

func declaresURL(capable string) bool {
	v, err := wire.ParseValue([]byte(capable), wire.DefaultLimits())
	return err == nil && v.Get("elicitation").Get("url").Exists()
}

func (s *Step) address(raw string) *fault.Error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || !plainHost(u.Hostname()) {
		return fault.Newf(fault.ElicitationBlocked, "The server sent an address that is not a plain https address.")
	}
	if len(s.URLHosts) > 0 && !slices.Contains(s.URLHosts, u.Hostname()) {
		return fault.Newf(fault.ElicitationBlocked, "The server sent an address that is not on the gateway's list.")
	}
	return nil
}

// plainHost refuses names that could be taken for others: anything beyond
// letters, digits, dots and hyphens, and punycode.
func plainHost(host string) bool {
	for _, r := range host {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
		default:
			return false
		}
	}
	return !strings.Contains(strings.ToLower(host), "xn--")
}

// secretWords are names of form fields that ask for a credential.
var secretWords = []string{"password", "passwd", "passphrase", "secret", "apikey", "accesskey", "privatekey", "token", "credential", "pin", "cvv", "otp"}

func asksSecret(name string) bool {
	plain := strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	return slices.ContainsFunc(secretWords, func(w string) bool {
		if len(w) <= 3 {
			return plain == w
		}
		return strings.Contains(plain, w)
	})
}
