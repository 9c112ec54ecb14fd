package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/backup"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/sqlite"
)

// RestoreOptions are the choices of a restore.
type RestoreOptions struct {
	From, Keys string   // the two files; Keys "" = From and .keys
	Identity   string   // file of age identities
	Passphrase string   // reference; instead of an identity
	Config     string   // file that replaces the configuration of the backup
	Control    []string // exports that hold a newer control log
	Expired    string   // why an expired backup of keys is used nevertheless
	DryRun     bool
	Reason     string
	Progress   func(what string, done, total int64) // may be nil
}

// Restored is what a restore made.
type Restored struct {
	Dir     string            `json:"dir"`
	Gateway string            `json:"gateway"`
	Backup  string            `json:"backup"` // id
	Made    time.Time         `json:"made"`   // when the backup was
	Rows    int64             `json:"rows"`
	Entries uint64            `json:"entries"`
	Erased  int               `json:"erased"` // keys that were destroyed again
	Log     auditlog.Name     `json:"log"`    // the control log that goes on
	Heads   []backup.LogState `json:"heads"`  // of the logs before it
}

// RestoreResult is a restore with what the operator should know.
type RestoreResult struct {
	Restored
	Notices []string
}

// Restore makes a gateway in dir, which must be empty, from the two files of a
// backup: keys first, then data, then every destruction of a key that is known
// (security.md 1.3). Everything is verified before anything is in place; a
// failure, a kill too, leaves no gateway.
func Restore(ctx context.Context, dir string, o Options, r RestoreOptions) (out RestoreResult, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return out, err
	}
	if r.Keys == "" {
		r.Keys = r.From + ".keys"
	}
	if r.Progress == nil {
		r.Progress = func(string, int64, int64) {}
	}
	ids, err := r.keyring(o)
	if err != nil {
		return out, err
	}
	w := &restoring{ctx: ctx, dir: dir, o: o, r: r, ids: ids, out: &out}
	err = w.run()
	if ctx.Err() != nil {
		return RestoreResult{}, errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return RestoreResult{}, explainRestore(err)
	}
	return out, nil
}

// keyring reads what opens the archives.
func (r RestoreOptions) keyring(o Options) (k backup.Keyring, err error) {
	if r.Passphrase != "" {
		k.Passphrase, err = secretOf("--passphrase", r.Passphrase, o.Environ)
		return k, err
	}
	f, err := os.Open(r.Identity)
	if err != nil {
		return k, fmt.Errorf("read the identity: %w", err)
	}
	k.Identities, err = io.ReadAll(io.LimitReader(f, 64<<10))
	return k, errors.Join(err, f.Close())
}

// explainRestore says what to do about a failed restore.
func explainRestore(err error) error {
	var broken *auditlog.Broken
	switch {
	case errors.As(err, &broken):
		return &admin.Error{Code: admin.Integrity, Message: fmt.Sprintf("the log %s in the backup does not verify from entry %d on: %s",
			broken.Log, broken.Index, broken.Why), Fix: "use another backup, and find out what happened to this one"}
	case errors.Is(err, store.ErrDamage):
		return &admin.Error{Code: admin.Integrity, Message: "the rows in the backup are not those that its log describes", Cause: err.Error(),
			Fix: "use another backup, and find out what happened to this one"}
	case errors.Is(err, fs.ErrNotExist):
		return &admin.Error{Code: admin.NotFound, Message: err.Error(), Fix: "name the two files of the backup: --from and --keys"}
	}
	return explainBackup(explain1(err))
}

// explain1 is explain for errors that are of the database or not.
func explain1(err error) error {
	var known *admin.Error
	if e := explain(err); errors.As(e, &known) {
		return e
	}
	return explainRoot(err)
}

// restoring is one restore under way.
type restoring struct {
	ctx context.Context
	dir string
	o   Options
	r   RestoreOptions
	ids backup.Keyring
	out *RestoreResult

	aside    string // folder in dir that becomes the gateway
	now      time.Time
	keysHead backup.Head
	head     backup.Head
	config   *Config
	at       location
	ring     *keys.Ring
	raw      store.Raw
	draft    *postgres.Draft // nil: SQLite
	store    *sealed.Store
	loader   *backup.Loader
}

func (w *restoring) run() (err error) {
	w.now = w.o.Clock.Now().UTC()
	finish, err := w.prepare()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, finish(err == nil && !w.r.DryRun)) }()
	defer func() { err = errors.Join(err, w.close()) }()
	for _, step := range []func() error{w.readKeys, w.readData, w.openAll, w.verify, w.replay} {
		if err := step(); err != nil {
			return err
		}
	}
	if w.r.DryRun {
		w.out.Notices = append(w.out.Notices, "nothing was kept: this was a dry run")
		return w.discard()
	}
	return w.place()
}

// readKeys reads the archive of the keys and puts its files aside.
func (w *restoring) readKeys() error {
	var files []keys.KeyFile
	a, err := w.archive(w.r.Keys, backup.Keys, backup.Sink{
		Head: func(h backup.Head) error { w.keysHead = h; return w.fresh(h) },
		File: func(name string, data []byte) error {
			files = append(files, keys.KeyFile{Name: name, Data: data})
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("read the backup of the keys: %w", err)
	}
	w.keysHead = a.Manifest.Head
	return keys.Place(w.aside, files)
}

// fresh refuses keys whose time is over, unless the operator says why.
func (w *restoring) fresh(h backup.Head) error {
	if w.now.Before(*h.Expires) {
		return nil
	}
	if w.r.Expired == "" {
		return fmt.Errorf("%w: at %s", backup.ErrExpired, h.Expires.Format(time.RFC3339))
	}
	w.out.Notices = append(w.out.Notices, "the backup of the keys expired at "+h.Expires.Format(time.RFC3339)+": what was erased since may have come back; give newer control logs with --control")
	return nil
}

// archive reads one of the two files.
func (w *restoring) archive(path string, kind backup.Kind, sink backup.Sink) (*backup.Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a, err := backup.Read(&counted{r: f, total: st.Size(), tell: func(done, total int64) { w.r.Progress("restore", done, total) }, ctx: w.ctx}, w.ids, kind, sink)
	return a, errors.Join(err, f.Close())
}

// counted tells how much was read, and ends with the command.
type counted struct {
	r           io.Reader
	done, total int64
	tell        func(done, total int64)
	ctx         context.Context
}

func (c *counted) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(b)
	c.done += int64(n)
	c.tell(c.done, c.total)
	return n, err
}

// readData reads the archive of the data into a store that nobody sees yet.
func (w *restoring) readData() error {
	load := func() (*backup.Loader, error) {
		if w.loader != nil {
			return w.loader, nil
		}
		return w.loader, w.makeStore()
	}
	a, err := w.archive(w.r.From, backup.Data, backup.Sink{
		Head: func(h backup.Head) error {
			if w.head = h; h.Gateway != w.keysHead.Gateway {
				return fmt.Errorf("%w: %s and %s", backup.ErrForeign, h.Gateway, w.keysHead.Gateway)
			}
			return nil
		},
		File: w.keepFile,
		Row: func(r store.Row) error {
			l, err := load()
			if err != nil {
				return err
			}
			return l.Row(r)
		},
		Batch: func(b auditlog.Batch) error {
			l, err := load()
			if err != nil {
				return err
			}
			return l.Batch(b)
		},
		Checkpoint: func(log auditlog.Name, c auditlog.Checkpoint) error {
			l, err := load()
			if err != nil {
				return err
			}
			return l.Checkpoint(log, c)
		},
	})
	if err != nil {
		return fmt.Errorf("read the backup of the data: %w", err)
	}
	l, err := load()
	if err == nil {
		err = l.Check(a.Manifest)
	}
	if err != nil {
		return err
	}
	w.out.Restored = Restored{Dir: w.dir, Gateway: w.head.Gateway, Backup: w.head.ID, Made: w.head.Time, Rows: a.Manifest.Rows,
		Entries: a.Manifest.Entries, Heads: a.Manifest.Logs}
	return w.signed(a)
}

// signed opens the keys and holds the archive against them: another gateway's,
// or a stranger's who knows a recipient, is not restored.
func (w *restoring) signed(a *backup.Archive) error {
	at := rootAt{base: w.aside, environ: w.o.Environ, guard: egress.New(egress.Config{}), clock: w.o.Clock}
	o, root, err := at.open(w.ctx, w.config.Keys.Root)
	if err != nil {
		return err
	}
	if w.ring, err = keys.OpenWith(w.aside, o); root != nil {
		err = errors.Join(err, root.Close())
	}
	if err != nil {
		return err
	}
	return a.CheckSignature(w.ring.LogVKeys(backup.Signs(w.head.Gateway)))
}

// keepFile puts a file of the configuration aside.
func (w *restoring) keepFile(name string, data []byte) error {
	if name == ConfigName && w.r.Config != "" {
		text, err := readConfig(w.r.Config)
		if err != nil {
			return err
		}
		data = text
	}
	if err := writeSynced(filepath.Join(w.aside, name), data); err != nil {
		return err
	}
	if name != ConfigName {
		return nil
	}
	c, err := Parse(filepath.Join(w.dir, ConfigName), data, w.o.Environ)
	if err != nil {
		return err
	}
	if c.DataDir != "" {
		return &admin.Error{Code: admin.Invalid, Message: "the configuration of the backup sets data_dir, which is the old gateway's",
			Fix: "write one without it and name it: --config FILE"}
	}
	w.config = c
	return nil
}

// makeStore makes the store that the configuration names.
func (w *restoring) makeStore() error {
	if w.config == nil {
		return fmt.Errorf("%w: it holds no configuration", backup.ErrDamaged)
	}
	w.at = location{file: filepath.Join(w.aside, storeName), dsn: w.config.Store.DSN, base: w.dir, environ: w.o.Environ, guard: egress.New(egress.Config{})}
	if w.at.dsn == "" {
		db, err := sqlite.Create(w.at.file)
		if err != nil {
			return fmt.Errorf("make store: %w", err)
		}
		w.raw = db
	} else {
		c, err := w.at.server()
		if err != nil {
			return err
		}
		if w.draft, err = postgres.Begin(c); err != nil {
			return err
		}
		w.raw = w.draft
	}
	var err error
	w.loader, err = backup.NewLoader(w.raw)
	return err
}
