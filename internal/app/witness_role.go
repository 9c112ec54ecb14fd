package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/witness"
)

// What lies in the folder of a witness, beside its keys folder, its ca.pem and
// its lock.
const (
	witnessSeed  = "witness.key"  // sealed
	witnessVKey  = "witness.vkey" // public
	witnessState = "witness.state"
	witnessLogs  = "logs.vkey" // one public key a line
	witnessBad   = "misbehaviour"
)

// maxKept bounds how many checkpoints of logs that misbehaved are kept.
const maxKept = 64

// Witness is an opened folder of a witness.
type Witness struct {
	Dir   string
	VKey  string
	Logs  []string // public keys of the logs that it watches
	State []witness.Checkpoint

	lock  *lock
	ring  *keys.Ring
	key   *keys.Cosigner
	state *witness.State
	clock clock.Clock
}

// InitWitness makes a witness of its own in dir: key, certificate authority and
// an empty state. It refuses a folder that holds one.
func InitWitness(dir, name string) (vkey string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a witness: %w", err)
	}
	key, err := keys.NewCosigner(name)
	if err != nil {
		return "", &admin.Error{Code: admin.Invalid, Message: "this cannot be the name of a witness", Cause: err.Error(),
			Fix: "use a name such as witness.example.com/ostiary"}
	}
	ring, err := keys.Create(dir)
	if errors.Is(err, keys.ErrExists) {
		return "", &admin.Error{Code: admin.Exists, Message: dir + " holds keys already", Fix: "choose another folder"}
	}
	if err != nil {
		return "", fmt.Errorf("make a witness: %w", err)
	}
	sealed, err := ring.Seal(keys.Config, witnessIdentity(), append([]byte(name+"\n"), key.Seed()...))
	if err != nil {
		return "", fmt.Errorf("make a witness: %w", err)
	}
	if _, err := witness.NewState(filepath.Join(dir, witnessState)); err != nil {
		return "", err
	}
	for file, text := range map[string][]byte{witnessSeed: sealed, witnessVKey: []byte(key.VKey() + "\n"), witnessLogs: nil} {
		if err := writeSynced(filepath.Join(dir, file), text); err != nil {
			return "", fmt.Errorf("make a witness: %w", err)
		}
	}
	return key.VKey(), nil
}

func witnessIdentity() keys.Identity {
	return keys.Identity{Tenant: keys.DefaultTenant, Kind: "witness", Record: "key", Column: "seed", Version: "1"}
}

// OpenWitness opens the witness in dir, alone. A missing or damaged state is an
// error: a witness that forgot would sign a second history.
func OpenWitness(ctx context.Context, dir string, o Options) (*Witness, error) {
	w := &Witness{Dir: dir, clock: o.Clock}
	if _, err := os.Stat(filepath.Join(dir, witnessVKey)); err != nil {
		return nil, &admin.Error{Code: admin.NotFound, Message: "there is no witness in " + dir, Fix: "make one: ostiary witness init --dir " + dir + " --name NAME"}
	}
	var err error
	if w.lock, err = takeLock(ctx, filepath.Join(dir, lockName), o.Wait); err != nil {
		return nil, err
	}
	if err := w.open(); err != nil {
		return nil, errors.Join(err, w.lock.release())
	}
	return w, nil
}

func (w *Witness) open() error {
	var err error
	if w.ring, err = keys.Open(w.Dir); err != nil {
		return fmt.Errorf("open the witness's keys: %w", err)
	}
	sealed, err := os.ReadFile(filepath.Join(w.Dir, witnessSeed))
	if err != nil {
		return fmt.Errorf("open the witness's key: %w", err)
	}
	plain, err := w.ring.Open(keys.Config, witnessIdentity(), sealed)
	if err != nil {
		return fmt.Errorf("open the witness's key: %w", err)
	}
	name, seed, _ := strings.Cut(string(plain), "\n")
	if w.key, err = keys.OpenCosigner(name, []byte(seed)); err != nil {
		return fmt.Errorf("open the witness's key: %w", err)
	}
	w.VKey = w.key.VKey()
	if w.state, err = witness.OpenState(filepath.Join(w.Dir, witnessState)); err != nil {
		return &admin.Error{Code: admin.Integrity, Message: "the witness's state cannot be used", Cause: err.Error(),
			Fix: "restore its newest state; without it the witness must be retired and a new one made"}
	}
	w.State = w.state.All()
	text, err := os.ReadFile(filepath.Join(w.Dir, witnessLogs))
	if err != nil {
		return fmt.Errorf("read the witness's logs: %w", err)
	}
	w.Logs = strings.Fields(string(text))
	return nil
}

// Close gives the folder back.
func (w *Witness) Close() error { return w.lock.release() }

// Watch adds logs by their public keys.
func (w *Witness) Watch(vkeys []string) error {
	known := map[string]bool{}
	for _, v := range w.Logs {
		known[v] = true
	}
	for _, v := range vkeys {
		if _, err := witness.CheckLogKey(v); err != nil {
			return &admin.Error{Code: admin.Invalid, Message: err.Error(), Fix: "copy it from the gateway: ostiary audit logs -o json, or a .vkey file of an export"}
		}
		if !known[v] {
			w.Logs = append(w.Logs, v)
			known[v] = true
		}
	}
	path := filepath.Join(w.Dir, witnessLogs)
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeSynced(path+".new", []byte(strings.Join(w.Logs, "\n")+"\n")); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// WitnessServe is how a witness serves.
type WitnessServe struct {
	Address   string
	Names     []string // further names of its certificate
	Cert, Key string   // its own certificate; "" = one of the witness's authority
	Log       io.Writer
	Ready     func(address string)
}

// Serve answers add-checkpoint over HTTPS until ctx ends.
func (w *Witness) Serve(ctx context.Context, o WitnessServe) error {
	if err := address(o.Address); err != nil {
		return &admin.Error{Code: admin.Invalid, Message: "the address " + err.Error()}
	}
	cert := (&issued{ca: w.ring.CA(), names: append(listenNames(o.Address), o.Names...), clock: w.clock}).get
	if o.Cert != "" {
		files := &certFiles{cert: o.Cert, key: o.Key, clock: w.clock}
		if _, err := files.get(nil); err != nil {
			return fmt.Errorf("load the witness's certificate: %w", err)
		}
		cert = files.get
	}
	logger, err := newLog(Logs{Format: "text", Level: "info"}, o.Log)
	if err != nil {
		return err
	}
	kept := 0
	server, err := witness.NewServer(witness.ServerConfig{Key: w.key, State: w.state, Logs: w.Logs, Clock: w.clock,
		Seen: func(s witness.Seen) {
			if s.Status == http.StatusOK || s.Origin == "" {
				return // who knows no log of ours could fill the disk with lines
			}
			logger.Warn(fmt.Sprintf("refused: %s, size %d: %d %s", s.Origin, s.Size, s.Status, s.Why))
			if s.Note != nil && kept < maxKept {
				kept++
				if err := w.keep(s); err != nil {
					logger.Error("keep a checkpoint of a log that misbehaved: " + err.Error())
				}
			}
		}})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", o.Address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	web := &http.Server{Handler: server, MaxHeaderBytes: 16 << 10, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan error, 1)
	go func() {
		done <- web.Serve(tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: cert, NextProtos: []string{"h2", "http/1.1"}}))
	}()
	if o.Ready != nil {
		o.Ready(ln.Addr().String())
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err = web.Shutdown(stop)
	if e := <-done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// keep writes the checkpoint of a log that was refused beside the state: with
// the one that was cosigned it proves what the log did.
func (w *Witness) keep(s witness.Seen) error {
	dir := filepath.Join(w.Dir, witnessBad)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%d-%s.checkpoint", strings.ReplaceAll(s.Origin, "/", "_"), s.Size, w.clock.Now().UTC().Format("20060102T150405.000000"))
	return os.WriteFile(filepath.Join(dir, name), s.Note, 0o600)
}
