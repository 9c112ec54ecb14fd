// Package logtest keeps the rows of logs in memory, for tests of those who
// write and read logs, with faults on demand. It touches nothing, and nothing
// in the gateway uses it.
package logtest

import (
	"slices"
	"sort"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
)

// Rows implements auditlog.Rows. The zero value is empty and ready.
type Rows struct {
	// The hooks are set before use, or through Hook.
	//
	// Before is asked before each append; its error is returned and nothing is
	// stored. After is asked when the batch is stored, and its error returned:
	// a commit that happened and was not heard of.
	Before, After func(auditlog.Batch) error
	// BeforeRead and BeforeCheckpoint are asked before rows are read, and before
	// a checkpoint is stored by itself.
	BeforeRead, BeforeCheckpoint func() error

	mu          sync.Mutex
	batches     map[auditlog.Name][]auditlog.Batch
	checkpoints map[auditlog.Name][]auditlog.Checkpoint
}

var _ auditlog.Rows = (*Rows)(nil)

// Hook changes the hooks while the rows are in use.
func (r *Rows) Hook(change func(*Rows)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(r)
}

// ask asks a hook of this moment.
func (r *Rows) ask(which *func() error) error {
	r.mu.Lock()
	hook := *which
	r.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook()
}

// EditCheckpoints lets a test change the stored checkpoints.
func (r *Rows) EditCheckpoints(log auditlog.Name, change func([]auditlog.Checkpoint) []auditlog.Checkpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checkpoints[log] = change(r.checkpoints[log])
}

// Edit lets a test change what is stored.
func (r *Rows) Edit(log auditlog.Name, change func([]auditlog.Batch) []auditlog.Batch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches[log] = change(r.batches[log])
}

// AuditHeads implements auditlog.Rows.
func (r *Rows) AuditHeads() ([]auditlog.Head, error) {
	if err := r.ask(&r.BeforeRead); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []auditlog.Head
	for log := range r.batches {
		all = append(all, auditlog.Head{Log: log, Size: r.size(log)})
	}
	for log := range r.checkpoints {
		if len(r.batches[log]) == 0 {
			all = append(all, auditlog.Head{Log: log})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Log < all[j].Log })
	return all, nil
}

// AuditSize implements auditlog.Rows.
func (r *Rows) AuditSize(log auditlog.Name) (uint64, error) {
	if err := r.ask(&r.BeforeRead); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.size(log), nil
}

func (r *Rows) size(log auditlog.Name) uint64 {
	all := r.batches[log]
	if len(all) == 0 {
		return 0
	}
	last := all[len(all)-1]
	return last.First + last.Count
}

// AppendAudit implements auditlog.Rows.
func (r *Rows) AppendAudit(b auditlog.Batch) error {
	r.mu.Lock()
	before, after := r.Before, r.After
	r.mu.Unlock()
	if before != nil {
		if err := before(b); err != nil {
			return err
		}
	}
	if err := r.add(b); err != nil {
		return err
	}
	if after != nil {
		return after(b)
	}
	return nil
}

func (r *Rows) add(b auditlog.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size(b.Log) != b.First || b.Count == 0 {
		return auditlog.ErrConflict
	}
	if r.batches == nil {
		r.batches = map[auditlog.Name][]auditlog.Batch{}
	}
	b.Leaves, b.Hashes, b.Parts = slices.Clone(b.Leaves), slices.Clone(b.Hashes), slices.Clone(b.Parts)
	if b.Checkpoint != nil {
		r.save(b.Log, *b.Checkpoint)
		b.Checkpoint = nil
	}
	r.batches[b.Log] = append(r.batches[b.Log], b)
	return nil
}

// at returns the place of the batch that holds index.
func (r *Rows) at(log auditlog.Name, index uint64) int {
	all := r.batches[log]
	return sort.Search(len(all), func(i int) bool { return all[i].First+all[i].Count > index })
}

// AuditBatch implements auditlog.Rows.
func (r *Rows) AuditBatch(log auditlog.Name, index uint64) (auditlog.Batch, error) {
	if err := r.ask(&r.BeforeRead); err != nil {
		return auditlog.Batch{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.at(log, index)
	if i == len(r.batches[log]) {
		return auditlog.Batch{}, auditlog.ErrNotFound
	}
	return r.batches[log][i], nil
}

// AuditBatches implements auditlog.Rows.
func (r *Rows) AuditBatches(log auditlog.Name, from uint64, limit int) ([]auditlog.Batch, error) {
	if err := r.ask(&r.BeforeRead); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.batches[log][r.at(log, from):]
	return slices.Clone(all[:min(limit, len(all))]), nil
}

// AuditHashes implements auditlog.Rows.
func (r *Rows) AuditHashes(log auditlog.Name, indexes []int64) ([]tlog.Hash, error) {
	if err := r.ask(&r.BeforeRead); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.batches[log]
	out := make([]tlog.Hash, len(indexes))
	for i, want := range indexes {
		at := sort.Search(len(all), func(i int) bool { return int64(all[i].HashStart)+int64(len(all[i].Hashes)/32) > want })
		if at == len(all) || want < int64(all[at].HashStart) {
			return nil, auditlog.ErrNotFound
		}
		copy(out[i][:], all[at].Hashes[(want-int64(all[at].HashStart))*32:])
	}
	return out, nil
}

// SaveCheckpoint implements auditlog.Rows.
func (r *Rows) SaveCheckpoint(log auditlog.Name, c auditlog.Checkpoint) error {
	if err := r.ask(&r.BeforeCheckpoint); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.save(log, c)
	return nil
}

func (r *Rows) save(log auditlog.Name, c auditlog.Checkpoint) {
	if r.checkpoints == nil {
		r.checkpoints = map[auditlog.Name][]auditlog.Checkpoint{}
	}
	all := r.checkpoints[log]
	c.Note = slices.Clone(c.Note)
	i := sort.Search(len(all), func(i int) bool { return all[i].Size >= c.Size })
	if i < len(all) && all[i].Size == c.Size {
		all[i] = c
		return
	}
	r.checkpoints[log] = slices.Insert(all, i, c)
}

// LatestCheckpoint implements auditlog.Rows.
func (r *Rows) LatestCheckpoint(log auditlog.Name) (auditlog.Checkpoint, error) {
	if err := r.ask(&r.BeforeRead); err != nil {
		return auditlog.Checkpoint{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.checkpoints[log]
	if len(all) == 0 {
		return auditlog.Checkpoint{}, auditlog.ErrNotFound
	}
	return all[len(all)-1], nil
}

// Checkpoints implements auditlog.Rows.
func (r *Rows) Checkpoints(log auditlog.Name, from uint64, limit int) ([]auditlog.Checkpoint, error) {
	if err := r.ask(&r.BeforeRead); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.checkpoints[log]
	i := sort.Search(len(all), func(i int) bool { return all[i].Size >= from })
	all = all[i:]
	return slices.Clone(all[:min(limit, len(all))]), nil
}
