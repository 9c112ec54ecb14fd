package app

import "testing"

func TestTilePathsAreThoseOfC2SP(t *testing.T) {
	const size = 256*256 + 300 // 257 full tiles of level 0 and one of 44; one full and one of 1 at level 1
	for path, want := range map[string]bool{
		"tile/0/000":            true,
		"tile/0/256":            true,
		"tile/0/257.p/44":       true,
		"tile/0/257.p/1":        true, // an older partial tile
		"tile/0/000.p/7":        true,
		"tile/0/257.p/45":       false,
		"tile/0/257":            false,
		"tile/0/258":            false,
		"tile/1/000":            true,
		"tile/1/001.p/1":        true,
		"tile/1/001.p/2":        false,
		"tile/2/000.p/1":        true,
		"tile/2/000":            false,
		"tile/3/000.p/1":        false,
		"tile/entries/000":      true,
		"tile/entries/257.p/44": true,
		"tile/entries/257":      false,
		"tile/data/000":         false, // x/mod's own name
		"tile/8/0/000":          false,
		"tile/0/0":              false,
		"tile/0/0000":           false,
		"tile/0/x000/000":       false,
		"tile/0/-01":            false,
		"tile/-1/000":           false,
		"tile/9/000":            false,
		"tile/0/000.p/256":      false,
		"tile/0/000.p/0":        false,
		"tile/0/../0/000":       false,
		"tile/":                 false,
		"entries.jsonl":         false,
		"":                      false,
	} {
		if _, got := parseTile(path, size); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
	if _, ok := parseTile("tile/0/x001/234", 2000*256); !ok {
		t.Error("a tile beyond 999")
	}
	if _, ok := parseTile("tile/0/000", 0); ok {
		t.Error("a tile of nothing")
	}
}

func FuzzTilePath(f *testing.F) {
	f.Add("tile/0/x001/234.p/7", uint64(1<<40))
	f.Add("tile/entries/000", uint64(256))
	f.Fuzz(func(t *testing.T, path string, size uint64) {
		size >>= 1
		tile, ok := parseTile(path, size)
		if ok && (tile.N < 0 || tile.W < 1 || tile.W > 256 || size == 0) {
			t.Fatalf("%q of %d: %+v", path, size, tile)
		}
	})
}
