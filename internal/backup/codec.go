package backup

import (
	"encoding/binary"
	"fmt"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// Records of chunks. Numbers are uvarints; a field is its length and its bytes.

func field[T string | []byte](b []byte, v T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendRow(b []byte, r store.Row) []byte {
	b = field(field(b, r.Kind), r.ID)
	return field(binary.AppendUvarint(b, uint64(r.Revision)), r.Body)
}

// appendBatch writes a batch; parts that are gone are told from empty ones.
func appendBatch(b []byte, v auditlog.Batch) []byte {
	b = field(b, string(v.Log))
	b = binary.AppendUvarint(binary.AppendUvarint(b, v.First), v.Count)
	b = binary.AppendUvarint(field(b, v.Leaves), v.HashStart)
	b = field(b, v.Hashes)
	if v.Parts == nil {
		return append(b, 0)
	}
	return field(append(b, 1), v.Parts)
}

func appendNote(b []byte, log auditlog.Name, c auditlog.Checkpoint) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(field(b, string(log)), c.Size), c.Mark)
	return field(b, c.Note)
}

// scanner reads the records of one chunk. Fields point into the chunk.
type scanner struct {
	b   []byte
	err error
}

func (s *scanner) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrDamaged, what)
	}
	s.b = nil
}

// number reads a uvarint in its shortest form: a record has one encoding.
func (s *scanner) number() uint64 {
	v, n := binary.Uvarint(s.b)
	if n <= 0 || n > 1 && s.b[n-1] == 0 {
		s.fail("a number cannot be read")
		return 0
	}
	s.b = s.b[n:]
	return v
}

func (s *scanner) field() []byte {
	n := s.number()
	if n > uint64(len(s.b)) {
		s.fail("a field is longer than its chunk")
		return nil
	}
	v := s.b[:n:n]
	s.b = s.b[n:]
	return v
}

func (s *scanner) more() bool { return s.err == nil && len(s.b) > 0 }

func (s *scanner) row() (r store.Row) {
	r.Kind, r.ID = string(s.field()), string(s.field())
	revision := s.number()
	if r.Body = s.field(); revision == 0 || revision > 1<<62 || len(r.Body) == 0 || r.Kind == "" || r.ID == "" {
		s.fail("a row is none")
	}
	r.Revision = int64(revision)
	return r
}

func (s *scanner) batch() (v auditlog.Batch) {
	v.Log = auditlog.Name(s.field())
	v.First, v.Count = s.number(), s.number()
	v.Leaves, v.HashStart = s.field(), s.number()
	v.Hashes = s.field()
	switch s.number() {
	case 0:
	case 1:
		v.Parts = s.field()
	default:
		s.fail("a batch is none")
	}
	if v.Log == "" || v.Count == 0 || len(v.Hashes)%32 != 0 || v.First > 1<<62 || v.Count > 1<<32 || v.HashStart > 1<<62 {
		s.fail("a batch is none")
	}
	return v
}

func (s *scanner) checkpoint() (log auditlog.Name, c auditlog.Checkpoint) {
	log = auditlog.Name(s.field())
	c.Size, c.Mark = s.number(), s.number()
	if c.Note = s.field(); log == "" || len(c.Note) == 0 || c.Size > 1<<62 || c.Mark > c.Size {
		s.fail("a checkpoint is none")
	}
	return log, c
}
