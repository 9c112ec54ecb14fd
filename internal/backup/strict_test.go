package backup

import (
	"crypto/fips140"
	"errors"
	"testing"
)

// TestStrictModeIsRefusedByName runs in both builds: age has no place in FIPS
// 140-3 strict mode, and a backup there must say so instead of failing within.
func TestStrictModeIsRefusedByName(t *testing.T) {
	const anybody = "age1n3flxaqhfdea2xjtq3jzysp6g59764xsy3tgm9qhnwtfl30w0g5s5knt4q"
	var want error
	if fips140.Enforced() {
		want = ErrStrict
	}
	if err := (Locks{Recipients: []string{anybody}}).Check(); !errors.Is(err, want) {
		t.Errorf("recipients: %v, want %v", err, want)
	}
	if err := (Locks{Passphrase: []byte("long enough for anybody")}).Check(); !errors.Is(err, want) {
		t.Errorf("a passphrase: %v, want %v", err, want)
	}
	if err := CheckRecipient(anybody); err != nil {
		t.Errorf("a configuration with recipients cannot be read: %v", err)
	}
	if fips140.Enforced() {
		if _, err := (Keyring{Identities: []byte("x")}).parse(); !errors.Is(err, ErrStrict) {
			t.Errorf("reading: %v", err)
		}
	}
}
