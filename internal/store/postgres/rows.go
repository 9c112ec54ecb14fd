package postgres

import (
	"context"
	"database/sql"
	"errors"

	"ostiary.dev/ostiary/internal/registry"
)

// attempts is how often a statement runs that the database asks to repeat.
const attempts = 4

// handle is a database or a transaction.
type handle interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// rows implements the row methods of the store over a handle.
type rows struct {
	h  handle
	tx bool // h is a transaction
}

// scanner is one row of a result.
type scanner interface{ Scan(...any) error }

// limit bounds one statement.
func limit() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), callTimeout)
}

// list runs a query and reads every row.
func list[T any](h handle, scan func(scanner) (T, error), query string, args ...any) (out []T, err error) {
	ctx, cancel := limit()
	defer cancel()
	rs, err := h.QueryContext(ctx, query, args...)
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

// row runs a query and reads its first row, else registry.ErrNotFound.
func row[T any](h handle, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	ctx, cancel := limit()
	defer cancel()
	v, err := scan(h.QueryRowContext(ctx, query, args...))
	if err != nil {
		var none T
		return none, translate(err)
	}
	return v, nil
}

// exec runs a statement and returns how many rows it changed. It repeats what
// lost against another transaction, and nothing else: a statement that may
// have happened is not sent again.
func (r rows) exec(query string, args ...any) (n int64, err error) {
	for range attempts {
		if n, err = r.once(query, args); !again(err) {
			break
		}
	}
	if err != nil {
		return 0, translate(err)
	}
	return n, nil
}

// once runs a statement. In a transaction it stands behind a savepoint: a
// refused statement would otherwise end the whole transaction.
func (r rows) once(query string, args []any) (int64, error) {
	ctx, cancel := limit()
	defer cancel()
	if !r.tx {
		return changed(r.h.ExecContext(ctx, query, args...))
	}
	if _, err := r.h.ExecContext(ctx, "SAVEPOINT statement"); err != nil {
		return 0, err
	}
	n, err := changed(r.h.ExecContext(ctx, query, args...))
	end := "RELEASE SAVEPOINT statement"
	if err != nil {
		end = "ROLLBACK TO SAVEPOINT statement; RELEASE SAVEPOINT statement"
	}
	if _, e := r.h.ExecContext(ctx, end); e != nil {
		return 0, errors.Join(err, e)
	}
	return n, err
}

func changed(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
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

// scanOne reads a row of one value.
func scanOne[T any](row scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}
