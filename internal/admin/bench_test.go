package admin

import (
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// BenchmarkChangeOfMany is one grant in a registry of 10,000 agents with a
// token, a certificate and a grant each. The log cannot be written while the
// transaction of a change is open, so this is what calls wait for.
func BenchmarkChangeOfMany(b *testing.B) {
	w := newWorld(b)
	const agents = 10_000
	server := registry.Server{ID: "s", State: registry.Active, Transport: registry.HTTP, URL: "https://s.example", CreatedAt: w.now, UpdatedAt: w.now}
	err := w.store.InTx(func(s store.Store) error {
		if err := s.InsertServer(server); err != nil {
			return err
		}
		for i := range agents {
			id := fmt.Sprintf("agent-%05d", i)
			if err := s.InsertAgent(registry.Agent{ID: id, State: registry.Active, CreatedAt: w.now, UpdatedAt: w.now}); err != nil {
				return err
			}
			if err := s.InsertToken(registry.Token{ID: "t" + id, Agent: id, Hash: []byte("hash"), CreatedAt: w.now}); err != nil {
				return err
			}
			if err := s.InsertCertificate(registry.Certificate{Serial: "c" + id, Agent: id, NotAfter: w.now.AddDate(1, 0, 0), CreatedAt: w.now}); err != nil {
				return err
			}
			if err := s.PutGrant(registry.Grant{Agent: id, Server: "s", Access: registry.Read, CreatedAt: w.now}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	a, err := New(w.admin.cfg) // as at a start, which reads every row
	if err != nil {
		b.Fatal(err)
	}
	api := a.As("operator")
	for n := 0; b.Loop(); n++ {
		_, err := api.Grant(b.Context(), Grant{Agent: fmt.Sprintf("agent-%05d", n%agents), Server: "s", Access: registry.Modify, Change: Change{Reason: "r"}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
