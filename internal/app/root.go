package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/kms"
)

// The providers of root keys that lie in the data directory.
const (
	providerFile       = "file"
	providerPassphrase = "passphrase"
)

// rootWait is how long one use of a root key may take, repetitions included.
const rootWait = 45 * time.Second

// checkRoot is the check that says whether a remote root key was in reach when
// it was last used.
const checkRoot = "root key"

// provider returns the provider with its default.
func (r RootConfig) provider() string {
	if r.Provider == "" {
		return providerFile
	}
	return r.Provider
}

// remote reports whether the root key lies outside the data directory.
func (r RootConfig) remote() bool {
	return r.provider() != providerFile && r.provider() != providerPassphrase
}

// kms returns the configuration of a remote root key.
func (r RootConfig) kms() kms.Config {
	return kms.Config{
		Provider: r.Provider,
		Vault: kms.Vault{Address: r.Vault.Address, Mount: r.Vault.Mount, Key: r.Vault.Key, Token: r.Vault.Token, RoleID: r.Vault.RoleID,
			SecretID: r.Vault.SecretID, AuthMount: r.Vault.AuthMount, CA: r.Vault.CA, Namespace: r.Vault.Namespace, TLS12: r.Vault.TLS12},
		AWS: kms.AWS{KeyARN: r.AWS.KeyARN, Region: r.AWS.Region, AccessKey: r.AWS.AccessKey, SecretKey: r.AWS.SecretKey,
			Session: r.AWS.SessionToken, Endpoint: r.AWS.Endpoint, CA: r.AWS.CA, Days: r.AWS.DeletionDays},
		GCP:    kms.GCP{Key: r.GCP.Key, Credentials: r.GCP.Credentials, Endpoint: r.GCP.Endpoint, CA: r.GCP.CA},
		PKCS11: kms.PKCS11{Module: r.PKCS11.Module, Token: r.PKCS11.Token, Label: r.PKCS11.Label, PIN: r.PKCS11.PIN},
	}
}

// rootAt is what a root key is opened with.
type rootAt struct {
	base    string // folder at which a relative file: reference starts
	environ func(string) (string, bool)
	guard   *egress.Guard
	clock   clock.Clock
}

// rootAt returns how the root keys of an opened data directory are reached.
func (a *App) rootAt() rootAt {
	return rootAt{base: filepath.Dir(a.file), environ: a.options.Environ, guard: a.guard, clock: a.clock}
}

func (at rootAt) secret(ref string) ([]byte, error) { return Resolve(ref, at.base, at.environ, nil) }

// open opens the root key that r names. root is nil when it lies in the data
// directory; else the caller closes it. The operator chose the key service: it
// may be on this machine or in a private network.
func (at rootAt) open(ctx context.Context, r RootConfig) (o keys.Options, root kms.Root, err error) {
	o = keys.Options{Context: ctx, Provider: r.provider()}
	if !r.remote() {
		if r.provider() == providerPassphrase {
			o.Passphrase = func() ([]byte, error) { return at.secret(r.Passphrase) }
		}
		return o, nil, nil
	}
	root, err = kms.Open(r.kms(), kms.Means{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return at.guard.Dial(ctx, network, address, true)
		},
		Secret: at.secret,
		Clock:  at.clock,
	})
	if err != nil {
		return o, nil, explainRoot(err)
	}
	o.Provider, o.Wrapper = keys.ProviderExternal, root
	return o, root, nil
}

// openKeys opens the ring, and with it the root key, which is needed once: the
// tenant's key stays in memory from then on.
func (a *App) openKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, rootWait)
	defer cancel()
	o, root, err := a.rootAt().open(ctx, a.config.Load().Keys.Root)
	if err != nil {
		return err
	}
	if root != nil {
		a.root = &usedRoot{Root: root}
		a.health.Watch(checkRoot, a.root.health)
		o.Wrapper = a.root
	}
	o.ReadOnly = a.config.Load().follows()
	if a.ring, err = keys.OpenWith(a.keysAt(), o); err != nil {
		return explainRoot(err)
	}
	if want, have := a.config.Load().Identity.TrustDomain, a.ring.CA().Domain(); want != "" && want != have {
		return &admin.Error{Code: admin.Invalid, Message: fmt.Sprintf("identity.trust_domain is %s, but the gateway's certificates name %s", want, have),
			Fix: "write the latter; another trust domain is another gateway: ostiary init --trust-domain"}
	}
	return nil
}

// Keys opens the keys of the gateway in dir to read only, beside the process
// that may hold the directory. done gives back what it took.
func Keys(ctx context.Context, dir string, o Options) (ring *keys.Ring, done func() error, err error) {
	c, err := Load(dir, o.Environ)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, rootWait)
	defer cancel()
	with, root, err := (rootAt{base: dir, environ: o.Environ, guard: egress.New(egress.Config{}), clock: o.Clock}).open(ctx, c.Keys.Root)
	if err != nil {
		return nil, nil, err
	}
	done = func() error { return nil }
	if root != nil {
		done = root.Close
	}
	with.ReadOnly = true
	if ring, err = keys.OpenWith(c.DataDir, with); err != nil {
		return nil, nil, errors.Join(explainRoot(err), done())
	}
	return ring, done, nil
}

// usedRoot keeps how the last use of a remote root key ended.
type usedRoot struct {
	kms.Root
	last atomic.Pointer[rootUse]
}

type rootUse struct{ err error }

// rootKey asks a remote root key; nil for one in the data directory.
func (a *App) rootKey() func(context.Context) error {
	if a.root == nil {
		return nil
	}
	return a.root.Check
}

// Check notes its end, too: operators' commands ask it.
func (u *usedRoot) Check(ctx context.Context) error {
	err := u.Root.Check(ctx)
	u.note(err)
	return err
}

// note keeps err, unless it says something about what was given rather than
// about the service.
func (u *usedRoot) note(err error) {
	if !errors.Is(err, kms.ErrWrapped) && !errors.Is(err, kms.ErrKept) {
		u.last.Store(&rootUse{err})
	}
}

func (u *usedRoot) Wrap(ctx context.Context, aad, plain []byte) ([]byte, error) {
	out, err := u.Root.Wrap(ctx, aad, plain)
	u.note(err)
	return out, err
}

func (u *usedRoot) Unwrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	out, err := u.Root.Unwrap(ctx, aad, wrapped)
	u.note(err)
	return out, err
}

func (u *usedRoot) Rewrap(ctx context.Context, aad, wrapped []byte) ([]byte, error) {
	out, err := u.Root.Rewrap(ctx, aad, wrapped)
	u.note(err)
	return out, err
}

// health says how the last use ended. It asks nobody: a probe that others may
// call must not make the gateway call a key service.
func (u *usedRoot) health() (state, detail string) {
	switch last := u.last.Load(); {
	case last == nil:
		return stateOK, u.ID()
	case last.err != nil:
		return stateDegraded, "calls are served with the keys in memory, but a restart would be refused: " + last.err.Error()
	}
	return stateOK, u.ID()
}

// explainRoot adds the next step to an error of a remote root key.
func explainRoot(err error) error {
	fix := kms.Fix(err)
	if fix == "" {
		return explainKeys(err)
	}
	code := admin.Invalid
	if errors.Is(err, kms.ErrUnreachable) {
		code = admin.Unavailable
	}
	return &admin.Error{Code: code, Message: err.Error(), Fix: fix}
}

// rootFinding says for Doctor whether the root key can be used now. It asks
// the key service itself, with a value that is worth nothing.
func rootFinding(ctx context.Context, c *Config, at rootAt) Finding {
	f := keyFolder(c.DataDir, c.Keys.Root.provider())
	if !c.Keys.Root.remote() {
		return f
	}
	f.Check = "root key in reach" // a gateway that runs has its own check of the root key
	ctx, cancel := context.WithTimeout(ctx, rootWait)
	defer cancel()
	_, root, err := at.open(ctx, c.Keys.Root)
	if err == nil {
		f.Detail = "can be used: " + root.ID()
		err = errors.Join(root.Check(ctx), root.Close())
	}
	if err != nil {
		f.State, f.Detail, f.Fix = stateFail, err.Error(), kms.Fix(err)
		if known := (*admin.Error)(nil); errors.As(err, &known) {
			f.Fix = known.Fix
		}
	}
	return f
}
