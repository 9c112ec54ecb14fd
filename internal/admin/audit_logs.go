package admin

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/trail"
)

// AuditLogs lists the logs with the keys that verify them.
func (o *operator) AuditLogs(context.Context, None) ([]AuditLog, error) {
	if o.cfg.Book == nil {
		return nil, noBook()
	}
	all := []AuditLog{}
	for _, info := range o.cfg.Book.Logs() {
		l, err := o.cfg.Book.Log(info.Name)
		if err != nil {
			return nil, asError("log "+string(info.Name), err)
		}
		v, _, err := o.viewLog(l)
		if err != nil {
			return nil, asError("log "+string(info.Name), err)
		}
		all = append(all, v)
	}
	return all, nil
}

// viewLog returns a log with its newest checkpoint, nil when there is none.
func (o *operator) viewLog(l *auditlog.Log) (AuditLog, []byte, error) {
	v := AuditLog{Log: string(l.Name()), Origin: l.Origin(), VKey: o.cfg.Ring.LogVKey(l.Origin()), Size: l.Size()}
	note, size, err := l.Checkpoint()
	if errors.Is(err, auditlog.ErrNotFound) {
		return v, nil, nil
	}
	if err != nil {
		return v, nil, err
	}
	v.Signed = size
	v.Witnessed = o.cfg.Witnesses != nil && o.cfg.Witnesses.Met(note)
	return v, note, nil
}

func (o *operator) log(name string) (*auditlog.Log, error) {
	if o.cfg.Book == nil {
		return nil, noBook()
	}
	l, err := o.cfg.Book.Log(auditlog.Name(name))
	if errors.Is(err, auditlog.ErrNotFound) {
		return nil, &Error{Code: NotFound, Message: "there is no log " + name, Fix: "see: ostiary audit checkpoint"}
	}
	return l, asError("log "+name, err)
}

// AuditShow returns the entries that r names, each as it stands in its log.
func (o *operator) AuditShow(ctx context.Context, r AuditRef) ([]AuditEntry, error) {
	refs, err := o.find(ctx, r)
	if err != nil {
		return nil, err
	}
	all := []AuditEntry{}
	for _, ref := range refs {
		l, err := o.log(ref.Log)
		if err != nil {
			return nil, err
		}
		e, err := o.show(l, ref.Index)
		if err != nil {
			return nil, asError("the entry", err)
		}
		all = append(all, e)
	}
	err = o.cfg.Recorder.Act(auditlog.Act{Kind: auditlog.AuditRead, Action: "audit.show", By: o.by, Subject: r.Exchange,
		Change: map[string]any{"entries": refs, "count": len(refs)}})
	return all, asError("the reading of the log", err)
}

func (o *operator) show(l *auditlog.Log, index uint64) (AuditEntry, error) {
	out := AuditEntry{Log: string(l.Name()), Index: index}
	err := l.Read(index, index+1, func(r auditlog.Record) error {
		line, err := trail.Whole(l.Name(), r, o.names())
		out.Leaf, out.Line = bytes.Clone(r.Leaf), line
		return err
	})
	return out, err
}

// find returns where the entries of r stand.
func (o *operator) find(ctx context.Context, r AuditRef) ([]AuditRef, error) {
	if o.cfg.Book == nil {
		return nil, noBook()
	}
	if (r.Exchange == "") == (r.Log == "") || len(r.Exchange) > maxText {
		return nil, invalid("name an exchange, or LOG/INDEX such as control/7", "an entry is named by its exchange or by its place")
	}
	if r.Log != "" {
		l, err := o.log(r.Log)
		if err != nil {
			return nil, err
		}
		if r.Index >= l.Size() {
			return nil, &Error{Code: NotFound, Message: "the log " + r.Log + " has no such entry"}
		}
		return []AuditRef{r}, nil
	}
	f, err := o.findExchange(ctx, r.Exchange)
	return f.refs, err
}

// AuditCheckpoint returns a signed checkpoint.
func (o *operator) AuditCheckpoint(ctx context.Context, r AuditSign) (AuditCheckpoint, error) {
	l, err := o.log(r.Log)
	if err != nil {
		return AuditCheckpoint{}, err
	}
	note, size, err := checkpoint(ctx, l, r.New)
	if err != nil {
		return AuditCheckpoint{}, asError("a checkpoint of "+r.Log, err)
	}
	return AuditCheckpoint{Log: r.Log, Size: size, Note: string(note)}, nil
}

// checkpoint returns the newest one, or a new one when there is none.
func checkpoint(ctx context.Context, l *auditlog.Log, fresh bool) ([]byte, uint64, error) {
	if !fresh {
		note, size, err := l.Checkpoint()
		if !errors.Is(err, auditlog.ErrNotFound) {
			return note, size, err
		}
	}
	return l.Sign(ctx)
}

// AuditProve returns the proof of one entry. Of a call it is the entry that
// says how it ended, when there is one. It signs a checkpoint when none covers
// the entry yet.
func (o *operator) AuditProve(ctx context.Context, r AuditRef) (AuditProof, error) {
	refs, err := o.find(ctx, r)
	if err != nil {
		return AuditProof{}, err
	}
	ref := refs[len(refs)-1]
	l, err := o.log(ref.Log)
	if err != nil {
		return AuditProof{}, err
	}
	if _, size, err := l.Checkpoint(); err != nil || size <= ref.Index {
		if _, _, err := l.Sign(ctx); err != nil {
			return AuditProof{}, asError("a checkpoint of "+ref.Log, err)
		}
	}
	s := o.source(l)
	out := AuditProof{Log: ref.Log, Index: ref.Index, VKey: s.VKey()}
	proof, err := export.Proof(ctx, s, ref.Index)
	if err != nil {
		return AuditProof{}, asError("the proof", err)
	}
	out.Proof = string(proof)
	err = l.Leaves(ref.Index, ref.Index+1, func(_ uint64, leaf []byte) error { out.Leaf = bytes.Clone(leaf); return nil })
	return out, asError("the proof", err)
}

// source is a log as package export reads it.
type source struct {
	log  *auditlog.Log
	vkey string
}

func (o *operator) source(l *auditlog.Log) source {
	return source{l, o.cfg.Ring.LogVKey(l.Origin())}
}

func (s source) Log() string    { return string(s.log.Name()) }
func (s source) Origin() string { return s.log.Origin() }
func (s source) VKey() string   { return s.vkey }
func (s source) Checkpoint(ctx context.Context) ([]byte, uint64, error) {
	return checkpoint(ctx, s.log, false)
}

func (s source) Entries(ctx context.Context, from, to uint64, fn func(export.Entry) error) error {
	return s.log.Read(from, to, func(r auditlog.Record) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(export.Entry{Index: r.Index, Leaf: r.Leaf, Part: r.Part, Key: r.Key})
	})
}

func (s source) Hashes(_ context.Context, at []int64) ([]tlog.Hash, error) {
	return s.log.Hashes().ReadHashes(slices.Clone(at))
}
