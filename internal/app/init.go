package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// ErrGateway says that the directory already holds a gateway.
var ErrGateway = errors.New("this directory already holds a gateway")

// InitOptions are the choices that a new gateway's file records. The zero
// value of a field means its default.
type InitOptions struct {
	Listen            string   // data listener, host:port
	AdminListen       string   // admin listener, host:port
	LoopbackPlaintext string   // plain HTTP listener, loopback host:port
	LoopbackAgent     string   // agent that its callers are
	Store             string   // driver, "sqlite" or "postgres"
	DSN               string   // reference to the connection string of postgres
	Replicas          bool     // others may follow
	Follow            string   // data directory of the gateway whose store is followed
	Root              string   // provider of the root key
	RootSet           []string // KEY=VALUE of its section, secrets by reference
	TrustDomain       string   // of the gateway's own certificates
	Recovery          string   // age recipient that the root key is sealed to as well
	Environ           func(string) (string, bool)
	Clock             clock.Clock
}

// errChoice marks a wrong choice.
var errChoice = errors.New("a choice cannot be used")

// InitError tells a wrong choice from a failure, for the exit code.
func InitError(err error) error {
	if errors.Is(err, errChoice) {
		return &admin.Error{Code: admin.Invalid, Message: err.Error(), Fix: "see: ostiary init --help"}
	}
	return err
}

// check returns what is wrong with the choices.
func (o InitOptions) check() error {
	for _, one := range []struct {
		flag, value string
		test        func(string) error
	}{
		{"listen", o.Listen, address},
		{"admin-listen", o.AdminListen, address},
		{"loopback-plaintext", o.LoopbackPlaintext, LoopbackAddress},
		{"loopback-agent", o.LoopbackAgent, registry.ValidID},
		{"trust-domain", o.TrustDomain, keys.CheckTrustDomain},
	} {
		if one.value == "" {
			continue
		}
		if err := one.test(one.value); err != nil {
			return fmt.Errorf("%w: --%s %s: %w", errChoice, one.flag, one.value, err)
		}
	}
	if (o.LoopbackPlaintext == "") != (o.LoopbackAgent == "") {
		return fmt.Errorf("%w: --loopback-plaintext and --loopback-agent belong together", errChoice)
	}
	if err := o.checkStore(); err != nil {
		return err
	}
	return o.checkRoot()
}

func (o InitOptions) checkStore() error {
	switch {
	case o.Store != "" && o.Store != driverSQLite && o.Store != driverPostgres:
		return fmt.Errorf("%w: --store must be %s or %s", errChoice, driverSQLite, driverPostgres)
	case (o.Store == driverPostgres) != (o.DSN != ""):
		return fmt.Errorf("%w: --store postgres and --dsn belong together", errChoice)
	case (o.Replicas || o.Follow != "") && o.DSN == "":
		return fmt.Errorf("%w: --replicas and --follow need --store postgres", errChoice)
	case o.Follow != "" && (o.Replicas || o.Root != "" || o.Recovery != "" || o.LoopbackAgent != "" || o.TrustDomain != ""):
		return fmt.Errorf("%w: with --follow, keys and agents are those of the gateway that is followed", errChoice)
	case o.DSN == "":
		return nil
	}
	if err := reference(o.DSN); err != nil {
		return fmt.Errorf("%w: --dsn %w", errChoice, err)
	}
	return nil
}

// Init makes a gateway in dir: keys, certificate authority, store, record and
// configuration. It builds everything in a folder aside and moves it into
// place at the end, the configuration last, so that a failure leaves no
// half-made gateway. It returns ErrGateway for a directory that has one.
func Init(dir string, o InitOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	// A path on the command line starts where the command was called; one in
	// the file would start where the file is.
	if path, ok := strings.CutPrefix(o.DSN, "file:"); ok {
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		o.DSN = "file:" + path
	}
	if o.Follow != "" {
		if o.Follow, err = filepath.Abs(o.Follow); err != nil {
			return err
		}
	}
	if err := o.absoluteRoot(); err != nil {
		return err
	}
	made, err := prepare(dir)
	if err != nil {
		return err
	}
	err = build(dir, o)
	if err != nil && made {
		err = errors.Join(err, os.Remove(dir))
	}
	return err
}

// prepare makes dir, or checks that nothing of a gateway is in it. made says
// that it was not there.
func prepare(dir string) (made bool, err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return false, err
	}
	err = os.Mkdir(dir, 0o700)
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, os.ErrExist) {
		return false, err
	}
	for _, name := range []string{ConfigName, "keys", storeName, caName, oldRecord, lockName} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return false, fmt.Errorf("%s: %w (%s is there)", dir, ErrGateway, name)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	if len(entries) == 0 {
		return false, os.Chmod(dir, 0o700)
	}
	return false, checkPrivate(dir)
}

// build makes the gateway in a folder of dir and moves it up.
func build(dir string, o InitOptions) (err error) {
	aside, err := os.MkdirTemp(dir, ".init-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	undo, err := fill(aside, o)
	defer func() {
		if err != nil && undo != nil {
			err = errors.Join(err, undo())
		}
	}()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(aside)
	if err != nil {
		return err
	}
	var moved []string
	move := func(name string) error {
		if err := os.Rename(filepath.Join(aside, name), filepath.Join(dir, name)); err != nil {
			return err
		}
		moved = append(moved, name)
		return nil
	}
	for _, e := range entries {
		if e.Name() != ConfigName && err == nil {
			err = move(e.Name())
		}
	}
	if err == nil {
		err = move(ConfigName)
	}
	if err == nil {
		err = syncFolder(dir)
	}
	if err != nil {
		for _, name := range moved {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, name)))
		}
	}
	return err
}

// fill makes every file of a new gateway in dir, and its store. undo, which is
// nil when there is nothing to do, takes back what lies elsewhere.
func fill(dir string, o InitOptions) (undo func() error, err error) {
	if o.Follow != "" {
		return nil, initFollower(dir, o)
	}
	if err := o.makeKeys(dir); err != nil {
		return nil, err
	}
	at := o.storeAt(dir)
	if err := at.create(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, runName), 0o700); err != nil {
		return at.remove, err
	}
	if err := writeSynced(filepath.Join(dir, ConfigName), o.text()); err != nil {
		return at.remove, err
	}
	a, err := Open(context.Background(), dir, Options{Clock: o.Clock, Environ: o.Environ})
	if err != nil {
		return at.remove, err
	}
	return at.remove, errors.Join(a.first(o), a.Close())
}

// first makes what a new registry holds, and the record's first entry.
func (a *App) first(o InitOptions) error {
	if o.LoopbackAgent != "" {
		_, err := a.API().RegisterAgent(context.Background(), admin.RegisterAgent{
			ID: o.LoopbackAgent, Change: admin.Change{Reason: "the caller on the plain loopback listener"},
		})
		if err != nil {
			return err
		}
	}
	return a.record.Act(auditlog.Act{Kind: auditlog.AdminChanged, Action: "init", By: admin.Self(), Subject: "gateway", After: string(*a.digest.Load())})
}

func writeSynced(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// text is the new gateway's configuration file.
func (o InitOptions) text() []byte {
	var b bytes.Buffer
	quote := strconv.Quote
	c := &Config{}
	c.fill()
	listen, adminListen := c.Listeners.Data.Address, c.Listeners.Admin.Address
	if o.Listen != "" {
		listen = o.Listen
	}
	if o.AdminListen != "" {
		adminListen = o.AdminListen
	}
	b.WriteString("# The configuration of one Ostiary gateway. Every key is described by\n" +
		"# `ostiary config schema`; check a change with `ostiary check`.\n" +
		"version: 1\n" +
		"mode: enforce\n" +
		"listeners:\n")
	fmt.Fprintf(&b, "  data:\n    address: %s   # MCP clients, HTTPS\n", quote(listen))
	fmt.Fprintf(&b, "  admin:\n    address: %s   # /livez, /readyz, /metrics, HTTPS\n", quote(adminListen))
	if o.LoopbackPlaintext != "" {
		b.WriteString("  local:   # a loosening: every local program that connects here is this agent\n")
		fmt.Fprintf(&b, "    address: %s\n    plaintext: loopback\n    agent: %s\n", quote(o.LoopbackPlaintext), quote(o.LoopbackAgent))
	}
	b.WriteString("identity:\n")
	if o.TrustDomain != "" {
		fmt.Fprintf(&b, "  trust_domain: %s   # of the gateway's own certificates; cannot be changed\n", quote(o.TrustDomain))
	}
	b.WriteString("  builtin_issuer: {enabled: true}   # people let MCP clients log in; nobody can until you invite them\n")
	b.WriteString("privacy:\n  profile: secrets-only   # credentials go to no server and reach no client; gdpr-minimal and hipaa-safe-harbor hide people too\n")
	o.rootText(&b)
	if o.Store == driverPostgres {
		fmt.Fprintf(&b, "store:\n  driver: postgres\n  dsn: %s   # a reference; the connection string is not written here\n", quote(o.DSN))
		if o.Replicas {
			b.WriteString("  replicas: true\n")
		}
		if o.Follow != "" {
			fmt.Fprintf(&b, "  follow: %s   # its keys are read, and nothing is changed\n", quote(o.Follow))
		}
	}
	return b.Bytes()
}
