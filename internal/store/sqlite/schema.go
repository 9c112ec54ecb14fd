package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/pressly/goose/v3"
)

// versions is the table in which the migrations are counted.
const versions = "goose_db_version"

// object is one thing in a schema.
type object struct{ kind, table, sql string }

// checkSchema compares the tables, indexes, triggers and views of the database
// with those that the migrations make up to its version. The attack: a trigger
// that somebody added runs with each of our statements and keeps from the rows
// what we write, or an index makes a row unseen (TestForeignSchema).
func checkSchema(db *sql.DB) error {
	have, err := objects(db)
	if err != nil {
		return err
	}
	if _, there := have[versions]; !there {
		return fmt.Errorf("%w: the table %s is missing", ErrDamaged, versions)
	}
	p, err := provider(db)
	if err != nil {
		return err
	}
	s, err := schemaOf(p)
	if err != nil || s.Have > s.Want {
		return err // migrate says that it is newer
	}
	want, err := made(s.Have)
	if err != nil {
		return err
	}
	return compareSchema(have, want)
}

func compareSchema(have, want map[string]object) error {
	// Schema 1's tables leave together when their rows are sealed.
	_, clear := have["servers"]
	for _, name := range sorted(want) {
		w := want[name]
		h, there := have[name]
		switch {
		case !there && !clear && slices.Contains(clearTables[:], w.table):
		case !there:
			return fmt.Errorf("%w: the %s %s is missing", ErrDamaged, w.kind, name)
		case h.kind != w.kind, h.sql != w.sql && name != versions: // that one's text is goose's
			return fmt.Errorf("%w: the %s %s is not as this program made it", ErrDamaged, w.kind, name)
		}
	}
	for _, name := range sorted(have) {
		if _, ours := want[name]; !ours {
			return fmt.Errorf("%w: somebody else added the %s %q", ErrForeign, have[name].kind, name)
		}
	}
	return nil
}

// sorted makes the message the same each time.
func sorted(m map[string]object) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// maxObjects bounds what is read of a schema; ours has a few dozen.
const maxObjects = 1000

// objects reads the schema, without what SQLite makes for itself.
func objects(db *sql.DB) (all map[string]object, err error) {
	rows, err := db.Query("SELECT name, type, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' LIMIT ?", maxObjects)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	all = map[string]object{}
	for rows.Next() {
		var name string
		var o object
		if err := rows.Scan(&name, &o.kind, &o.table, &o.sql); err != nil {
			return nil, err
		}
		all[name] = o
	}
	return all, rows.Err()
}

// made returns the schema that the migrations up to version make.
func made(version int64) (all map[string]object, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	p, err := provider(db)
	if err != nil {
		return nil, err
	}
	if _, err := p.UpTo(context.Background(), version); err != nil && !errors.Is(err, goose.ErrVersionNotFound) {
		return nil, fmt.Errorf("make the schema to compare with: %w", err)
	}
	return objects(db)
}
