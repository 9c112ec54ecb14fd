package kms

import (
	"bytes"
	"context"
	"net"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// The providers of root keys that this package knows by name.
const (
	ProviderVault  = "vault"
	ProviderAWS    = "aws-kms"
	ProviderGCP    = "gcp-kms"
	ProviderPKCS11 = "pkcs11"
)

// maxKey is the longest key that is wrapped, bytes; maxWrapped is the longest
// wrapped form that is read back.
const (
	maxKey     = 1 << 10
	maxWrapped = 16 << 10
)

// Root is a root key. It is safe for concurrent use. aad is bound to what is
// wrapped: another aad does not open it.
type Root interface {
	// ID names the key and where it lies. It holds no secret.
	ID() string
	// Wrap encrypts plain, at most 1 KiB.
	Wrap(ctx context.Context, aad, plain []byte) ([]byte, error)
	// Unwrap opens what Wrap made, or returns ErrWrapped.
	Unwrap(ctx context.Context, aad, wrapped []byte) ([]byte, error)
	// Rewrap moves wrapped to the newest version of the key, without
	// showing it to this process where the service can do that. Nothing
	// has opened the result yet: the caller does before it forgets wrapped.
	Rewrap(ctx context.Context, aad, wrapped []byte) ([]byte, error)
	// Destroy destroys every version of the key and says from when on
	// nobody can bring it back.
	Destroy(ctx context.Context) (effective time.Time, err error)
	// Check says whether the key can be used now.
	Check(ctx context.Context) error
	// Close gives back what Open took.
	Close() error
}

// Means is what a provider works with. It reaches nothing else.
type Means struct {
	// Dial is the guarded dialler.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Secret resolves a reference. It is asked for each use, so that a
	// credential that another program renews is read anew.
	Secret func(ref string) ([]byte, error)
	Clock  clock.Clock
	// Pause waits before an attempt is repeated; nil waits on a timer.
	Pause func(ctx context.Context, d time.Duration) error
}

// Config names one root key. Values that are secret are references.
type Config struct {
	Provider string
	Vault    Vault
	AWS      AWS
	GCP      GCP
	PKCS11   PKCS11
}

// AWS is a symmetric key of AWS KMS.
type AWS struct {
	KeyARN    string // arn:aws:kms:REGION:ACCOUNT:key/ID
	Region    string // where the ARN does not say
	AccessKey string // reference
	SecretKey string // reference
	Session   string // reference to a session token; "" = none
	Endpoint  string // https URL of a private endpoint; "" = the region's
	CA        string // reference to PEM authorities of that endpoint; "" = the system's
	Days      int    // pending window of Destroy; 0 = 30
}

// GCP is a symmetric key of Google Cloud KMS.
type GCP struct {
	Key         string // projects/P/locations/L/keyRings/R/cryptoKeys/K
	Credentials string // reference to a service account's JSON key
	Endpoint    string // https URL of a private endpoint; "" = Google's
	CA          string // reference to PEM authorities of that endpoint; "" = the system's
}

// PKCS11 is an AES key in a PKCS#11 token.
type PKCS11 struct {
	Module string // path of the module's library
	Token  string // label of the token
	Label  string // label of the key
	PIN    string // reference
}

// Open prepares the root key of c. It checks the form of c and opens no
// connection; Check does.
func Open(c Config, m Means) (Root, error) {
	root, err := open(c, m)
	if err != nil {
		return nil, err
	}
	return careful{root}, nil
}

// Absent says by name why this build cannot reach the provider's root keys, or
// returns nil. It is asked when a configuration is read, too.
func Absent(provider string) error {
	switch {
	case (provider == ProviderAWS || provider == ProviderGCP) && !cloudBuilt:
		return why(ErrBuild, "provider %s is in the build with the tag ostiary_cloudkms (make cloudkms)", provider)
	case provider == ProviderPKCS11 && !pkcs11Built:
		return why(ErrBuild, "provider %s is in the build with the tag ostiary_pkcs11 (make pkcs11)", provider)
	}
	return nil
}

func open(c Config, m Means) (Root, error) {
	switch c.Provider {
	case ProviderVault:
		return openVault(c.Vault, m)
	case ProviderAWS:
		return openAWS(c.AWS, m)
	case ProviderGCP:
		return openGCP(c.GCP, m)
	case ProviderPKCS11:
		return openPKCS11(c.PKCS11, m)
	}
	return nil, why(ErrConfig, "there is no provider %q", c.Provider)
}

// careful opens what was wrapped before it is relied on. A credential that may
// encrypt but not decrypt, or a service that answers with something else,
// would otherwise be noticed at the next start, when every other copy of the
// key is gone (TestWhatCannotBeOpenedIsNotKept).
type careful struct{ Root }

func (c careful) Wrap(ctx context.Context, aad, plain []byte) ([]byte, error) {
	if len(plain) == 0 || len(plain) > maxKey {
		return nil, why(ErrConfig, "a key of %d bytes is not wrapped", len(plain))
	}
	wrapped, err := c.Root.Wrap(ctx, aad, plain)
	if err != nil {
		return nil, err
	}
	return wrapped, c.opens(ctx, aad, wrapped, plain)
}

func (c careful) opens(ctx context.Context, aad, wrapped, plain []byte) error {
	back, err := c.Unwrap(ctx, aad, wrapped)
	if err != nil {
		return err
	}
	defer clear(back)
	if !bytes.Equal(back, plain) {
		return why(ErrAnswer, "what it wrapped opens as something else")
	}
	return nil
}

func (c careful) Unwrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	if len(wrapped) == 0 || len(wrapped) > maxWrapped {
		return nil, why(ErrWrapped, "its length of %d bytes cannot be right", len(wrapped))
	}
	plain, err := c.Root.Unwrap(ctx, aad, wrapped)
	if err == nil && (len(plain) == 0 || len(plain) > maxKey) {
		clear(plain)
		return nil, why(ErrAnswer, "a key of %d bytes came back", len(plain))
	}
	return plain, err
}

func (c careful) Rewrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	if len(wrapped) == 0 || len(wrapped) > maxWrapped {
		return nil, why(ErrWrapped, "its length of %d bytes cannot be right", len(wrapped))
	}
	return c.Root.Rewrap(ctx, aad, wrapped)
}

// Check wraps and opens a value that is worth nothing.
func (c careful) Check(ctx context.Context) error {
	if err := c.Root.Check(ctx); err != nil {
		return err
	}
	_, err := c.Wrap(ctx, []byte("ostiary root key check"), []byte("a value that is worth nothing..."))
	return err
}
