package keys

import "testing"

// TestPolicySignatures: a signature outlives a rotation, but not a compromise of
// its key, and holds for its text alone.
func TestPolicySignatures(t *testing.T) {
	r := newTestRing(t)
	text := []byte("version 1")
	first := r.SignPolicy(text)
	rotate(t, r, string(PolicySigning))
	second := r.SignPolicy(text)
	for _, r := range []*Ring{r, reopen(t, r)} {
		if !r.VerifyPolicy(text, first) || !r.VerifyPolicy(text, second) {
			t.Error("a signature ended with a rotation")
		}
		for name, wrong := range map[string][]byte{"none": nil, "short": first[:63], "other": make([]byte, 64)} {
			if r.VerifyPolicy(text, wrong) {
				t.Errorf("%s: verified", name)
			}
		}
		if r.VerifyPolicy([]byte("version 2"), first) {
			t.Error("a signature holds for another text")
		}
	}
	if _, err := r.Rotate(string(PolicySigning), RotateOptions{Compromised: true, now: epoch}); err != nil {
		t.Fatal(err)
	}
	if r = reopen(t, r); r.VerifyPolicy(text, second) || !r.VerifyPolicy(text, first) || !r.VerifyPolicy(text, r.SignPolicy(text)) {
		t.Error("what a compromised key signed counts, or something else does not")
	}
}

// TestPolicyKeyOfOlderKeystore: a keystore that knew no such key gets one and
// keeps it.
func TestPolicyKeyOfOlderKeystore(t *testing.T) {
	r := newTestRing(t)
	s := r.state.Load().clone()
	delete(s.keys, PolicySigning)
	if err := r.save(s); err != nil {
		t.Fatal(err)
	}
	r = reopen(t, r)
	sig := r.SignPolicy([]byte("x"))
	if again := reopen(t, r); !again.VerifyPolicy([]byte("x"), sig) {
		t.Error("the key that was made at a start is another one at the next")
	}
}
