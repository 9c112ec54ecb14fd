// Package app wires the house once: it reads the configuration, takes the data
// directory's lock, opens keys, store and logs, and gives every room what it
// needs. Commands use it for one change, up for the life of a gateway; tests
// build it too.
//
// It is the only room that knows the store drivers. It reads no flag and no
// environment variable but through what cmd hands in, and decides nothing
// about any call.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/authorize"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/forward"
	"ostiary.dev/ostiary/internal/issuer"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/meter"
	"ostiary.dev/ostiary/internal/portal"
	"ostiary.dev/ostiary/internal/record"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/vault"
)

// Names of what lies in the data directory, beside the keys folder.
const (
	ConfigName = "ostiary.yaml"
	lockName   = "lock"
	socketName = "admin.sock"
	storeName  = "ostiary.db"
	oldRecord  = "records.jsonl" // of versions before the log
	caName     = "ca.pem"
	runName    = "run" // working directory of children
)

// Errors of Open and Connect.
var (
	ErrNoGateway = errors.New("there is no gateway in this directory")
	ErrLocked    = errors.New("another process works on this directory")
)

// Options are what the process knows and the file does not.
type Options struct {
	Environ func(string) (string, bool) // nil: no variable is set
	Version string
	Log     io.Writer     // where logs go; nil: nowhere
	Wait    time.Duration // how long to wait for the directory's lock; 0: not at all
	Clock   clock.Clock
	// People knows who is signed in at the pages of the built-in issuer. Nil:
	// nobody is.
	People  issuer.Sessions
	Exposed error // why a crash may leave this process's memory on a disk; nil: it cannot, or nobody looked
}

// App is an opened data directory.
type App struct {
	dir     string // of the data
	file    string // the configuration file
	options Options
	config  atomic.Pointer[Config] // swapped by reload
	digest  atomic.Pointer[digest] // of the file that config was read from

	lock     *lock
	ring     *keys.Ring
	trust    *trusted  // nil: no outside trust domain
	root     *usedRoot // nil: the root key is in the data directory
	store    *sealed.Store
	vault    *vault.Vault    // of pseudonyms, in the store
	queue    *postgres.Queue // of the log of calls; nil: only this process writes it
	follower *follower       // nil: the store is ours
	live     *registry.Live
	admin    *admin.Admin
	portal   *portal.Portal // nil: another gateway owns the store
	book     *auditlog.Book
	keeper   *keeper
	record   *record.Step
	reserve  *record.Reserve // nil: the log is not on our disk
	news     *news
	opened   opened
	log      *slog.Logger
	clock    clock.Clock
	health   *Health
	meters   *meter.Meters
	gather   prometheus.Gatherer

	webhook atomic.Pointer[webhook] // nil: nobody is told of what waits for a person
	issuer  *issuer.Issuer          // nil: there is none of our own
	guard   *egress.Guard
	tracer  *meter.Tracer // nil: no traces; its methods then do nothing

	drifted  *drifts          // servers to examine again
	shadow   authorize.Shadow // how policies on trial compare
	learner  *filter.Learner  // what calls teach of results
	profiles atomic.Pointer[profiled]
	probe    *forward.Step // examines servers while no data plane runs

	ready      func()                 // Serve calls it once, when the data listener accepts
	bound      atomic.Pointer[string] // Serve sets it: the address that the data listener has
	boundAdmin atomic.Pointer[string] // the admin listener's
	reloaded   func(*Config)          // Serve may set it: hot keys changed
	running    atomic.Bool
}

// Load reads the configuration of the gateway in dir.
func Load(dir string, environ func(string) (string, bool)) (*Config, error) {
	c, _, err := load(filepath.Join(dir, ConfigName), environ)
	return c, err
}

func load(path string, environ func(string) (string, bool)) (*Config, digest, error) {
	text, err := readConfig(path)
	if err != nil {
		return nil, "", err
	}
	c, err := placed(path, text, environ)
	return c, digestOf(text), err
}

// placed parses the text of the file at path and makes the data directory
// absolute.
func placed(path string, text []byte, environ func(string) (string, bool)) (*Config, error) {
	c, err := Parse(path, text, environ)
	if err != nil {
		return nil, err
	}
	if c.DataDir == "" {
		c.DataDir = filepath.Dir(path)
	} else if !filepath.IsAbs(c.DataDir) {
		c.DataDir = filepath.Join(filepath.Dir(path), c.DataDir)
	}
	return c, nil
}

// readConfig reads at most maxConfig bytes; Parse refuses the byte beyond.
func readConfig(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", filepath.Dir(path), ErrNoGateway)
	}
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	return text, errors.Join(err, f.Close())
}

// Open opens the gateway in dir, alone: it holds the lock until Close.
// ErrLocked means that up, or another command, holds it.
func Open(ctx context.Context, dir string, o Options) (*App, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, ConfigName)
	c, sum, err := load(path, o.Environ)
	if err != nil {
		return nil, err
	}
	a := &App{dir: c.DataDir, file: path, options: o, clock: o.Clock, health: newHealth()}
	a.config.Store(c)
	a.digest.Store(&sum)
	a.ready = func() {}
	if a.lock, err = takeLock(ctx, filepath.Join(a.dir, lockName), o.Wait); err != nil {
		return nil, err
	}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	var err error
	if a.log, err = newLog(a.config.Load().Logs, a.options.Log); err != nil {
		return err
	}
	a.guard = egress.New(egress.Config{})
	if err := a.openKeys(ctx); err != nil {
		return err
	}
	if err := a.openTrust(); err != nil {
		return err
	}
	if err := a.openStore(); err != nil {
		return err
	}
	a.vault, a.learner = a.newVault(), filter.NewLearner()
	a.news = newNews(a.clock.Now)
	if err := a.openLog(); err != nil {
		return err
	}
	a.live = &registry.Live{}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.meters, a.gather = meter.New(reg, meter.Config{Version: a.options.Version, Known: knownMethod}), reg
	a.meters.Log(reg, a.logState)
	a.meterVault(reg)
	a.keeper = a.newKeeper()
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "ostiary_audit_unwitnessed_seconds",
		Help: "How long the oldest checkpoint has waited for the cosignatures that the policy asks for."},
		func() float64 { return a.keeper.unwitnessed().Seconds() }))
	a.admin, err = admin.New(admin.Config{
		Store: a.store, Ring: a.ring, Live: a.live, Recorder: a.record, Clock: a.clock, Gateway: a.gateway, Book: a.book,
		Archiver: archiver{a}, RootKey: a.rootKey(), Follows: a.ownerRefusal(), Vault: a.vault,
		RevealTwo: func() bool { return a.config.Load().Privacy.Reveal == "two" },
		Witnesses: a.keeper,
		Alarm:     a.alarm, Explain: a.explainToken,
		Policy: a.policyRules, Shadow: a.shadowTrial, Learned: a.learner.Learned, TrustDomains: a.outside().Domains(), Listeners: a.certified,
		Passkeys: func() bool { return a.config.Load().Identity.Approvals == "passkey" },
	})
	if err != nil {
		return err
	}
	a.portal = a.newPortal()
	a.drifted = newDrifts()
	a.probe = a.newForward(nil)
	a.admin.SetProber(a.probe)
	return nil
}

// newLog returns the logger that the configuration asks for.
func newLog(c Logs, w io.Writer) (*slog.Logger, error) {
	if w == nil {
		w = io.Discard
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, err
	}
	return logs.New(w, logs.Options{Format: c.Format, Level: level})
}

// Close gives everything back, the lock last.
func (a *App) Close() error {
	var errs []error
	if a.admin != nil {
		a.admin.Close()
	}
	if a.probe != nil {
		a.probe.Close()
	}
	errs = append(errs, a.closeLog())
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.root != nil {
		errs = append(errs, a.root.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.release())
	}
	return errors.Join(errs...)
}

// API returns the operator functions for the user of this process.
func (a *App) API() admin.API { return a.admin.As(admin.Self()) }

// Connect returns the operator functions of the gateway in dir: in this process
// when nobody holds the lock, else over the socket of the gateway that runs. A
// gateway that starts or another command is waited for, at most o.Wait. The
// caller calls done at the end.
func Connect(ctx context.Context, dir string, o Options) (api admin.API, done func() error, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, nil, err
	}
	c, err := Load(dir, o.Environ)
	if err != nil {
		return nil, nil, err
	}
	wait := o.Wait
	o.Wait = 0
	whole := ctx // a remote root key has a limit of its own
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		a, err := Open(whole, dir, o)
		if err == nil {
			return a.API(), a.Close, nil
		}
		if !errors.Is(err, ErrLocked) {
			return nil, nil, err
		}
		if client, ok := dialSocket(ctx, c.DataDir); ok {
			return client, func() error { client.Close(); return nil }, nil
		}
		if err := pause(ctx); err != nil {
			return nil, nil, ErrLocked
		}
	}
}

// pause waits a moment before the next attempt.
func pause(ctx context.Context) error {
	t := time.NewTimer(20 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dialSocket returns a client when a gateway listens at the socket.
func dialSocket(ctx context.Context, dir string) (*admin.Client, bool) {
	dial := func(context.Context) (net.Conn, error) {
		path, release, err := socketPath(dir)
		if err != nil {
			return nil, err
		}
		defer release()
		return net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	}
	probe, err := dial(ctx)
	if err != nil {
		return nil, false
	}
	probe.Close()
	return admin.NewClient(dial), true
}
