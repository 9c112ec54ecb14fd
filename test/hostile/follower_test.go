package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"ostiary.dev/ostiary/test/doortest"
	"ostiary.dev/ostiary/test/pgtest"
)

// pair is a gateway on PostgreSQL and one that follows it.
type pair struct {
	*site
	follower *site
	cluster  *pgtest.Cluster
}

func newPair(t testing.TB) *pair { return newPairOf(t, nil) }

func newPairOf(t testing.TB, config func(yaml string) string) *pair {
	t.Helper()
	c, err := pgtest.Start()
	if errors.Is(err, pgtest.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	dsn := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.Port, c.Database(t, ""))
	up := doortest.NewUpstream(t, doortest.Config{})
	offers(up, `[{"name":"echo"}]`)
	owner := doortest.Gateway(t, doortest.Options{
		Init: []string{"--store", "postgres", "--dsn", "env:OSTIARY_DSN", "--replicas"}, Env: []string{"OSTIARY_DSN=" + dsn}, Config: config,
		Servers: []doortest.Server{{Name: "main", URL: up.URL()}}, Agents: []string{"robot"}})
	follower := owner.Follower(t)
	if config != nil { // each gateway has a file of its own
		follower.EditConfig(config)
		follower.Restart()
	}
	return &pair{site: &site{up: up, Door: owner}, follower: &site{up: up, Door: follower}, cluster: c}
}

// await repeats a call until it is answered as it should be. The bound is for a
// gateway that never gets there; how fast it is, is measured elsewhere.
func await(t *testing.T, c *doortest.Client, what string, fits func(doortest.Reply) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var last doortest.Reply
	for ctx.Err() == nil {
		if last = c.Call("1", "tools/list", "{}"); fits(last) {
			return
		}
	}
	t.Fatalf("never %s: %d %s", what, last.Status, last.Body)
}

// TestFollower: two gateways over one PostgreSQL serve the same agents; what
// the owner takes away is gone at the follower too, with its open streams
// (A10, L10); calls of both stand in one log that verifies.
func TestFollower(t *testing.T) {
	p := newPair(t)
	ok := func(r doortest.Reply) bool { return r.Status == 200 && strings.Contains(string(r.Body), "echo") }
	for _, w := range []*site{p.site, p.follower} { // on a busy machine the follower may be stale at first
		await(t, w.client(t, "robot", "main"), "served", ok)
	}
	t.Run("who is new is known", func(t *testing.T) {
		p.Register("late")
		p.Grant("late", "main", "modify")
		await(t, p.follower.client(t, "late", "main"), "known", ok)
	})
	t.Run("nothing is changed there", func(t *testing.T) {
		for _, args := range [][]string{{"agent", "register", "ghost"}, {"access", "grant", "late", "main", "--access", "modify"},
			{"server", "suspend", "main", "--reason", "r", "--yes"}, {"agent", "suspend", "robot", "--reason", "r", "--yes"}} {
			if r := p.follower.Try(args...); r.Code != 9 || !strings.Contains(r.Stderr, "follows") {
				t.Errorf("%v: exit %d %s", args, r.Code, r.Stderr)
			}
		}
	})
	t.Run("a legacy session goes on at the other gateway", func(t *testing.T) {
		s := p.legacy(t, "late", "main", `{}`)
		there := p.follower.client(t, "late", "main")
		there.Version, there.Session = s.Version, s.Session
		if r := there.Call("2", "tools/list", "{}"); !ok(r) {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
	t.Run("A10", p.a10Follower)
	t.Run("one log", func(t *testing.T) {
		if err := p.follower.Process().Stop(); err != nil {
			t.Error(err)
		}
		p.Must("audit", "verify")
	})
}

func (p *pair) a10Follower(t *testing.T) {
	for name, take := range map[string]func(guest string){
		"grant": func(guest string) { p.Revoke(guest, "main") },
		"agent": func(guest string) { p.Must("agent", "suspend", guest, "--reason", "test", "--yes") },
	} {
		t.Run(name, func(t *testing.T) {
			guest := "guest-" + name // of its own: one that is suspended is served no more
			p.Register(guest)
			p.Grant(guest, "main", "read")
			c := p.follower.client(t, guest, "main")
			await(t, c, "served", func(r doortest.Reply) bool { return r.Status == 200 })
			listen := c.Open("POST", listenTo(c, "1", `{"toolsListChanged":true}`))
			if e, err := listen.Next(); err != nil || !strings.Contains(e.Data, "acknowledged") {
				t.Fatalf("%d %q %v", listen.Status, e.Data, err)
			}
			take(guest)
			for {
				_, err := listen.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if r := c.Call("2", "tools/list", "{}"); r.Status != 401 && r.Status != 404 && r.Status != 503 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// TestFollowerRefusesWhatItCannotCheck: a follower that cannot see the store
// refuses every call instead of trusting what it knew, and serves again when it
// can.
func TestFollowerRefusesWhatItCannotCheck(t *testing.T) {
	p := newPair(t)
	c := p.follower.client(t, "robot", "main")
	await(t, c, "served", func(r doortest.Reply) bool { return r.Status == 200 })
	if err := p.cluster.Crash(); err != nil {
		t.Fatal(err)
	}
	await(t, c, "refused as stale", func(r doortest.Reply) bool { return r.Status == 503 && r.Code() == 31041 })
	if err := p.cluster.Boot(); err != nil {
		t.Fatal(err)
	}
	await(t, c, "served again", func(r doortest.Reply) bool { return r.Status == 200 })
}
