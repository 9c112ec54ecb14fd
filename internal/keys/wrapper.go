package keys

import (
	"context"
	"time"
)

// Wrapper is a root key that stays where it is: a KMS, a hardware module. It
// wraps the tenant's key and nothing else; aad is what the result is bound to.
type Wrapper interface {
	// ID names the key, such as "vault:transit/ostiary". It is written into the
	// keystore in clear and holds no secret.
	ID() string
	Wrap(ctx context.Context, aad, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, aad, wrapped []byte) ([]byte, error)
	// Rewrap moves wrapped to the newest version of the key.
	Rewrap(ctx context.Context, aad, wrapped []byte) ([]byte, error)
	// Destroy destroys the key and says from when on it is gone: a cloud
	// provider keeps a destroyed key for days.
	Destroy(ctx context.Context) (effective time.Time, err error)
}

// Options say how the root key is reached. The zero value is the plain key
// file keys/root.key.
type Options struct {
	Wrapper    Wrapper // a root key outside; nil is the file
	Passphrase []byte  // of a root key that is sealed with one
}
