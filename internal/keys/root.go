package keys

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// ErrProvider says that the root key is somewhere else than was asked for.
var ErrProvider = errors.New("has its root key elsewhere")

// ErrPassphrase says that the passphrase is missing or not the right one.
var ErrPassphrase = errors.New("the passphrase does not open the root key")

// rootNext is appended to the name of a root key's file while it replaces the
// one of the same name.
const rootNext = ".next"

// root is an opened root key.
type root interface {
	provider() string
	id() string
	wrap(ctx context.Context, tenant *dek) ([]byte, error)
	unwrap(ctx context.Context, keyID string, wrapped []byte) (*dek, error)
}

// local is a root key of ours: its bytes are in a file, in clear or sealed
// with a passphrase.
type local struct {
	kind string
	key  *dek
	from string // the file that it was read from
}

func (l local) provider() string { return l.kind }

// id is a fingerprint that tells root keys apart without showing them.
func (l local) id() string { return hex.EncodeToString(l.key.mac("root-id", nil)[:8]) }

func (l local) wrap(_ context.Context, tenant *dek) ([]byte, error) {
	return wrap(l.key, tenantPurpose, tenant)
}

func (l local) unwrap(_ context.Context, keyID string, wrapped []byte) (*dek, error) {
	return unwrap(l.key, tenantPurpose, keyID, wrapped)
}

// external is a root key that a Wrapper holds.
type external struct{ w Wrapper }

func (e external) provider() string { return ProviderExternal }
func (e external) id() string       { return e.w.ID() }

func (e external) wrap(ctx context.Context, tenant *dek) ([]byte, error) {
	aad, err := keyIdentity(tenantPurpose, tenant.hexID()).tuple()
	if err != nil {
		return nil, err
	}
	out, err := e.w.Wrap(ctx, aad, tenant.key[:])
	if err != nil {
		return nil, fmt.Errorf("wrap the tenant's key with %s: %w", e.w.ID(), err)
	}
	return out, nil
}

func (e external) unwrap(ctx context.Context, keyID string, wrapped []byte) (*dek, error) {
	d, err := withID(keyID)
	if err != nil {
		return nil, err
	}
	aad, err := keyIdentity(tenantPurpose, keyID).tuple()
	if err != nil {
		return nil, err
	}
	plain, err := e.w.Unwrap(ctx, aad, wrapped)
	if err != nil {
		return nil, fmt.Errorf("unwrap the tenant's key with %s: %w", e.w.ID(), err)
	}
	if len(plain) != keySize {
		return nil, fmt.Errorf("%w: %s unwrapped something else than a key", ErrDamaged, e.w.ID())
	}
	copy(d.key[:], plain)
	return d, nil
}

// fileOf returns the name of the file of a provider's root key, "" outside.
func fileOf(provider string) string {
	switch provider {
	case ProviderFile:
		return rootFile
	case ProviderPassphrase:
		return rootAgeFile
	}
	return ""
}

// openRoot opens the root key that made w.
func openRoot(folder string, w wrapDoc, o Options) (root, error) {
	switch w.Provider {
	case ProviderExternal:
		if o.Wrapper == nil || o.Wrapper.ID() != w.ID {
			return nil, fmt.Errorf("%s %w: it is %s; set keys.root in ostiary.yaml", filepath.Join(folder, keystoreFile), ErrProvider, w.ID)
		}
		return external{o.Wrapper}, nil
	case ProviderFile, ProviderPassphrase:
		return openLocal(folder, w, o)
	}
	return nil, fmt.Errorf("%s %w: root key of the provider %.40q", filepath.Join(folder, keystoreFile), ErrVersion, w.Provider)
}

// openLocal looks for the root key under its own name, then under the name of
// one that was about to replace it.
func openLocal(folder string, w wrapDoc, o Options) (root, error) {
	path := filepath.Join(folder, fileOf(w.Provider))
	var first error
	for _, path := range []string{path, path + rootNext} {
		key, err := readLocal(path, w.Provider, o)
		if err == nil {
			l := local{w.Provider, key, path}
			if w.ID == "" || l.id() == w.ID {
				return l, nil
			}
			err = fmt.Errorf("%s %w: it is not the root key of this keystore", path, ErrDamaged)
		}
		if first == nil {
			first = err
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, first
}

func readLocal(path, provider string, o Options) (*dek, error) {
	if provider == ProviderFile {
		return readRoot(path)
	}
	return readRootAge(path, o.Passphrase)
}

// newLocal makes the root key that o asks for and writes its file, under the
// suffix.
func newLocal(folder, provider, suffix string, o Options) (root, error) {
	path := filepath.Join(folder, fileOf(provider)+suffix)
	l := local{provider, newRootKey(), path}
	data := encodeRoot(l.key)
	if provider == ProviderPassphrase {
		var err error
		if data, err = sealRootAge(data, o); err != nil {
			return nil, err
		}
	}
	return l, writeFile(path, data, 0o600)
}

// provider returns what o asks for a new root key.
func (o Options) provider() string {
	switch {
	case o.Wrapper != nil:
		return ProviderExternal
	case o.Passphrase != nil:
		return ProviderPassphrase
	}
	return ProviderFile
}

// makeRoot makes the root key of a new gateway.
func makeRoot(folder string, o Options) (root, error) {
	if p := o.provider(); p != ProviderExternal {
		return newLocal(folder, p, "", o)
	}
	return external{o.Wrapper}, nil
}

// wrapTenant makes the entry of the tenant's key under r.
func wrapTenant(ctx context.Context, r root, tenant *dek, now time.Time) (wrapDoc, error) {
	wrapped, err := r.wrap(ctx, tenant)
	return wrapDoc{Provider: r.provider(), ID: r.id(), Created: now, Wrapped: wrapped}, err
}

// openTenant opens the tenant's key with the newest root key that can be had
// and returns which wrap it was.
func openTenant(folder string, doc tenantDoc, o Options) (root, *dek, int, error) {
	var first error
	for at := len(doc.Wraps) - 1; at >= 0; at-- {
		r, err := openRoot(folder, doc.Wraps[at], o)
		if err == nil {
			var tenant *dek
			if tenant, err = r.unwrap(o.context(), doc.KeyID, doc.Wraps[at].Wrapped); err == nil {
				return r, tenant, at, nil
			}
			err = fmt.Errorf("%s %w", filepath.Join(folder, keystoreFile), err)
		}
		if first == nil || at == 0 {
			first = err
		}
	}
	return nil, nil, 0, first
}

// settleRoot finishes or takes back a change of the root key that was
// interrupted: the file of the root key in use gets its own name, the other
// provider's file goes.
func settleRoot(folder string, r root, others []wrapDoc) error {
	name := fileOf(r.provider())
	if name != "" {
		if err := settleFile(folder, name, r); err != nil {
			return err
		}
	}
	for _, w := range others {
		if other := fileOf(w.Provider); other != "" && other != name {
			if err := wipe(filepath.Join(folder, other)); err != nil {
				return err
			}
			if err := wipe(filepath.Join(folder, other+rootNext)); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleFile leaves the file that holds r under name, and none beside it.
func settleFile(folder, name string, r root) error {
	next := filepath.Join(folder, name+rootNext)
	if _, err := os.Lstat(next); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if l, ok := r.(local); ok && l.from == filepath.Join(folder, name) {
		return wipe(next)
	}
	return replaceFile(next, filepath.Join(folder, name))
}
