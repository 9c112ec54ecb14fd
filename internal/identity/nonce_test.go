package identity

import (
	"context"
	"crypto"
	"fmt"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// TestDPoPNonce: with nonces on, a proof is good with one of this process that
// is not old, once, and what a caller is told of a proof depends on its text
// alone.
func TestDPoPNonce(t *testing.T) {
	i := newIDP(t)
	made := 0
	n := &Nonces{Fresh: func() string { made++; return fmt.Sprint("nonce-", made) }}
	i.v.Foreign.DemandNonce(n)
	mine := p256(t)
	thumb, err := (&jose.JSONWebKey{Key: &mine.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	bound := token(head(nil), claims(map[string]any{"cnf": map[string]any{"jkt": b64.EncodeToString(thumb)}}), i.ec)
	show := func(nonce any, at time.Time) (string, error) {
		c := Credential{Token: bound, DPoP: true, Method: "POST", URL: "https://mcp.example.com/mcp"}
		c.Proof = proof(mine, nil, map[string]any{"nonce": nonce, "iat": at.Unix()}, bound)
		_, err := i.v.Verify(context.Background(), c, i.view, at)
		return c.Proof, err
	}
	first, lacks := n.Ask("not a proof", now)
	if first != "nonce-1" || !lacks {
		t.Errorf("asked for %q, lacks %v", first, lacks)
	}
	for name, c := range map[string]struct {
		nonce any
		after time.Duration
		good  bool
	}{
		"none": {nil, 0, false}, "empty": {"", 0, false}, "another": {"nonce-0", 0, false}, "a number": {1, 0, false}, "good": {first, 0, true},
		"still": {first, nonceLife - time.Second, true},
	} {
		p, err := show(c.nonce, now.Add(c.after))
		if _, lacks := n.Ask(p, now.Add(c.after)); (err == nil) != c.good || lacks == c.good {
			t.Errorf("%s: %v, lacks %v", name, err, lacks)
		}
	}
	// One turn later the old nonce is good beside the new one, two later it is not.
	if second, _ := n.Ask("", now.Add(nonceLife)); second != "nonce-2" {
		t.Errorf("the second is %q", second)
	}
	if _, err := show(first, now.Add(nonceLife)); err != nil {
		t.Errorf("the one before: %v", err)
	}
	if _, err := show(first, now.Add(2*nonceLife-time.Second)); err != nil {
		t.Errorf("the one before, at its end: %v", err)
	}
	if p, err := show(first, now.Add(2*nonceLife)); err == nil {
		t.Errorf("an old nonce is good: %s", p)
	}
	// After long silence, or when the clock is put back, nothing old counts.
	for _, at := range []time.Duration{24 * time.Hour, -time.Hour} {
		old, _ := n.Ask("", now.Add(nonceLife))
		if n.good(old, now.Add(at)) {
			t.Errorf("a nonce is good after %s", at)
		}
	}
}
