package identity

import (
	"crypto/x509"
	"errors"
	"strings"

	"ostiary.dev/ostiary/internal/keys"
)

// Errors of names in certificates.
var (
	errSANCount = errors.New("the certificate does not have exactly one URI name")
	errSANForm  = errors.New("the certificate does not name a client of this gateway")
)

// maxSPIFFE is the longest SPIFFE id, in bytes, that the standard allows.
const maxSPIFFE = 2048

// AgentOf returns the agent that a leaf names: its only URI name is
// spiffe://DOMAIN/tenant/default/client/AGENT. Several URI names are refused,
// because another verifier could pick another one (hostile case T02).
func AgentOf(leaf *x509.Certificate, domain string) (string, error) {
	return ComponentOf(leaf, domain, Client)
}

// ComponentOf is AgentOf for components of another kind.
func ComponentOf(leaf *x509.Certificate, domain, want string) (string, error) {
	if len(leaf.URIs) != 1 {
		return "", errSANCount
	}
	kind, id, err := ParseID(leaf.URIs[0].String(), domain)
	if err != nil {
		return "", err
	}
	if kind != want {
		return "", errSANForm
	}
	return id, nil
}

// ParseID splits spiffe://DOMAIN/tenant/default/KIND/ID, byte for byte: no
// other case, escape, port, query or fragment. KIND is client, server, gateway
// or person; ID consists of lower-case letters, digits and hyphens.
func ParseID(uri, domain string) (kind, id string, err error) {
	if len(uri) > maxSPIFFE {
		return "", "", errSANForm
	}
	rest, ok := strings.CutPrefix(uri, "spiffe://"+domain+"/tenant/"+keys.DefaultTenant+"/")
	if !ok {
		return "", "", errSANForm
	}
	kind, id, ok = strings.Cut(rest, "/")
	if !ok || id == "" {
		return "", "", errSANForm
	}
	switch kind {
	case Client, "server", "gateway", "person":
	default:
		return "", "", errSANForm
	}
	for i := range len(id) {
		if c := id[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return "", "", errSANForm
		}
	}
	return kind, id, nil
}
