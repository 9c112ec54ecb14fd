package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/backup"
)

// BackupOptions are the choices of one backup.
type BackupOptions struct {
	To         string   // file of the data
	KeysTo     string   // file of the keys; "" = To and .keys
	Recipients []string // "" = those of the configuration
	Passphrase string   // reference; instead of recipients
	Keep       time.Duration
	Reason     string
	Progress   func(done, total int64) // may be nil
}

// Made is a backup with its files.
type Made struct {
	admin.Backup
	Data string `json:"data"`
	Keys string `json:"keys"`
}

// MakeBackup writes the two files of a backup of the gateway in dir, whether it
// runs or not. Both are there at the end, or neither. Files are written by this
// process and its user, not by the gateway, whose service may see other folders.
func MakeBackup(ctx context.Context, dir string, o Options, b BackupOptions) (Made, []string, error) {
	begin, err := b.begin(dir, o)
	if err != nil {
		return Made{}, nil, err
	}
	if b.KeysTo == "" {
		b.KeysTo = b.To + ".keys"
	}
	api, done, err := Connect(ctx, dir, o)
	if err != nil {
		return Made{}, nil, err
	}
	made, notices, err := b.write(ctx, api, begin)
	return made, notices, explainBackup(errors.Join(err, done()))
}

// begin resolves the choices against the configuration.
func (b BackupOptions) begin(dir string, o Options) (admin.BackupBegin, error) {
	c, err := Load(dir, o.Environ)
	if err != nil {
		return admin.BackupBegin{}, err
	}
	begin := admin.BackupBegin{Recipients: b.Recipients, Keep: admin.Duration(b.Keep)}
	if b.Keep == 0 {
		begin.Keep = admin.Duration(c.Backup.KeysKeep)
	}
	switch {
	case b.Passphrase != "":
		begin.Passphrase, err = secretOf("--passphrase", b.Passphrase, o.Environ)
	case len(b.Recipients) == 0:
		begin.Recipients = c.Backup.Recipients
	}
	if err == nil {
		err = backup.Locks{Recipients: begin.Recipients, Passphrase: begin.Passphrase}.Check()
	}
	if err != nil && !errors.Is(err, backup.ErrStrict) {
		err = &admin.Error{Code: admin.Invalid, Message: "nobody could open this backup", Cause: err.Error(),
			Fix: "add --recipient age1..., or backup.recipients to " + ConfigName + "; age-keygen makes an identity"}
	}
	return begin, explainBackup(err)
}

// secretOf reads a secret that a flag refers to; a path starts at the working
// directory.
func secretOf(flag, ref string, environ func(string) (string, bool)) ([]byte, error) {
	if err := reference(ref); err != nil {
		return nil, fmt.Errorf("%s %w", flag, err)
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return Resolve(ref, here, environ, nil)
}

func (b BackupOptions) write(ctx context.Context, api admin.API, begin admin.BackupBegin) (made Made, notices []string, err error) {
	data, err := backup.NewTarget(b.To)
	if err != nil {
		return made, nil, err
	}
	defer func() { err = errors.Join(err, data.Discard()) }()
	keys, err := backup.NewTarget(b.KeysTo)
	if err != nil {
		return made, nil, err
	}
	defer func() { err = errors.Join(err, keys.Discard()) }()
	begun, err := api.BackupBegin(ctx, begin)
	if err != nil {
		return made, nil, err
	}
	if err := b.read(ctx, api, begun, data); err != nil {
		return made, nil, err
	}
	d, err := api.BackupFinish(ctx, admin.BackupFinish{ID: begun.ID, Change: admin.Change{Reason: b.Reason}})
	if err != nil {
		return made, nil, err
	}
	if _, err := keys.Write(d.Item.Keys); err != nil {
		return made, nil, err
	}
	if data.SHA256() != d.Item.SHA256 || keys.SHA256() != d.Item.KeysSHA256 {
		return made, nil, fmt.Errorf("%w: what arrived is not what was sent", backup.ErrDamaged)
	}
	if err := placeBoth(data, keys, b.KeysTo); err != nil {
		return made, nil, err
	}
	return Made{Backup: d.Item.Backup, Data: b.To, Keys: b.KeysTo}, d.Notices, nil
}

// read copies the archive of the data, piece by piece.
func (b BackupOptions) read(ctx context.Context, api admin.API, begun admin.BackupBegun, to *backup.Target) error {
	for {
		part, err := api.BackupRead(ctx, admin.ID{ID: begun.ID})
		if err != nil || len(part.Data) == 0 {
			return err
		}
		if _, err := to.Write(part.Data); err != nil {
			return fmt.Errorf("write %s: %w", b.To, err)
		}
		if b.Progress != nil {
			b.Progress(to.Size(), max(begun.Estimate, to.Size()))
		}
	}
}

// placeBoth gives both files their names, or neither.
func placeBoth(data, keys *backup.Target, keysTo string) error {
	if err := errors.Join(data.Seal(), keys.Seal()); err != nil {
		return err
	}
	if err := keys.Place(); err != nil {
		return err
	}
	if err := data.Place(); err != nil {
		return errors.Join(err, os.Remove(keysTo))
	}
	return syncFolder(filepath.Dir(keysTo))
}
