package identity

import (
	"sync"
	"time"
)

// nonceLife is how long one nonce is given out. The one before is good as long
// again, so that a proof that was on its way is not refused.
const nonceLife = 5 * time.Minute

// Nonces are what proofs of keys must repeat (RFC 9449 section 9). They are made
// at random in this process and live in its memory alone: a proof that was made
// in advance, that another gateway over the same store has seen, or that this
// one saw before it was started anew, is worth nothing here (TestDPoPNonce).
type Nonces struct {
	// Fresh returns a new unguessable text.
	Fresh func() string

	mu          sync.Mutex
	now, before string
	since       time.Time // when now began
}

// current returns the nonce for new proofs.
func (n *Nonces) current(at time.Time) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.turn(at)
	return n.now
}

// good reports whether a proof that is shown now may have the nonce.
func (n *Nonces) good(nonce string, at time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.turn(at)
	return nonce != "" && (nonce == n.now || nonce == n.before)
}

// turn takes the next nonce when it is time. The caller holds mu.
func (n *Nonces) turn(at time.Time) {
	age := at.Sub(n.since)
	if n.now != "" && age >= 0 && age < nonceLife {
		return
	}
	n.before = ""
	if age >= 0 && age < 2*nonceLife {
		n.before = n.now
	}
	n.now, n.since = n.Fresh(), at
}

// Ask returns the nonce for new proofs, and whether a proof lacks it. It looks
// at the proof's own text alone, so that the answer tells nothing of the token
// or of whose key it is.
func (n *Nonces) Ask(proof string, at time.Time) (nonce string, lacks bool) {
	if len(proof) <= maxProof {
		if p, err := readJWT(proof); err == nil {
			text, _ := p.claims.Get("nonce").Text()
			return n.current(at), !n.good(text, at)
		}
	}
	return n.current(at), true
}
