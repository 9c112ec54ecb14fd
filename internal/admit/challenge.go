package admit

import (
	"strconv"
	"strings"
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
	c, cause := `Bearer realm="ostiary"`, "invalid_token"
	if f.byProof() {
		c = `DPoP realm="ostiary", algs="` + strings.Join(identity.ProofAlgorithms(), " ") + `"`
		if _, lacks := f.nonce(); lacks {
			cause = "use_dpop_nonce"
		}
	}
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
		c += `, error="` + cause + `"`
	}
	return c + ", " + f.door.cfg.Challenge(x.Endpoint, "")
}

// byProof reports whether the caller came with the scheme DPoP, and is to be
// challenged for the same (RFC 9449 section 7.1).
func (f *face) byProof() bool {
	value, _ := f.r.Header.Get("Authorization")
	scheme, _, _ := strings.Cut(value, " ")
	return strings.EqualFold(scheme, "DPoP")
}

// nonce returns what the caller's next proof must repeat, "" when it needs
// nothing, and whether the last one lacks it. It is the same whatever else is
// wrong with the request.
func (f *face) nonce() (nonce string, lacks bool) {
	if f.door.cfg.Nonce == nil || !f.byProof() {
		return "", false
	}
	proof, _ := f.r.Header.Get("DPoP")
	return f.door.cfg.Nonce(proof)
}
