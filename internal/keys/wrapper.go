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

// The providers of root keys that the keystore knows.
const (
	ProviderFile       = "file"       // keys/root.key
	ProviderPassphrase = "passphrase" // keys/root.age, sealed with a passphrase
	ProviderExternal   = "external"   // a Wrapper
)

// Options say how the root key is reached. The zero value takes the plain key
// file keys/root.key, for a new gateway too.
type Options struct {
	Context    context.Context        // of calls to Wrapper; nil: the background
	Wrapper    Wrapper                // a root key outside
	Passphrase func() ([]byte, error) // asked when the root key is sealed with one

	// Provider refuses a keystore whose root key is another provider's, so that
	// nobody takes keys in a file for keys in a KMS. "" takes what is there.
	Provider string

	// Recovery is an age recipient (age1...). A new gateway's root key is sealed
	// to it too, in keys/root.recovery. Only Create reads it.
	Recovery string

	// Domain is the trust domain of a new gateway's certificates; "" is
	// TrustDomain. Only Create reads it.
	Domain string

	// ReadOnly changes no file: an old format stays as it is, unfinished
	// changes stay unfinished, and no key or subject can be made. It is for a
	// second process beside the one that holds the data directory.
	ReadOnly bool

	factor int // scrypt's, when it is not scryptFactor: tests need not wait
}

func (o Options) context() context.Context {
	if o.Context == nil {
		return context.Background()
	}
	return o.Context
}
