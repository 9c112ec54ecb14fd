package admin

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
)

// archiver writes archives that only look like some.
type archiver struct {
	size    int
	fail    error // in the middle of the data
	keysErr error
	before  func() // when the keys are asked for
	given   int
}

func (a *archiver) Data(b BackupBegin, s BackupStamp) (int64, func(io.Writer) error, error) {
	return int64(a.size), func(w io.Writer) error {
		for range a.size / 1000 {
			if _, err := w.Write(bytes.Repeat([]byte("d"), 1000)); err != nil {
				return err
			}
			a.given += 1000
		}
		return a.fail
	}, nil
}

func (a *archiver) Keys(w io.Writer, b BackupBegin, s BackupStamp) error {
	if a.before != nil {
		a.before()
	}
	_, err := w.Write([]byte("the keys of " + s.ID))
	return errors.Join(err, a.keysErr)
}

func backupWorld(t *testing.T, a *archiver) (*world, API) {
	t.Helper()
	w := newWorld(t)
	w.admin.cfg.Archiver = a
	t.Cleanup(w.admin.Close)
	return w, w.admin.As("uid:1")
}

var keepWeek = BackupBegin{Recipients: []string{"age1x"}, Keep: Duration(7 * 24 * time.Hour)}

// readAll reads the data of a backup to its end.
func readAll(t *testing.T, api API, id string) []byte {
	t.Helper()
	var all []byte
	for {
		p, err := api.BackupRead(ctx, ID{id})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Data) == 0 {
			return all
		}
		all = append(all, p.Data...)
	}
}

func TestBackup(t *testing.T) {
	a := &archiver{size: 3 << 20}
	w, api := backupWorld(t, a)
	begun, err := api.BackupBegin(ctx, keepWeek)
	if err != nil || begun.Estimate != 3<<20 {
		t.Fatalf("%+v, %v", begun, err)
	}
	if a.given != 0 {
		t.Error("data was read before anybody asked")
	}
	if _, err := api.BackupFinish(ctx, BackupFinish{ID: begun.ID}); err == nil {
		t.Error("keys came before the data")
	}
	if data := readAll(t, api, begun.ID); len(data) != 3<<20/1000*1000 || bytes.Trim(data, "d") != nil && len(bytes.Trim(data, "d")) > 0 {
		t.Errorf("%d bytes", len(data))
	}
	d, err := api.BackupFinish(ctx, BackupFinish{ID: begun.ID, Change: Change{Reason: "nightly"}})
	if err != nil || string(d.Item.Keys) != "the keys of "+begun.ID || len(d.Notices) == 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	if b := d.Item.Backup; !b.Expires.Equal(b.Time.Add(7*24*time.Hour)) || len(b.SHA256) != 64 || b.Bytes != 3<<20/1000*1000 {
		t.Errorf("%+v", b)
	}
	last := w.records.entries[len(w.records.entries)-1]
	if last.Kind != auditlog.BackupMade || last.Subject != begun.ID || last.Reason != "nightly" || last.By != "uid:1" {
		t.Errorf("recorded: %+v", last)
	}
	all, err := api.BackupList(ctx, None{})
	if err != nil || len(all) != 1 || all[0].KeysSHA256 != d.Item.KeysSHA256 {
		t.Errorf("list: %+v, %v", all, err)
	}
	if _, err := api.BackupRead(ctx, ID{begun.ID}); err == nil {
		t.Error("the backup goes on after its end")
	}
}

// TestBackupIsListedBeforeKeysLeave fails the record: then no keys leave, and
// none are listed.
func TestBackupIsListedBeforeKeysLeave(t *testing.T) {
	w, api := backupWorld(t, &archiver{size: 1000})
	begun, err := api.BackupBegin(ctx, keepWeek)
	if err != nil {
		t.Fatal(err)
	}
	readAll(t, api, begun.ID)
	w.records.err = errors.New("the log is closed")
	d, err := api.BackupFinish(ctx, BackupFinish{ID: begun.ID})
	if err == nil || len(d.Item.Keys) != 0 {
		t.Errorf("keys left unrecorded: %+v, %v", d, err)
	}
	if all, err := Backups(w.store); err != nil || len(all) != 0 {
		t.Errorf("listed: %v, %v", all, err)
	}
	if last, err := LastKeyBackup(w.store, w.now); err != nil || !last.IsZero() {
		t.Errorf("last: %v, %v", last, err)
	}
}

func TestBackupRefusals(t *testing.T) {
	a := &archiver{size: 2 << 20}
	w, api := backupWorld(t, a)
	for _, keep := range []time.Duration{0, time.Minute, 91 * 24 * time.Hour} {
		if _, err := api.BackupBegin(ctx, BackupBegin{Keep: Duration(keep)}); code(err) != Invalid {
			t.Errorf("keep %s: %v", keep, err)
		}
	}
	begun, err := api.BackupBegin(ctx, keepWeek)
	if err != nil {
		t.Fatal(err)
	}
	other := w.admin.As("uid:2")
	if _, err := other.BackupRead(ctx, ID{begun.ID}); code(err) != NotFound {
		t.Errorf("another operator reads on: %v", err)
	}
	if _, err := other.BackupFinish(ctx, BackupFinish{ID: begun.ID}); code(err) != NotFound {
		t.Errorf("another operator takes the keys: %v", err)
	}
	for range mostAtOnce - 1 {
		if _, err := other.BackupBegin(ctx, keepWeek); err != nil {
			t.Errorf("another one at once: %v", err)
		}
	}
	if _, err := other.BackupBegin(ctx, keepWeek); code(err) != Conflict {
		t.Errorf("one too many: %v", err)
	}
	w.now = w.now.Add(backupWait)
	if begun, err = other.BackupBegin(ctx, keepWeek); err != nil {
		t.Errorf("after one that stopped: %v", err)
	}
	a.fail = errors.New("the disk broke")
	for err == nil {
		var p BackupPart
		if p, err = other.BackupRead(ctx, ID{begun.ID}); len(p.Data) == 0 && err == nil {
			t.Fatal("an archive that failed ended well")
		}
	}
	if _, err := other.BackupFinish(ctx, BackupFinish{ID: begun.ID}); code(err) != NotFound {
		t.Errorf("keys after a failure: %v", err)
	}
	w.admin.cfg.Archiver = nil
	if _, err := api.BackupBegin(ctx, keepWeek); code(err) != Unavailable {
		t.Errorf("without an archiver: %v", err)
	}
	if text := (BackupBegin{Passphrase: []byte("hidden")}).String(); strings.Contains(text, "hidden") {
		t.Error("the passphrase prints")
	}
}

// TestBackupsExpire keeps those whose keys still open, and the newest.
func TestBackupsExpire(t *testing.T) {
	w, api := backupWorld(t, &archiver{size: 1000})
	first := w.now
	for _, keep := range []time.Duration{time.Hour, 48 * time.Hour, 24 * time.Hour} {
		begun, err := api.BackupBegin(ctx, BackupBegin{Keep: Duration(keep)})
		if err != nil {
			t.Fatal(err)
		}
		readAll(t, api, begun.ID)
		if _, err := api.BackupFinish(ctx, BackupFinish{ID: begun.ID}); err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(2 * time.Hour)
	}
	all, err := Backups(w.store)
	if err != nil || len(all) != 2 {
		t.Errorf("%d are remembered, %v", len(all), err)
	}
	if last, err := LastKeyBackup(w.store, w.now); err != nil || !last.Equal(first.UTC().Truncate(time.Second).Add(50*time.Hour)) {
		t.Errorf("last: %v, %v", last, err)
	}
	if last, err := LastKeyBackup(w.store, w.now.Add(60*24*time.Hour)); err != nil || !last.IsZero() {
		t.Errorf("last: %v, %v", last, err)
	}
}

func code(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
