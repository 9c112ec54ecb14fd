package backup

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/store"
)

// Sink takes what an archive holds. None of it may count before Read returned
// without error: the manifest stands at the end.
type Sink struct {
	Head       func(Head) error
	File       func(name string, data []byte) error // configuration, or a key file
	Row        func(store.Row) error
	Batch      func(auditlog.Batch) error
	Checkpoint func(auditlog.Name, auditlog.Checkpoint) error
}

// Read opens the age file r, which must hold an archive of the kind, and hands
// its members to sink. What Read returns without error is whole and is what the
// holder of the recipients' public keys wrote; that it is what the gateway
// wrote, CheckSignature tells.
func Read(r io.Reader, ids Keyring, kind Kind, sink Sink) (*Archive, error) {
	plain, err := ids.open(r)
	if err != nil {
		return nil, err
	}
	a := &reader{tar: tar.NewReader(plain), kind: kind, sink: sink, counts: map[string]int{}}
	if err := a.all(); err != nil {
		return nil, err
	}
	// The end of the encryption is read too: it says that nothing was cut.
	if n, err := io.Copy(io.Discard, io.LimitReader(plain, maxTail+1)); err != nil || n > maxTail {
		return nil, errors.Join(ErrDamaged, err)
	}
	return &Archive{Manifest: a.manifest, text: a.manifestText, signed: a.signed}, nil
}

// maxTail is what may follow the end of the tar: its own padding.
const maxTail = 10 << 10

// Archive is an archive that was read whole.
type Archive struct {
	Manifest Manifest
	text     []byte
	signed   []byte
}

// CheckSignature says whether the gateway that holds the key wrote the archive.
// Anybody who knows a recipient can encrypt one: a stranger's archive must not
// pass for the gateway's (TestForgedArchive).
func (r *Archive) CheckSignature(vkeys []string) error {
	var list []note.Verifier
	for _, k := range vkeys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return err
		}
		list = append(list, v)
	}
	n, err := note.Open(r.signed, note.VerifierList(list...))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if n.Text != statement(r.Manifest.Head, r.text) {
		return fmt.Errorf("%w: the signature is of another manifest", ErrDamaged)
	}
	return nil
}

// reader reads one archive.
type reader struct {
	tar    *tar.Reader
	kind   Kind
	sink   Sink
	counts map[string]int // members by prefix
	phase  int            // of the last member, in the order of phases

	members      []Member
	head         Head
	rows         int64
	entries      uint64
	manifest     Manifest
	manifestText []byte
	signed       []byte
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

func (a *reader) all() error {
	for {
		h, err := a.tar.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if len(a.members) == 0 {
				return errors.Join(ErrNotOurs, err)
			}
			return errors.Join(ErrDamaged, err)
		}
		if err := a.member(h); err != nil {
			return err
		}
	}
	if a.signed == nil {
		return damaged("its end is missing")
	}
	return nil
}

// member reads one member. Only plain files with names that we give are taken,
// in our order: a link, a path that leads elsewhere or a second member of one
// name never reaches anything (TestHostileArchives).
func (a *reader) member(h *tar.Header) error {
	if len(a.members) == 0 && h.Name != headName {
		return ErrNotOurs
	}
	if h.Typeflag != tar.TypeReg || h.Linkname != "" || len(h.PAXRecords) > 0 {
		return damaged("%q is no plain file", h.Name)
	}
	if a.signed != nil || len(a.members) >= maxMembers {
		return damaged("%q follows the end", h.Name)
	}
	limit, take, err := a.expect(h.Name)
	if err != nil {
		return err
	}
	if h.Size < 0 || h.Size > limit {
		return damaged("%q has %d bytes", h.Name, h.Size)
	}
	data, err := io.ReadAll(io.LimitReader(a.tar, limit+1))
	if err != nil {
		return errors.Join(damaged("%q cannot be read", h.Name), err)
	}
	if int64(len(data)) != h.Size {
		return damaged("%q is cut", h.Name)
	}
	if h.Name != manifestName && h.Name != sealName {
		sum := sha256.Sum256(data)
		a.members = append(a.members, Member{Name: h.Name, Size: h.Size, SHA256: hex.EncodeToString(sum[:])})
	}
	return take(data)
}

// phases is the order of members. It is never changed.
var phases = []string{configPrefix, keysPrefix, rowsPrefix, logPrefix, notesPrefix}

// expect returns the bound of a member that may come now, and what takes it.
func (a *reader) expect(name string) (limit int64, take func([]byte) error, err error) {
	none := func(err error) (int64, func([]byte) error, error) { return 0, nil, err }
	if a.manifestText != nil {
		if name != sealName {
			return none(damaged("%q follows the manifest", name))
		}
		return maxHead, func(data []byte) error { a.signed = data; return nil }, nil
	}
	switch {
	case name == headName && len(a.members) == 0:
		return maxHead, a.readHead, nil
	case name == manifestName:
		return maxManifest, a.readManifest, nil
	}
	prefix, base, ok := strings.Cut(name, "/")
	prefix += "/"
	at := a.counts[prefix]
	a.counts[prefix]++
	phase := slices.Index(phases, prefix)
	if phase < a.phase {
		return none(damaged("%q does not belong here", name))
	}
	a.phase = phase
	switch {
	case !ok:
	case a.kind == Data && prefix == configPrefix && (base == "ostiary.yaml" || base == "ca.pem") && !a.seen(name):
		return maxFile, func(data []byte) error { return a.sink.File(base, data) }, nil
	case a.kind == Keys && prefix == keysPrefix && safeName(base) && !a.seen(name) && at < 64:
		return maxKeyFile, func(data []byte) error { return a.sink.File(base, data) }, nil
	case a.kind == Data && name == chunkName(prefix, at):
		switch prefix {
		case rowsPrefix:
			return maxChunk, a.readRows, nil
		case logPrefix:
			return maxChunk, a.readBatches, nil
		case notesPrefix:
			return maxChunk, a.readNotes, nil
		}
	}
	return none(damaged("%q does not belong here", name))
}

func (a *reader) seen(name string) bool {
	for _, m := range a.members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// safeName takes plain names of files: no separator, no dot in front.
func safeName(s string) bool {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z' || '0' <= r && r <= '9'
		if !letter && (i == 0 || r != '.' && r != '-' && r != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func strictJSON(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows")
	}
	return nil
}

func (a *reader) readHead(data []byte) error {
	var first struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(data, &first); err != nil || !strings.HasPrefix(first.Format, "ostiary-backup/") {
		return ErrNotOurs
	}
	if first.Format != Format {
		return fmt.Errorf("%w (%q)", ErrFormat, first.Format)
	}
	if err := strictJSON(data, &a.head); err != nil {
		return damaged("its head cannot be read: %v", err)
	}
	if a.head.Kind != a.kind {
		return fmt.Errorf("%w: it holds %s", ErrKind, a.head.Kind)
	}
	if a.kind == Keys && a.head.Expires == nil || a.head.ID == "" || a.head.Gateway == "" {
		return damaged("its head is incomplete")
	}
	if a.sink.Head != nil {
		return a.sink.Head(a.head)
	}
	return nil
}

func (a *reader) readRows(data []byte) error {
	s := scanner{b: data}
	for s.more() {
		r := s.row()
		if s.err != nil {
			break
		}
		a.rows++
		if err := a.sink.Row(r); err != nil {
			return err
		}
	}
	return s.err
}

func (a *reader) readBatches(data []byte) error {
	s := scanner{b: data}
	for s.more() {
		b := s.batch()
		if s.err != nil {
			break
		}
		a.entries += b.Count
		if err := a.sink.Batch(b); err != nil {
			return err
		}
	}
	return s.err
}

func (a *reader) readNotes(data []byte) error {
	s := scanner{b: data}
	for s.more() {
		log, c := s.checkpoint()
		if s.err != nil {
			break
		}
		if err := a.sink.Checkpoint(log, c); err != nil {
			return err
		}
	}
	return s.err
}

// readManifest holds what was read against what was written.
func (a *reader) readManifest(data []byte) error {
	m := Manifest{}
	if err := strictJSON(data, &m); err != nil {
		return damaged("its manifest cannot be read: %v", err)
	}
	if !sameHead(m.Head, a.head) || m.Rows != a.rows || m.Entries != a.entries || len(m.Members) != len(a.members) {
		return damaged("its manifest is of another backup")
	}
	for i, want := range m.Members {
		if want != a.members[i] {
			return damaged("%q is not what the manifest says", a.members[i].Name)
		}
	}
	a.manifest, a.manifestText = m, data
	return nil
}

func sameHead(a, b Head) bool {
	same := func(x, y *time.Time) bool { return x == nil && y == nil || x != nil && y != nil && x.Equal(*y) }
	return a.Format == b.Format && a.Kind == b.Kind && a.ID == b.ID && a.Gateway == b.Gateway && a.Version == b.Version &&
		a.Time.Equal(b.Time) && same(a.Expires, b.Expires)
}
