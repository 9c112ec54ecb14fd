package export

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Proof returns the c2sp.org/tlog-proof@v1 of one entry under the newest
// checkpoint: with the log's public key and the leaf it is all that a stranger
// needs. It returns ErrBehind when the checkpoint is older than the entry.
func Proof(ctx context.Context, s Source, index uint64) ([]byte, error) {
	note, size, err := s.Checkpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d of %s: %w", index, s.Log(), err)
	}
	return proofUnder(ctx, s, index, note, size)
}

func proofUnder(ctx context.Context, s Source, index uint64, note []byte, size uint64) ([]byte, error) {
	if index >= size {
		return nil, fmt.Errorf("prove entry %d of %s: %w", index, s.Log(), ErrBehind)
	}
	path, err := tlog.ProveRecord(int64(size), int64(index), hashes(ctx, s))
	if err != nil {
		return nil, fmt.Errorf("prove entry %d of %s: %w", index, s.Log(), err)
	}
	return FormatProof(index, path, note), nil
}

// FormatProof writes a proof of inclusion as c2sp.org/tlog-proof@v1.
func FormatProof(index uint64, path []tlog.Hash, note []byte) []byte {
	b := append(make([]byte, 0, 64+45*len(path)+len(note)), "c2sp.org/tlog-proof@v1\nindex "...)
	b = append(strconv.AppendUint(b, index, 10), '\n')
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
