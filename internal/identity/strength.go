package identity

import (
	"strconv"
	"strings"
	"time"
)

// What a stepped-up login is: at least two factors, at most StepUpAge ago.
const (
	StepUp    = TwoStep
	StepUpAge = 15 * time.Minute
)

// StepUpACR returns the acr of every strength that a step-up may end with, for
// a challenge (RFC 9470): by these very names tokens say how it ended.
func StepUpACR() string { return StepUp.ACR() + " " + Passkey.ACR() }

// acrPrefix begins the acr claim of our own tokens; the number of the Strength
// follows.
const acrPrefix = "urn:ostiary:strength:"

// ACR returns the strength as the acr claim of a token of the built-in issuer.
func (s Strength) ACR() string { return acrPrefix + strconv.Itoa(int(s)) }

// StrengthOf returns the strength in an acr claim of the built-in issuer; what
// is not one says nothing, and counts as the weakest.
func StrengthOf(acr string) Strength {
	rest, ok := strings.CutPrefix(acr, acrPrefix)
	if n, err := strconv.Atoi(rest); ok && err == nil && Strength(n) >= Bearer && Strength(n) <= Passkey {
		return Strength(n)
	}
	return Bearer
}
