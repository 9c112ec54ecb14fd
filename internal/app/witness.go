package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/witness"
)

// policyName is where the policy of witnesses is unless the configuration says
// otherwise.
const policyName = "witness.policy"

// checkWitness is the check that says whether the logs are witnessed.
const checkWitness = "witness"

// How often the newest checkpoints are looked at, how long one round of
// questions may take, and the longest pause after a round that failed.
const (
	witnessEvery = time.Second
	witnessWait  = 10 * time.Second
	witnessPause = 30 * time.Second
)

// keeper has the newest checkpoint of each log cosigned and raises the alarm
// when that does not succeed.
type keeper struct {
	file  string // of the policy
	alarm time.Duration
	must  bool                                                        // calls are refused while the alarm is on
	dial  func() (func(*http.Request) (*http.Response, error), error) // the way to witnesses
	clock clock.Clock
	act   func(...auditlog.Act) error
	log   func(msg string, err error)

	mu     sync.Mutex
	text   string // of the policy
	stamp  time.Time
	client *witness.Client // nil: there is no policy
	needed bool
	failed error // the policy cannot be read
	logs   map[auditlog.Name]*watched
}

// watched is one log as its witnesses see it.
type watched struct {
	size  uint64    // of the newest checkpoint
	since time.Time // since when it lacks cosignatures; zero: it has them
	retry time.Time // no question before
	pause time.Duration
	bad   error // a witness saw a rollback or a fork
	errs  error // of the newest round
	alarm bool  // it was raised
}

// newKeeper returns a keeper for the gateway's configuration.
func (a *App) newKeeper() *keeper {
	c := a.config.Load().Audit
	k := &keeper{file: a.filePath(c.WitnessPolicy), alarm: time.Duration(c.WitnessAlarm), must: c.RequireWitness, clock: a.clock,
		act: a.record.Act, log: a.logError, logs: map[auditlog.Name]*watched{}}
	if k.file == "" {
		k.file = filepath.Join(a.dir, policyName)
	}
	k.dial = func() (func(*http.Request) (*http.Response, error), error) {
		return a.witnessClient(a.filePath(c.WitnessCA))
	}
	k.reload()
	return k
}

// witnessClient returns an HTTP client that reaches witnesses, wherever the
// operator's policy says they are, and follows no redirect.
func (a *App) witnessClient(ca string) (func(*http.Request) (*http.Response, error), error) {
	config := &tls.Config{MinVersion: tls.VersionTLS13}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("audit.witness_ca: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &admin.Error{Code: admin.Invalid, Message: "audit.witness_ca holds no certificate in PEM form"}
		}
	}
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return a.guard.Dial(ctx, network, addr, true)
			},
			TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: witnessWait, MaxResponseHeaderBytes: 16 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       witnessWait,
	}
	return client.Do, nil
}

// reload reads the policy when its file changed. A policy that cannot be read
// is an alarm, not the absence of one.
func (k *keeper) reload() {
	text, stamp, err := readPolicyFile(k.file)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil && k.failed == nil && text == k.text && stamp.Equal(k.stamp) {
		return
	}
	k.stamp = stamp
	if err == nil && text == k.text && k.failed == nil {
		return
	}
	k.failed = err
	if err != nil {
		return
	}
	k.text, k.client, k.needed = text, nil, false
	if text == "" {
		return
	}
	p, err := witness.ParsePolicy([]byte(text))
	if err != nil {
		k.failed = err
		return
	}
	do, err := k.dial()
	if err != nil {
		k.failed = err // a file that is missing keeps no command from working
		return
	}
	k.client, k.needed = witness.NewClient(p, do, k.clock), p.Needed()
	k.logs = map[auditlog.Name]*watched{}
}

// readPolicyFile returns "" when there is no file.
func readPolicyFile(path string) (string, time.Time, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10+1))
	if err != nil {
		return "", time.Time{}, err
	}
	st, err := f.Stat()
	if err != nil {
		return "", time.Time{}, err
	}
	return string(text), st.ModTime(), nil
}

// watch looks at the logs until ctx ends.
func (k *keeper) watch(ctx context.Context, book *auditlog.Book) {
	tick := time.NewTicker(witnessEvery)
	defer tick.Stop()
	for {
		k.reload()
		for _, info := range book.Logs() {
			l, err := book.Log(info.Name)
			if err != nil {
				k.log("open a log for its witnesses", err)
				continue
			}
			k.round(ctx, l)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// checkpoints is the part of a log that its witnesses need.
type checkpoints interface {
	Name() auditlog.Name
	Checkpoint() (note []byte, size uint64, err error)
	Cosign(size uint64, note []byte) error
	Consistency(old, size uint64) ([]tlog.Hash, error)
}

// round asks for what the newest checkpoint of l lacks.
func (k *keeper) round(ctx context.Context, l checkpoints) {
	note, size, err := l.Checkpoint()
	if errors.Is(err, auditlog.ErrNotFound) {
		return
	}
	k.mu.Lock()
	client, needed := k.client, k.needed
	k.mu.Unlock()
	if client == nil || !needed {
		return
	}
	if err != nil {
		k.log("read a checkpoint for its witnesses", err)
		return
	}
	now := k.clock.Now()
	w, ask := k.due(l.Name(), size, client.Met(note), now)
	if ask {
		asking, cancel := context.WithTimeout(ctx, witnessWait)
		r, err := client.Cosign(asking, note, l.Consistency)
		cancel()
		if ctx.Err() != nil {
			return // the gateway stops
		}
		if err == nil && r.New > 0 {
			err = l.Cosign(size, r.Note)
		}
		k.took(w, r, err)
	}
	k.judge(l.Name(), w)
}

// due notes what is known of the checkpoint and says whether to ask now.
func (k *keeper) due(name auditlog.Name, size uint64, met bool, now time.Time) (*watched, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.logs[name]
	if w == nil {
		w = &watched{}
		k.logs[name] = w
	}
	w.size = size
	if met {
		w.since, w.pause, w.retry, w.bad, w.errs = time.Time{}, 0, time.Time{}, nil, nil
		return w, false
	}
	if w.since.IsZero() {
		w.since = now
	}
	return w, !now.Before(w.retry)
}

// took notes the outcome of a round; after one that failed there is a pause.
func (k *keeper) took(w *watched, r witness.Result, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w.bad, w.errs = r.Bad, errors.Join(append(r.Errs, err)...)
	if err == nil && r.Met {
		w.since, w.pause, w.retry = time.Time{}, 0, time.Time{}
		return
	}
	w.pause = min(max(2*w.pause, witnessEvery), witnessPause)
	w.retry = k.clock.Now().Add(w.pause)
}

// judge raises the alarm, once, and takes it back.
func (k *keeper) judge(name auditlog.Name, w *watched) {
	k.mu.Lock()
	late := !w.since.IsZero() && (w.bad != nil || k.clock.Now().Sub(w.since) >= k.alarm)
	before, why, size := w.alarm, w.errs, w.size
	w.alarm = late
	k.mu.Unlock()
	if late == before {
		return
	}
	if !late {
		k.log("a log is witnessed again", fmt.Errorf("%s, size %d", name, size))
		return
	}
	k.log("a log is not witnessed", fmt.Errorf("%s, size %d: %w", name, size, why))
	err := k.act(auditlog.Act{Kind: auditlog.CheckpointUnwitnessed, Action: "checkpoint.unwitnessed", Subject: string(name),
		Change: map[string]any{"size": size, "why": errorText(why)}})
	if err != nil {
		k.log("record that a log is not witnessed", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}

// health says how the logs stand with their witnesses.
func (k *keeper) health() (state, detail string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	bad := stateDegraded
	if k.must {
		bad = stateFail
	}
	switch {
	case k.failed != nil:
		return bad, "the witness policy cannot be used: " + k.failed.Error()
	case !k.needed && k.must:
		return stateFail, "calls are refused: audit.require_witness is set and there is no witness"
	case !k.needed:
		return stateOK, "no witness"
	}
	for name, w := range k.logs {
		if w.alarm {
			return bad, fmt.Sprintf("the checkpoint of %s at %d lacks cosignatures: %s", name, w.size, errorText(w.errs))
		}
	}
	return stateOK, ""
}

// refuse is why no call may begin now, nil mostly.
func (k *keeper) refuse() error {
	if !k.must {
		return nil
	}
	if state, detail := k.health(); state == stateFail {
		return errors.New(detail)
	}
	return nil
}

// unwitnessed is how long the oldest checkpoint that waits has waited.
func (k *keeper) unwitnessed() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	var most time.Duration
	for _, w := range k.logs {
		if !w.since.IsZero() {
			most = max(most, k.clock.Now().Sub(w.since))
		}
	}
	return most
}

// Met implements admin.Witnesses, as do the methods below.
func (k *keeper) Met(note []byte) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.client != nil && k.needed && k.client.Met(note)
}

// Policy returns the text of the policy file.
func (k *keeper) Policy() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text
}

// File returns the path of the policy file.
func (k *keeper) File() string { return k.file }

// Status says what each witness did since the start.
func (k *keeper) Status() []admin.WitnessView {
	k.reload()
	k.mu.Lock()
	defer k.mu.Unlock()
	all := []admin.WitnessView{}
	if k.client == nil {
		return all
	}
	for _, w := range k.client.Witnesses() {
		v := admin.WitnessView{Name: w.Name, Key: w.Key.VKey(), URL: w.URL, State: "waiting", Logs: []admin.WitnessedLog{}}
		for _, s := range k.client.Known(w) {
			one := admin.WitnessedLog{Log: s.Origin, Size: s.Size, State: "waiting"}
			if !s.At.IsZero() {
				one.At, one.State = &s.At, stateOK
			}
			if s.Err != nil {
				one.State = errorText(s.Err)
			}
			if v.State == "waiting" || one.State != stateOK {
				v.State = one.State
			}
			v.Logs = append(v.Logs, one)
		}
		all = append(all, v)
	}
	return all
}
