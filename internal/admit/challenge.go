package admit

import (
	"strconv"
	"time"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/identity"
)

// stepUp is what a challenge says of the login that a call needs (RFC 9470).
var stepUp = `acr_values="` + identity.StepUpACR() + `", max_age="` + strconv.Itoa(int(identity.StepUpAge/time.Second)) + `", `

// challenge says how to authenticate (RFC 6750 3, RFC 9728 5.1). It depends on
// the endpoint's path and on whether there was a credential, never on what was
// wrong with it or on whether there is such a server.
func (f *face) challenge(x *exchange.Exchange) string {
	c := `Bearer realm="ostiary"`
	if f.door.cfg.Challenge == nil {
		return c
	}
	if x.Fault != nil && x.Fault.Kind == fault.ScopeMissing {
		return c + `, error="insufficient_scope", ` + f.door.cfg.Challenge(x.Endpoint, string(x.Decision.Need))
	}
	if x.Fault != nil && x.Fault.Kind == fault.StepUpRequired { // RFC 9470
		return c + `, error="insufficient_user_authentication", ` + stepUp + f.door.cfg.Challenge(x.Endpoint, string(x.Decision.Need))
	}
	if f.r.Header.Count("Authorization") > 0 {
		c += `, error="invalid_token"`
	}
	return c + ", " + f.door.cfg.Challenge(x.Endpoint, "")
}
