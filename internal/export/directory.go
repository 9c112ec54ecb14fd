package export

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// height is the height of tiles in c2sp.org/tlog-tiles, and width their width.
const (
	height = 8
	width  = 1 << height
)

// Options are how a directory is written.
type Options struct {
	Progress func(log string, done, total uint64) // may be nil
}

// Written says what was written of one log.
type Written struct {
	Log, Origin, Folder string
	Size                uint64
	Readable            uint64 // entries whose part was there
}

// Directory writes each log as a static C2SP directory below dir: its
// checkpoint, tiles and entry bundles, and beside them entries.jsonl and
// log.vkey. dir appears whole or not at all; it must not exist or be empty.
func Directory(ctx context.Context, dir string, logs []Source, o Options) ([]Written, error) {
	w, err := writeAside(dir, func(part string) ([]Written, error) {
		var all []Written
		for _, s := range logs {
			one, err := writeLog(ctx, part, s, o)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.Log(), err)
			}
			all = append(all, one)
		}
		return all, nil
	})
	if err != nil {
		return nil, fmt.Errorf("export to %s: %w", dir, err)
	}
	return w, nil
}

// writeAside lets fill write into a new folder beside dir and puts that in the
// place of dir when all went well. Else nothing stays.
func writeAside(dir string, fill func(part string) ([]Written, error)) (all []Written, err error) {
	if err := vacant(dir); err != nil {
		return nil, err
	}
	part, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), ".ostiary-export-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(part))
		}
	}()
	if all, err = fill(part); err != nil {
		return nil, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return all, os.Rename(part, dir)
}

// vacant refuses a place that holds anything.
func vacant(dir string) error {
	found, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(found) > 0:
		return ErrNotEmpty
	}
	return nil
}

func writeLog(ctx context.Context, dir string, s Source, o Options) (Written, error) {
	if err := checkName(s.Log()); err != nil {
		return Written{}, err
	}
	folder := filepath.Join(dir, Folder(s.Log()))
	if err := os.Mkdir(folder, 0o700); err != nil {
		return Written{}, err
	}
	note, size, err := s.Checkpoint(ctx)
	if err != nil {
		return Written{}, err
	}
	if err := put(filepath.Join(folder, "checkpoint"), note); err != nil {
		return Written{}, err
	}
	if err := put(filepath.Join(folder, "log.vkey"), []byte(strings.TrimSpace(s.VKey())+"\n")); err != nil {
		return Written{}, err
	}
	if r := rotations(s); len(r) > 0 {
		if err := put(filepath.Join(folder, "rotations.jsonl"), r); err != nil {
			return Written{}, err
		}
	}
	w := Written{Log: s.Log(), Origin: s.Origin(), Folder: Folder(s.Log()), Size: size}
	w.Readable, err = writeEntries(ctx, folder, s, size, o)
	if err != nil {
		return Written{}, err
	}
	return w, writeTiles(ctx, folder, s, size)
}

// writeEntries writes the entry bundles and entries.jsonl in one pass. It
// returns how many parts were there.
func writeEntries(ctx context.Context, folder string, s Source, size uint64, o Options) (readable uint64, err error) {
	f, err := os.OpenFile(filepath.Join(folder, "entries.jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<18)
	var next uint64
	var line, bundle []byte
	err = s.Entries(ctx, 0, size, func(e Entry) error {
		if e.Index != next {
			return fmt.Errorf("entry %d came where %d belongs", e.Index, next)
		}
		next++
		if len(e.Leaf) > 1<<16-1 {
			return fmt.Errorf("entry %d is too long for a bundle", e.Index)
		}
		if e.Part != nil {
			readable++
		}
		if line, err = AppendLine(line[:0], e); err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(e.Leaf))), e.Leaf...)
		if next%width != 0 && next != size {
			return nil
		}
		if o.Progress != nil {
			o.Progress(s.Log(), next, size)
		}
		path := tilePath(tlog.Tile{H: height, L: -1, N: int64((next - 1) / width), W: int((next-1)%width) + 1})
		err := put(filepath.Join(folder, path), bundle)
		bundle = bundle[:0]
		return err
	})
	if err == nil && next != size {
		err = fmt.Errorf("%d entries came, the checkpoint says %d", next, size)
	}
	return readable, errors.Join(err, out.Flush())
}

// writeTiles writes the tiles of hashes as the log stores them.
func writeTiles(ctx context.Context, folder string, s Source, size uint64) error {
	for level := 0; size>>(level*height) > 0; level++ {
		hashesHere := size >> (level * height)
		for n := uint64(0); n*width < hashesHere; n++ {
			tile := tlog.Tile{H: height, L: level, N: int64(n), W: int(min(width, hashesHere-n*width))}
			data, err := tlog.ReadTileData(tile, hashes(ctx, s))
			if err != nil {
				return fmt.Errorf("tile %s: %w", tilePath(tile), err)
			}
			if err := put(filepath.Join(folder, tilePath(tile)), data); err != nil {
				return err
			}
		}
	}
	return nil
}

// tilePath returns the path of a tile as c2sp.org/tlog-tiles has it: x/mod's
// own has the height in it and calls entries data.
func tilePath(t tlog.Tile) string {
	p := strings.TrimPrefix(t.Path(), "tile/8/")
	if rest, ok := strings.CutPrefix(p, "data/"); ok {
		p = "entries/" + rest
	}
	return filepath.FromSlash("tile/" + p)
}

// put writes one file and the folders above it.
func put(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
