package app

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
)

// gone is what the control logs say must not come back.
type gone struct {
	keys []keys.Tombstone
	rows []string // of pseudonyms, by their blind names
}

func (g *gone) add(more gone) {
	g.keys, g.rows = append(g.keys, more.keys...), append(g.rows, more.rows...)
}

// take adds what an entry says.
func (g *gone) take(kind auditlog.Kind, part []byte, at time.Time) error {
	switch kind {
	case auditlog.KeyDestroyed:
		t, err := destroyedKey(part, at)
		if err != nil {
			return err
		}
		g.keys = append(g.keys, t)
	case auditlog.ErasureExecuted:
		var e struct {
			Change struct {
				Rows []string `json:"pseudonym_rows"`
			} `json:"change"`
		}
		if err := json.Unmarshal(part, &e); err != nil {
			return fmt.Errorf("an entry about an erasure: %w", err)
		}
		g.rows = append(g.rows, e.Change.Rows...)
	}
	return nil
}

// tombstone is what a key.destroyed entry says.
type tombstone struct {
	Change struct {
		Key       string `json:"key"`
		Purpose   string `json:"purpose"`
		Version   uint32 `json:"version"`
		Pseudonym string `json:"pseudonym"`
	} `json:"change"`
}

// destroyedKey reads a key.destroyed entry.
func destroyedKey(part []byte, at time.Time) (keys.Tombstone, error) {
	var t tombstone
	if err := json.Unmarshal(part, &t); err != nil {
		return keys.Tombstone{}, fmt.Errorf("an entry about a destroyed key: %w", err)
	}
	if t.Change.Key == "" {
		return keys.Tombstone{}, errors.New("an entry about a destroyed key does not name it")
	}
	return keys.Tombstone{KeyID: t.Change.Key, Purpose: t.Change.Purpose, Version: t.Change.Version, Pseudonym: t.Change.Pseudonym,
		State: keys.Destroyed, At: at}, nil
}

// readExport reads the destroyed keys and erased pseudonyms of an export that was verified.
func readExport(path string) (all gone, err error) {
	f, err := os.Open(path)
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), maxExportLine)
	for lines.Scan() {
		var line struct {
			Kind auditlog.Kind   `json:"kind"`
			Time time.Time       `json:"time"`
			Part json.RawMessage `json:"part"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return all, fmt.Errorf("%s: %w", path, err)
		}
		if len(line.Part) == 0 || string(line.Part) == "null" {
			continue
		}
		if err := all.take(line.Kind, line.Part, line.Time); err != nil {
			return all, err
		}
	}
	return all, lines.Err()
}
