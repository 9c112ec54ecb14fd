package keys

import (
	"crypto/ed25519"
	"slices"
)

// SignPolicy signs the text of a policy version.
func (r *Ring) SignPolicy(text []byte) []byte {
	return ed25519.Sign(ed25519Of(r.state.Load().current(PolicySigning)), policyText(text))
}

// VerifyPolicy reports whether the gateway signed the text of a policy version,
// under its current key or an older one. What a compromised key signed does not
// count: whoever has the key could have signed it too.
func (r *Ring) VerifyPolicy(text, signature []byte) bool {
	s := r.state.Load()
	if ed25519.Verify(publicBytes(ed25519Of(s.current(PolicySigning))), policyText(text), signature) {
		return true
	}
	return slices.ContainsFunc(s.rotations, func(t Rotation) bool {
		return t.Purpose == string(PolicySigning) && !t.Compromised && len(t.OldPublic) == ed25519.PublicKeySize &&
			ed25519.Verify(t.OldPublic, policyText(text), signature)
	})
}

// policyText keeps a signature from meaning anything else.
func policyText(text []byte) []byte { return append([]byte("ostiary policy/v1\n"), text...) }
