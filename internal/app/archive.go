package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/keys"
)

// archiver is admin.Archiver over an opened data directory.
type archiver struct{ app *App }

// head is the head of both archives of a backup.
func (w archiver) head(s admin.BackupStamp) (backup.Head, error) {
	origin, err := w.app.origin()
	if err != nil {
		return backup.Head{}, err
	}
	return backup.Head{ID: s.ID, Gateway: origin, Time: s.Time, Version: w.app.options.Version}, nil
}

func locksOf(b admin.BackupBegin) backup.Locks {
	return backup.Locks{Recipients: b.Recipients, Passphrase: b.Passphrase}
}

// Data implements admin.Archiver.
func (w archiver) Data(b admin.BackupBegin, s admin.BackupStamp) (int64, func(io.Writer) error, error) {
	locks := locksOf(b)
	if err := locks.Check(); err != nil {
		return 0, nil, explainBackup(err)
	}
	head, err := w.head(s)
	if err != nil {
		return 0, nil, err
	}
	source, err := w.source(head.Gateway)
	if err != nil {
		return 0, nil, err
	}
	snap, err := backup.Take(source)
	if err != nil {
		return 0, nil, explainBackup(err)
	}
	estimate, err := snap.Estimate()
	if err != nil {
		return 0, nil, explainBackup(err)
	}
	return estimate, func(out io.Writer) error {
		return explainBackup(snap.Write(context.Background(), out, locks, head, nil))
	}, nil
}

func (w archiver) source(origin string) (backup.Source, error) {
	a := w.app
	source := backup.Source{Raw: a.store.Raw(), Signer: a.ring.LogSigner(backup.Signs(origin))}
	for _, one := range [][2]string{{ConfigName, a.file}, {caName, filepath.Join(a.dir, caName)}} {
		text, err := os.ReadFile(one[1])
		if err != nil {
			return source, fmt.Errorf("read %s: %w", one[0], err)
		}
		source.Config = append(source.Config, backup.File{Name: one[0], Data: text})
	}
	return source, nil
}

// Keys implements admin.Archiver.
func (w archiver) Keys(out io.Writer, b admin.BackupBegin, s admin.BackupStamp) error {
	head, err := w.head(s)
	if err != nil {
		return err
	}
	head.Expires = &s.Expires
	files, err := w.app.ring.Files()
	if err != nil {
		return err
	}
	return explainBackup(backup.WriteKeys(out, locksOf(b), head, backupFiles(files), w.app.ring.LogSigner(backup.Signs(head.Gateway))))
}

func backupFiles(files []keys.KeyFile) (all []backup.File) {
	for _, f := range files {
		all = append(all, backup.File{Name: f.Name, Data: f.Data})
	}
	return all
}

// explainBackup says what to do about an error of the room backup.
func explainBackup(err error) error {
	var known *admin.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, one := range []struct {
		is   error
		code admin.Code
		fix  string
	}{
		{backup.ErrStrict, admin.Unavailable, "use a build without GOFIPS140's strict mode, or back up the database and the keys with their own services"},
		{backup.ErrExists, admin.Exists, "choose another name; a backup replaces nothing"},
		{backup.ErrIdentity, admin.Invalid, "use the identity of one of the recipients, or the passphrase that it was made with"},
		{backup.ErrKind, admin.Invalid, "--from takes the archive of the data, --keys the one of the keys"},
		{backup.ErrForeign, admin.Invalid, "use the two files of one backup"},
		{backup.ErrFormat, admin.Invalid, "use the version that wrote it, or a later one"},
		{backup.ErrExpired, admin.Forbidden, "use a newer backup of the keys; what was erased since would come back with this one"},
		{backup.ErrDamaged, admin.Integrity, "use another copy of the backup"},
		{backup.ErrNotOurs, admin.Invalid, "use a file that ostiary backup wrote"},
		{backup.ErrTooLarge, admin.Failed, "back the database up with its own tools"},
	} {
		if errors.Is(err, one.is) {
			return &admin.Error{Code: one.code, Message: err.Error(), Fix: one.fix}
		}
	}
	return err
}

// origin is what the origins of the gateway's logs begin with.
func (a *App) origin() (string, error) {
	id, err := a.store.Meta(metaGateway)
	if err != nil {
		return "", fmt.Errorf("read the gateway's id: %w", err)
	}
	return originRoot + id + "/" + keys.DefaultTenant, nil
}
