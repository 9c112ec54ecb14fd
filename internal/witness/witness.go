// Package witness is both ends of C2SP tlog-witness: Client asks witnesses to
// cosign the checkpoints of our logs, and Server is a witness for logs of
// others, so that two gateways, or a laptop, can keep each other honest. A
// witness remembers how large a log was and with which root, and cosigns only
// what extends that: a log that was truncated, rolled back or forked gets no
// further cosignature.
//
// Server may touch its state file, which it makes durable before it answers;
// Client touches nothing but the HTTP client that it is given. Neither dials,
// holds a log's key or reads an entry: a witness sees origin, size, root and
// proof alone, and deliberately cannot tell what is logged.
//
// It follows https://c2sp.org/tlog-witness, https://c2sp.org/tlog-cosignature
// (Ed25519 alone) and https://c2sp.org/tlog-policy as of November 2026.
package witness

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Bounds of what crosses the wire.
const (
	maxBody   = 64 << 10 // bytes of a request or an answer
	maxProof  = 63       // hashes of a consistency proof, from the specification
	maxOrigin = 512      // bytes of an origin
)

// Checkpoint is the text of a signed note: how large a log is, with which root.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
}

var errCheckpoint = errors.New("not a checkpoint")

// ParseCheckpoint reads the text of a checkpoint: a signed note or its text
// alone. It does not verify anything.
func ParseCheckpoint(text string) (Checkpoint, error) {
	text, _, _ = strings.Cut(text, "\n\n")
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 3 || lines[0] == "" || len(lines[0]) > maxOrigin {
		return Checkpoint{}, errCheckpoint
	}
	size, err := parseSize(lines[1])
	if err != nil {
		return Checkpoint{}, err
	}
	root, err := parseHash(lines[2])
	if err != nil {
		return Checkpoint{}, err
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// parseSize reads a decimal number in its one spelling.
func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("%w: a size is not in its one decimal form", errCheckpoint)
	}
	return n, nil
}

// parseHash reads a hash in its one spelling.
func parseHash(s string) (tlog.Hash, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != tlog.HashSize || strings.ContainsAny(s, "\r\n") {
		return tlog.Hash{}, fmt.Errorf("%w: a hash is not 32 bytes in base64", errCheckpoint)
	}
	return tlog.Hash(raw), nil
}

// request is the body of add-checkpoint.
type request struct {
	old   uint64
	proof []tlog.Hash
	note  []byte
}

func (r request) encode() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.old)
	for _, h := range r.proof {
		b = append(b, h.String()...)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	return append(b, r.note...)
}

func parseRequest(body []byte) (request, error) {
	head, note, ok := strings.Cut(string(body), "\n\n")
	if !ok {
		return request{}, errors.New("the empty line before the checkpoint is missing")
	}
	lines := strings.Split(head, "\n")
	text, ok := strings.CutPrefix(lines[0], "old ")
	if !ok {
		return request{}, errors.New("the first line is not an old size")
	}
	old, err := parseSize(text)
	if err != nil {
		return request{}, err
	}
	r := request{old: old, note: []byte(note)}
	if len(lines)-1 > maxProof {
		return request{}, errors.New("the proof has too many lines")
	}
	for _, line := range lines[1:] {
		h, err := parseHash(line)
		if err != nil {
			return request{}, err
		}
		r.proof = append(r.proof, h)
	}
	return r, nil
}

// consistent checks that the tree of size new with root now extends the one of
// size old with root before.
func consistent(before Checkpoint, now Checkpoint, proof []tlog.Hash) error {
	switch {
	case before.Size == 0:
		if len(proof) > 0 {
			return errors.New("a proof from nothing must be empty")
		}
		return nil
	case before.Size == now.Size:
		if len(proof) > 0 {
			return errors.New("a proof between equal sizes must be empty")
		}
		return nil // the caller compares the roots
	}
	return tlog.CheckTree(proof, int64(now.Size), now.Root, int64(before.Size), before.Root)
}
