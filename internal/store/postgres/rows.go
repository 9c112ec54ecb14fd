package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

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

// swap runs a compare-and-set on the table's row id. When nothing changed it
// tells a missing row from a lost race.
func (r rows) swap(table, id, query string, args ...any) error {
	n, err := r.exec(query, args...)
	if err != nil || n > 0 {
		return err
	}
	if _, err := row(r.h, scanOne[int], "SELECT 1 FROM "+table+" WHERE id = $1", id); err != nil {
		return err
	}
	return registry.ErrConflict
}

// scanOne reads a row of one value.
func scanOne[T any](row scanner) (v T, err error) {
	err = row.Scan(&v)
	return v, err
}

// Meta returns a named value.
func (r rows) Meta(key string) (string, error) {
	value, err := row(r.h, scanOne[[]byte], "SELECT value FROM meta WHERE key = $1", key)
	if err != nil {
		return "", fmt.Errorf("meta %s: %w", key, err)
	}
	return string(value), nil
}

// SetMeta sets a named value.
func (r rows) SetMeta(key, value string) error {
	_, err := r.exec("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, []byte(value))
	if err != nil {
		return fmt.Errorf("set meta %s: %w", key, err)
	}
	return nil
}

// nanos stores a time; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// stamp reads a stored time into *t, in UTC.
type stamp struct{ t *time.Time }

// Scan implements sql.Scanner.
func (s stamp) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("time is stored as %T", v)
	}
	*s.t = time.Time{}
	if n != 0 {
		*s.t = time.Unix(0, n).UTC()
	}
	return nil
}

// array stores a list as JSON text; an empty one as [].
func array[T any](list []T) (string, error) {
	if len(list) == 0 {
		return "[]", nil
	}
	out, err := json.Marshal(list)
	return string(out), err
}

// listed reads a stored JSON array into *list; an empty one as nil.
type listed[T any] struct{ list *[]T }

// Scan implements sql.Scanner.
func (l listed[T]) Scan(v any) error {
	text, ok := v.([]byte)
	if !ok {
		return fmt.Errorf("list is stored as %T", v)
	}
	var out []T
	if err := json.Unmarshal(text, &out); err != nil {
		return fmt.Errorf("stored list: %w", err)
	}
	if len(out) == 0 {
		out = nil
	}
	*l.list = out
	return nil
}
