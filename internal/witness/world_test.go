package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// tree is a log in memory with its signer.
type tree struct {
	t      testing.TB
	origin string
	signer note.Signer
	vkey   string
	hashes []tlog.Hash
	size   uint64
}

func newTree(t testing.TB, origin string) *tree {
	t.Helper()
	secret, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return &tree{t: t, origin: origin, signer: signer, vkey: vkey}
}

// copy returns a log with the same key and the same beginning.
func (l *tree) copy() *tree {
	c := *l
	c.hashes = append([]tlog.Hash(nil), l.hashes...)
	return &c
}

// at returns the log as it was with n entries.
func (l *tree) at(n uint64) *tree {
	c := l.copy()
	c.size, c.hashes = n, c.hashes[:tlog.StoredHashCount(int64(n))]
	return c
}

func (l *tree) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range at {
		if i >= int64(len(l.hashes)) {
			return nil, errors.New("beyond the end")
		}
		out = append(out, l.hashes[i])
	}
	return out, nil
}

func (l *tree) add(entries ...string) {
	l.t.Helper()
	for _, e := range entries {
		h, err := tlog.StoredHashes(int64(l.size), []byte(e), l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.hashes = append(l.hashes, h...)
		l.size++
	}
}

func (l *tree) note() []byte {
	l.t.Helper()
	root, err := tlog.TreeHash(int64(l.size), l)
	if err != nil {
		l.t.Fatal(err)
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", l.origin, l.size, root)}, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return signed
}

func (l *tree) prove(old, size uint64) ([]tlog.Hash, error) {
	return tlog.ProveTree(int64(size), int64(old), l)
}

// house is a witness that serves on loopback.
type house struct {
	t      testing.TB
	path   string
	key    *keys.Cosigner
	server *Server
	url    string
	seen   []Seen
}

func newHouse(t testing.TB, name string, logs ...*tree) *house {
	t.Helper()
	key, err := keys.NewCosigner(name)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, path: filepath.Join(t.TempDir(), "state"), key: key}
	state, err := NewState(h.path)
	if err != nil {
		t.Fatal(err)
	}
	h.serve(state, logs...)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.server.ServeHTTP(w, r) }))
	t.Cleanup(web.Close)
	h.url = web.URL
	return h
}

func (h *house) serve(state *State, logs ...*tree) {
	h.t.Helper()
	var vkeys []string
	for _, l := range logs {
		vkeys = append(vkeys, l.vkey)
	}
	s, err := NewServer(ServerConfig{Key: h.key, State: state, Logs: vkeys, Seen: func(s Seen) { h.seen = append(h.seen, s) },
		Clock: clock.Fixed(func() time.Time { return noon })})
	if err != nil {
		h.t.Fatal(err)
	}
	h.server = s
}

// restart opens the state again, as after a kill.
func (h *house) restart(logs ...*tree) {
	h.t.Helper()
	state, err := OpenState(h.path)
	if err != nil {
		h.t.Fatal(err)
	}
	h.serve(state, logs...)
}

// policy is a policy over the houses: k of them must sign.
func policy(t testing.TB, k int, houses ...*house) *Policy {
	t.Helper()
	var text bytes.Buffer
	names := ""
	for i, h := range houses {
		fmt.Fprintf(&text, "witness w%d %s %s/prefix/\n", i, h.key.VKey(), h.url)
		names += fmt.Sprintf(" w%d", i)
	}
	fmt.Fprintf(&text, "group all-of-them %d%s\nquorum all-of-them\n", k, names)
	p, err := ParsePolicy(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func client(p *Policy) *Client {
	return NewClient(p, http.DefaultClient.Do, clock.Fixed(func() time.Time { return noon }))
}

// cosign runs one round.
func cosign(t testing.TB, c *Client, l *tree) Result {
	t.Helper()
	r, err := c.Cosign(context.Background(), l.note(), l.prove)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
