package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/logs"
	"ostiary.dev/ostiary/internal/meter"
	"ostiary.dev/ostiary/internal/record"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/store/postgres"
)

const (
	// originRoot begins the name of every log of every gateway.
	originRoot = "ostiary.dev/gw/"
	// metaGateway is the store's key of the gateway's id.
	metaGateway = "gateway.id"
	// reserveName is the file that keeps room for the outcomes of calls.
	reserveName = "log.reserve"
	// logPatience bounds the end of the logs.
	logPatience = 15 * time.Second
)

// openLog opens the logs and the recorder, and ends the calls that an earlier
// process left open. It reads no log as a whole: the sweep does that, while the
// gateway serves.
func (a *App) openLog() error {
	began := a.clock.Now()
	id, err := a.gatewayID()
	if err != nil {
		return err
	}
	restored, err := restoredAt(a.store)
	if err != nil {
		return err
	}
	if a.storeAt().dsn == "" {
		if a.reserve, err = record.OpenReserve(filepath.Join(a.dir, reserveName), int64(a.config.Load().Audit.Reserve)); err != nil {
			return err
		}
	}
	cluster, err := a.cluster()
	if err != nil {
		return err
	}
	a.book, err = auditlog.Open(auditlog.Config{
		Cluster: cluster,
		Rows:    a.reserve.Guard(a.store), Origin: originRoot + id + "/" + keys.DefaultTenant, Sealer: a.ring, Clock: a.clock,
		Signer:  func(origin string) note.Signer { return a.ring.LogSigner(origin) },
		Signers: a.logSigners, VKeys: a.logVKeys, Signed: a.logSigned,
		Stepped: a.news.stepped, Changed: a.news.changed, Restored: restored,
	})
	if err != nil {
		return explainLog(err)
	}
	a.noteHandovers()
	a.record = record.New(record.Config{
		Book: a.book, Clock: a.clock, Reserve: a.reserve, Pseudonym: a.store.Pseudonym, InTx: a.inTx,
		Keys: a.grown(),
		All:  a.config.Load().Audit.Sync == syncAll,
	})
	a.store.OnChange(a.recordChange)
	a.store.OnDamage(a.recordDamage)
	if a.follower != nil {
		looked := a.clock.Now() // what is served from now on is at least as new
		a.follower.mark, err = a.caughtUp(context.Background())
		a.follower.seen.Store(&looked)
		return err // the owner checks the rest
	}
	if err := errors.Join(a.checkKeys(), a.checkLogs(), a.checkRows()); err != nil {
		return err
	}
	orphans, err := a.record.Reconcile()
	if err != nil {
		return err
	}
	a.opened.took, a.opened.orphans = a.clock.Now().Sub(began), orphans
	return nil
}

// logSigners returns who signs the next checkpoint of a log.
func (a *App) logSigners(origin string) []note.Signer {
	var all []note.Signer
	for _, s := range a.ring.LogSigners(origin) {
		all = append(all, s)
	}
	return all
}

// logSigned notes that both keys of a rotation have signed a stored checkpoint:
// from the next one on the new key signs alone.
func (a *App) logSigned(_ auditlog.Name, _ uint64, signed []byte) {
	origin, _, _ := bytes.Cut(signed, []byte("\n"))
	if bytes.Count(signed, append([]byte("\n\u2014 "), append(bytes.Clone(origin), ' ')...)) > 1 {
		a.ring.HandedOver(string(origin))
	}
}

// noteHandovers finds the logs whose newest checkpoint has the current key's
// signature: the key before signs them no more, whatever process made it.
func (a *App) noteHandovers() {
	for _, info := range a.book.Logs() {
		l, err := a.book.Log(info.Name)
		if err != nil {
			continue
		}
		signed, _, err := l.Checkpoint()
		if err != nil {
			continue // none yet
		}
		if v, err := note.NewVerifier(a.ring.LogVKey(l.Origin())); err == nil {
			if _, err := note.Open(signed, note.VerifierList(v)); err == nil {
				a.ring.HandedOver(l.Origin())
			}
		}
	}
}

// logVKeys returns the keys that signed checkpoints of a log, the present one
// first.
func (a *App) logVKeys(origin string) []string {
	all := a.ring.LogVKeys(origin)
	slices.Reverse(all)
	return all
}

// opened is what the start of up says about the log.
type opened struct {
	took    time.Duration
	orphans int
}

// gatewayID returns the id in the names of the gateway's logs: 16 hex digits,
// drawn once. Where logs are, a missing one was deleted: another would begin
// new logs beside them (TestRowsBehindTheBack).
func (a *App) gatewayID() (string, error) {
	id, err := a.store.Meta(metaGateway)
	if !errors.Is(err, registry.ErrNotFound) {
		return id, explain(err)
	}
	heads, err := a.store.AuditHeads()
	if err != nil {
		return "", fmt.Errorf("look for logs: %w", err)
	}
	if len(heads) > 0 {
		return "", explain(&store.Damage{Kind: "meta", Why: metaGateway + " is missing"})
	}
	u, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("draw the gateway's id: %w", err)
	}
	id = hex.EncodeToString(append(u[:6:6], u[9], u[10])) // the bytes without version and variant
	return id, a.store.SetMeta(metaGateway, id)
}

// inTx runs fn with the log's rows in one transaction of the store.
func (a *App) inTx(fn func(auditlog.Rows) error) error {
	if a.follower != nil { // what it knows of the rows must not vouch for them
		return a.follower.rows.InTx(func(r store.Raw) error { return fn(r) })
	}
	return a.store.InTx(func(s store.Store) error { return fn(s) })
}

// recordChange records a change of rows that no operator's function made, in
// the transaction of the change.
func (a *App) recordChange(rows auditlog.Rows, digest string) error {
	return a.record.Changed(rows, digest)
}

// clip bounds the text of an error in an entry.
func clip(s string) string {
	const most = 512
	if len(s) > most {
		return s[:most]
	}
	return s
}

// closeLog writes what waits and closes the logs.
func (a *App) closeLog() error {
	if a.book == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), logPatience)
	defer cancel()
	var errs []error
	if a.record != nil {
		errs = append(errs, a.record.Flush(a.clock.Now().Add(time.Second)), a.tell())
	}
	errs = append(errs, a.book.Close(ctx))
	if a.queue != nil {
		errs = append(errs, a.queue.Close())
	}
	return errors.Join(errs...)
}

// cluster returns how several gateways write the log of calls; nil: one does.
func (a *App) cluster() (*auditlog.Cluster, error) {
	if a.follower == nil && !a.config.Load().Store.Replicas {
		return nil, nil
	}
	node, err := uuid.NewRandom()
	if err != nil {
		return nil, fmt.Errorf("draw the node's name: %w", err)
	}
	if a.follower != nil {
		return &auditlog.Cluster{Queue: a.follower.rows, Node: node.String()}, nil
	}
	c, err := a.storeAt().server()
	if err != nil {
		return nil, err
	}
	if a.queue, err = postgres.OpenQueue(c); err != nil {
		return nil, explain(err)
	}
	return &auditlog.Cluster{Queue: a.queue, Node: node.String()}, nil
}

// explainLog says what to do about a log that does not open.
func explainLog(err error) error {
	var broken *auditlog.Broken
	if errors.As(err, &broken) {
		return &admin.Error{Code: admin.Integrity, Message: "the log was changed by somebody else: " + broken.Error(),
			Fix: "keep the data directory as it is, look with: ostiary audit verify, and restore from a backup"}
	}
	return fmt.Errorf("open the log: %w", err)
}

// sayOpened tells operators how the log was opened.
func (a *App) sayOpened() {
	s := a.book.Stats()
	a.log.Info("the log is open", logs.Public("took", a.opened.took.Round(time.Microsecond).String()),
		logs.Public("entries", fmt.Sprint(s.Size)), logs.Public("outcome_unknown", fmt.Sprint(a.opened.orphans)))
}

// logState is what metrics show of the log.
func (a *App) logState() meter.Log {
	s := a.book.Stats()
	return meter.Log{Entries: s.Entries, Batches: s.Batches, Queued: s.Queued, Owed: a.record.Owed(), Took: s.Took,
		Closed: a.news.failing() != "" || s.Failed != nil, Size: s.Size, Signed: s.Signed, SignedAt: s.SignedAt,
		Cosigned: s.Cosigned, CosignedAt: s.CosignedAt}
}
