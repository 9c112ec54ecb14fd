package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/clock"
)

// Ring is the opened set of keys of one gateway. It is safe for concurrent
// use. It prints as a marker.
type Ring struct {
	state    atomic.Pointer[state]
	folder   string
	readOnly bool
	made     Options // how the root key was reached, to make the next one

	mu       sync.Mutex // serialises changes of the keystore
	root     root       // guarded by mu, as is made
	handles  *Handles
	ca       *CA
	subjects *subjects
	macs     atomic.Pointer[tokenMACs]
	tokens   atomic.Pointer[tokenSet]
	checked  checkedTokens

	handover sync.Map // origin -> nothing: checkpoints that both signers signed
}

// String keeps keys out of anything that prints a ring.
func (r *Ring) String() string { return "[key ring]" }

// GoString keeps keys out of %#v.
func (r *Ring) GoString() string { return "[key ring]" }

// ErrReadOnly says that the ring was opened to read only.
var ErrReadOnly = errors.New("the keys are open to read only")

// Folder returns the folder that holds the keys of the data directory dir.
func Folder(dir string) string { return filepath.Join(dir, "keys") }

// Create makes the keys of a new gateway in dir/keys, under a root key in a
// plain file, and its certificate authority's public root in dir/ca.pem. It
// returns ErrExists when dir already has keys; then, and on any other error,
// it leaves nothing half-made.
func Create(dir string) (*Ring, error) { return CreateWith(dir, Options{}) }

// CreateWith is Create with a root key of the caller's choice.
func CreateWith(dir string, o Options) (*Ring, error) {
	return createWith(dir, o, clock.Clock{}.Now())
}

func createAt(dir string, now time.Time) (*Ring, error) { return createWith(dir, Options{}, now) }

func createWith(dir string, o Options, now time.Time) (*Ring, error) {
	folder := Folder(dir)
	if err := os.Mkdir(folder, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create keys in %s: %w", folder, ErrExists)
		}
		return nil, fmt.Errorf("create keys: %w", err)
	}
	ring, err := fillFolder(dir, o, now)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return ring, nil
}

// fillFolder writes every key file of a new gateway and syncs dir.
func fillFolder(dir string, o Options, now time.Time) (*Ring, error) {
	folder := Folder(dir)
	born := now.UTC().Truncate(time.Second)
	top, err := makeRoot(folder, o)
	if err != nil {
		return nil, err
	}
	s := newState(born)
	if err := recoverable(folder, s, top, o.Recovery); err != nil {
		return nil, err
	}
	w, err := wrapTenant(o.context(), top, s.tenant.key, born)
	if err != nil {
		return nil, err
	}
	s.wraps = []wrapDoc{w}
	ring := newRing(folder, top, s, o)
	if err = ring.save(s); err != nil {
		return nil, err
	}
	if ring.subjects, err = createSubjects(folder, ring.state.Load()); err != nil {
		return nil, err
	}
	if ring.ca, err = createCA(dir, purposeKey{ring, Authority}, o.Domain, now); err != nil {
		return nil, err
	}
	return ring, syncDir(dir)
}

// recoverable seals a new root key to the recovery recipient, if there is one.
func recoverable(folder string, s *state, top root, to string) error {
	if to == "" {
		return nil
	}
	l, ok := top.(local)
	if !ok {
		return fmt.Errorf("recovery recipient: the root key never leaves %s; back it up there", top.id())
	}
	s.recovery = to
	return writeRecovery(folder, l.key, to)
}

func newRing(folder string, top root, s *state, o Options) *Ring {
	r := &Ring{folder: folder, root: top, readOnly: o.ReadOnly, made: o}
	r.state.Store(s)
	r.macs.Store(newTokenMACs(s))
	r.handles = newHandles(purposeKey{r, HandleSeal})
	return r
}

// Open opens the keys in dir/keys whose root key is in a file. It refuses a
// folder or file that other users may open (ErrMode), a damaged file
// (ErrDamaged), one of an unknown version (ErrVersion), and missing keys
// (fs.ErrNotExist). It never repairs.
func Open(dir string) (*Ring, error) { return OpenWith(dir, Options{}) }

// OpenWith is Open with what the root key needs. It writes a keystore of
// format 1 anew in format 2, and finishes a change that was interrupted.
func OpenWith(dir string, o Options) (*Ring, error) {
	r, err := openWith(dir, o)
	if err != nil {
		return nil, fmt.Errorf("open keys: %w", err)
	}
	return r, nil
}

func openWith(dir string, o Options) (*Ring, error) {
	folder := Folder(dir)
	info, err := os.Lstat(folder)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s %w: not a folder", folder, ErrDamaged)
	}
	if err := checkMode(folder, info); err != nil {
		return nil, err
	}
	r, err := openKeystore(folder, o)
	if err != nil {
		return nil, err
	}
	if r.subjects, err = openSubjects(folder, r.state.Load(), r.readOnly); err != nil {
		return nil, err
	}
	if r.ca, err = openCA(dir, purposeKey{r, Authority}); err != nil {
		return nil, err
	}
	r.ca.follow = o.ReadOnly
	return r, nil
}

// openKeystore reads dir/keys/keystore of either format.
func openKeystore(folder string, o Options) (*Ring, error) {
	path := filepath.Join(folder, keystoreFile)
	data, err := readFile(path, keystoreLimit)
	if err != nil {
		return nil, err
	}
	format, err := formatOf(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	if format == keystoreFormat1 {
		return upgrade(folder, data, o)
	}
	doc, err := parseKeystore(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	if err := o.expect(path, doc.Tenant.Wraps); err != nil {
		return nil, err
	}
	top, tenant, at, err := openTenant(folder, doc.Tenant, o)
	if err != nil {
		return nil, err
	}
	s, err := doc.open(tenant)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	r := newRing(folder, top, s, o)
	if r.readOnly {
		return r, nil
	}
	return r, r.settle(at)
}

// expect refuses a keystore whose root key is not where the configuration says.
func (o Options) expect(path string, wraps []wrapDoc) error {
	have := wraps[len(wraps)-1].Provider
	if o.Provider == "" || o.Provider == have {
		return nil
	}
	return fmt.Errorf("%s %w: in %s, not in %s; move it with ostiary key root move, or correct keys.root in ostiary.yaml",
		path, ErrProvider, have, o.Provider)
}

// upgrade opens a keystore of format 1, whose root key is always a file, and
// writes it in format 2. The keys stay the same.
func upgrade(folder string, data []byte, o Options) (*Ring, error) {
	path := filepath.Join(folder, keystoreFile)
	if err := o.expect(path, []wrapDoc{{Provider: ProviderFile}}); err != nil {
		return nil, err
	}
	key, err := readRoot(filepath.Join(folder, rootFile))
	if err != nil {
		return nil, err
	}
	now := clock.Clock{}.Now().UTC().Truncate(time.Second)
	s, err := decodeKeystore1(data, key, now)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	top := local{ProviderFile, key, filepath.Join(folder, rootFile)}
	w, err := wrapTenant(o.context(), top, s.tenant.key, now)
	if err != nil {
		return nil, err
	}
	s.wraps = []wrapDoc{w}
	r := newRing(folder, top, s, o)
	if r.readOnly {
		return r, nil
	}
	// First, so that a keystore of format 2 always has it.
	if _, err := createSubjects(folder, s); err != nil {
		return nil, err
	}
	return r, r.save(s)
}

// settle finishes or takes back an interrupted change of the root key; at is
// the wrap that opened.
func (r *Ring) settle(at int) error {
	s := r.state.Load()
	var others []wrapDoc
	for i, w := range s.wraps {
		if i != at {
			others = append(others, w)
		}
	}
	if err := settleRoot(r.folder, r.root, others); err != nil {
		return err
	}
	if len(others) == 0 {
		if s.unsaved {
			return r.save(s.clone())
		}
		return nil
	}
	next := s.clone()
	next.wraps = []wrapDoc{s.wraps[at]}
	if at < len(s.wraps)-1 { // taken back, and so is its order
		undone := s.wraps[len(s.wraps)-1].id()
		next.orders = slices.DeleteFunc(next.orders, func(o order) bool { return o.Name == RootKey && o.KeyID == undone })
	}
	return r.save(next)
}

// save makes s the state, when it is on stable storage. The old file's bytes
// are overwritten, so that a destroyed key does not stay on the disk.
func (r *Ring) save(s *state) error {
	if r.readOnly {
		return ErrReadOnly
	}
	s.generation++
	s.unsaved = false
	data, err := s.encode()
	if err != nil {
		return err
	}
	if err := rewriteFile(filepath.Join(r.folder, keystoreFile), data); err != nil {
		return err
	}
	r.state.Store(s)
	r.macs.Store(newTokenMACs(s))
	return nil
}

// Generation grows with every change of the keystore. Whoever keeps it
// elsewhere sees that an old keystore was put back.
func (r *Ring) Generation() uint64 { return r.state.Load().generation }

// Grown returns the generation and how many subjects were ever made, those that
// are erased too. Neither gets smaller: whoever keeps both elsewhere sees that
// an old keystore or an old file of subjects was put back, or that lines were
// cut off its end (TestGrown).
func (r *Ring) Grown() (generation, subjects uint64) {
	r.subjects.mu.RLock()
	defer r.subjects.mu.RUnlock()
	s := r.state.Load() // under the lock: who is removed has a tombstone by then
	subjects = uint64(len(r.subjects.ids))
	for _, t := range s.destroyed {
		if t.Pseudonym != "" && r.subjects.ids[t.Pseudonym] == nil {
			subjects++
		}
	}
	return s.generation, subjects
}

// CA returns the gateway's own certificate authority.
func (r *Ring) CA() *CA { return r.ca }

// Handles returns the sealer of what clients carry for us.
func (r *Ring) Handles() *Handles { return r.handles }
