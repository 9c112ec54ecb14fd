package app

import (
	"context"
	"errors"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/admin"
	"ostiary.dev/ostiary/internal/attest"
	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/fault"
)

// newAttest returns the room that makes receipts.
func (a *App) newAttest() *attest.Step {
	return attest.New(attest.Config{
		Signer: func() note.Signer { return a.ring.ReceiptSigner(admin.ReceiptName(a.book.Control().Origin())) },
		Origin: a.originOf,
		Prove:  a.prove,
		Clock:  a.clock,
		Log:    a.logExchange,
	})
}

// originOf returns the name of a log on its checkpoints.
func (a *App) originOf(name auditlog.Name) string {
	if l, err := a.book.Log(name); err == nil {
		return l.Origin()
	}
	return string(name)
}

// prove returns the proof of an entry, under a checkpoint that is signed for it
// when none covers it yet.
func (a *App) prove(ctx context.Context, p auditlog.Place) ([]byte, error) {
	l, err := a.book.Log(p.Log)
	if err != nil {
		return nil, err
	}
	signed, size, err := l.Checkpoint()
	if errors.Is(err, auditlog.ErrNotFound) || err == nil && size <= p.Index {
		signed, size, err = l.Sign(ctx)
	}
	if err != nil {
		return nil, err
	}
	path, err := tlog.ProveRecord(int64(size), int64(p.Index), l.Hashes())
	if err != nil {
		return nil, err
	}
	return export.FormatProof(p.Index, nil, path, signed), nil
}

// begin lets a call into the log unless the logs must be witnessed and are not.
func (a *App) begin(ctx context.Context, x *exchange.Exchange) error {
	if err := a.keeper.refuse(); err != nil {
		return fault.Wrap(fault.LogUnavailable, err)
	}
	return a.record.Open(ctx, x)
}
