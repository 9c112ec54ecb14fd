package postgres

import (
	"database/sql"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
)

// versions is the table in which the migrations are counted.
const versions = "goose_db_version"

// foreign lists what no migration makes: triggers and rules, views, and the
// sort of each.
const foreign = `SELECT 'the trigger ' || quote_ident(t.tgname) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND NOT t.tgisinternal
UNION ALL SELECT 'the rule ' || quote_ident(r.rulename) FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind <> 'v'
UNION ALL SELECT 'the view ' || quote_ident(c.relname) FROM pg_class c
 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relkind IN ('v', 'm')
ORDER BY 1 LIMIT 1`

// checkForeign refuses what would run with our statements, or stand in the place
// of our tables, and is not ours. The attack: a trigger keeps from the rows what
// we write (TestForeignSchema).
func checkForeign(db *sql.DB) error {
	found, err := list(db, scanOne[string], foreign, schema)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: somebody else added %s", ErrForeign, found[0])
	}
	there, err := tables(db)
	if err == nil && !slices.Contains(there, versions) { // goose would make it, and the rest anew
		err = missing(versions)
	}
	return err
}

func missing(table string) error { return fmt.Errorf("%w: the table %s is missing", ErrDamaged, table) }

func tables(db *sql.DB) ([]string, error) {
	return list(db, scanOne[string], `SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relkind = 'r' ORDER BY 1 LIMIT 1000`, schema)
}

// creates finds the tables in the text of a migration.
var creates = regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`)

// checkTables refuses a store that lacks a table which the migrations make.
// Those of schema 1 leave together when their rows are sealed.
func checkTables(db *sql.DB) error {
	there, err := tables(db)
	if err != nil {
		return err
	}
	clear := slices.Contains(there, "servers")
	return fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range creates.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(there, m[1]) && (clear || !slices.Contains(clearTables[:], m[1])) {
				return missing(m[1])
			}
		}
		return nil
	})
}
