package auditlog_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/auditlog/logtest"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/egress"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store/postgres"
	"ostiary.dev/ostiary/internal/store/sqlite"
	"ostiary.dev/ostiary/test/pgtest"
)

// part is as long as that of a usual call.
var part = fmt.Appendf(nil, `{"actor":"s-%026d","actor_by":"token","by":"","bytes_in":312,"bytes_out":340,"class":"loopback","decision":"allow","elapsed_us":1234,"era":"modern","method":"tools/call","name":"search_documents","need":"read","outcome":"ok","peer":"127.0.0.1","registry":12,"req":"%064d","res":"%064d","server":"wiki","status":200,"time":"2026-05-04T03:02:01.987654Z","version":"2026-07-28"}`, 1, 2, 3)

// real is a configuration with the keys of a gateway.
func real(t testing.TB, rows auditlog.Rows) auditlog.Config {
	t.Helper()
	ring, err := keys.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return auditlog.Config{
		Rows: rows, Origin: logtest.Origin, Sealer: ring,
		Signer: func(origin string) note.Signer { return ring.LogSigner(origin) },
		VKeys:  func(origin string) []string { return []string{ring.LogVKey(origin)} },
	}
}

func newSQLite(t testing.TB) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Create(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// newPostgres returns the driver over a real server of its own.
func newPostgres(t testing.TB) *postgres.DB {
	t.Helper()
	_, _, c := onServer(t)
	db, err := postgres.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// appendBy appends b.N entries by that many writers, each of which waits for
// its entry before the next.
func appendBy(b *testing.B, writers int, rows auditlog.Rows) {
	book, err := auditlog.Open(real(b, rows))
	if err != nil {
		b.Fatal(err)
	}
	log := book.Calls()
	b.ResetTimer()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < b.N; i += writers {
				e := auditlog.Entry{
					Kind: auditlog.CallDecided, Time: clock.Clock{}.Now(), Exchange: "0199c1de-8a5e-7c3b-9d5e-0123456789ab",
					Decision: "allow", Server: "wiki", Policy: 12, Part: part,
				}
				if _, err := log.Submit(e).Wait(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(b.N)/float64(book.Stats().Batches), "entries/batch")
	if err := book.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if got := log.Size(); got != uint64(b.N) {
		b.Fatalf("%d entries, want %d", got, b.N)
	}
}

func BenchmarkAppend64(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { appendBy(b, 64, newSQLite(b)) })
	b.Run("postgres", func(b *testing.B) { appendBy(b, 64, newPostgres(b)) })
	b.Run("memory", func(b *testing.B) { appendBy(b, 64, &logtest.Rows{}) })
}

func BenchmarkAppend1(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { appendBy(b, 1, newSQLite(b)) })
	b.Run("postgres", func(b *testing.B) { appendBy(b, 1, newPostgres(b)) })
}

func BenchmarkAppend256(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { appendBy(b, 256, newSQLite(b)) })
	b.Run("postgres", func(b *testing.B) { appendBy(b, 256, newPostgres(b)) })
}

// BenchmarkProof proves entries of a log of a million.
func BenchmarkProof(b *testing.B) {
	for name, rows := range map[string]auditlog.Rows{"sqlite": newSQLite(b), "postgres": newPostgres(b)} {
		config := real(b, rows)
		b.Run(name, func(b *testing.B) {
			const size = 1_000_000
			book, err := auditlog.Open(config)
			if err != nil {
				b.Fatal(err)
			}
			log := book.Calls()
			if log.Size() < size {
				fill(b, log, size)
			}
			b.ResetTimer()
			longest := time.Duration(0)
			for i := range b.N {
				began := clock.Clock{}.Now()
				if _, err := log.Proof(uint64(i)*7919%size, size); err != nil {
					b.Fatal(err)
				}
				longest = max(longest, clock.Clock{}.Now().Sub(began))
			}
			b.StopTimer()
			b.ReportMetric(float64(longest.Microseconds()), "max-us")
			began := clock.Clock{}.Now()
			if err := log.Verify(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(clock.Clock{}.Now().Sub(began).Seconds(), "verify-s")
			if err := book.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// fill appends entries until the log has size of them.
func fill(t testing.TB, log *auditlog.Log, size int) {
	t.Helper()
	for log.Size() < uint64(size) {
		var tickets []*auditlog.Ticket
		for i := range min(4096, size-int(log.Size())) {
			e := entry(i)
			e.Decision = "deny"
			tickets = append(tickets, log.Submit(e))
		}
		for _, ticket := range tickets {
			if _, err := ticket.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// onServer makes a database on a server that ends with the test.
func onServer(t testing.TB) (*pgtest.Cluster, string, postgres.Config) {
	t.Helper()
	c := pgtest.Need(t)
	database := c.Database(t, "ENCODING 'UTF8' LOCALE 'C'")
	guard := egress.New(egress.Config{})
	return c, database, postgres.Config{
		DSN: fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", c.Port, database),
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return guard.Dial(ctx, network, address, true)
		},
	}
}
