package issuer

import (
	"encoding/json"
	"net"
	"net/http"
)

// metadata is RFC 8414, with the extensions that MCP clients look for. It is
// made from configuration, never from the request.
func (i *Issuer) metadata(w http.ResponseWriter, _ *http.Request) {
	at := i.id()
	m := map[string]any{
		"issuer":                                           at,
		"authorization_endpoint":                           at + "/oauth/authorize",
		"token_endpoint":                                   at + "/oauth/token",
		"jwks_uri":                                         at + "/oauth/jwks",
		"revocation_endpoint":                              at + "/oauth/revoke",
		"device_authorization_endpoint":                    at + "/oauth/device_authorization",
		"scopes_supported":                                 i.cfg.Scopes,
		"response_types_supported":                         []string{"code"},
		"response_modes_supported":                         []string{"query"},
		"grant_types_supported":                            []string{grantCode, grantRefresh, grantClient, grantDevice},
		"token_endpoint_auth_methods_supported":            []string{"none", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": algorithmNames(),
		"revocation_endpoint_auth_methods_supported":       []string{"none", "private_key_jwt"},
		"code_challenge_methods_supported":                 []string{"S256"},
		"authorization_response_iss_parameter_supported":   true,
		"client_id_metadata_document_supported":            true,
		"subject_types_supported":                          []string{"public"},
		"id_token_signing_alg_values_supported":            []string{"ES256"},
	}
	if i.cfg.Register {
		m["registration_endpoint"] = at + "/oauth/register"
	}
	w.Header().Set("Cache-Control", "max-age=300")
	answer(w, http.StatusOK, m)
}

// jwks lists the public keys of access tokens.
func (i *Issuer) jwks(w http.ResponseWriter, _ *http.Request) {
	all, err := i.cfg.Ring.TokenKeys(i.now())
	if err != nil {
		i.broken(w, "list the keys of tokens", err)
		return
	}
	list := []map[string]string{}
	for _, k := range all {
		list = append(list, map[string]string{"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.ID, "x": k.X, "y": k.Y})
	}
	w.Header().Set("Cache-Control", "max-age=60")
	answer(w, http.StatusOK, map[string]any{"keys": list})
}

// answer sends v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("issuer: an answer that is not JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		return // the peer is gone
	}
}

// peer is the address that limits count by: an IPv6 network of 64 bits is one
// customer's.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}
