package backup

import (
	"crypto/fips140"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Locks are who may open an archive: age recipients, or one passphrase. It
// prints as a marker.
type Locks struct {
	Recipients []string // age1..., X25519 or hybrid
	Passphrase []byte
}

// String hides the passphrase.
func (Locks) String() string { return "[locks]" }

// GoString hides the passphrase.
func (Locks) GoString() string { return "[locks]" }

// minPassphrase is the fewest bytes of a passphrase: an archive can be tried
// offline for as long as it exists.
const minPassphrase = 12

// workFactor is scrypt's log2 N, about a second of work. A reader refuses more
// than maxWorkFactor, with which a forged file would use up the machine.
const (
	workFactor    = 18
	maxWorkFactor = 20
)

// parse returns what age understands.
func (l Locks) parse() ([]age.Recipient, error) {
	if fips140.Enforced() {
		return nil, ErrStrict
	}
	if len(l.Passphrase) > 0 {
		if len(l.Recipients) > 0 {
			return nil, errors.New("recipients and a passphrase exclude each other")
		}
		if len(l.Passphrase) < minPassphrase {
			return nil, fmt.Errorf("the passphrase is shorter than %d bytes", minPassphrase)
		}
		r, err := age.NewScryptRecipient(string(l.Passphrase))
		if err != nil {
			return nil, err
		}
		r.SetWorkFactor(workFactor)
		return []age.Recipient{r}, nil
	}
	var all []age.Recipient
	for _, text := range l.Recipients {
		r, err := recipient(text)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, errors.New("there is no recipient")
	}
	return all, nil
}

// Check says whether somebody could open what is encrypted so.
func (l Locks) Check() error {
	_, err := l.parse()
	return err
}

// CheckRecipient says whether text is one age recipient.
func CheckRecipient(text string) error {
	_, err := recipient(text)
	return err
}

// recipient parses one recipient. The error does not repeat the text: it
// may be an identity in the wrong place.
func recipient(text string) (age.Recipient, error) {
	all, err := age.ParseRecipients(strings.NewReader(text))
	if err != nil || len(all) != 1 || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("is no age recipient; it begins with age1, and age-keygen prints it as the public key")
	}
	return all[0], nil
}

// Keyring opens archives: age identities, a file with one a line, or a
// passphrase. It prints as a marker.
type Keyring struct {
	Identities []byte
	Passphrase []byte
}

// String hides the identities.
func (Keyring) String() string { return "[identities]" }

// GoString hides the identities.
func (Keyring) GoString() string { return "[identities]" }

func (k Keyring) parse() ([]age.Identity, error) {
	if fips140.Enforced() {
		return nil, ErrStrict
	}
	if len(k.Passphrase) > 0 {
		id, err := age.NewScryptIdentity(string(k.Passphrase))
		if err != nil {
			return nil, err
		}
		id.SetMaxWorkFactor(maxWorkFactor)
		return []age.Identity{id}, nil
	}
	ids, err := age.ParseIdentities(strings.NewReader(string(k.Identities)))
	if err != nil {
		return nil, errors.New("the file holds no age identity (AGE-SECRET-KEY-1...)")
	}
	return ids, nil
}

// open returns the archive inside an age file.
func (k Keyring) open(r io.Reader) (io.Reader, error) {
	ids, err := k.parse()
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(r, ids...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, ErrIdentity
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	return plain, nil
}
