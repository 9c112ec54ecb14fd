package sqlite

import (
	"database/sql"

	"ostiary.dev/ostiary/internal/registry"
)

// handle is a database or a transaction.
type handle interface {
	Exec(query string, args ...any) (sql.Result, error)
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// rows implements the row methods of the store over a handle.
type rows struct {
	h     handle
	audit *prepared // statements of the logs
}

// scanner is one row of a result.
type scanner interface{ Scan(...any) error }

// list runs a query and reads every row.
func list[T any](h handle, scan func(scanner) (T, error), query string, args ...any) (out []T, err error) {
	rs, err := h.Query(query, args...)
	if err != nil {
		return nil, translate(err)
	}
	defer func() {
		if e := rs.Close(); err == nil && e != nil {
			out, err = nil, translate(e)
		}
	}()
	for rs.Next() {
		row, err := scan(rs)
		if err != nil {
			return nil, translate(err)
		}
		out = append(out, row)
	}
	if err := rs.Err(); err != nil {
		return nil, translate(err)
	}
	return out, nil
}

// exec runs a statement and returns how many rows it changed.
func (r rows) exec(query string, args ...any) (int64, error) {
	res, err := r.h.Exec(query, args...)
	if err != nil {
		return 0, translate(err)
	}
	return res.RowsAffected()
}

// one runs a statement that must change a row, else registry.ErrNotFound.
func (r rows) one(query string, args ...any) error {
	n, err := r.exec(query, args...)
	if err == nil && n == 0 {
		err = registry.ErrNotFound
	}
	return err
}
