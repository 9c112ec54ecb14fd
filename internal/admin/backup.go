package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// BackupBegin begins a backup: what is in the store at this moment.
type BackupBegin struct {
	Recipients []string `json:"recipients,omitempty"` // age1...; or a passphrase
	Passphrase []byte   `json:"passphrase,omitempty"`
	Keep       Duration `json:"keep"` // how long the backup of the keys opens
}

// String hides the passphrase.
func (b BackupBegin) String() string {
	return fmt.Sprintf("backup for %d recipients", len(b.Recipients))
}

// GoString hides the passphrase.
func (b BackupBegin) GoString() string { return b.String() }

// BackupBegun is a backup under way.
type BackupBegun struct {
	ID       string `json:"id"`
	Estimate int64  `json:"estimate"` // bytes of the archive of data, about
}

// BackupPart is the next piece of the archive of data, encrypted. One without
// bytes is the end.
type BackupPart struct {
	Data []byte `json:"data"`
}

// BackupFinish asks for the archive of the keys and ends the backup.
type BackupFinish struct {
	Change
	ID string `json:"id"`
}

// BackupFinished is the archive of the keys, encrypted.
type BackupFinished struct {
	Backup
	Keys []byte `json:"keys"`
}

// Backup is one backup that was made. Its keys open until Expires: an erasure
// is complete when the last backup of keys from before it has expired.
type Backup struct {
	ID         string    `json:"id"`
	Time       time.Time `json:"time"`
	Expires    time.Time `json:"expires"`
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256"` // of the archive of data
	KeysSHA256 string    `json:"keysSha256"`
	Recipients []string  `json:"recipients"` // public keys; none: a passphrase
}

// BackupStamp is what stands in the head of both archives.
type BackupStamp struct {
	ID      string
	Time    time.Time
	Expires time.Time
}

// Archiver writes the archives. App's is the room backup over the store's rows.
type Archiver interface {
	// Data takes what is in the store now and returns how many bytes it is,
	// about, and what writes the archive.
	Data(b BackupBegin, s BackupStamp) (estimate int64, write func(io.Writer) error, err error)
	// Keys writes the archive of the keys as they are now.
	Keys(w io.Writer, b BackupBegin, s BackupStamp) error
}

// Bounds of a backup.
const (
	backupPart = 1 << 20             // bytes of one piece
	backupWait = 2 * time.Minute     // without a request, a backup is given up
	keepLeast  = time.Hour           // of the keys
	keepMost   = 90 * 24 * time.Hour // longer, and an erasure would never be complete
	maxBackups = 512                 // that are remembered
	mostAtOnce = 4                   // under way
	metaBackup = "backup.made"
)

// backups holds the backups under way. They are driven by their requests: there
// is no work of their own that somebody would have to end.
type backups struct {
	mu  sync.Mutex
	set map[string]*backingUp
}

type backingUp struct {
	by    string
	begin BackupBegin
	stamp BackupStamp
	used  time.Time
	next  func() ([]byte, error, bool)
	stop  func()
	sum   hash.Hash
	bytes int64
	whole bool // the archive of data was handed out
}

// end gives up every backup under way.
func (s *backups) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.set {
		s.drop(id)
	}
}

func (s *backups) drop(id string) {
	if b := s.set[id]; b != nil {
		b.stop()
		delete(s.set, id)
	}
}

// room drops what nobody asked for any more and reports whether another backup
// has a place: each holds the rows in memory.
func (s *backups) room(now time.Time) bool {
	for id, b := range s.set {
		if now.Sub(b.used) >= backupWait {
			s.drop(id)
		}
	}
	return len(s.set) < mostAtOnce
}

// pieces turns what write writes into pieces of about backupPart bytes, each
// made when it is asked for.
func pieces(write func(io.Writer) error) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		p := &piecer{yield: yield}
		if err := write(p); err != nil {
			if !p.over {
				yield(nil, err)
			}
			return
		}
		if len(p.buf) > 0 {
			yield(p.buf, nil)
		}
	}
}

type piecer struct {
	yield func([]byte, error) bool
	buf   []byte
	over  bool
}

var errStopped = errors.New("the backup was given up")

func (p *piecer) Write(b []byte) (int, error) {
	if p.over {
		return 0, errStopped
	}
	p.buf = append(p.buf, b...)
	if len(p.buf) >= backupPart {
		p.over = !p.yield(p.buf, nil)
		p.buf = nil
	}
	return len(b), nil
}

// BackupBegin implements API.
func (o *operator) BackupBegin(_ context.Context, r BackupBegin) (BackupBegun, error) {
	if o.cfg.Archiver == nil {
		return BackupBegun{}, &Error{Code: Unavailable, Message: "this gateway makes no backups"}
	}
	if keep := time.Duration(r.Keep); keep < keepLeast || keep > keepMost {
		return BackupBegun{}, invalid("choose between 1h and 2160h", "a backup of the keys cannot be kept for %s", keep)
	}
	o.backups.mu.Lock()
	defer o.backups.mu.Unlock()
	now := o.cfg.Clock.Now().UTC().Truncate(time.Second)
	if !o.backups.room(now) {
		return BackupBegun{}, &Error{Code: Conflict, Message: "other backups are under way", Fix: "wait for them; one that stopped is given up after two minutes"}
	}
	b := &backingUp{by: o.by, begin: r, used: now, sum: sha256.New(),
		stamp: BackupStamp{ID: uuid.NewString(), Time: now, Expires: now.Add(time.Duration(r.Keep))}}
	estimate, write, err := o.cfg.Archiver.Data(r, b.stamp)
	if err != nil {
		return BackupBegun{}, asError("the backup", err)
	}
	b.next, b.stop = iter.Pull2(pieces(write))
	if o.backups.set == nil {
		o.backups.set = map[string]*backingUp{}
	}
	o.backups.set[b.stamp.ID] = b
	return BackupBegun{ID: b.stamp.ID, Estimate: estimate}, nil
}

// underWay returns a backup when it is that one and the caller's.
func (o *operator) underWay(id string) (*backingUp, error) {
	b := o.backups.set[id]
	if b == nil || b.by != o.by {
		return nil, &Error{Code: NotFound, Message: "this backup is not under way", Fix: "begin again: ostiary backup"}
	}
	b.used = o.cfg.Clock.Now()
	return b, nil
}

// BackupRead implements API.
func (o *operator) BackupRead(_ context.Context, r ID) (BackupPart, error) {
	o.backups.mu.Lock()
	defer o.backups.mu.Unlock()
	b, err := o.underWay(r.ID)
	if err != nil {
		return BackupPart{}, err
	}
	data, err, more := b.next()
	if err != nil {
		o.backups.drop(r.ID)
		return BackupPart{}, asError("the backup", err)
	}
	b.whole = !more
	b.sum.Write(data)
	b.bytes += int64(len(data))
	return BackupPart{Data: data}, nil
}

// BackupFinish implements API. The keys are read after the data, so that they
// open all of it, and leave only when the log and the list of backups say that
// they did: an erasure must know until when such a copy opens
// (TestBackupIsListedBeforeKeysLeave).
func (o *operator) BackupFinish(_ context.Context, r BackupFinish) (Done[BackupFinished], error) {
	o.backups.mu.Lock()
	defer o.backups.mu.Unlock()
	b, err := o.underWay(r.ID)
	if err != nil {
		return Done[BackupFinished]{}, err
	}
	if !b.whole {
		return Done[BackupFinished]{}, invalid("read the data to its end first", "the archive of data was not read whole")
	}
	defer o.backups.drop(r.ID)
	keys := &sink{}
	if err := o.cfg.Archiver.Keys(keys, b.begin, b.stamp); err != nil {
		return Done[BackupFinished]{}, asError("the backup of the keys", err)
	}
	sum := sha256.Sum256(keys.b)
	made := Backup{ID: b.stamp.ID, Time: b.stamp.Time, Expires: b.stamp.Expires, Bytes: b.bytes,
		SHA256: hex.EncodeToString(b.sum.Sum(nil)), KeysSHA256: hex.EncodeToString(sum[:]), Recipients: b.begin.Recipients}
	r.DryRun = false
	err = o.change(&act{kind: "backup.make", subject: made.ID, what: "the backup", Change: r.Change}, func(s store.Store) (any, error) {
		return made, RememberBackup(s, made, b.stamp.Time)
	})
	if err != nil {
		return Done[BackupFinished]{}, err
	}
	return Done[BackupFinished]{Applied: true, Item: BackupFinished{made, keys.b}, Notices: []string{
		"the keys in the second file open until " + made.Expires.Format(time.RFC3339) + "; keep the two files in different places"}}, nil
}

// sink collects the archive of the keys, which is small.
type sink struct{ b []byte }

func (s *sink) Write(b []byte) (int, error) {
	s.b = append(s.b, b...)
	return len(b), nil
}

// BackupList implements API.
func (o *operator) BackupList(context.Context, None) ([]Backup, error) {
	all, err := Backups(o.cfg.Store)
	return all, asError("backups", err)
}

// Backups returns the backups that were made: the newest, and every one whose
// keys still open.
func Backups(s interface {
	Meta(string) (string, error)
}) ([]Backup, error) {
	text, err := s.Meta(metaBackup)
	if errors.Is(err, registry.ErrNotFound) {
		return []Backup{}, nil
	}
	var all []Backup
	if err == nil {
		err = json.Unmarshal([]byte(text), &all)
	}
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	return all, nil
}

// LastKeyBackup returns when the last backup of keys that was made until now
// expires; the zero time: there is none that still opens.
func LastKeyBackup(s interface {
	Meta(string) (string, error)
}, now time.Time) (last time.Time, err error) {
	all, err := Backups(s)
	for _, b := range all {
		if b.Expires.After(now) && b.Expires.After(last) {
			last = b.Expires
		}
	}
	return last, err
}

// RememberBackup adds b to the list, and drops what has expired.
func RememberBackup(s store.Store, b Backup, now time.Time) error {
	all, err := Backups(s)
	if err != nil {
		return err
	}
	all = append(all, b)
	var kept []Backup
	for i, b := range all {
		if b.Expires.After(now) || i == len(all)-1 {
			kept = append(kept, b)
		}
	}
	if len(kept) > maxBackups {
		return invalid("wait until some have expired, or keep keys for a shorter time", "there are %d backups whose keys still open", len(kept))
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	return s.SetMeta(metaBackup, string(text))
}
