package identity

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// Bounds of proofs (RFC 9449).
const (
	maxProof    = 8 << 10
	proofWindow = 5 * time.Minute // either way; a proof is remembered that long
	maxProofs   = 1 << 16         // remembered in each half of the window
)

var (
	errProof = errors.New("a proof of a key that is malformed, for something else, old, or used before")
	errNonce = errors.New("a proof of a key without the gateway's nonce")
)

// proofs remembers the ids of proofs, so that each is good once in this
// process. When there are too many, new ones are refused: none is forgotten
// while it could be used again.
type proofs struct {
	nonces *Nonces // nil: proofs need none

	mu    sync.Mutex
	since time.Time // of young
	young map[[sha256.Size]byte]bool
	old   map[[sha256.Size]byte]bool
}

func newProofs() *proofs { return &proofs{young: map[[sha256.Size]byte]bool{}} }

// proofAlgorithms are those of proofs: asymmetric ones.
var proofAlgorithms = []string{"ES256", "ES384", "EdDSA", "PS256", "RS256"}

// ProofAlgorithms returns them, for the metadata of our resources (RFC 9728).
func ProofAlgorithms() []string { return slices.Clone(proofAlgorithms) }

// check verifies the proof beside c's token: it is by the key whose thumbprint
// is jkt, for this request, this token and about now, and new (TestDPoP).
func (p *proofs) check(c Credential, jkt string, now time.Time) error {
	if len(c.Proof) > maxProof {
		return errProof
	}
	parts, err := readJWT(c.Proof)
	if err != nil {
		return errProof
	}
	alg, _ := parts.header.Get("alg").Text()
	typ, _ := parts.header.Get("typ").Text()
	if typ != "dpop+jwt" || !slices.Contains(proofAlgorithms, alg) || parts.header.Get("crit").Exists() {
		return errProof
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(parts.header.Get("jwk").Raw()); err != nil || !key.Valid() || !key.IsPublic() || !fits(key.Key, alg) {
		return errProof
	}
	if holdsPrivate(parts.header.Get("jwk").Raw()) {
		return errProof
	}
	thumb, err := key.Thumbprint(crypto.SHA256)
	if err != nil || base64.RawURLEncoding.EncodeToString(thumb) != jkt {
		return errProof
	}
	jws, err := jose.ParseSignedCompact(c.Proof, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return errProof
	}
	if got, err := jws.Verify(key.Key); err != nil || string(got) != string(parts.payload) {
		return errProof
	}
	sum := sha256.Sum256([]byte(c.Token))
	htm, _ := parts.claims.Get("htm").Text()
	htu, _ := parts.claims.Get("htu").Text()
	ath, _ := parts.claims.Get("ath").Text()
	jti, _ := parts.claims.Get("jti").Text()
	iat, ok := whole(parts.claims.Get("iat"))
	if nonce, _ := parts.claims.Get("nonce").Text(); p.nonces != nil && !p.nonces.good(nonce, now) {
		return errNonce
	}
	age := now.Unix() - iat
	if htm != c.Method || !sameURL(htu, c.URL) || ath != base64.RawURLEncoding.EncodeToString(sum[:]) || jti == "" || len(jti) > 256 ||
		!ok || age > int64(proofWindow/time.Second) || -age > int64(JWTLeeway/time.Second) {
		return errProof
	}
	return p.once(jkt+" "+jti, now)
}

// holdsPrivate reports whether a key shows its private half.
func holdsPrivate(raw []byte) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(raw, &members) != nil || members["d"] != nil || members["k"] != nil
}

// sameURL compares a proof's URL, without query and fragment, with ours.
func sameURL(theirs, ours string) bool {
	if i := strings.IndexAny(theirs, "?#"); i >= 0 {
		theirs = theirs[:i]
	}
	return ours != "" && theirs == ours
}

// once refuses what it has seen.
func (p *proofs) once(id string, now time.Time) error {
	sum := sha256.Sum256([]byte(id))
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.since); age > proofWindow+JWTLeeway || age < 0 {
		p.old, p.young, p.since = p.young, map[[sha256.Size]byte]bool{}, now
	}
	if p.young[sum] || p.old[sum] || len(p.young) >= maxProofs {
		return errProof
	}
	p.young[sum] = true
	return nil
}
