package keys

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// save seals a signer into a file: the certificate's length in four bytes, the
// certificate, the PKCS #8 key. The root's key may be missing. What the file
// held before is overwritten.
func (c *CA) save(name string, s *signer) error {
	plain := binary.BigEndian.AppendUint32(nil, uint32(len(s.cert.Raw)))
	plain = append(plain, s.cert.Raw...)
	if s.key != nil {
		key, err := x509.MarshalPKCS8PrivateKey(s.key)
		if err != nil {
			return fmt.Errorf("save %s: %w", name, err)
		}
		plain = append(plain, key...)
	}
	return c.seal(name, plain)
}

func (c *CA) seal(name string, plain []byte) error {
	record, err := c.key.seal(caIdentity(name), plain)
	if err != nil {
		return fmt.Errorf("save %s: %w", name, err)
	}
	return rewriteFile(filepath.Join(c.folder, name), record)
}

// reseal writes every file anew under the current key.
func (c *CA) reseal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{caRootFile, caIssuerFile, caListenerFile, ForAgents.waiting(), ForListeners.waiting()} {
		plain, err := c.open(name)
		if errors.Is(err, fs.ErrNotExist) && name != caRootFile && name != caIssuerFile {
			continue
		}
		if err != nil {
			return err
		}
		if err := c.seal(name, plain); err != nil {
			return err
		}
	}
	return nil
}

// open returns what seal wrote.
func (c *CA) open(name string) ([]byte, error) {
	path := filepath.Join(c.folder, name)
	record, err := readFile(path, caFileLimit)
	if err != nil {
		return nil, err
	}
	plain, err := c.key.open(caIdentity(name), record)
	if err != nil {
		return nil, fmt.Errorf("%s %w: it does not open under the gateway's key", path, ErrDamaged)
	}
	return plain, nil
}

// load opens what save wrote.
func (c *CA) load(name string) (*signer, error) {
	plain, err := c.open(name)
	if err != nil {
		return nil, err
	}
	s, err := parseSigner(plain)
	if err != nil {
		return nil, fmt.Errorf("%s %w: %v", filepath.Join(c.folder, name), ErrDamaged, err)
	}
	return s, nil
}

// parseSigner reads a certificate and its key; without a key, it has nil.
func parseSigner(plain []byte) (*signer, error) {
	if len(plain) < 4 {
		return nil, errors.New("cut short")
	}
	n := int64(binary.BigEndian.Uint32(plain))
	if n > int64(len(plain)-4) {
		return nil, errors.New("cut short")
	}
	cert, err := x509.ParseCertificate(plain[4 : 4+n])
	if err != nil {
		return nil, err
	}
	if len(plain[4+n:]) == 0 {
		return &signer{cert: cert}, nil
	}
	key, err := parseKey(plain[4+n:])
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("key and certificate do not belong together")
	}
	return &signer{cert: cert, key: key}, nil
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("it is not an ECDSA key")
	}
	return private, nil
}

func caIdentity(name string) Identity {
	return Identity{Tenant: DefaultTenant, Kind: "authority", Record: name, Column: "key", Version: "1"}
}
