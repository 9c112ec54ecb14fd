package keys

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
)

// rootFile holds the root key: an eight-byte header (magic "OSTROOT" and the
// format's version), 32 random bytes, and the SHA-256 of all before it. The
// checksum tells damage from a wrong key; it is no protection, and the file
// is exactly as secret as the key.
const (
	rootFile  = "root.key"
	rootMagic = "OSTROOT"
	rootHead  = rootMagic + "\x01"
	rootSize  = len(rootHead) + keySize + sha256.Size
)

// newRootKey makes the key that wraps the tenant's key. Its id is zero: there
// is one root key per keystore.
func newRootKey() *dek {
	d := &dek{}
	fillRandom(d.key[:])
	return d
}

func encodeRoot(root *dek) []byte {
	out := append([]byte(rootHead), root.key[:]...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

func readRoot(path string) (*dek, error) {
	data, err := readFile(path, int64(rootSize))
	if err != nil {
		return nil, err
	}
	root, err := decodeRoot(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return root, nil
}

// decodeRoot reads the file's form. A key of one repeated byte is refused as
// one that nobody drew at random (hostile case A24).
func decodeRoot(data []byte) (*dek, error) {
	if len(data) != rootSize || string(data[:len(rootMagic)]) != rootMagic {
		return nil, fmt.Errorf("%w: not a root key file", ErrDamaged)
	}
	if string(data[:len(rootHead)]) != rootHead {
		return nil, fmt.Errorf("%w: %d", ErrVersion, data[len(rootMagic)])
	}
	body := data[:rootSize-sha256.Size]
	sum := sha256.Sum256(body)
	if subtle.ConstantTimeCompare(sum[:], data[len(body):]) != 1 {
		return nil, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
	}
	root := &dek{}
	copy(root.key[:], body[len(rootHead):])
	if bytes.Count(root.key[:], root.key[:1]) == keySize {
		return nil, fmt.Errorf("%w: the key is not random", ErrDamaged)
	}
	return root, nil
}
