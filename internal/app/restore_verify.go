package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/record"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/verify"
)

// metaRestored is the store's key of the Unix second at which the gateway was
// restored last: what its logs are named after.
const metaRestored = "log.restored"

// restoredAt returns when the gateway was restored last; 0: never.
func restoredAt(s store.Store) (int64, error) {
	text, err := s.Meta(metaRestored)
	if errors.Is(err, registry.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the time of the last restore: %w", err)
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || at <= 0 {
		return 0, fmt.Errorf("the time of the last restore is %q", text)
	}
	return at, nil
}

// openAll opens the rows with their keys.
func (w *restoring) openAll() error {
	raw := w.raw
	w.raw = nil // Open takes it over
	var err error
	w.store, err = sealed.Open(raw, w.ring)
	return err
}

// logs is how the restored logs are read. Those of before are never
// appended to again.
func (w *restoring) logs() auditlog.Config {
	return auditlog.Config{Rows: w.store.Raw(), Origin: w.head.Gateway, Sealer: w.ring, Clock: w.o.Clock,
		Signer: func(origin string) note.Signer { return w.ring.LogSigner(origin) }, VKeys: w.ring.LogVKeys, Restored: w.now.Unix()}
}

// verify recomputes every log from its leaves and compares the rows with what
// the control log says of them.
func (w *restoring) verify() error {
	var done, total uint64
	for _, l := range w.out.Heads {
		total += l.Size
	}
	for _, l := range w.out.Heads {
		err := auditlog.VerifyRows(w.ctx, w.logs(), l.Name, func(n, _ uint64) { w.r.Progress("verify", int64(done+n), int64(total)) })
		if err != nil {
			return err
		}
		done += l.Size
	}
	return nil
}

// replay destroys again what was destroyed after the keys were copied: by the
// control logs of the backup, and by newer ones that were exported. Then it
// checks the rows and says in the new control log what the old ones were.
func (w *restoring) replay() error {
	if err := w.closeOld(); err != nil {
		return err
	}
	book, err := auditlog.Open(w.logs())
	if err != nil {
		return err
	}
	err = w.replayIn(book)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), stopTimeout)
	defer cancel()
	return errors.Join(err, book.Close(ctx))
}

// closeOld signs the end of the logs that were being written: what a checkpoint
// does not cover yet could not be told from what was cut off, and calls without
// an outcome would be looked for again at every start
// (TestRestoreEndsOpenCalls). It appends nothing, and what it signs is what the
// old gateway has at that size too.
func (w *restoring) closeOld() error {
	c := w.logs()
	var err error
	if c.Restored, err = restoredAt(w.store); err != nil {
		return err
	}
	book, err := auditlog.Open(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), stopTimeout)
	defer cancel()
	return book.Close(ctx)
}

func (w *restoring) replayIn(book *auditlog.Book) error {
	var all gone
	newest := auditlog.Name("")
	for _, l := range w.out.Heads {
		if !l.Name.IsControl() {
			continue
		}
		if newest == "" || l.Name.Restored() > newest.Restored() {
			newest = l.Name
		}
		log, err := book.Log(l.Name)
		if err != nil {
			return err
		}
		some, err := destroyedIn(log)
		if err != nil {
			return err
		}
		all.add(some)
	}
	if newest != "" {
		log, err := book.Log(newest)
		if err != nil {
			return err
		}
		if err := w.store.CheckRows(log); err != nil {
			return err
		}
	}
	for _, dir := range w.r.Control {
		some, err := w.exported(dir)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		all.add(some)
	}
	if len(w.r.Control) == 0 {
		w.out.Notices = append(w.out.Notices, "no newer control log was given: what was erased after "+
			w.head.Time.Format(time.RFC3339)+" may have come back; if there is an export, restore again with --control")
	}
	found, err := w.ring.Apply(all.keys)
	if err != nil {
		return err
	}
	w.out.Erased = found
	return w.record(book, all)
}

// destroyedIn returns what a log says of destroyed keys and erased pseudonyms.
func destroyedIn(log *auditlog.Log) (all gone, err error) {
	err = log.Read(0, log.Size(), func(r auditlog.Record) error {
		leaf, err := auditlog.ParseLeaf(r.Leaf)
		if err != nil || r.Part == nil {
			return err
		}
		return all.take(leaf.Kind, r.Part, leaf.Time.UTC())
	})
	return all, err
}

// maxExportLine bounds a line of entries.jsonl: leaf, part and key.
const maxExportLine = 1 << 20

// exported reads the control logs below an export, or the export of one, after
// verifying them as an outsider does: with the keys of this gateway, and that
// each continues the one in the backup.
func (w *restoring) exported(dir string) (all gone, err error) {
	found, err := filepath.Glob(filepath.Join(dir, "control*", "checkpoint"))
	if err != nil {
		return all, err
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err == nil {
		found = []string{filepath.Join(dir, "checkpoint")}
	}
	if len(found) == 0 {
		return all, &admin.Error{Code: admin.NotFound, Message: "there is no export of a control log in " + dir,
			Fix: "make one where the newer log is: ostiary audit export --out DIR"}
	}
	for _, checkpoint := range found {
		some, err := w.exportedLog(filepath.Dir(checkpoint))
		if err != nil {
			return all, err
		}
		all.add(some)
	}
	return all, nil
}

func (w *restoring) exportedLog(folder string) (gone, error) {
	o := verify.LogOptions{Progress: func(done, total uint64) { w.r.Progress("verify", int64(done), int64(total)) }}
	for _, l := range append([]backup.LogState{{Name: auditlog.Control}}, w.out.Heads...) {
		for _, text := range w.ring.LogVKeys(w.head.Gateway + "/" + string(l.Name)) {
			k, err := verify.ParseKey(text)
			if err != nil {
				return gone{}, err
			}
			o.Keys = append(o.Keys, k)
		}
	}
	report, err := verify.Log(os.DirFS(folder), o)
	if err != nil {
		return gone{}, notThatLog(folder, err)
	}
	for _, l := range w.out.Heads {
		if w.head.Gateway+"/"+string(l.Name) == report.Origin && report.Size >= l.Size && l.Note != "" {
			o.Old = []byte(l.Note)
			if _, err := verify.Log(os.DirFS(folder), o); err != nil {
				return gone{}, notThatLog(folder, err)
			}
		}
	}
	return readExport(filepath.Join(folder, "entries.jsonl"))
}

func notThatLog(folder string, err error) error {
	return &admin.Error{Code: admin.Integrity, Message: "the export in " + folder + " is not a continuation of the control log in the backup", Cause: err.Error(),
		Fix: "check it by itself: ostiary-verify log " + folder + " --key FILE.vkey"}
}

// restored is what the entry about a restore says.
type restored struct {
	Backup   string            `json:"backup"`
	Made     time.Time         `json:"made"`
	KeysMade time.Time         `json:"keys_made"`
	Expired  string            `json:"expired_keys,omitempty"` // why they were used nevertheless
	Heads    []backup.LogState `json:"heads"`                  // of the logs that end here
	Controls int               `json:"controls"`               // newer control logs that were replayed
	Erased   []string          `json:"erased,omitempty"`       // keys that were destroyed again
}

// keepUntil remembers the backup of keys that was used: it opens still.
func (w *restoring) keepUntil(s store.Store) error {
	return admin.RememberBackup(s, admin.Backup{ID: w.keysHead.ID, Time: w.keysHead.Time, Expires: *w.keysHead.Expires}, w.now)
}

// recorder writes acts as the gateway itself does.
func (w *restoring) recorder(book *auditlog.Book) *record.Step {
	return record.New(record.Config{Book: book, Clock: w.o.Clock, Pseudonym: w.store.Pseudonym, Keys: w.ring.Grown, InTx: func(fn func(auditlog.Rows) error) error {
		return w.store.InTx(func(s store.Store) error { return fn(s) })
	}})
}

// record deletes the rows of erased subjects and writes the first entry of the
// new control log, in one transaction.
func (w *restoring) record(book *auditlog.Book, all gone) error {
	entry := restored{Backup: w.head.ID, Made: w.head.Time, KeysMade: w.keysHead.Time, Expired: w.r.Expired, Heads: w.out.Heads, Controls: len(w.r.Control)}
	for i := range entry.Heads {
		entry.Heads[i].Note = "" // long, and in the rows
	}
	for _, t := range all.keys {
		entry.Erased = append(entry.Erased, t.KeyID)
	}
	w.out.Log = book.Control().Name()
	return w.store.InTx(func(s store.Store) error {
		if _, err := s.ErasePseudonyms(all.rows); err != nil {
			return err
		}
		for _, t := range all.keys {
			if t.Pseudonym == "" {
				continue
			}
			if _, err := s.EraseSubject(t.Pseudonym); err != nil {
				return err
			}
		}
		if err := w.keepUntil(s); err != nil {
			return err
		}
		if err := s.SetMeta(metaRestored, fmt.Sprint(w.now.Unix())); err != nil {
			return err
		}
		return w.recorder(book).Admin(s, auditlog.Act{Kind: auditlog.BackupRestored, Action: "restore", By: admin.Self(),
			Subject: w.head.ID, Reason: w.r.Reason, Change: entry})
	})
}
