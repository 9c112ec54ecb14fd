package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/witness"
)

// fakeLog is a signed tree in memory.
type fakeLog struct {
	t      *testing.T
	signer note.Signer
	hashes []tlog.Hash
	size   uint64
	note   []byte
}

func (l *fakeLog) ReadHashes(at []int64) (out []tlog.Hash, err error) {
	for _, i := range at {
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func (l *fakeLog) add(text string) {
	l.t.Helper()
	h, err := tlog.StoredHashes(int64(l.size), []byte(text), l)
	if err != nil {
		l.t.Fatal(err)
	}
	l.hashes = append(l.hashes, h...)
	l.size++
	root, err := tlog.TreeHash(int64(l.size), l)
	if err != nil {
		l.t.Fatal(err)
	}
	if l.note, err = note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", l.signer.Name(), l.size, root)}, l.signer); err != nil {
		l.t.Fatal(err)
	}
}

func (l *fakeLog) Name() auditlog.Name                  { return auditlog.Control }
func (l *fakeLog) Checkpoint() ([]byte, uint64, error)  { return l.note, l.size, nil }
func (l *fakeLog) Cosign(_ uint64, signed []byte) error { l.note = signed; return nil }
func (l *fakeLog) Consistency(old, size uint64) ([]tlog.Hash, error) {
	return tlog.ProveTree(int64(size), int64(old), l)
}

// watchWorld is a keeper with one witness that serves.
type watchWorld struct {
	keeper *keeper
	log    *fakeLog
	now    time.Time
	acts   []auditlog.Act
	down   bool // the witness
	asked  int
}

func newWatchWorld(t *testing.T, must bool) *watchWorld {
	t.Helper()
	secret, vkey, err := note.GenerateKey(nil, "ostiary.dev/gw/0/default/control")
	if err != nil {
		t.Fatal(err)
	}
	w := &watchWorld{now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), log: &fakeLog{t: t}}
	if w.log.signer, err = note.NewSigner(secret); err != nil {
		t.Fatal(err)
	}
	key, err := keys.NewCosigner("w")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	state, err := witness.NewState(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	at := clock.Fixed(func() time.Time { return w.now })
	server, err := witness.NewServer(witness.ServerConfig{Key: key, State: state, Logs: []string{vkey}, Clock: at})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked++
		if w.down {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		server.ServeHTTP(rw, r)
	}))
	t.Cleanup(web.Close)
	policy := filepath.Join(dir, "policy")
	text := fmt.Sprintf("witness w %s %s\nquorum w\n", key.VKey(), web.URL)
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.keeper = &keeper{file: policy, alarm: time.Minute, must: must, clock: at,
		dial: func() (func(*http.Request) (*http.Response, error), error) { return http.DefaultClient.Do, nil }, logs: map[auditlog.Name]*watched{},
		act: func(a ...auditlog.Act) error { w.acts = append(w.acts, a...); return nil }, log: func(string, error) {}}
	w.keeper.reload()
	return w
}

// pass runs rounds for so many seconds.
func (w *watchWorld) pass(seconds int) {
	for range seconds {
		w.keeper.round(context.Background(), w.log)
		w.now = w.now.Add(time.Second)
	}
}

func TestTheAlarmIsRaisedOnceAndTakenBack(t *testing.T) {
	for _, must := range []bool{false, true} {
		w := newWatchWorld(t, must)
		w.log.add("a")
		w.pass(2)
		if state, detail := w.keeper.health(); state != stateOK || !w.keeper.Met(w.log.note) || w.keeper.refuse() != nil {
			t.Fatalf("%s: %s", state, detail)
		}
		w.down = true
		w.log.add("b")
		w.pass(59)
		if state, _ := w.keeper.health(); state != stateOK || len(w.acts) != 0 {
			t.Fatal("the alarm came too early")
		}
		if w.asked > 12 {
			t.Fatalf("a witness that is down was asked %d times in a minute", w.asked)
		}
		w.pass(60)
		state, detail := w.keeper.health()
		if want := map[bool]string{false: stateDegraded, true: stateFail}[must]; state != want || !strings.Contains(detail, "lacks cosignatures") {
			t.Fatalf("must %v: %s, %s", must, state, detail)
		}
		if (w.keeper.refuse() != nil) != must {
			t.Fatalf("must %v: calls are refused: %v", must, w.keeper.refuse())
		}
		if len(w.acts) != 1 || w.acts[0].Kind != auditlog.CheckpointUnwitnessed || w.acts[0].Subject != "control" {
			t.Fatalf("acts %+v", w.acts)
		}
		if w.keeper.unwitnessed() < time.Minute {
			t.Fatal("no age")
		}
		w.down = false
		w.pass(40)
		if state, detail := w.keeper.health(); state != stateOK || w.keeper.refuse() != nil || w.keeper.unwitnessed() != 0 {
			t.Fatalf("it is not taken back: %s %s", state, detail)
		}
		if len(w.acts) != 1 {
			t.Fatalf("%d acts", len(w.acts))
		}
	}
}

// A gateway that was put back to yesterday's files hears it from its witness at
// once, whatever its own database says; so does one that shows another history.
func TestRollbackAndForkRaiseTheAlarmAtOnce(t *testing.T) {
	for name, after := range map[string]struct {
		more int
		want string
	}{"rolled back": {0, "entries were taken away"}, "forked": {9, "another history"}} {
		w := newWatchWorld(t, true)
		for i := range 5 {
			w.log.add(fmt.Sprint(i))
		}
		w.pass(1)
		w.log.hashes, w.log.size = nil, 0
		w.log.add("0")
		for i := range after.more {
			w.log.add(fmt.Sprint("other ", i))
		}
		w.keeper.logs = map[auditlog.Name]*watched{}
		w.keeper.text = "" // a new process
		w.keeper.reload()
		w.pass(1)
		state, detail := w.keeper.health()
		if state != stateFail || !strings.Contains(detail, after.want) || w.keeper.refuse() == nil || len(w.acts) != 1 {
			t.Errorf("%s: %s, %s, %d acts", name, state, detail, len(w.acts))
		}
	}
}

func TestAPolicyThatCannotBeReadIsAnAlarm(t *testing.T) {
	w := newWatchWorld(t, true)
	w.log.add("a")
	w.pass(1)
	for name, text := range map[string]string{"damaged": "nonsense\n", "empty": "quorum none\n"} {
		if err := os.WriteFile(w.keeper.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.keeper.reload()
		if w.keeper.refuse() == nil {
			t.Errorf("%s: calls go on", name)
		}
	}
	if err := os.Remove(w.keeper.file); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	w.keeper.reload()
	if w.keeper.refuse() == nil {
		t.Error("without a policy calls go on")
	}
}
