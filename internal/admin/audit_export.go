package admin

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
)

// Bounds of one page of an export.
const (
	rawEntries = 2048
	rawBytes   = 4 << 20
	rawHashes  = 65536
)

// exporting is an export under way. What it may read is fixed when it is
// recorded.
type exporting struct {
	by     string
	sizes  map[string]uint64          // of the checkpoints
	picked map[string]map[uint64]bool // evidence: the entries; nil = every one
	used   time.Time
}

// AuditExport records that logs are given away, and how much of them, and then
// lets the caller read just that.
func (o *operator) AuditExport(ctx context.Context, r AuditExport) (AuditExported, error) {
	if o.cfg.Book == nil {
		return AuditExported{}, noBook()
	}
	if len(r.Reason) > maxReason || len(r.Recipient) > maxReason || len(r.Exchanges) > 1000 {
		return AuditExported{}, invalid("shorten it", "the reason, the recipient or the list of exchanges is too long")
	}
	x := &exporting{by: o.by, sizes: map[string]uint64{}}
	out := AuditExported{Software: "ostiary " + o.cfg.Gateway().Version, Runner: o.by}
	if err := o.pick(ctx, r.Exchanges, x, &out); err != nil {
		return AuditExported{}, err
	}
	for _, info := range o.cfg.Book.Logs() {
		if info.Size == 0 || x.picked != nil && x.picked[string(info.Name)] == nil {
			continue // an empty log has no checkpoint yet
		}
		one, err := o.exportOf(ctx, info.Name)
		if err != nil {
			return AuditExported{}, asError("log "+string(info.Name), err)
		}
		x.sizes[one.Log] = one.Signed
		out.Logs = append(out.Logs, one)
	}
	if o.cfg.Witnesses != nil {
		out.Policy = o.cfg.Witnesses.Policy()
	}
	out.Rotations = o.cfg.Ring.Rotations()
	if len(out.Logs) > 0 {
		out.ReceiptVKey = o.cfg.Ring.ReceiptVKey(ReceiptName(out.Logs[0].Origin))
	}
	err := o.cfg.Recorder.Act(auditlog.Act{Kind: auditlog.AuditExported, Action: "audit.export", By: o.by, Reason: r.Reason,
		Change: map[string]any{"recipient": r.Recipient, "sizes": x.sizes, "exchanges": r.Exchanges, "count": x.count()}})
	if err != nil {
		return AuditExported{}, asError("the export", err)
	}
	out.Export = o.exports.keep(x, o.cfg.Clock.Now())
	return out, nil
}

// pick finds the entries of evidence.
func (o *operator) pick(ctx context.Context, exchanges []string, x *exporting, out *AuditExported) error {
	for _, id := range exchanges {
		refs, err := o.find(ctx, AuditRef{Exchange: id})
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if x.picked == nil {
				x.picked = map[string]map[uint64]bool{}
			}
			if x.picked[ref.Log] == nil {
				x.picked[ref.Log] = map[uint64]bool{}
			}
			x.picked[ref.Log][ref.Index] = true
			out.Picked = append(out.Picked, ref)
		}
	}
	return nil
}

// exportOf signs what is there, so that an export is complete.
func (o *operator) exportOf(ctx context.Context, name auditlog.Name) (AuditExportOf, error) {
	l, err := o.cfg.Book.Log(name)
	if err != nil {
		return AuditExportOf{}, err
	}
	v, note, err := o.viewLog(l)
	if err == nil && (note == nil || v.Signed < l.Size()) {
		if note, v.Signed, err = l.Sign(ctx); err == nil {
			v.Witnessed = o.cfg.Witnesses != nil && o.cfg.Witnesses.Met(note)
		}
	}
	return AuditExportOf{AuditLog: v, Note: string(note)}, err
}

func (x *exporting) count() (n uint64) {
	if x.picked == nil {
		for _, size := range x.sizes {
			n += size
		}
		return n
	}
	for _, set := range x.picked {
		n += uint64(len(set))
	}
	return n
}

// may reports whether the export holds the entry.
func (x *exporting) may(log string, index uint64) bool {
	return index < x.sizes[log] && (x.picked == nil || x.picked[log][index])
}

// AuditEntries returns entries of an export.
func (o *operator) AuditEntries(ctx context.Context, r AuditEntries) ([]AuditRaw, error) {
	x, l, err := o.exported(r.Export, r.Log)
	if err != nil {
		return nil, err
	}
	to := min(r.To, x.sizes[r.Log], r.From+rawEntries)
	if r.From >= to || !x.may(r.Log, r.From) {
		return nil, invalid("", "the export holds no such entry")
	}
	all, size := []AuditRaw{}, 0
	err = l.Read(r.From, to, func(e auditlog.Record) error {
		if size > rawBytes || !x.may(r.Log, e.Index) {
			return errFull
		}
		raw := AuditRaw{Index: e.Index, Leaf: bytes.Clone(e.Leaf), Part: bytes.Clone(e.Part)}
		if e.Part != nil {
			raw.Key = bytes.Clone(e.Key[:])
		}
		all, size = append(all, raw), size+len(e.Leaf)+len(e.Part)
		return ctx.Err()
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	var broken *auditlog.Broken
	if errors.As(err, &broken) && broken.Index == r.From+uint64(len(all)) {
		// An investigator needs what is there: the entry goes without its part,
		// and whoever exports verifies what was written.
		err = l.Leaves(broken.Index, broken.Index+1, func(index uint64, leaf []byte) error {
			all = append(all, AuditRaw{Index: index, Leaf: bytes.Clone(leaf)})
			return nil
		})
	}
	return all, asError("log "+r.Log, err)
}

// AuditHashes returns stored hashes of an export. They say nothing of what the
// entries hold.
func (o *operator) AuditHashes(_ context.Context, r AuditHashes) ([][]byte, error) {
	x, l, err := o.exported(r.Export, r.Log)
	if err != nil {
		return nil, err
	}
	most := tlog.StoredHashCount(int64(x.sizes[r.Log]))
	for _, at := range r.At {
		if at < 0 || at >= most {
			return nil, invalid("", "the export holds no such hash")
		}
	}
	if len(r.At) > rawHashes {
		return nil, invalid("", "more than %d hashes at once", rawHashes)
	}
	hashes, err := l.Hashes().ReadHashes(r.At)
	if err != nil {
		return nil, asError("log "+r.Log, err)
	}
	out := make([][]byte, 0, len(hashes))
	for _, h := range hashes {
		out = append(out, h[:])
	}
	return out, nil
}

func (o *operator) exported(id, log string) (*exporting, *auditlog.Log, error) {
	x, err := o.exports.get(id, o.by, o.cfg.Clock.Now())
	if err != nil {
		return nil, nil, err
	}
	l, err := o.log(log)
	return x, l, err
}

func (s *exports) keep(x *exporting, now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.set == nil {
		s.set = map[string]*exporting{}
	}
	for id, other := range s.set {
		if now.Sub(other.used) > readExpiry || len(s.set) >= mostReads {
			delete(s.set, id)
		}
	}
	id := uuid.NewString()
	x.used = now
	s.set[id] = x
	return id
}

func (s *exports) get(id, by string, now time.Time) (*exporting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.set[id]
	if x == nil || x.by != by {
		return nil, &Error{Code: NotFound, Message: "this export has ended", Fix: "export again"}
	}
	x.used = now
	return x, nil
}
