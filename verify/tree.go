package verify

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles have 256 hashes (https://c2sp.org/tlog-tiles).
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// tilePath returns the path of tile n of a kind ("entries" or the level) with
// width hashes: three digits a folder, all but the last behind an x.
func tilePath(kind string, n uint64, width int) string {
	path := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	path = "tile/" + kind + "/" + path
	if width < tileWidth {
		path += ".p/" + strconv.Itoa(width)
	}
	return path
}

// tileWidthAt returns the width of tile n of a level in a tree of size.
func tileWidthAt(size uint64, level int, n uint64) int {
	return int(min(tileWidth, size>>(level*tileHeight)-n*tileWidth))
}

// readFile reads a file of at most limit bytes.
func readFile(fsys fs.FS, path string, limit int64) (data []byte, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes: %w", path, limit, errShape)
	}
	return data, err
}

// errShape marks what is wrong with a file that could be read.
var errShape = errors.New("no such file belongs here")

// errDiffer is a hash that is not the one computed.
var errDiffer = errors.New("differ")

// found says of an error whether it is a finding about the export. Else the
// machine could not read it, which says nothing of the log.
func found(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errShape) || errors.Is(err, errDiffer)
}

// tree computes an RFC 6962 tree from its leaves and compares every hash that
// a tile holds on the way. It keeps the right edge only.
type tree struct {
	fsys  fs.FS
	size  uint64                   // that the checkpoint says
	n     uint64                   // leaves so far
	edge  [bits.UintSize]tlog.Hash // edge[i] is the full subtree of 2^i leaves left of n, where bit i of n is set
	tiles [bits.UintSize / tileHeight][]byte
}

// add adds the hash of the next leaf. With an error comes the first entry that
// it is about: this one, or the first below a hash above it.
func (t *tree) add(h tlog.Hash) (first uint64, err error) {
	index := t.n
	if err := t.compare(0, index, h); err != nil {
		return index, err
	}
	level := 0
	for ; t.n>>level&1 == 1; level++ {
		h = tlog.NodeHash(t.edge[level], h)
		if (level+1)%tileHeight == 0 {
			if err := t.compare((level+1)/tileHeight, index>>(level+1), h); err != nil {
				return index >> (level + 1) << (level + 1), err
			}
		}
	}
	t.edge[level] = h
	t.n++
	return 0, nil
}

// compare holds hash number n of a tile level to the tile. The tile is read
// when its first hash comes.
func (t *tree) compare(level int, n uint64, h tlog.Hash) error {
	if n>>tileHeight<<tileHeight == n {
		width := tileWidthAt(t.size, level, n>>tileHeight)
		path := tilePath(strconv.Itoa(level), n>>tileHeight, width)
		data, err := readFile(t.fsys, path, int64(width)*tlog.HashSize)
		if err != nil {
			return fmt.Errorf("tile of hashes: %w", err)
		}
		if len(data) != width*tlog.HashSize {
			return fmt.Errorf("%s has %d bytes instead of %d: %w", path, len(data), width*tlog.HashSize, errShape)
		}
		t.tiles[level] = data
	}
	at := int(n&(tileWidth-1)) * tlog.HashSize
	if tlog.Hash(t.tiles[level][at:at+tlog.HashSize]) == h {
		return nil
	}
	if level == 0 {
		return fmt.Errorf("the entry and its hash in the tree %w", errDiffer)
	}
	return fmt.Errorf("the entries %d to %d and their hash in the tree %w", n<<(level*tileHeight), (n+1)<<(level*tileHeight)-1, errDiffer)
}

// root returns the root of the leaves so far.
func (t *tree) root() tlog.Hash {
	if t.n == 0 {
		h, err := tlog.TreeHash(0, nil)
		if err != nil {
			panic("verify: " + err.Error()) // the empty tree has a hash
		}
		return h
	}
	first := bits.TrailingZeros64(t.n)
	h := t.edge[first]
	for i := first + 1; i < bits.Len64(t.n); i++ {
		if t.n>>i&1 == 1 {
			h = tlog.NodeHash(t.edge[i], h)
		}
	}
	return h
}
