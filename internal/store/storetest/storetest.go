// Package storetest is the suite that every driver must pass: Run for the nouns,
// through sealed rows; Raw for the rows themselves; Attacks for what somebody
// who holds the database may do to them. It tests the promises written on the
// interfaces, refusals first. It touches only the store that it is given, and
// deliberately knows no driver.
package storetest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"testing"
	"time"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Opener opens the same database each time it is called; the first call makes
// it. The suite closes what it opened before it opens again.
type Opener func(t *testing.T) store.Store

// Run runs the suite. fresh returns an Opener of a new, empty database.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	suite := map[string]func(*testing.T, Opener){
		"RoundTrip":        roundTrip,
		"NotFound":         notFound,
		"Exists":           exists,
		"CompareAndSet":    compareAndSet,
		"Unknown":          unknownParents,
		"InvalidRows":      invalidRows,
		"Order":            order,
		"Grants":           grants,
		"Revocation":       revocation,
		"Meta":             meta,
		"TxCommits":        txCommits,
		"TxRollsBack":      txRollsBack,
		"TxPanics":         txPanics,
		"TxNested":         txNested,
		"Concurrent":       concurrent,
		"ConcurrentInsert": concurrentInsert,
		"Closed":           closed,
	}
	maps.Copy(suite, nounTests())
	maps.Copy(suite, pseudonymTests())
	for name, test := range suite {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// at is a time with nanoseconds, which drivers must keep.
var at = time.Date(2026, 3, 4, 5, 6, 7, 123456789, time.UTC)

func fullServer(id string) registry.Server {
	return registry.Server{
		ID: id, State: registry.Active, Transport: registry.Stdio, URL: "https://x.example/mcp?q=1", Private: true,
		Command: []string{"prog", "", "a b", "日本\x01"}, Dir: "/srv",
		Secrets: []registry.Secret{{Name: "Authorization", Sealed: []byte{0, 1, 255}}}, PassEnv: []string{"PATH"},
		CAFile: "/ca.pem", Pins: []string{"sha256/AA=="}, ClientCert: "/c.pem", ClientKey: "/k.pem", TLS12: true,
		Eras: []string{"legacy", "modern"}, Examined: true,
		Tools: []registry.Tool{{Name: "t", Access: registry.Read, Definition: `{"name":"t"}`, Digest: "ab", State: registry.ToolApproved},
			{Name: "u"}},
		MessageBytes: 7, CallTimeout: 3 * time.Second, InFlight: 9, Basis: "operator", Reason: "it's fine; -- DROP", By: "me",
		CreatedAt: at, UpdatedAt: at.Add(time.Nanosecond), Revision: 4,
	}
}

func agent(id string) registry.Agent {
	return registry.Agent{ID: id, State: registry.Active, Era: "modern", Basis: "import", Reason: "r", By: "b", CreatedAt: at, UpdatedAt: at, Revision: 2}
}

// plain takes the pseudonyms away, which the store drew.
func plain(agents []registry.Agent) []registry.Agent {
	for i := range agents {
		agents[i].Pseudonym = ""
	}
	return agents
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want %v", err, target)
	}
}

func same[T any](t *testing.T, got, wanted T) {
	t.Helper()
	if !reflect.DeepEqual(got, wanted) {
		t.Errorf("got  %#v\nwant %#v", got, wanted)
	}
}

// roundTrip writes every kind of row, reopens, and reads all of it back.
func roundTrip(t *testing.T, open Opener) {
	s := open(t)
	bare := registry.Server{ID: "bare", State: registry.Submitted, Transport: registry.HTTP}
	token := registry.Token{ID: "abcdefgh", Agent: "a", Hash: []byte{0, 9}, CreatedAt: at, ExpiresAt: at.Add(time.Hour)}
	cert := registry.Certificate{Serial: "0f", Agent: "a", NotAfter: at, CreatedAt: at}
	grant := registry.Grant{Agent: "a", Server: "full", Access: registry.Write, Tools: []string{"t", ""}, By: "b", Reason: "r", CreatedAt: at}
	must(t, s.InsertServer(fullServer("full")))
	must(t, s.InsertServer(bare))
	must(t, s.InsertAgent(agent("a")))
	must(t, s.InsertToken(token))
	must(t, s.InsertCertificate(cert))
	must(t, s.PutGrant(grant))
	must(t, s.SetMeta("k", "v\x00w"))
	must(t, s.Close())

	s = open(t)
	servers, err := s.Servers()
	must(t, err)
	same(t, servers, []registry.Server{bare, fullServer("full")})
	one, err := s.Server("full")
	must(t, err)
	same(t, one, fullServer("full"))
	agents, err := s.Agents()
	must(t, err)
	same(t, plain(agents), []registry.Agent{agent("a")})
	tokens, err := s.Tokens()
	must(t, err)
	same(t, tokens, []registry.Token{token})
	certs, err := s.Certificates()
	must(t, err)
	same(t, certs, []registry.Certificate{cert})
	list, err := s.Grants()
	must(t, err)
	same(t, list, []registry.Grant{grant})
	value, err := s.Meta("k")
	must(t, err)
	same(t, value, "v\x00w")
	must(t, s.Close())
}

func notFound(t *testing.T, open Opener) {
	s := open(t)
	_, err := s.Server("x")
	want(t, err, registry.ErrNotFound)
	_, err = s.Agent("x")
	want(t, err, registry.ErrNotFound)
	_, err = s.Meta("x")
	want(t, err, registry.ErrNotFound)
	want(t, s.UpdateServer(fullServer("x")), registry.ErrNotFound)
	want(t, s.UpdateAgent(agent("x")), registry.ErrNotFound)
	want(t, s.RevokeToken("x"), registry.ErrNotFound)
	want(t, s.RevokeCertificate("x"), registry.ErrNotFound)
	want(t, s.DeleteGrant("x", "y"), registry.ErrNotFound)
	servers, err := s.Servers()
	must(t, err)
	same(t, len(servers), 0)
	must(t, s.Close())
}

// exists: a second row with the same key is refused and changes nothing.
func exists(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertServer(fullServer("s")))
	must(t, s.InsertAgent(agent("a")))
	must(t, s.InsertToken(registry.Token{ID: "t", Agent: "a", Hash: []byte{1}}))
	must(t, s.InsertCertificate(registry.Certificate{Serial: "c", Agent: "a"}))
	other := fullServer("s")
	other.URL = "https://other.example"
	want(t, s.InsertServer(other), registry.ErrExists)
	want(t, s.InsertAgent(agent("a")), registry.ErrExists)
	want(t, s.InsertToken(registry.Token{ID: "t", Agent: "a", Hash: []byte{2}}), registry.ErrExists)
	want(t, s.InsertCertificate(registry.Certificate{Serial: "c", Agent: "a"}), registry.ErrExists)
	got, err := s.Server("s")
	must(t, err)
	same(t, got, fullServer("s"))
	must(t, s.Close())
}

// compareAndSet: only the holder of the current revision may write.
func compareAndSet(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertServer(fullServer("s")))
	must(t, s.InsertAgent(agent("a")))
	first := fullServer("s")
	first.Reason = "first"
	must(t, s.UpdateServer(first))
	second := fullServer("s") // still the old revision
	second.Reason = "second"
	want(t, s.UpdateServer(second), registry.ErrConflict)
	ahead := first
	ahead.Revision += 7
	want(t, s.UpdateServer(ahead), registry.ErrConflict)
	got, err := s.Server("s")
	must(t, err)
	first.Revision++
	same(t, got, first)

	moved := agent("a")
	moved.State = registry.Suspended
	must(t, s.UpdateAgent(moved))
	want(t, s.UpdateAgent(agent("a")), registry.ErrConflict)
	a, err := s.Agent("a")
	must(t, err)
	moved.Revision++
	a.Pseudonym = ""
	same(t, a, moved)
	must(t, s.Close())
}

// unknownParents: nothing belongs to an agent or server that does not exist.
func unknownParents(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertAgent(agent("a")))
	want(t, s.InsertToken(registry.Token{ID: "t", Agent: "nobody", Hash: []byte{1}}), registry.ErrNotFound)
	want(t, s.InsertCertificate(registry.Certificate{Serial: "c", Agent: "nobody"}), registry.ErrNotFound)
	want(t, s.PutGrant(registry.Grant{Agent: "a", Server: "nowhere", Access: registry.Read}), registry.ErrNotFound)
	must(t, s.Close())
}

// invalidRows: what the types cannot forbid, the database does.
func invalidRows(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertAgent(agent("a")))
	must(t, s.InsertServer(fullServer("s")))
	state, transport, nameless := fullServer("x"), fullServer("x"), fullServer("")
	state.State, transport.Transport = "ready", "carrier-pigeon"
	odd := agent("x")
	odd.State = registry.Submitted
	for name, err := range map[string]error{
		"server state":     s.InsertServer(state),
		"server transport": s.InsertServer(transport),
		"server id":        s.InsertServer(nameless),
		"agent state":      s.InsertAgent(odd),
		"empty hash":       s.InsertToken(registry.Token{ID: "t", Agent: "a", Hash: []byte{}}),
		"no hash":          s.InsertToken(registry.Token{ID: "t", Agent: "a"}),
		"access":           s.PutGrant(registry.Grant{Agent: "a", Server: "s", Access: "all"}),
		"no access":        s.PutGrant(registry.Grant{Agent: "a", Server: "s"}),
	} {
		if err == nil {
			t.Errorf("%s: an invalid row is stored", name)
		}
	}
	must(t, s.Close())
}

// order: lists are sorted by bytes, not by locale or insertion.
func order(t *testing.T, open Opener) {
	s := open(t)
	for _, id := range []string{"b", "a-1", "a", "a1"} {
		must(t, s.InsertAgent(agent(id)))
	}
	list, err := s.Agents()
	must(t, err)
	var ids []string
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	same(t, ids, []string{"a", "a-1", "a1", "b"})
	must(t, s.Close())
}

func grants(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertAgent(agent("a")))
	must(t, s.InsertServer(fullServer("s")))
	must(t, s.PutGrant(registry.Grant{Agent: "a", Server: "s", Access: registry.Modify, CreatedAt: at}))
	narrow := registry.Grant{Agent: "a", Server: "s", Access: registry.Read, Tools: []string{"t"}, By: "b", Reason: "r", CreatedAt: at}
	must(t, s.PutGrant(narrow))
	list, err := s.Grants()
	must(t, err)
	same(t, list, []registry.Grant{narrow})
	must(t, s.DeleteGrant("a", "s"))
	want(t, s.DeleteGrant("a", "s"), registry.ErrNotFound)
	list, err = s.Grants()
	must(t, err)
	same(t, len(list), 0)
	must(t, s.Close())
}

// revocation survives a restart and touches only what was named.
func revocation(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InsertAgent(agent("a")))
	for _, id := range []string{"one", "two"} {
		must(t, s.InsertToken(registry.Token{ID: id, Agent: "a", Hash: []byte{1}}))
		must(t, s.InsertCertificate(registry.Certificate{Serial: id, Agent: "a"}))
	}
	must(t, s.RevokeToken("two"))
	must(t, s.RevokeToken("two"))
	must(t, s.RevokeCertificate("two"))
	must(t, s.Close())
	s = open(t)
	tokens, err := s.Tokens()
	must(t, err)
	same(t, []bool{tokens[0].Revoked, tokens[1].Revoked}, []bool{false, true})
	certs, err := s.Certificates()
	must(t, err)
	same(t, []bool{certs[0].Revoked, certs[1].Revoked}, []bool{false, true})
	must(t, s.DeleteCertificate("one"))
	if err := s.DeleteCertificate("one"); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	must(t, s.Close())
	s = open(t)
	certs, err = s.Certificates()
	must(t, err)
	same(t, len(certs), 1)
	must(t, s.Close())
}

func meta(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.SetMeta("k", "one"))
	must(t, s.SetMeta("k", "two"))
	must(t, s.SetMeta("K", ""))
	for key, value := range map[string]string{"k": "two", "K": ""} {
		got, err := s.Meta(key)
		must(t, err)
		same(t, got, value)
	}
	must(t, s.Close())
}

var errWanted = errors.New("wanted")

func txCommits(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.InTx(func(in store.Store) error {
		must(t, in.InsertAgent(agent("a")))
		if _, err := in.Agent("a"); err != nil {
			t.Errorf("a transaction does not see its own write: %v", err)
		}
		return in.SetMeta("k", "v")
	}))
	must(t, s.Close())
	s = open(t)
	_, err := s.Agent("a")
	must(t, err)
	_, err = s.Meta("k")
	must(t, err)
	must(t, s.Close())
}

func txRollsBack(t *testing.T, open Opener) {
	s := open(t)
	want(t, s.InTx(func(in store.Store) error {
		must(t, in.InsertAgent(agent("a")))
		return errWanted
	}), errWanted)
	_, err := s.Agent("a")
	want(t, err, registry.ErrNotFound)
	must(t, s.InsertAgent(agent("a")))
	// A refused statement inside does not undo the rest.
	must(t, s.InTx(func(in store.Store) error {
		must(t, in.SetMeta("k", "v"))
		want(t, in.InsertAgent(agent("a")), registry.ErrExists)
		return nil
	}))
	_, err = s.Meta("k")
	must(t, err)
	must(t, s.Close())
}

func txPanics(t *testing.T, open Opener) {
	s := open(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is swallowed")
			}
		}()
		err := s.InTx(func(in store.Store) error {
			must(t, in.InsertAgent(agent("a")))
			panic("wanted")
		})
		t.Errorf("returned %v", err)
	}()
	_, err := s.Agent("a")
	want(t, err, registry.ErrNotFound)
	must(t, s.Close())
}

func txNested(t *testing.T, open Opener) {
	s := open(t)
	want(t, s.InTx(func(in store.Store) error {
		must(t, in.InTx(func(deep store.Store) error { return deep.InsertAgent(agent("a")) }))
		return errWanted
	}), errWanted)
	_, err := s.Agent("a")
	want(t, err, registry.ErrNotFound)
	if err := s.InTx(func(in store.Store) error { return in.Close() }); err == nil {
		t.Error("a transaction closes the store")
	}
	must(t, s.Close())
}

// concurrent: of many writers with the same revision exactly one wins a round.
func concurrent(t *testing.T, open Opener) {
	s := open(t)
	start := fullServer("s")
	must(t, s.InsertServer(start))
	const rounds, writers = 5, 8
	for round := range rounds {
		current, err := s.Server("s")
		must(t, err)
		results := make([]error, writers)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				mine := current
				mine.Reason = fmt.Sprintf("%d-%d", round, i)
				results[i] = s.UpdateServer(mine)
			})
		}
		group.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
				continue
			}
			want(t, err, registry.ErrConflict)
		}
		same(t, won, 1)
	}
	got, err := s.Server("s")
	must(t, err)
	same(t, got.Revision, start.Revision+rounds)
	must(t, s.Close())
}

func concurrentInsert(t *testing.T, open Opener) {
	s := open(t)
	results := make([]error, 8)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() {
			results[i] = s.InTx(func(in store.Store) error {
				if err := in.InsertAgent(agent("a")); err != nil {
					return err
				}
				return in.InsertToken(registry.Token{ID: fmt.Sprint(i), Agent: "a", Hash: []byte{1}})
			})
		})
	}
	group.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		want(t, err, registry.ErrExists)
	}
	same(t, won, 1)
	tokens, err := s.Tokens()
	must(t, err)
	same(t, len(tokens), 1)
	must(t, s.Close())
}

func closed(t *testing.T, open Opener) {
	s := open(t)
	must(t, s.Close())
	if _, err := s.Servers(); err == nil {
		t.Error("a closed store reads")
	}
	if err := s.SetMeta("k", "v"); err == nil {
		t.Error("a closed store writes")
	}
	if err := s.InTx(func(store.Store) error { return nil }); err == nil {
		t.Error("a closed store starts a transaction")
	}
}
