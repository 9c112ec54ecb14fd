package verify

import (
	"io/fs"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// oldLog is an earlier state of the log that the caller knows. A nil one
// demands nothing.
type oldLog struct {
	c     Checkpoint
	fsys  fs.FS // its tiles, or nil
	tile  []byte
	first int64 // the first entry that differs from its tiles; NoIndex: none
}

// openOld reads the earlier checkpoint. Witnesses need not have signed it: the
// caller vouches for it. A shorter log than that was cut.
func openOld(o LogOptions, now Checkpoint) (*oldLog, error) {
	if o.Old == nil {
		return nil, nil
	}
	c, err := ParseCheckpoint(o.Old, o.Keys, nil)
	if err != nil {
		return nil, broken(NoIndex, "the earlier checkpoint: %s", err)
	}
	if c.Origin != now.Origin {
		return nil, broken(NoIndex, "the earlier checkpoint is of the log %s", c.Origin)
	}
	if c.Size > now.Size {
		return nil, broken(int64(now.Size), "the log ends before it, while an earlier checkpoint covers %d entries: the log was cut or rolled back", c.Size)
	}
	return &oldLog{c: c, fsys: o.OldTree, first: NoIndex}, nil
}

// compare remembers the first entry whose hash the earlier tiles have otherwise.
// They are not trusted: they only help to name the entry when roots differ.
func (o *oldLog) compare(index uint64, h tlog.Hash) error {
	if o == nil || o.fsys == nil || o.first != NoIndex || index >= o.c.Size {
		return nil
	}
	if index%tileWidth == 0 {
		width := tileWidthAt(o.c.Size, 0, index/tileWidth)
		data, err := readFile(o.fsys, tilePath(strconv.Itoa(0), index/tileWidth, width), tileWidth*tlog.HashSize)
		if err != nil || len(data) != width*tlog.HashSize {
			o.fsys = nil // it cannot help
			return nil
		}
		o.tile = data
	}
	at := int(index%tileWidth) * tlog.HashSize
	if tlog.Hash(o.tile[at:at+tlog.HashSize]) != h {
		o.first = int64(index)
	}
	return nil
}

// check compares the roots when the tree has the earlier size.
func (o *oldLog) check(t *tree) error {
	if o == nil || t.n != o.c.Size || t.root() == o.c.Root {
		return nil
	}
	return broken(o.first, "the log does not extend its earlier checkpoint of %d entries: its past was rewritten, or it was forked", o.c.Size)
}
