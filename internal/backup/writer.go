package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
)

// Names of members.
const (
	headName     = "head.json"
	manifestName = "manifest.json"
	sealName     = "manifest.sig"
	configPrefix = "config/"
	rowsPrefix   = "rows/"
	logPrefix    = "log/"
	notesPrefix  = "notes/"
	keysPrefix   = "keys/"
)

// writer writes one archive.
type writer struct {
	age      io.WriteCloser
	tar      *tar.Writer
	manifest Manifest
}

func newWriter(w io.Writer, locks Locks, head Head) (*writer, error) {
	recipients, err := locks.parse()
	if err != nil {
		return nil, err
	}
	sealed, err := age.Encrypt(w, recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypt the backup: %w", err)
	}
	head.Format = Format
	out := &writer{age: sealed, tar: tar.NewWriter(sealed), manifest: Manifest{Head: head}}
	return out, out.json(headName, head)
}

// add writes one member and notes it in the manifest.
func (w *writer) add(name string, data []byte) error {
	sum := sha256.Sum256(data)
	if len(w.manifest.Members) >= maxMembers {
		return ErrTooLarge
	}
	w.manifest.Members = append(w.manifest.Members, Member{Name: name, Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])})
	return w.put(name, data)
}

func (w *writer) put(name string, data []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(data)), Mode: 0o600, Format: tar.FormatUSTAR}
	err := w.tar.WriteHeader(h)
	if err == nil {
		_, err = w.tar.Write(data)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func (w *writer) json(name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.add(name, text)
}

// finish writes manifest and signature, and the end of the encryption: without
// them a reader refuses the archive.
func (w *writer) finish(signer note.Signer) error {
	text, err := json.Marshal(w.manifest)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: statement(w.manifest.Head, text)}, signer)
	if err == nil {
		err = w.put(manifestName, text)
	}
	if err == nil {
		err = w.put(sealName, signed)
	}
	return errors.Join(err, w.tar.Close(), w.age.Close())
}

// statement is what the gateway signs about a manifest. Its first line keeps it
// from being read as a checkpoint, which begins with the origin of a log.
func statement(h Head, manifest []byte) string {
	sum := sha256.Sum256(manifest)
	return fmt.Sprintf("%s %s\n%s\n%s\n", Format, h.Kind, h.Gateway, hex.EncodeToString(sum[:]))
}

// Signs is the name of the key that signs the backups of a gateway.
func Signs(gateway string) string { return gateway + "/backup" }

// chunks collects records into members of about fullChunk bytes.
type chunks struct {
	w      *writer
	prefix string
	n      int
	buf    []byte
}

// add appends one record by fill.
func (c *chunks) add(fill func([]byte) []byte) error {
	c.buf = fill(c.buf)
	if len(c.buf) < fullChunk {
		return nil
	}
	return c.flush()
}

func (c *chunks) flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	if len(c.buf) > maxChunk {
		return ErrTooLarge
	}
	err := c.w.add(chunkName(c.prefix, c.n), c.buf)
	c.buf, c.n = c.buf[:0], c.n+1
	return err
}

func chunkName(prefix string, n int) string { return fmt.Sprintf("%s%08d", prefix, n) }
