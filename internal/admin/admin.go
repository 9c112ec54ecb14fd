// Package admin is everything that an operator can do: submit, approve and
// suspend servers, approve their tools, register agents, make their
// credentials, grant and revoke. Each change is checked, stored, recorded and
// swapped into the live view as one.
//
// It may use the store, the key ring and the live registry, and serves its
// functions as JSON over a socket that only the same user may open. It asks
// servers nothing itself: registry.Prober does. It deliberately knows no verb
// of the data path, cannot turn recording off, and hands out no secret but the
// credential that it has just made.
package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// Gateway is what local clients need to know of the running gateway.
type Gateway struct {
	Running    bool
	Version    string
	Mode       string
	URL        string // https://host:port or the public URL
	Address    string // host:port to dial from this machine
	ServerName string // name in its certificate
	OwnCA      bool   // its certificate comes from the gateway's own CA
	// Checks looks at everything, the database too. It must not be called
	// inside a change, which may hold the only connection
	// (TestChangesLookAtNothingElse).
	Checks func() []Check
}

// Config is what Admin is made of. Prober may be nil: then nothing is
// examined.
type Config struct {
	Store    store.Store
	Ring     *keys.Ring
	Live     *registry.Live
	Recorder Recorder
	Prober   registry.Prober
	Gateway  func() Gateway
	Clock    clock.Clock
	Archiver Archiver       // nil: there are no backups
	Book     *auditlog.Book // nil: the log cannot be read

	Witnesses Witnesses // nil: no witness is asked

	Vault *vault.Vault // of pseudonyms; nil: there is none
	// RevealTwo says whether a second person must agree to a value's being
	// revealed. Nil: no.
	RevealTwo func() bool

	Follows error // another gateway changes the store: what every change gets; nil: this one does
	// Policy is what the configuration says about policies now; nil: nothing.
	Policy func() PolicyRules
	// Shadow tells how the shadow of that hash compares; nil: nothing was decided.
	Shadow func(hash string) PolicyTrial

	// Learned tells what calls taught of results; nil: nothing.
	Learned func(server, tool string) []filter.Learned

	// Passkeys says whether people approve calls with a passkey only; nil: also
	// with a password and a code, who have no passkey.
	Passkeys func() bool
	// Alarm is told what must not wait for somebody to look, with the id of
	// what it is about. It must return at once.
	Alarm func(event, id string)

	// Explain says why a token would be accepted or refused.
	Explain func(context.Context, ExplainToken) (TokenVerdict, error)

	// TrustDomains are the outside trust domains whose certificates are taken.
	TrustDomains []string

	// Listeners returns the hosts that the gateway's own listeners need
	// certificates for; nil: none.
	Listeners func() []string

	// RootKey says whether a root key outside the data directory can be used
	// now. Nil: it lies in the data directory.
	RootKey func(context.Context) error
}

// ReceiptName is the name of the key of receipts: that of the gateway, which
// every origin of its logs begins with.
func ReceiptName(origin string) string {
	parts := strings.SplitN(origin, "/", 4)
	return strings.Join(parts[:min(3, len(parts))], "/")
}

// probeTimeout bounds one examination of a server: two eras, each with the start
// and probe of protocol.md 4.6.
const probeTimeout = 60 * time.Second

// metaVersion is the store's key of the registry's version.
const metaVersion = "registry.version"

// Admin holds what the operator functions share.
type Admin struct {
	cfg     Config
	backups backups

	mu      sync.Mutex         // serialises changes, so that versions follow each other
	base    *registry.Snapshot // of the rows as they are committed; live may show less
	prober  registry.Prober
	reads   reads
	exports exports
	jobs    jobs
	reseals reseals

	revealed reveals
}

// New returns the operator functions and fills the live view from the store.
func New(cfg Config) (*Admin, error) {
	a := &Admin{cfg: cfg, prober: cfg.Prober}
	if cfg.Follows == nil {
		if err := a.resume(); err != nil {
			return nil, err
		}
	}
	version, err := readVersion(cfg.Store)
	if err != nil {
		return nil, err
	}
	view, err := a.load(cfg.Store, version)
	if err != nil {
		return nil, err
	}
	a.base = view
	cfg.Live.Swap(view)
	return a, a.noteFlaw()
}

// Refresh makes the live view of the rows that another gateway has changed.
func (a *Admin) Refresh() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	version, err := readVersion(a.cfg.Store)
	if err != nil {
		return err
	}
	view, err := a.load(a.cfg.Store, version)
	if err != nil {
		return err
	}
	a.base = view
	a.cfg.Live.Swap(view)
	return nil
}

// SetProber sets who examines servers.
func (a *Admin) SetProber(p registry.Prober) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.prober = p
}

// As returns the functions as the operator by, who stands in every record.
func (a *Admin) As(by string) API { return &operator{Admin: a, by: by} }

// operator is one caller of Admin.
type operator struct {
	*Admin
	by    string
	proof *Proof // of a person who signed in; nil: at the socket
}

// errDry undoes the transaction of a dry run.
var errDry = errors.New("dry run")

// act describes one change for the record. What a change makes, it may name
// while it runs.
type act struct {
	kind    string           // such as server.approve
	subject string           // id of the server or token; never the name of a person
	agent   string           // the agent that it concerns, if any
	noun    registry.NounRef // what is changed, when it is a noun
	what    string           // the subject in an error message
	Change
	also []auditlog.Act // what else happened, as acts of the same operator
}

// maxReason bounds the reason in bytes.
const maxReason = 1024

// change runs do in a transaction, records what it returns, and shows the new
// state to the data path. A dry run does all of it and then takes it back.
func (o *operator) change(t *act, do func(store.Store) (any, error)) error {
	if len(t.Reason) > maxReason {
		return invalid("shorten it", "the reason is longer than %d bytes", maxReason)
	}
	if o.cfg.Follows != nil {
		return o.cfg.Follows
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var view *registry.Snapshot
	err := o.cfg.Store.InTx(func(s store.Store) error {
		before, err := fingerprint(s, t)
		if err != nil {
			return err
		}
		detail, err := do(s)
		if err != nil {
			return err
		}
		if t.DryRun {
			return errDry
		}
		after, err := fingerprint(s, t)
		if err != nil {
			return err
		}
		if view, err = o.next(s); err != nil {
			return err
		}
		// Recorded inside the transaction: a change that cannot be
		// recorded is not made (TestChangeThatCannotBeRecordedIsNotMade).
		return o.cfg.Recorder.Admin(rowsOf(s), o.recorded(t, before, after, detail)...)
	})
	if errors.Is(err, errDry) {
		return nil
	}
	if err != nil {
		return asError(t.what, err)
	}
	o.base = view
	o.cfg.Live.Swap(view)
	return nil
}

// next stores the next version and returns the view of it.
func (o *operator) next(s store.Store) (*registry.Snapshot, error) {
	version, err := readVersion(s)
	if err != nil {
		return nil, err
	}
	before := version
	version++
	if err := s.SetMeta(metaVersion, strconv.FormatUint(version, 10)); err != nil {
		return nil, err
	}
	if touched := s.Touched(); !touched.Whole && o.base.Version() == before {
		return o.patched(s, o.base, touched)
	}
	return o.load(s, version)
}

func readVersion(s store.Store) (uint64, error) {
	text, err := s.Meta(metaVersion)
	if errors.Is(err, registry.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the registry's version: %w", err)
	}
	return strconv.ParseUint(text, 10, 64)
}

// examine asks the server what it is. It returns nil and a notice when that is
// not possible now.
func (o *operator) examine(ctx context.Context, s registry.Server) (*registry.Examination, string) {
	o.mu.Lock()
	prober := o.prober
	o.mu.Unlock()
	if prober == nil {
		return nil, "no examiner is available"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	found, err := prober.Examine(ctx, s)
	if err != nil {
		return nil, strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return &found, ""
}
