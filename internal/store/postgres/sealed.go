package postgres

import (
	"fmt"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

func scanRow(row scanner) (r store.Row, err error) {
	err = row.Scan(&r.Kind, &r.ID, &r.Revision, &r.Body)
	return r, err
}

// Row returns one sealed row.
func (r rows) Row(kind, id string) (store.Row, error) {
	v, err := row(r.h, scanRow, "SELECT kind, id, revision, body FROM sealed_row WHERE kind = $1 AND id = $2", kind, id)
	if err != nil {
		return store.Row{}, fmt.Errorf("read %s row: %w", kind, err)
	}
	return v, nil
}

// Rows returns all rows of a kind by id.
func (r rows) Rows(kind string) ([]store.Row, error) {
	out, err := list(r.h, scanRow, "SELECT kind, id, revision, body FROM sealed_row WHERE kind = $1 ORDER BY id", kind)
	if err != nil {
		return nil, fmt.Errorf("read %s rows: %w", kind, err)
	}
	return out, nil
}

// EachRow hands every row to fn, by kind and id.
func (r rows) EachRow(fn func(store.Row) error) error {
	return r.eachRow(fn, "SELECT kind, id, revision, body FROM sealed_row ORDER BY kind, id")
}

// EachRowBut leaves out a kind, which may have very many rows: the ranges on both
// sides of it are read, by the index.
func (r rows) EachRowBut(kind string, fn func(store.Row) error) error {
	return r.eachRow(fn, "SELECT kind, id, revision, body FROM sealed_row WHERE kind < $1 OR kind > $1 ORDER BY kind, id", kind)
}

func (r rows) eachRow(fn func(store.Row) error, query string, args ...any) error {
	visit := func(row scanner) (none struct{}, err error) {
		v, err := scanRow(row)
		if err == nil {
			err = fn(v)
		}
		return none, err
	}
	if _, err := list(r.h, visit, query, args...); err != nil {
		return fmt.Errorf("read every row: %w", err)
	}
	return nil
}

// RowsAfter returns some rows of a kind, by id.
func (r rows) RowsAfter(kind, id string, n int) ([]store.Row, error) {
	out, err := list(r.h, scanRow, "SELECT kind, id, revision, body FROM sealed_row WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3", kind, id, n)
	if err != nil {
		return nil, fmt.Errorf("read %s rows: %w", kind, err)
	}
	return out, nil
}

// InsertRow adds a row.
func (r rows) InsertRow(v store.Row) error {
	_, err := r.exec("INSERT INTO sealed_row (kind, id, revision, body) VALUES ($1, $2, $3, $4)", v.Kind, v.ID, v.Revision, v.Body)
	if err != nil {
		return fmt.Errorf("insert %s row: %w", v.Kind, err)
	}
	return nil
}

// InsertRows adds rows with one statement, which goes to the server once.
func (r rows) InsertRows(all []store.Row) error {
	if len(all) == 0 {
		return nil
	}
	kinds, ids, revisions, bodies := make([]string, len(all)), make([]string, len(all)), make([]int64, len(all)), make([][]byte, len(all))
	for i, v := range all {
		kinds[i], ids[i], revisions[i], bodies[i] = v.Kind, v.ID, v.Revision, v.Body
	}
	_, err := r.exec("INSERT INTO sealed_row (kind, id, revision, body) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])",
		kinds, ids, revisions, bodies)
	if err != nil {
		return fmt.Errorf("insert %s rows: %w", all[0].Kind, err)
	}
	return nil
}

// UpdateRow replaces a row whose revision is still old. When nothing changed it
// tells a missing row from a lost race.
func (r rows) UpdateRow(old int64, v store.Row) error {
	n, err := r.exec("UPDATE sealed_row SET revision = $1, body = $2 WHERE kind = $3 AND id = $4 AND revision = $5",
		v.Revision, v.Body, v.Kind, v.ID, old)
	if err == nil && n == 0 {
		if _, err = r.Row(v.Kind, v.ID); err == nil {
			err = registry.ErrConflict
		}
	}
	if err != nil {
		return fmt.Errorf("update %s row: %w", v.Kind, err)
	}
	return nil
}

// DeleteRow removes a row.
func (r rows) DeleteRow(kind, id string) error {
	if err := r.one("DELETE FROM sealed_row WHERE kind = $1 AND id = $2", kind, id); err != nil {
		return fmt.Errorf("delete %s row: %w", kind, err)
	}
	return nil
}
