package auditlog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Tree is what a checkpoint says: a log's size and its root hash.
type Tree struct {
	Origin string
	Size   uint64
	Root   tlog.Hash
}

// maxNote bounds a stored note; a hundred cosignatures fit.
const maxNote = 64 << 10

// ErrCheckpoint says that a note is not a checkpoint of the log.
var ErrCheckpoint = errors.New("not a checkpoint of this log")

// text returns the checkpoint's text (C2SP tlog-checkpoint).
func (t Tree) text() string {
	return t.Origin + "\n" + strconv.FormatUint(t.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(t.Root[:]) + "\n"
}

// ParseTree reads the text of a checkpoint without extension lines.
func ParseTree(text string) (Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] == "" {
		return Tree{}, ErrCheckpoint
	}
	size, err := strconv.ParseUint(lines[1], 10, 63)
	if err != nil {
		return Tree{}, ErrCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Tree{}, ErrCheckpoint
	}
	t := Tree{Origin: lines[0], Size: size, Root: tlog.Hash(root)}
	if t.text() != text {
		return Tree{}, ErrCheckpoint
	}
	return t, nil
}

// signTree signs a checkpoint.
func signTree(t Tree, signers ...note.Signer) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: t.text()}, signers...)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, nil
}

// openTree verifies a checkpoint of origin under any of the vkeys.
func openTree(signed []byte, origin string, vkeys []string) (Tree, error) {
	if len(signed) > maxNote {
		return Tree{}, ErrCheckpoint
	}
	var known []note.Verifier
	for _, k := range vkeys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return Tree{}, fmt.Errorf("verifier key: %w", err)
		}
		known = append(known, v)
	}
	n, err := note.Open(signed, note.VerifierList(known...))
	if err != nil {
		return Tree{}, fmt.Errorf("%w: %w", ErrCheckpoint, err)
	}
	t, err := ParseTree(n.Text)
	if err != nil || t.Origin != origin {
		return Tree{}, ErrCheckpoint
	}
	return t, nil
}
