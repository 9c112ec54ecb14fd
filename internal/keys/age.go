package keys

import (
	"bytes"
	"cmp"
	"crypto/fips140"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// Files that age (age-encryption.org/v1) seals. Both hold what root.key holds.
const (
	rootAgeFile      = "root.age"      // to a passphrase
	rootRecoveryFile = "root.recovery" // to a recovery recipient
	ageLimit         = 16 << 10
)

// minPassphrase is the least length of a new passphrase, in bytes. scrypt makes
// a guess cost a second, which is no help against a short one.
const minPassphrase = 12

// scryptFactor is the cost of a guess, as a power of two: a second and 256 MiB
// at 18. maxScrypt bounds what a changed file can make us spend.
const (
	scryptFactor = 18
	maxScrypt    = 20
)

// ErrFIPS says that the strict FIPS build lacks what was asked for.
var ErrFIPS = errors.New("is not available in strict FIPS mode")

// strict refuses age where only FIPS 140-3 algorithms may be used: scrypt,
// ChaCha20-Poly1305 and X25519 without ML-KEM are not among them.
func strict(what string) error {
	if fips140.Enforced() {
		return fmt.Errorf("%s %w: age uses scrypt and ChaCha20-Poly1305; use a key file or a KMS", what, ErrFIPS)
	}
	return nil
}

// sealRootAge seals the bytes of a root key file with a passphrase.
func sealRootAge(plain []byte, o Options) ([]byte, error) {
	if err := strict("a root key sealed with a passphrase"); err != nil {
		return nil, err
	}
	phrase, err := askFor(o.Passphrase)
	if err != nil {
		return nil, err
	}
	if len(phrase) < minPassphrase {
		return nil, fmt.Errorf("seal the root key: the passphrase is shorter than %d bytes", minPassphrase)
	}
	to, err := age.NewScryptRecipient(string(phrase))
	if err != nil {
		return nil, fmt.Errorf("seal the root key: %w", err)
	}
	to.SetWorkFactor(cmp.Or(o.factor, scryptFactor))
	return encryptAge(plain, to)
}

func askFor(ask func() ([]byte, error)) ([]byte, error) {
	if ask == nil {
		return nil, fmt.Errorf("%w: none was given; set keys.root.passphrase to env:NAME or file:PATH", ErrPassphrase)
	}
	phrase, err := ask()
	if err != nil {
		return nil, fmt.Errorf("read the passphrase of the root key: %w", err)
	}
	// A file ends with a line break that nobody means.
	phrase = bytes.TrimRight(phrase, "\r\n")
	if len(phrase) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrPassphrase)
	}
	return phrase, nil
}

// readRootAge opens a root key that is sealed with a passphrase.
func readRootAge(path string, ask func() ([]byte, error)) (*dek, error) {
	data, err := readFile(path, ageLimit)
	if err != nil {
		return nil, err
	}
	if err := strict("the root key " + path); err != nil {
		return nil, err
	}
	phrase, err := askFor(ask)
	if err != nil {
		return nil, err
	}
	with, err := age.NewScryptIdentity(string(phrase))
	if err != nil {
		return nil, fmt.Errorf("open the root key: %w", err)
	}
	with.SetMaxWorkFactor(maxScrypt)
	return decryptRoot(path, data, with, ErrPassphrase)
}

// decryptRoot opens an age file that holds a root key. wrong is the error for
// one that is sealed to somebody else.
func decryptRoot(path string, data []byte, with age.Identity, wrong error) (*dek, error) {
	var foreign *age.NoIdentityMatchError
	r, err := age.Decrypt(bytes.NewReader(data), with)
	if errors.As(err, &foreign) {
		return nil, fmt.Errorf("%s: %w", path, wrong)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w: %v", path, ErrDamaged, err)
	}
	plain, err := io.ReadAll(io.LimitReader(r, int64(rootSize)+1))
	if err != nil {
		return nil, fmt.Errorf("%s %w: %v", path, ErrDamaged, err)
	}
	key, err := decodeRoot(plain)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return key, nil
}

func encryptAge(plain []byte, to ...age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("seal with age: %w", err)
	}
	return out.Bytes(), nil
}

// NewRecovery makes an age identity for recovery. Whoever has the identity and
// a copy of keys/root.recovery has the root key; it is shown once.
func NewRecovery() (identity, recipient string, err error) {
	if err := strict("an age recovery identity"); err != nil {
		return "", "", err
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", fmt.Errorf("make a recovery identity: %w", err)
	}
	return id.String(), id.Recipient().String(), nil
}

// ErrRecovery says that an age identity does not open keys/root.recovery.
var ErrRecovery = errors.New("the identity does not open the recovery file")

// ParseRecovery checks that text is one age recipient.
func ParseRecovery(text string) error {
	_, err := recipient(text)
	return err
}

func recipient(text string) (age.Recipient, error) {
	if err := strict("an age recovery recipient"); err != nil {
		return nil, err
	}
	to, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(to) != 1 {
		return nil, fmt.Errorf("%.80q is not one age recipient (age1...)", text)
	}
	return to[0], nil
}

// writeRecovery seals the root key to the recipient.
func writeRecovery(folder string, key *dek, to string) error {
	r, err := recipient(to)
	if err != nil {
		return err
	}
	data, err := encryptAge(encodeRoot(key), r)
	if err != nil {
		return err
	}
	return rewriteFile(filepath.Join(folder, rootRecoveryFile), data)
}

// openRecovery opens the root key in keys/root.recovery with the identities in
// text, which has the form of an age identity file.
func openRecovery(folder string, text []byte) (*dek, error) {
	if err := strict("recovery with age"); err != nil {
		return nil, err
	}
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%w: it is not an age identity", ErrRecovery)
	}
	path := filepath.Join(folder, rootRecoveryFile)
	data, err := readFile(path, ageLimit)
	if err != nil {
		return nil, err
	}
	var key *dek
	for _, id := range ids {
		if key, err = decryptRoot(path, data, id, ErrRecovery); !errors.Is(err, ErrRecovery) {
			break
		}
	}
	return key, err
}
