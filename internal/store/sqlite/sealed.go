package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

func scanRow(row scanner) (r store.Row, err error) {
	err = row.Scan(&r.Kind, &r.ID, &r.Revision, &r.Body)
	return r, err
}

// Row returns one sealed row.
func (r rows) Row(kind, id string) (store.Row, error) {
	row, err := scanRow(r.h.QueryRow("SELECT kind, id, revision, body FROM sealed_row WHERE kind = ? AND id = ?", kind, id))
	if err != nil {
		return store.Row{}, fmt.Errorf("read %s row: %w", kind, translate(err))
	}
	return row, nil
}

// Rows returns all rows of a kind by id.
func (r rows) Rows(kind string) ([]store.Row, error) {
	out, err := list(r.h, scanRow, "SELECT kind, id, revision, body FROM sealed_row WHERE kind = ? ORDER BY id", kind)
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
	return r.eachRow(fn, "SELECT kind, id, revision, body FROM sealed_row WHERE kind < ? UNION ALL SELECT kind, id, revision, body FROM sealed_row WHERE kind > ? ORDER BY kind, id", kind, kind)
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
	out, err := list(r.h, scanRow, "SELECT kind, id, revision, body FROM sealed_row WHERE kind = ? AND id > ? ORDER BY id LIMIT ?", kind, id, n)
	if err != nil {
		return nil, fmt.Errorf("read %s rows: %w", kind, err)
	}
	return out, nil
}

// InsertRow adds a row.
func (r rows) InsertRow(v store.Row) error {
	_, err := r.exec("INSERT INTO sealed_row (kind, id, revision, body) VALUES (?, ?, ?, ?)", v.Kind, v.ID, v.Revision, v.Body)
	if err != nil {
		return fmt.Errorf("insert %s row: %w", v.Kind, err)
	}
	return nil
}

// insertAtOnce is how many rows one statement inserts: each statement is parsed
// anew, and has a bounded number of parameters.
const insertAtOnce = 64

// InsertRows adds rows, several with one statement, behind a savepoint: in a
// transaction that goes on after an error none of them is there.
func (r rows) InsertRows(all []store.Row) error {
	if _, err := r.exec("SAVEPOINT many"); err != nil {
		return fmt.Errorf("insert rows: %w", err)
	}
	err := r.insertRows(all)
	if err != nil {
		_, e := r.exec("ROLLBACK TO many")
		err = errors.Join(err, e)
	}
	_, e := r.exec("RELEASE many")
	return errors.Join(err, e)
}

func (r rows) insertRows(all []store.Row) error {
	for len(all) > 0 {
		some := all[:min(insertAtOnce, len(all))]
		all = all[len(some):]
		args := make([]any, 0, 4*len(some))
		for _, v := range some {
			args = append(args, v.Kind, v.ID, v.Revision, v.Body)
		}
		query := "INSERT INTO sealed_row (kind, id, revision, body) VALUES (?, ?, ?, ?)" + strings.Repeat(", (?, ?, ?, ?)", len(some)-1)
		if _, err := r.exec(query, args...); err != nil {
			return fmt.Errorf("insert %s rows: %w", some[0].Kind, err)
		}
	}
	return nil
}

// UpdateRow replaces a row whose revision is still old. When nothing changed it
// tells a missing row from a lost race.
func (r rows) UpdateRow(old int64, v store.Row) error {
	n, err := r.exec("UPDATE sealed_row SET revision = ?, body = ? WHERE kind = ? AND id = ? AND revision = ?",
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
	if err := r.one("DELETE FROM sealed_row WHERE kind = ? AND id = ?", kind, id); err != nil {
		return fmt.Errorf("delete %s row: %w", kind, err)
	}
	return nil
}
