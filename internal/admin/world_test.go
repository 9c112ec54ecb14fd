package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store/sealed"
	"ostiary.dev/ostiary/internal/store/sqlite"
	"ostiary.dev/ostiary/internal/vault"
)

// world is a data directory with everything that Admin needs.
type world struct {
	dir     string
	admin   *Admin
	live    *registry.Live
	store   *sealed.Store
	vault   *vault.Vault
	ring    *keys.Ring
	records *recorder
	prober  *prober
	gateway Gateway
	now     time.Time
}

type recorder struct {
	mu      sync.Mutex
	entries []auditlog.Act
	err     error // what the methods return
}

func (r *recorder) Admin(_ auditlog.Rows, acts ...auditlog.Act) error { return r.Act(acts...) }

func (r *recorder) Act(acts ...auditlog.Act) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.entries = append(r.entries, acts...)
	return nil
}

// prober answers every examination with found or err.
type prober struct {
	found registry.Examination
	err   error
	asked int
}

func (p *prober) Examine(context.Context, registry.Server) (registry.Examination, error) {
	p.asked++
	return p.found, p.err
}

// tools returns an examination that found one tool for each name.
func tools(names ...string) registry.Examination {
	e := registry.Examination{Eras: []string{"legacy", "modern"}, Listed: true}
	for _, n := range names {
		e.Tools = append(e.Tools, registry.Tool{Name: n, Definition: fmt.Sprintf(`{"name":%q}`, n)})
	}
	return e
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sqlite.Create(filepath.Join(dir, "ostiary.db"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sealed.Open(raw, ring)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{dir: dir, live: &registry.Live{}, store: db, ring: ring, records: &recorder{},
		prober: &prober{found: tools("read-file", "write-file")}, now: time.Now().UTC().Truncate(time.Second)}
	w.gateway = Gateway{Running: true, Version: "test", Mode: "enforce", URL: "https://127.0.0.1:8443",
		Address: "127.0.0.1:8443", ServerName: "127.0.0.1", OwnCA: true}
	w.vault = vault.New(vault.Config{Rows: db, Keys: ring, Clock: clock.Fixed(func() time.Time { return w.now })})
	w.admin, err = New(Config{Store: db, Ring: ring, Live: w.live, Recorder: w.records, Prober: w.prober, Vault: w.vault,
		Gateway: func() Gateway { return w.gateway }, Clock: clock.Fixed(func() time.Time { return w.now })})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// socket serves w and returns a client of it.
func (w *world) socket(t *testing.T) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "os") // short: the path of a socket is bounded
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	s, err := w.admin.Serve(path, func(msg string, err error) { t.Errorf("%s: %v", msg, err) })
	if errors.Is(err, ErrNoSocket) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(func(context.Context) (net.Conn, error) {
		return net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	})
	t.Cleanup(func() {
		c.Close()
		if err := errors.Join(s.Close(context.Background()), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return c
}

// faces runs a test against both implementations of API.
func faces(t *testing.T, test func(t *testing.T, w *world, api API)) {
	t.Run("process", func(t *testing.T) {
		w := newWorld(t)
		test(t, w, w.admin.As(Self()))
	})
	t.Run("socket", func(t *testing.T) {
		w := newWorld(t)
		test(t, w, w.socket(t))
	})
}

var ctx = context.Background()

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return v
	}
}

// refused checks that err has the code and names fix or cause in words.
func refused(t *testing.T, err error, code Code) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an error %s", err, code)
	}
	if e.Code != code {
		t.Fatalf("got %s (%v), want %s", e.Code, e, code)
	}
	return e
}

// url is a submission that is right.
func url(id string) SubmitServer {
	return SubmitServer{ID: id, URL: "https://" + id + ".example.com/mcp"}
}

// ready registers, approves and grants: agent app may write on server wiki.
func ready(t *testing.T, api API) {
	t.Helper()
	must[Done[ServerView]](t)(api.SubmitServer(ctx, url("wiki")))
	must[Done[ServerView]](t)(api.ApproveServer(ctx, ApproveServer{ID: "wiki", Change: Change{Reason: "needed"},
		ToolAccess: map[string]registry.Access{"read-file": registry.Read}}))
	must[Done[Registration]](t)(api.RegisterAgent(ctx, RegisterAgent{ID: "app"}))
	must[Done[GrantView]](t)(api.Grant(ctx, Grant{Agent: "app", Server: "wiki", Access: registry.Write}))
}
