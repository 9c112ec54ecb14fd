package keys

import (
	"crypto/fips140"
	"strings"
	"testing"
	"time"
)

func TestPasswordMatchesItsOwnHashAlone(t *testing.T) {
	hash, err := HashPassword("correct horse battery")
	if err != nil || strings.Contains(hash, "horse") {
		t.Fatalf("hash %q, %v", hash, err)
	}
	if !MatchPassword(hash, "correct horse battery") {
		t.Error("the password does not match its hash")
	}
	for _, c := range []struct{ name, hash, password string }{
		{"another", hash, "correct horse batterz"}, {"empty", hash, ""}, {"too long", hash, strings.Repeat("a", MaxPassword+1)},
		{"no hash", "", "correct horse battery"}, {"nobody's", nobodysPassword, ""},
		{"fewer rounds", strings.Replace(hash, "$600000$", "$1$", 1), "correct horse battery"},
	} {
		if MatchPassword(c.hash, c.password) {
			t.Errorf("%s: matches", c.name)
		}
	}
	for _, p := range []string{"", strings.Repeat("a", MaxPassword+1)} {
		if _, err := HashPassword(p); err == nil {
			t.Errorf("%d bytes are taken as a password", len(p))
		}
	}
}

// TestTOTPVectors checks RFC 6238, appendix B, SHA-1, shortened to six digits.
func TestTOTPVectors(t *testing.T) {
	needTOTP(t)
	seed := []byte("12345678901234567890")
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471",
		1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		step, ok := MatchTOTP(seed, code, time.Unix(at, 0), 0)
		if !ok || step != at/30 {
			t.Errorf("%d: %d %t", at, step, ok)
		}
	}
}

func TestCodeCountsOnce(t *testing.T) {
	needTOTP(t)
	seed := []byte("12345678901234567890")
	now := time.Unix(59, 0)
	step, ok := MatchTOTP(seed, "287082", now, 0)
	if !ok {
		t.Fatal("the code is refused")
	}
	if _, ok := MatchTOTP(seed, "287082", now, step); ok {
		t.Error("a code counts twice")
	}
	for _, code := range []string{"", "28708", "2870820", "287083"} {
		if _, ok := MatchTOTP(seed, code, now, 0); ok {
			t.Errorf("%q is taken", code)
		}
	}
	if _, ok := MatchTOTP(seed, "287082", now.Add(2*time.Minute), 0); ok {
		t.Error("an old code is taken")
	}
}

// needTOTP ends the test in strict mode, which lacks the codes' hash: there
// every code is refused, and operators are told so.
func needTOTP(t *testing.T) {
	t.Helper()
	if !fips140.Enforced() {
		return
	}
	if _, ok := MatchTOTP(make([]byte, totpSeed), "000000", time.Unix(59, 0), 0); ok || HasTOTP() == nil {
		t.Error("strict mode accepts a code")
	}
	t.SkipNow()
}
