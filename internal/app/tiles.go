package app

import (
	"encoding/binary"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/identity"
)

// tilesAt is where the logs are served on the admin listener.
const tilesAt = "/log/"

// tileHeight is the height of tiles in c2sp.org/tlog-tiles.
const tileHeight = 8

// readsEvery is how often the reading of one reader is recorded anew.
const readsEvery = time.Hour

// tiles serves checkpoints, tiles and entry bundles to the agents that
// audit.readers names. A leaf holds nothing of a person, but how much is logged
// and when is not for everybody (TestTilesAreForReaders).
type tiles struct {
	app    *App
	verify *identity.Verifier

	mu   sync.Mutex
	seen map[string]time.Time // last recorded reading of a reader
}

func (a *App) newTiles() *tiles {
	return &tiles{app: a, verify: a.verifier(), seen: map[string]time.Time{}}
}

func (t *tiles) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := t.admit(r); status != http.StatusOK {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="ostiary"`)
		}
		plain(w, status, http.StatusText(status)+"\n")
		return
	}
	rest := strings.TrimPrefix(r.URL.Path, tilesAt)
	for _, info := range t.app.book.Logs() {
		if path, ok := strings.CutPrefix(rest, info.Origin+"/"); ok {
			l, err := t.app.book.Log(info.Name)
			if err == nil {
				t.serve(w, l, path)
				return
			}
		}
	}
	plain(w, http.StatusNotFound, "not found\n")
}

// admit says who reads and records that somebody does.
func (t *tiles) admit(r *http.Request) int {
	c := identity.Credential{}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		c.Chain, c.Others = r.TLS.VerifiedChains[0], r.TLS.VerifiedChains[1:]
	}
	if all := r.Header.Values("Authorization"); len(all) > 0 {
		scheme, token, ok := strings.Cut(all[0], " ")
		c.Token = token
		c.Malformed = !ok || len(all) > 1 || !strings.EqualFold(scheme, "Bearer") || token == ""
	}
	now := t.app.clock.Now()
	p, err := t.verify.Verify(r.Context(), c, t.app.live.Load(), now)
	if err != nil {
		return http.StatusUnauthorized
	}
	if !slices.Contains(t.app.config.Load().Audit.Readers, p.ID) {
		return http.StatusForbidden
	}
	if err := t.record(p.ID, now); err != nil {
		t.app.logError("record a reading of the log", err)
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// record notes once an hour that a reader reads.
func (t *tiles) record(id string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.seen[id]; ok && now.Sub(last) < readsEvery {
		return nil
	}
	err := t.app.record.Act(auditlog.Act{Kind: auditlog.AuditRead, Action: "audit.tiles", Agent: id})
	if err == nil {
		t.seen[id] = now
	}
	return err
}

// serve answers one path of c2sp.org/tlog-tiles.
func (t *tiles) serve(w http.ResponseWriter, l *auditlog.Log, path string) {
	signed, size, err := l.Checkpoint()
	if errors.Is(err, auditlog.ErrNotFound) {
		plain(w, http.StatusNotFound, "nothing is signed yet\n")
		return
	}
	if err != nil {
		t.app.logError("serve a checkpoint", err)
		plain(w, http.StatusInternalServerError, "internal error\n")
		return
	}
	if path == "checkpoint" {
		plain(w, http.StatusOK, string(signed))
		return
	}
	tile, ok := parseTile(path, size)
	if !ok {
		plain(w, http.StatusNotFound, "not found\n")
		return
	}
	data, err := tileData(l, tile)
	if err != nil {
		t.app.logError("serve a tile", err)
		plain(w, http.StatusInternalServerError, "internal error\n")
		return
	}
	// Whatever is under a signed size never changes.
	w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := w.Write(data); err != nil {
		return // the peer is gone
	}
}

// parseTile reads the path of a tile that lies within size. x/mod writes the
// height into it and calls entries data.
func parseTile(path string, size uint64) (tlog.Tile, bool) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || strings.HasPrefix(rest, "data/") {
		return tlog.Tile{}, false
	}
	if entries, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + entries
	}
	tile, err := tlog.ParseTilePath("tile/8/" + rest)
	if err != nil || tile.H != tileHeight {
		return tlog.Tile{}, false
	}
	level := max(tile.L, 0)
	if level > 63/tileHeight {
		return tlog.Tile{}, false
	}
	have := size >> (level * tileHeight)
	from := uint64(tile.N) << tileHeight
	return tile, tile.N >= 0 && from < have && uint64(tile.W) <= have-from
}

func tileData(l *auditlog.Log, tile tlog.Tile) ([]byte, error) {
	if tile.L >= 0 {
		return tlog.ReadTileData(tile, l.Hashes())
	}
	from := uint64(tile.N) << tileHeight
	var data []byte
	err := l.Leaves(from, from+uint64(tile.W), func(_ uint64, leaf []byte) error {
		data = append(binary.BigEndian.AppendUint16(data, uint16(len(leaf))), leaf...)
		return nil
	})
	return data, err
}
