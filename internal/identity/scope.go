package identity

import (
	"slices"
	"strings"
)

// Scopes of tokens: the accesses. A broader one implies the narrower ones.
const (
	ScopeRead   = "mcp:read"
	ScopeWrite  = "mcp:write"
	ScopeModify = "mcp:modify"
)

// ladder is the scopes from the narrowest to the broadest.
func ladder() []string { return []string{ScopeRead, ScopeWrite, ScopeModify} }

// Reaches reports whether scopes, separated by spaces, reach an access: read,
// write or modify. "" is not limited by scopes; an access that is not known
// needs the broadest.
func Reaches(scopes, access string) bool {
	if scopes == "" {
		return true
	}
	all := ladder()
	need := slices.Index(all, "mcp:"+access)
	if need < 0 {
		need = len(all) - 1
	}
	for _, s := range strings.Fields(scopes) {
		if at := slices.Index(all, s); at >= need {
			return true
		}
	}
	return false
}

// ScopesFor returns the scopes that an access needs, all of them: a client may
// replace what it had by what it is told.
func ScopesFor(access string) string {
	all := ladder()
	if at := slices.Index(all, "mcp:"+access); at >= 0 {
		all = all[:at+1]
	}
	return strings.Join(all, " ")
}
