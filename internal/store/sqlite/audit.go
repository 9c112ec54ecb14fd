package sqlite

import (
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
)

// errAudit stands until the rows of the logs are built.
var errAudit = errors.New("sqlite: rows of logs are not built yet")

func (r rows) AuditHeads() ([]auditlog.Head, error)                           { return nil, errAudit }
func (r rows) AuditSize(auditlog.Name) (uint64, error)                        { return 0, errAudit }
func (r rows) AppendAudit(auditlog.Batch) error                               { return errAudit }
func (r rows) AuditBatch(auditlog.Name, uint64) (b auditlog.Batch, err error) { return b, errAudit }
func (r rows) AuditBatches(auditlog.Name, uint64, int) ([]auditlog.Batch, error) {
	return nil, errAudit
}
func (r rows) AuditHashes(auditlog.Name, []int64) ([]tlog.Hash, error) { return nil, errAudit }
func (r rows) SaveCheckpoint(auditlog.Name, uint64, []byte) error      { return errAudit }
func (r rows) LatestCheckpoint(auditlog.Name) (uint64, []byte, error)  { return 0, nil, errAudit }
func (r rows) Checkpoints(auditlog.Name, uint64, int) ([]auditlog.Checkpoint, error) {
	return nil, errAudit
}
