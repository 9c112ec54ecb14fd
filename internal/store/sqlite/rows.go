package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"ostiary.dev/ostiary/internal/registry"
)

// handle is a database or a transaction.
type handle interface {
	Exec(query string, args ...any) (sql.Result, error)
	Query(query string, args ...any) (*sql.Rows, error)
	QueryRow(query string, args ...any) *sql.Row
}

// rows implements the row methods of the store over a handle.
type rows struct{ h handle }

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

// swap runs a compare-and-set on the table's row id. When nothing changed it
// tells a missing row from a lost race.
func (r rows) swap(table, id, query string, args ...any) error {
	n, err := r.exec(query, args...)
	if err != nil || n > 0 {
		return err
	}
	var found int
	if err := r.h.QueryRow("SELECT 1 FROM "+table+" WHERE id = ?", id).Scan(&found); err != nil {
		return translate(err)
	}
	return registry.ErrConflict
}

// Meta returns a named value.
func (r rows) Meta(key string) (value string, err error) {
	err = r.h.QueryRow("SELECT value FROM meta WHERE key = ?", key).Scan(&value)
	if err != nil {
		return "", fmt.Errorf("meta %s: %w", key, translate(err))
	}
	return value, nil
}

// SetMeta sets a named value.
func (r rows) SetMeta(key, value string) error {
	_, err := r.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value)
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
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("list is stored as %T", v)
	}
	var out []T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		return fmt.Errorf("stored list: %w", err)
	}
	if len(out) == 0 {
		out = nil
	}
	*l.list = out
	return nil
}
