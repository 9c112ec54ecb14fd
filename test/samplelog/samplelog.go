// Package samplelog makes logs for tests of what writes and what verifies them.
// It is written from docs/formats alone, with encoding/json and x/mod where the
// program has its own hand, so that neither is tested against itself. It touches
// the folder that it is told to write; the keys in it are of no gateway.
package samplelog

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Gateway is the name of the gateway whose logs these are.
const Gateway = "ostiary.dev/gw/0123456789abcdef"

// Log is a log in memory. Entries may be changed before FS is called.
type Log struct {
	Name    string // "calls/2026"
	Entries []Entry
	Key     Signer
}

// Entry is one entry with what opens its commitment.
type Entry struct {
	Leaf []byte
	Part []byte // nil: gone
	Key  [32]byte
}

// New makes a log of n entries: pairs of a decision and an outcome.
func New(name string, n int) *Log {
	l := &Log{Name: name, Key: NewSigner(Gateway+"/default/"+name, "log")}
	for i := range n {
		kind := []string{"call.decided", "call.finished"}[i%2]
		if name == "control" {
			kind = "admin.changed"
		}
		l.Entries = append(l.Entries, NewEntry(name, kind, i))
	}
	return l
}

// NewEntry makes entry i of a log.
func NewEntry(log, kind string, i int) Entry {
	e := Entry{Key: sha256.Sum256(fmt.Appendf(nil, "key %s %d", log, i))}
	exchange := fmt.Sprintf("01938e2c-7b00-7000-8000-%012x", i/2)
	at := time.UnixMilli(1795910259123 + int64(i)).UTC()
	e.Part = text(map[string]any{
		"time": at.Format(time.RFC3339Nano), "kind": kind, "exchange": exchange, "actor": "s-abcdefghijklmnopqrstuvwxyz",
		"server": "wiki", "method": "tools/call", "name": fmt.Sprintf("tool-%d", i%7), "outcome": "answered",
	})
	leaf := map[string]any{"h": Commit(e.Key, e.Part), "kind": kind, "log": log, "t": at.UnixMilli(), "v": 1, "x": exchange}
	if strings.HasPrefix(kind, "call.") {
		leaf["dec"], leaf["pol"], leaf["srv"] = "allow", 7, "wiki"
	}
	e.Leaf = text(leaf)
	return e
}

// text is JSON with sorted members and without white space. The strings here
// are such that encoding/json spells them as RFC 8785 does.
func text(v map[string]any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Commit returns the commitment to a part as leaves have it.
func Commit(key [32]byte, part []byte) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write(part)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Origin is the log's name on checkpoints.
func (l *Log) Origin() string { return Gateway + "/default/" + l.Name }

// VKey is the log's public key.
func (l *Log) VKey() string { return l.Key.VKey() }

// Clone returns a copy whose entries can be changed.
func (l *Log) Clone() *Log {
	c := *l
	c.Entries = append([]Entry(nil), l.Entries...)
	return &c
}

// Line returns the readable line of entry i, with its newline. What is said
// before the leaf is taken from the leaf.
func (l *Log) Line(i int) []byte {
	e := l.Entries[i]
	var f struct {
		T                 int64
		Kind, X, Srv, Dec string
	}
	if json.Unmarshal(e.Leaf, &f) != nil {
		f.Kind = "unreadable" // a test of bad leaves has no use for its line
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"index":%d,"time":%q,"kind":%q`, i, time.UnixMilli(f.T).UTC().Format("2006-01-02T15:04:05.000Z"), f.Kind)
	for _, m := range [][2]string{{"exchange", f.X}, {"server", f.Srv}, {"decision", f.Dec}} {
		if m[1] != "" {
			fmt.Fprintf(&b, `,%q:%q`, m[0], m[1])
		}
	}
	fmt.Fprintf(&b, `,"leaf":%q`, base64.StdEncoding.EncodeToString(e.Leaf))
	if e.Part == nil {
		b.WriteString(",\"part\":null}\n")
	} else {
		fmt.Fprintf(&b, ",\"key\":%q,\"part\":%s}\n", base64.StdEncoding.EncodeToString(e.Key[:]), e.Part)
	}
	return b.Bytes()
}

// Hashes returns the stored hashes of the tree of the entries.
func (l *Log) Hashes() []tlog.Hash {
	var stored []tlog.Hash
	for i, e := range l.Entries {
		more, err := tlog.StoredHashes(int64(i), e.Leaf, Reader(stored))
		if err != nil {
			panic(err)
		}
		stored = append(stored, more...)
	}
	return stored
}

// Reader reads stored hashes.
func Reader(stored []tlog.Hash) tlog.HashReader {
	return tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			if i >= int64(len(stored)) {
				return nil, fmt.Errorf("there is no hash %d", i)
			}
			out = append(out, stored[i])
		}
		return out, nil
	})
}

// Checkpoint returns the checkpoint of the first size entries, signed by the
// log and then by others.
func (l *Log) Checkpoint(size int, others ...note.Signer) []byte {
	return l.checkpointOf(l.Hashes(), size, others...)
}

func (l *Log) checkpointOf(stored []tlog.Hash, size int, others ...note.Signer) []byte {
	root, err := tlog.TreeHash(int64(size), Reader(stored))
	if err != nil {
		panic(err)
	}
	body := fmt.Sprintf("%s\n%d\n%s\n", l.Origin(), size, root)
	signed, err := note.Sign(&note.Note{Text: body}, append([]note.Signer{l.Key}, others...)...)
	if err != nil {
		panic(err)
	}
	return signed
}

// Proof returns the tlog-proof of entry i in the tree of all entries.
func (l *Log) Proof(i int, others ...note.Signer) []byte {
	n := len(l.Entries)
	path, err := tlog.ProveRecord(int64(n), int64(i), Reader(l.Hashes()))
	if err != nil {
		panic(err)
	}
	s := fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(l.Entries[i].Leaf), i)
	for _, h := range path {
		s += h.String() + "\n"
	}
	return append([]byte(s+"\n"), l.Checkpoint(n, others...)...)
}

// FS returns the exported log as files.
func (l *Log) FS() fstest.MapFS {
	files := fstest.MapFS{}
	put := func(path string, data []byte) { files[path] = &fstest.MapFile{Data: data, Mode: 0o600} }
	put("checkpoint", l.Checkpoint(len(l.Entries)))
	put("log.vkey", []byte(l.VKey()+"\n"))
	var lines []byte
	for i := range l.Entries {
		lines = append(lines, l.Line(i)...)
	}
	put("entries.jsonl", lines)
	stored := l.Hashes()
	for _, t := range tlog.NewTiles(8, 0, int64(len(l.Entries))) {
		// NewTiles lists the tiles that a log of this size has published newly,
		// and of the full ones all: what a directory holds.
		data, err := tlog.ReadTileData(t, Reader(stored))
		if err != nil {
			panic(err)
		}
		put(Path(t), data)
		if t.L == 0 {
			t.L = -1
			put(Path(t), l.bundle(t))
		}
	}
	return files
}

func (l *Log) bundle(t tlog.Tile) []byte {
	var b []byte
	for _, e := range l.Entries[t.N*256 : t.N*256+int64(t.W)] {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(e.Leaf))), e.Leaf...)
	}
	return b
}

// Write writes the export of a long log to a folder, without holding it in
// memory as files.
func Write(dir, name string, n int) error {
	l := New(name, n)
	stored := l.Hashes()
	put := func(path string, data []byte) error {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o600)
	}
	for _, t := range tlog.NewTiles(8, 0, int64(n)) {
		data, err := tlog.ReadTileData(t, Reader(stored))
		if err != nil {
			return err
		}
		if err := put(Path(t), data); err != nil {
			return err
		}
		if t.L == 0 {
			t.L = -1
			if err := put(Path(t), l.bundle(t)); err != nil {
				return err
			}
		}
	}
	lines := func(w io.Writer) (err error) {
		for i := range l.Entries {
			if _, err = w.Write(l.Line(i)); err != nil {
				break
			}
		}
		return err
	}
	f, err := os.Create(filepath.Join(dir, "entries.jsonl"))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(f)
	return errors.Join(lines(out), out.Flush(), f.Close(), put("log.vkey", []byte(l.VKey()+"\n")), put("checkpoint", l.checkpointOf(stored, n)))
}

// RepeatedProof proves entry i of a log that holds its first entry n times.
func (l *Log) RepeatedProof(n, i int64) ([]byte, error) {
	h := []tlog.Hash{tlog.RecordHash(l.Entries[0].Leaf)} // h[k] is the subtree of 2^k entries
	for len(h) < 62 {
		h = append(h, tlog.NodeHash(h[len(h)-1], h[len(h)-1]))
	}
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, x := range at {
			level, _ := tlog.SplitStoredHashIndex(x)
			out = append(out, h[level])
		}
		return out, nil
	})
	root, err := tlog.TreeHash(n, reader)
	if err != nil {
		return nil, err
	}
	path, err := tlog.ProveRecord(n, i, reader)
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", l.Origin(), n, root)}, l.Key)
	if err != nil {
		return nil, err
	}
	s := fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(l.Entries[0].Leaf), i)
	for _, p := range path {
		s += p.String() + "\n"
	}
	return append([]byte(s+"\n"), signed...), nil
}

// Path returns where c2sp.org/tlog-tiles has a tile.
func Path(t tlog.Tile) string {
	p := strings.Replace(t.Path(), "tile/8/", "tile/", 1)
	return strings.Replace(p, "tile/data/", "tile/entries/", 1)
}

// Signer is an Ed25519 signer of notes, or of cosignatures.
type Signer struct {
	name    string
	private ed25519.PrivateKey
	alg     byte
	time    uint64
}

// NewSigner makes the signer of a name; the same seed makes the same key.
func NewSigner(name, seed string) Signer {
	s := sha256.Sum256([]byte("samplelog " + seed))
	return Signer{name: name, private: ed25519.NewKeyFromSeed(s[:]), alg: 1}
}

// NewWitness makes a witness that cosigns at a time in seconds.
func NewWitness(name string, at uint64) Signer {
	s := NewSigner(name, "witness "+name)
	s.alg, s.time = 4, at
	return s
}

// Name returns the signer's name.
func (s Signer) Name() string { return s.name }

// KeyHash returns the hash of name and key.
func (s Signer) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(s.name+"\n"), s.raw()...))
	return binary.BigEndian.Uint32(sum[:])
}

func (s Signer) raw() []byte {
	public, ok := s.private.Public().(ed25519.PublicKey)
	if !ok {
		panic("samplelog: no Ed25519 key")
	}
	return append([]byte{s.alg}, public...)
}

// Sign signs a message; a witness puts its time in front.
func (s Signer) Sign(msg []byte) ([]byte, error) {
	if s.alg == 1 {
		return ed25519.Sign(s.private, msg), nil
	}
	sig := ed25519.Sign(s.private, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", s.time, msg))
	return append(binary.BigEndian.AppendUint64(nil, s.time), sig...), nil
}

// VKey returns the public key in one line.
func (s Signer) VKey() string {
	return fmt.Sprintf("%s+%08x+%s", s.name, s.KeyHash(), base64.StdEncoding.EncodeToString(s.raw()))
}

// Receipt returns the receipt of entry i for a request and an answer, whose
// bytes are those without the receipt.
func (l *Log) Receipt(i int, state string, request, answer []byte) []byte {
	by := ReceiptSigner()
	var f struct{ X string }
	if err := json.Unmarshal(l.Entries[i].Leaf, &f); err != nil {
		panic(err)
	}
	digest := func(b []byte) string {
		sum := sha256.Sum256(b)
		return base64.StdEncoding.EncodeToString(sum[:])
	}
	m := map[string]any{
		"v": 1, "log": l.Origin(), "index": i, "leaf": base64.StdEncoding.EncodeToString(l.Entries[i].Leaf), "exchange": f.X,
		"request_sha256": digest(request), "answer_sha256": digest(answer), "state": state, "t": 1795910259999,
		"key": fmt.Sprintf("%s+%08x", by.Name(), by.KeyHash()),
	}
	sig, err := by.Sign(append([]byte("ostiary-receipt/v1\n"), plain(m)...))
	if err != nil {
		panic(err)
	}
	m["sig"] = base64.StdEncoding.EncodeToString(sig)
	return plain(m)
}

// plain is text without the escapes that encoding/json makes for HTML.
func plain(m map[string]any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// ReceiptSigner is the gateway's signer of receipts.
func ReceiptSigner() Signer { return NewSigner(Gateway+"/receipts", "receipts") }

// Rotation returns the line by which a signer hands over to the next.
func Rotation(from, to Signer, purpose string, compromised bool) []byte {
	at := time.Unix(1795910000, 0).UTC()
	old, next := from.raw()[1:], to.raw()[1:]
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Appendf(nil, "ostiary-key-rotation/1\n%s\n2\n%d\n%t\n%s\n%s\n", purpose, at.Unix(), compromised, b64(old), b64(next))
	return append(plain(map[string]any{
		"purpose": purpose, "version": 2, "at": at, "old_public": old, "new_public": next, "compromised": compromised,
		"old_sig": ed25519.Sign(from.private, text), "new_sig": ed25519.Sign(to.private, text),
	}), '\n')
}
