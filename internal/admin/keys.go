package admin

import (
	"context"
	"errors"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// KeyView is a key as operators see it: never its bytes.
type KeyView struct {
	keys.Info
	Subjects int `json:"subjects,omitempty"` // of the key of all subjects: how many it wraps
}

// KeyQuery selects keys; the zero value selects all but the destroyed ones.
type KeyQuery struct {
	Purpose   string `json:"purpose,omitempty"`
	Destroyed bool   `json:"destroyed,omitempty"` // these too
}

// RotateKey makes a new version of a key.
type RotateKey struct {
	Change
	Name        string `json:"name"`                  // a purpose, "tenant" or "root"
	Compromised bool   `json:"compromised,omitempty"` // the old version may be known to somebody
}

// DestroyKey destroys a key for good, and everything that only it opens.
type DestroyKey struct {
	Change
	ID      string `json:"id"`
	Confirm string `json:"confirm,omitempty"` // the key's purpose, where its values may still be in use
}

// Keys lists keys without their bytes.
func (o *operator) Keys(_ context.Context, q KeyQuery) ([]KeyView, error) {
	out := []KeyView{}
	for _, info := range o.cfg.Ring.Keys() {
		if (q.Purpose == "" || info.Purpose == q.Purpose) && (q.Destroyed || info.State != keys.Destroyed) {
			out = append(out, o.viewKey(info))
		}
	}
	return out, nil
}

// Key describes one key by its id, or the current one of a name: a purpose,
// tenant or root.
func (o *operator) Key(_ context.Context, r ID) (KeyView, error) {
	info, ok := o.cfg.Ring.Key(r.ID)
	if !ok {
		all := o.cfg.Ring.Keys()
		at := slices.IndexFunc(all, func(k keys.Info) bool { return k.Purpose == r.ID && k.State == keys.Current })
		if at < 0 {
			return KeyView{}, noKey(r.ID)
		}
		info = all[at]
	}
	return o.viewKey(info), nil
}

func (o *operator) viewKey(info keys.Info) KeyView {
	v := KeyView{Info: info}
	if info.Purpose == string(keys.Subjects) && info.State == keys.Current {
		v.Subjects = o.cfg.Ring.SubjectCount()
	}
	return v
}

func noKey(id string) *Error {
	return &Error{Code: NotFound, Message: "there is no key " + id, Fix: "see: ostiary key list --destroyed"}
}

// rotated is what the log keeps of a rotation. A signing key's hand-over is
// signed by both keys, so that the entry proves itself (hostile case G11).
type rotated struct {
	Purpose string         `json:"purpose"`
	Key     string         `json:"key"` // id of the new one
	Version uint32         `json:"version,omitempty"`
	Old     string         `json:"old,omitempty"` // id of the one before
	Handed  *keys.Rotation `json:"handover,omitempty"`
	Resumed bool           `json:"resumed,omitempty"` // recorded at a later start
}

func rotatedBy(o keys.Order) rotated {
	return rotated{Purpose: o.Name, Key: o.KeyID, Version: o.Version, Old: o.Old, Handed: o.Handover}
}

// RotateKey makes a new version of a key; the data path goes on meanwhile.
func (o *operator) RotateKey(ctx context.Context, r RotateKey) (Done[KeyView], error) {
	var out Done[KeyView]
	if err := reasoned(r.Change, "a key is rotated"); err != nil {
		return out, err
	}
	old, err := o.rotatable(r.Name)
	if err != nil {
		return out, err
	}
	ctx, done, err := o.rootKey(ctx, r.Name)
	if err != nil {
		return out, err
	}
	defer done()
	kind := "key.rotate"
	if r.Compromised {
		kind = "key.compromise"
	}
	made, err := o.ordered(&act{kind: kind, subject: old.ID, what: "key " + r.Name, Change: r.Change}, func() (keys.Order, error) {
		ord, err := o.cfg.Ring.Prepare(r.Name, keys.RotateOptions{Context: ctx, Compromised: r.Compromised})
		return ord, asKeyError(r.Name, err)
	})
	if err != nil {
		return out, err
	}
	info := old
	if made {
		info, _ = o.rotatable(r.Name)
	}
	o.forget() // a value that is met again gets a token of the new version
	notices := rotationNotices(r, old)
	if made && r.Name == string(keys.LogSigning) {
		notices = append(o.signAnew(ctx), notices...)
	}
	return Done[KeyView]{!r.DryRun, o.viewKey(info), notices}, nil
}

// signAnew lets the new key sign every log at once: from here on a checkpoint
// under the old key alone is older than the rotation.
func (o *operator) signAnew(ctx context.Context) []string {
	notices := []string{}
	if o.cfg.Book == nil {
		return notices
	}
	for _, info := range o.cfg.Book.Logs() {
		l, err := o.cfg.Book.Log(info.Name)
		if err == nil {
			_, _, err = l.Sign(ctx)
		}
		if err != nil && !errors.Is(err, auditlog.ErrNotFound) { // an empty log has nothing to sign
			notices = append(notices, "log "+string(info.Name)+" is signed by the new key from its next checkpoint on: "+err.Error())
		}
	}
	return notices
}

// rootPatience is how long a change may wait for a key service. It holds the
// store's transaction, and with it every call that waits for the log.
const rootPatience = 5 * time.Second

// rootKey asks a remote root key before a change that needs it begins: a key
// service that is out of reach must not hold up the calls of a gateway that
// serves (TestRemoteRootKey). The context is for the change.
func (o *operator) rootKey(ctx context.Context, name string) (context.Context, context.CancelFunc, error) {
	if o.cfg.RootKey == nil || name != keys.RootKey && name != keys.TenantKey {
		return ctx, func() {}, nil
	}
	if err := o.cfg.RootKey(ctx); err != nil {
		return nil, nil, asKeyError(name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, rootPatience)
	return ctx, cancel, nil
}

// rotatable returns the key that would be rotated.
func (o *operator) rotatable(name string) (keys.Info, error) {
	all := o.cfg.Ring.Keys()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Purpose != name || all[i].State != keys.Current {
			continue
		}
		if name == string(keys.RowIndex) {
			return all[i], asKeyError(name, keys.ErrPurpose)
		}
		return all[i], nil
	}
	return keys.Info{}, &Error{Code: NotFound, Message: "no key has the name " + name, Fix: "see: ostiary key list"}
}

// ordered runs a change that takes a new key into use. The key stands aside in
// the keystore before the entry stands in the log, and is used after it; a
// process that dies in between finishes at its next start
// (TestRotationKilledAnywhere). A change that fails takes the key back, unless
// it is one that cannot wait: that is recorded at the next start.
func (o *operator) ordered(t *act, prepare func() (keys.Order, error)) (made bool, err error) {
	var ord keys.Order
	err = o.change(t, func(store.Store) (any, error) {
		if t.DryRun {
			return nil, nil
		}
		var err error
		if ord, err = prepare(); err != nil {
			return nil, err
		}
		made = true
		return rotatedBy(ord), nil
	})
	switch {
	case err != nil && made && ord.Done:
		return false, &Error{Code: Unavailable, Message: "the key was changed, but that could not be recorded", Cause: err.Error(),
			Fix: "restart the gateway when the log can be written: it records it then"}
	case err != nil && made:
		return false, asError(t.what, errors.Join(err, o.cfg.Ring.Withdraw(ord)))
	case err != nil || !made:
		return false, err
	}
	if err := o.cfg.Ring.Fulfil(ord); err != nil {
		return false, &Error{Code: Failed, Message: "the new key is recorded, but could not be taken into use yet", Cause: err.Error(),
			Fix: "free the disk, then start the gateway again: it finishes then"}
	}
	return true, nil
}

func rotationNotices(r RotateKey, old keys.Info) []string {
	notices := []string{}
	switch keys.Purpose(r.Name) {
	case keys.LogSigning, keys.ReceiptSigning:
		notices = append(notices, "give verifiers the new public key: ostiary audit export writes it, with the hand-over")
	case keys.RootKey, keys.TenantKey:
	default:
		notices = append(notices, "what was sealed before still opens; when nothing needs it any more: ostiary key destroy "+old.ID+" --reason TEXT")
	}
	if r.Compromised {
		notices = append(notices, "whoever has the old key and a copy of what it sealed can still read that copy")
	}
	return notices
}

// inUse are the purposes whose old values live in the data directory: without
// their key the gateway would not start, or not know its servers' credentials.
var inUse = []keys.Purpose{keys.Rows, keys.UpstreamCredentials, keys.Config, keys.TokenHash, keys.HandleSeal, keys.Pseudonyms}

// destroyed is what the log keeps of a destruction.
type destroyed struct {
	Key       string     `json:"key"`
	Purpose   string     `json:"purpose"`
	Version   uint32     `json:"version,omitempty"`
	Pseudonym string     `json:"pseudonym,omitempty"`
	Until     *time.Time `json:"backups_until,omitempty"` // when the last backup of keys with it ends
	Resumed   bool       `json:"resumed,omitempty"`       // finished at a start
}

// DestroyKey destroys an old version of a key.
func (o *operator) DestroyKey(_ context.Context, r DestroyKey) (Done[KeyView], error) {
	var out Done[KeyView]
	if err := reasoned(r.Change, "a key is destroyed"); err != nil {
		return out, err
	}
	info, err := o.destroyable(r)
	if err != nil {
		return out, err
	}
	detail := destroyed{Key: r.ID, Purpose: info.Purpose, Version: info.Version, Until: o.keyBackups()}
	t := &act{kind: "key.destroy", subject: r.ID, what: "key " + r.ID, Change: r.Change}
	if err := o.condemned(t, r.ID, func(store.Store) (any, error) { return detail, nil }); err != nil {
		return out, err
	}
	o.forget()
	if !r.DryRun {
		info, _ = o.cfg.Ring.Key(r.ID)
	}
	return Done[KeyView]{!r.DryRun, o.viewKey(info), backupNotices(detail.Until)}, nil
}

// destroyable refuses what would brick the gateway.
func (o *operator) destroyable(r DestroyKey) (keys.Info, error) {
	info, ok := o.cfg.Ring.Key(r.ID)
	switch {
	case !ok:
		return info, noKey(r.ID)
	case info.State == keys.Destroyed:
		return info, &Error{Code: Conflict, Message: "key " + r.ID + " was destroyed already"}
	case info.Pseudonym != "":
		return info, invalid("erase the subject instead: ostiary privacy subject erase "+info.Pseudonym+" --reason TEXT", "key %s is a subject's", r.ID)
	case info.State == keys.Current:
		return info, &Error{Code: Conflict, Message: "key " + r.ID + " is in use", Fix: "rotate it first: ostiary key rotate " + info.Purpose + " --reason TEXT"}
	case slices.Contains(inUse, keys.Purpose(info.Purpose)) && r.Confirm != info.Purpose:
		return info, &Error{Code: Conflict, Message: "values in the data directory may still be sealed under key " + r.ID + ", and would be lost",
			Fix: "if they may be lost: add --confirm " + info.Purpose}
	}
	return info, nil
}

// condemned runs a change that destroys the key with that id. The order stands
// in the keystore before the entry stands in the log, and the bytes go after
// it; a process that dies in between finishes at its next start
// (TestErasureKilledAnywhere). A change that fails takes the order back.
func (o *operator) condemned(t *act, id string, do func(store.Store) (any, error)) error {
	ordered := false
	err := o.change(t, func(s store.Store) (any, error) {
		detail, err := do(s)
		if err != nil || t.DryRun {
			return detail, err
		}
		if _, err := o.cfg.Ring.Condemn(id); err != nil {
			return nil, asKeyError(id, err)
		}
		ordered = true
		return detail, nil
	})
	if err != nil {
		if ordered {
			err = errors.Join(err, o.cfg.Ring.Spare(id))
		}
		return asError(t.what, err)
	}
	if !ordered {
		return nil
	}
	if err := o.cfg.Ring.Bury(id); err != nil {
		return &Error{Code: Failed, Message: "the destruction of key " + id + " is recorded, but its bytes could not be removed yet",
			Cause: err.Error(), Fix: "free the disk, then start the gateway again: it finishes then"}
	}
	return nil
}

// keyBackups returns when the last backup of keys ends, if one still opens:
// until then a copy of a destroyed key may be in it.
func (o *operator) keyBackups() *time.Time {
	until, err := LastKeyBackup(o.cfg.Store, o.cfg.Clock.Now())
	if err != nil || until.IsZero() {
		return nil
	}
	until = until.UTC()
	return &until
}

func backupNotices(until *time.Time) []string {
	if until == nil {
		return []string{}
	}
	return []string{"a backup of keys still holds a copy until " + until.Format(time.RFC3339) + "; the destruction is complete then"}
}

// reasoned demands a reason for what cannot be taken back.
func reasoned(c Change, what string) error {
	if c.Reason == "" {
		return invalid("add --reason TEXT", "%s for a reason, which is missing", what)
	}
	return nil
}

// asKeyError turns an error of the ring into an *Error.
func asKeyError(what string, err error) error {
	for _, one := range []struct {
		is   error
		code Code
		fix  string
	}{
		{keys.ErrNoKey, NotFound, "see: ostiary key list --destroyed"},
		{keys.ErrGone, Conflict, "see: ostiary key list --destroyed"},
		{keys.ErrInUse, Conflict, "rotate it first"},
		{keys.ErrPurpose, Invalid, "see: ostiary key list"},
		{keys.ErrFIPS, Invalid, "use a key file or a KMS"},
		{keys.ErrErasing, Conflict, "wait for the erasure, or restart the gateway, which finishes it"},
	} {
		if errors.Is(err, one.is) {
			return &Error{Code: one.code, Message: "key " + what + ": " + one.is.Error(), Cause: err.Error(), Fix: one.fix}
		}
	}
	return asError("key "+what, err)
}

// MoveRoot moves the root key to where the options say, and records it. It is
// not part of API: the configuration has to change with it, so the gateway is
// stopped.
func (a *Admin) MoveRoot(by string, c Change, with keys.Options) (from, to string, err error) {
	o := &operator{Admin: a, by: by}
	if err := reasoned(c, "the root key is moved"); err != nil {
		return "", "", err
	}
	from = a.rootID()
	_, err = o.ordered(&act{kind: "key.move", subject: from, what: "the root key", Change: c}, func() (keys.Order, error) {
		return a.cfg.Ring.MoveRoot(with)
	})
	return from, a.rootID(), err
}

func (a *Admin) rootID() string {
	for _, k := range a.cfg.Ring.Keys() {
		if k.Purpose == keys.RootKey {
			return k.ID
		}
	}
	return ""
}
