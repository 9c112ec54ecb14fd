package verify

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// LogOptions is what the caller knows of a log, and how to check it.
type LogOptions struct {
	Keys      []Key   // public keys; one must have the log's origin as its name
	Policy    *Policy // the witnesses that must have signed; nil: none
	Old       []byte  // an earlier checkpoint of the log, from a witness or another export; nil: none
	OldTree   fs.FS   // the export that Old is from, to name the entry where it differs; nil: none
	TilesOnly bool    // a mirror of the log without entries.jsonl
	Progress  func(done, total uint64)
}

// LogReport says what was verified.
type LogReport struct {
	Origin    string    `json:"origin"`
	Size      uint64    `json:"size"`
	Root      string    `json:"root"` // base64
	Readable  uint64    `json:"readable"`
	Gone      uint64    `json:"gone"` // entries without their part: erased, expired or withheld
	FirstGone int64     `json:"first_gone"`
	Keys      []string  `json:"keys"`
	Witnesses []Witness `json:"witnesses,omitempty"`
	Extends   *uint64   `json:"extends,omitempty"` // the size of the earlier checkpoint
}

// Log verifies an exported log in the folder fsys: the signature of its
// checkpoint; every tile, recomputed from the entries; that the entries make
// the root that was signed; the form of each leaf; that entries.jsonl says what
// the entries say and what they committed to. When the key of the log was
// rotated, rotations.jsonl leads from an earlier key to the present one. It reads each file once and keeps
// a few tiles in memory, however long the log is.
//
// The error is a *Broken when something does not verify.
func Log(fsys fs.FS, o LogOptions) (LogReport, error) {
	if err := o.follow(fsys); err != nil {
		return LogReport{}, err
	}
	c, err := openCheckpoint(fsys, "checkpoint", o)
	if err != nil {
		return LogReport{}, err
	}
	r := LogReport{Origin: c.Origin, Size: c.Size, Root: c.Root.String(), FirstGone: NoIndex, Witnesses: c.Witnesses}
	for _, k := range c.Signers {
		r.Keys = append(r.Keys, k.ID())
	}
	w := walk{fsys: fsys, o: o, c: c, r: &r, tree: tree{fsys: fsys, size: c.Size}}
	if err := w.run(); err != nil {
		var b *Broken
		if errors.As(err, &b) {
			b.Log = c.Origin
		}
		return r, err
	}
	return r, nil
}

// follow adds the keys that those of the caller handed over to.
func (o *LogOptions) follow(fsys fs.FS) error {
	file, err := readFile(fsys, "rotations.jsonl", maxRotations)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil && found(err):
		return broken(NoIndex, "%s", err)
	case err != nil:
		return err
	}
	o.Keys, err = Follow(o.Keys, "log-signing", file)
	return err
}

func openCheckpoint(fsys fs.FS, path string, o LogOptions) (Checkpoint, error) {
	signed, err := readFile(fsys, path, maxCheckpoint)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Checkpoint{}, broken(NoIndex, "the file %s is missing", path)
		}
		return Checkpoint{}, err
	}
	c, err := ParseCheckpoint(signed, o.Keys, o.Policy)
	if err != nil {
		return Checkpoint{}, broken(NoIndex, "%s", err)
	}
	return c, nil
}

// walk is one pass over a log.
type walk struct {
	fsys  fs.FS
	o     LogOptions
	c     Checkpoint
	r     *LogReport
	tree  tree
	lines *bufio.Reader // nil: tiles only
	line  lineChecker
	old   *oldLog
}

func (w *walk) run() (err error) {
	if w.old, err = openOld(w.o, w.c); err != nil {
		return err
	}
	if !w.o.TilesOnly {
		f, err := w.fsys.Open("entries.jsonl")
		if errors.Is(err, fs.ErrNotExist) {
			return broken(NoIndex, "the file entries.jsonl is missing")
		}
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		w.lines = bufio.NewReaderSize(f, maxLine)
	}
	if err := w.old.check(&w.tree); err != nil {
		return err
	}
	for n := uint64(0); n*tileWidth < w.c.Size; n++ {
		if err := w.bundle(n); err != nil {
			return err
		}
		if w.o.Progress != nil {
			w.o.Progress(w.tree.n, w.c.Size)
		}
	}
	return w.end()
}

// bundle checks one bundle of entries.
func (w *walk) bundle(n uint64) error {
	width := tileWidthAt(w.c.Size, 0, n)
	path := tilePath("entries", n, width)
	data, err := readFile(w.fsys, path, tileWidth*(2+1<<16))
	if err != nil && found(err) {
		return broken(int64(w.tree.n), "its bundle of entries: %s", err)
	}
	if err != nil {
		return err
	}
	for range width {
		raw, rest, ok := cutEntry(data)
		if !ok {
			return broken(int64(w.tree.n), "%s ends before it", path)
		}
		if err := w.entry(raw); err != nil {
			return err
		}
		data = rest
	}
	if len(data) > 0 {
		return broken(int64(w.tree.n), "%s holds more than the log has", path)
	}
	return nil
}

// cutEntry cuts the first entry off a bundle: a length of two bytes, then the
// entry.
func cutEntry(b []byte) (entry, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b) < 2+n {
		return nil, nil, false
	}
	return b[2 : 2+n], b[2+n:], true
}

// entry checks the next entry: against the tree, by itself, and against its
// readable line.
func (w *walk) entry(raw []byte) error {
	index := w.tree.n
	at := int64(index)
	h := tlog.RecordHash(raw)
	if err := w.old.compare(index, h); err != nil {
		return err
	}
	if first, err := w.tree.add(h); err != nil && found(err) {
		return broken(int64(first), "%s", err)
	} else if err != nil {
		return err
	}
	l, err := parseLeaf(raw)
	if err != nil {
		return broken(at, "%s", err)
	}
	if log := unquote(l.log); !strings.HasSuffix(w.c.Origin, "/"+log) {
		return broken(at, "its leaf is of the log %s", log)
	}
	if w.lines != nil {
		if err := w.readable(index, raw, l); err != nil {
			return err
		}
	}
	return w.old.check(&w.tree)
}

// readable checks the next line of entries.jsonl.
func (w *walk) readable(index uint64, raw []byte, l leaf) error {
	line, err := w.lines.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return broken(int64(index), "entries.jsonl ends before it")
	case errors.Is(err, io.EOF):
		return broken(int64(index), "its line in entries.jsonl is cut off")
	case errors.Is(err, bufio.ErrBufferFull):
		return broken(int64(index), "its line in entries.jsonl is too long")
	case err != nil:
		return fmt.Errorf("entries.jsonl: %w", err)
	}
	readable, err := w.line.check(line[:len(line)-1], index, raw, l)
	if err != nil {
		return broken(int64(index), "%s", err)
	}
	if readable {
		w.r.Readable++
		return nil
	}
	if w.r.Gone == 0 {
		w.r.FirstGone = int64(index)
	}
	w.r.Gone++
	return nil
}

// end checks what only the whole tells.
func (w *walk) end() error {
	if w.lines != nil {
		if _, err := w.lines.ReadByte(); !errors.Is(err, io.EOF) {
			return broken(int64(w.c.Size), "entries.jsonl goes on after the last entry of the log")
		}
	}
	if root := w.tree.root(); root != w.c.Root {
		return broken(NoIndex, "the entries make the root %s, the checkpoint signs %s: entries were rewritten together with their tiles", root, w.c.Root)
	}
	if w.old != nil {
		w.r.Extends = &w.old.c.Size
	}
	return nil
}
