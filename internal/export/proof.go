package export

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Proof returns the c2sp.org/tlog-proof@v1 of one entry under the newest
// checkpoint, with the leaf in its extra line: with the log's public key it is
// all that a stranger needs. It returns ErrBehind when the checkpoint is older
// than the entry.
func Proof(ctx context.Context, s Source, index uint64) ([]byte, error) {
	p, err := prove(ctx, s, index)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d of %s: %w", index, s.Log(), err)
	}
	return p, nil
}

func prove(ctx context.Context, s Source, index uint64) ([]byte, error) {
	note, size, err := s.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	e, err := entryOf(ctx, s, index, size)
	if err != nil {
		return nil, err
	}
	return proofUnder(ctx, s, e, head{note, size})
}

// head is a signed checkpoint and its size.
type head struct {
	note []byte
	size uint64
}

// entryOf reads one entry below size, for keeps.
func entryOf(ctx context.Context, s Source, index, size uint64) (Entry, error) {
	if index >= size {
		return Entry{}, ErrBehind
	}
	var got []Entry
	err := s.Entries(ctx, index, index+1, func(e Entry) error {
		e.Leaf, e.Part = bytes.Clone(e.Leaf), bytes.Clone(e.Part)
		got = append(got, e)
		return nil
	})
	if err == nil && (len(got) != 1 || got[0].Index != index) {
		err = fmt.Errorf("%d entries came for one", len(got))
	}
	if err != nil {
		return Entry{}, err
	}
	return got[0], nil
}

func proofUnder(ctx context.Context, s Source, e Entry, h head) ([]byte, error) {
	path, err := tlog.ProveRecord(int64(h.size), int64(e.Index), hashes(ctx, s))
	if err != nil {
		return nil, err
	}
	return FormatProof(e.Index, e.Leaf, path, h.note), nil
}

// FormatProof writes a proof of inclusion as c2sp.org/tlog-proof@v1. The leaf
// goes into the extra line; nil leaves that out.
func FormatProof(index uint64, leaf []byte, path []tlog.Hash, note []byte) []byte {
	b := append(make([]byte, 0, 64+2*len(leaf)+45*len(path)+len(note)), "c2sp.org/tlog-proof@v1\n"...)
	if leaf != nil {
		b = append(base64.StdEncoding.AppendEncode(append(b, "extra "...), leaf), '\n')
	}
	b = append(strconv.AppendUint(append(b, "index "...), index, 10), '\n')
	for _, h := range path {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return append(append(b, '\n'), note...)
}

// hashes lets tlog read the stored hashes of s.
func hashes(ctx context.Context, s Source) tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		h, err := s.Hashes(ctx, at)
		if err == nil && len(h) != len(at) {
			err = fmt.Errorf("%d hashes came for %d", len(h), len(at))
		}
		return h, err
	})
}
