package keys

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// ErrPurpose says that there is no such purpose, or that its key cannot be
// rotated.
var ErrPurpose = errors.New("no key can be rotated by that name")

// Names of keys above the purposes.
const (
	RootKey   = "root"
	TenantKey = tenantPurpose
)

// RotateOptions say how a key is rotated.
type RotateOptions struct {
	Context     context.Context // of calls to a KMS; nil: the background
	Compromised bool            // the old version may be in somebody else's hands
	now         time.Time
}

func (o RotateOptions) context() context.Context { return Options{Context: o.Context}.context() }

// Rotate makes a new version of the key with that name: a purpose, TenantKey
// or RootKey. New values are sealed under it as soon as Rotate returns; the
// old versions of a purpose still open. Values in use are not touched. It is for
// whoever keeps no log; others Prepare, record and Fulfil.
func (r *Ring) Rotate(name string, o RotateOptions) (Info, error) {
	made, err := r.Prepare(name, o)
	if err == nil {
		err = r.Fulfil(made)
	}
	if err != nil {
		return Info{}, err
	}
	return r.newest(name), nil
}

// signs reports whether p is a signing key, which hands over to the next.
func signs(p Purpose) bool { return p == LogSigning || p == ReceiptSigning || p == PolicySigning }

// bumpSigned makes a new version of p in s; a signing key hands over.
func bumpSigned(s *state, p Purpose, o RotateOptions) {
	old := s.current(p)
	made := s.bump(p, newDEK(), o.now)
	if signs(p) {
		s.rotations = append(s.rotations, newRotation(p, made.number, ed25519Of(old), ed25519Of(made.key), o))
	}
}

// rotateTenant replaces the key that wraps the purposes' keys: one file is
// written, however much was sealed.
func (r *Ring) rotateTenant(o RotateOptions) (Order, error) {
	next := r.state.Load().clone()
	old := next.tenant.key.hexID()
	next.tenant = &version{number: next.tenant.number + 1, created: o.now, state: Current, key: newDEK()}
	w, err := wrapTenant(o.context(), r.root, next.tenant.key, o.now)
	if err != nil {
		return Order{}, err
	}
	next.wraps = []wrapDoc{w}
	out := next.give(order{Order: Order{Act: OrderRotate, Name: TenantKey, KeyID: next.tenant.key.hexID(), Version: next.tenant.number,
		Old: old, At: o.now, Compromised: o.Compromised, Done: true}})
	return out, r.save(next)
}

// rotateRoot replaces the root key by a new one of the same provider. A KMS
// makes the new version itself; the tenant's key is wrapped again under it.
func (r *Ring) rotateRoot(o RotateOptions) (Order, error) {
	made := Order{Act: OrderRotate, Name: RootKey, At: o.now, Compromised: o.Compromised, Done: true}
	if e, ok := r.root.(external); ok {
		return r.rewrap(e, o, made)
	}
	return r.moveRoot(Options{Context: o.Context, Passphrase: r.made.Passphrase, factor: r.made.factor}, r.root.provider(), made)
}

func (r *Ring) rewrap(e external, o RotateOptions, made Order) (Order, error) {
	next := r.state.Load().clone()
	aad, err := keyIdentity(tenantPurpose, next.tenant.key.hexID()).tuple()
	if err != nil {
		return made, err
	}
	w := next.wraps[len(next.wraps)-1]
	if w.Wrapped, err = e.w.Rewrap(o.context(), aad, w.Wrapped); err != nil {
		return made, fmt.Errorf("rewrap with %s: %w", e.w.ID(), err)
	}
	if _, err := e.unwrap(o.context(), next.tenant.key.hexID(), w.Wrapped); err != nil {
		return made, fmt.Errorf("check what was rewrapped: %w", err)
	}
	w.Created = o.now
	next.wraps = []wrapDoc{w}
	made.KeyID, made.Old = w.id(), w.id()
	made = next.give(order{Order: made})
	return made, r.save(next)
}

// MoveRoot moves the root key to where o says: a Wrapper, a passphrase, or
// else the plain file. Only the tenant's key is wrapped again. The old root
// key's file is overwritten and removed; a key in a KMS is left to its owner.
// The caller records it and fulfils the order.
func (r *Ring) MoveRoot(o Options) (Order, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.readOnly {
		return Order{}, fmt.Errorf("move the root key: %w", ErrReadOnly)
	}
	made, err := r.moveRoot(o, o.provider(), Order{Act: OrderMove, Name: RootKey, At: clock.Clock{}.Now().UTC().Truncate(time.Second), Done: true})
	if err != nil {
		return made, fmt.Errorf("move the root key: %w", err)
	}
	return made, nil
}

// moveRoot survives a kill at every step: the new root key is on the disk
// before the keystore holds the tenant's key under it, both open until the old
// one goes, and Open finishes or takes back what it finds
// (TestMoveRootKilledAnywhere).
func (r *Ring) moveRoot(o Options, provider string, made Order) (Order, error) {
	fresh, err := r.freshRoot(o, provider)
	if err != nil {
		return made, err
	}
	next := r.state.Load().clone()
	w, err := wrapTenant(o.context(), fresh, next.tenant.key, made.At)
	if err != nil {
		return made, err
	}
	old := next.wraps
	next.wraps = append(old[:len(old):len(old)], w)
	if next.recovery, err = r.recoverTo(fresh, next.recovery); err != nil {
		return made, err
	}
	made.KeyID, made.Old = w.id(), old[len(old)-1].id()
	made = next.give(order{Order: made})
	if err := r.save(next); err != nil {
		return made, err
	}
	r.root, r.made = fresh, o
	if err := settleRoot(r.folder, fresh, old); err != nil {
		return made, err
	}
	last := r.state.Load().clone()
	last.wraps = []wrapDoc{w}
	return made, r.save(last)
}

func (r *Ring) freshRoot(o Options, provider string) (root, error) {
	if provider == ProviderExternal {
		if r.root.provider() == ProviderExternal && r.root.id() == o.Wrapper.ID() {
			return nil, fmt.Errorf("it is in %s already", r.root.id())
		}
		return external{o.Wrapper}, nil
	}
	return newLocal(r.folder, provider, rootNext, o)
}

// recoverTo seals the new root key to the recovery recipient. A root key
// outside never gets here, so its recovery ends, and the old file with it.
func (r *Ring) recoverTo(fresh root, to string) (string, error) {
	l, ok := fresh.(local)
	if to == "" || !ok {
		return "", wipe(filepath.Join(r.folder, rootRecoveryFile))
	}
	return to, writeRecovery(r.folder, l.key, to)
}

// Recover makes keys/root.key anew from keys/root.recovery with the age
// identity in text, for a gateway whose root key or passphrase was lost. It
// changes nothing when the identity or the files do not fit.
func Recover(dir string, text []byte) error {
	folder := Folder(dir)
	key, err := openRecovery(folder, text)
	if err != nil {
		return fmt.Errorf("recover the root key: %w", err)
	}
	if err := recoverRoot(folder, key); err != nil {
		return fmt.Errorf("recover the root key: %w", err)
	}
	return nil
}

func recoverRoot(folder string, key *dek) error {
	path := filepath.Join(folder, keystoreFile)
	data, err := readFile(path, keystoreLimit)
	if err != nil {
		return err
	}
	if format, err := formatOf(data); err != nil || format != keystoreFormat {
		return fmt.Errorf("%s %w: recovery needs format 2", path, ErrVersion)
	}
	doc, err := parseKeystore(data)
	if err != nil {
		return fmt.Errorf("%s %w", path, err)
	}
	for _, w := range doc.Tenant.Wraps {
		top := local{ProviderFile, key, filepath.Join(folder, rootFile)}
		if top.id() != w.ID {
			continue
		}
		return recoverWith(folder, top, doc, w)
	}
	return fmt.Errorf("%s %w: the recovered key is not its root key", path, ErrDamaged)
}

// recoverWith writes the file of the root key, then a keystore that names it.
func recoverWith(folder string, top local, doc *keystoreDoc, w wrapDoc) error {
	tenant, err := top.unwrap(context.Background(), doc.Tenant.KeyID, w.Wrapped)
	if err != nil {
		return err
	}
	s, err := doc.open(tenant)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(folder, rootFile), encodeRoot(top.key), 0o600); err != nil {
		return err
	}
	lost := w.id()
	w.Provider = ProviderFile
	s.wraps = []wrapDoc{w}
	s.give(order{Order: Order{Act: OrderRecover, Name: RootKey, KeyID: w.id(), Old: lost, At: clock.Clock{}.Now().UTC().Truncate(time.Second), Done: true}})
	if err := newRing(folder, top, s, Options{}).save(s); err != nil {
		return err
	}
	return wipe(filepath.Join(folder, rootAgeFile))
}
