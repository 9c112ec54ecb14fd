package sqlite

import (
	"errors"
	"strings"
	"testing"
)

// TestForeignSchema: what somebody added to, changed in or took from the schema
// is refused before a statement of ours runs, without any SQL in the message.
func TestForeignSchema(t *testing.T) {
	for statement, want := range map[string]error{
		"CREATE TRIGGER quiet AFTER INSERT ON audit_batch BEGIN DELETE FROM audit_part; END":         ErrForeign,
		"CREATE TRIGGER versions AFTER INSERT ON goose_db_version BEGIN DELETE FROM sealed_row; END": ErrForeign,
		"CREATE TABLE theirs (a TEXT)":                              ErrForeign,
		"CREATE VIEW theirs AS SELECT * FROM sealed_row":            ErrForeign,
		"CREATE INDEX theirs ON sealed_row (revision)":              ErrForeign,
		"DROP TABLE audit_batch":                                    ErrDamaged,
		"DROP TABLE audit_checkpoint":                               ErrDamaged,
		"DROP TABLE sealed_row":                                     ErrDamaged,
		"DROP TABLE goose_db_version":                               ErrDamaged,
		"ALTER TABLE audit_part ADD COLUMN more TEXT":               ErrDamaged,
		"DROP TABLE sealed_row; CREATE VIEW sealed_row AS SELECT 1": ErrDamaged,
	} {
		t.Run(statement, func(t *testing.T) {
			path := created(t)
			exec(t, path, statement)
			refused(t, path, want)
			_, err := Open(path)
			for _, raw := range []string{"SELECT", "CREATE", "INSERT", "DELETE", "no such"} {
				if err != nil && strings.Contains(strings.ReplaceAll(err.Error(), path, ""), raw) {
					t.Errorf("the message holds SQL: %v", err)
				}
			}
		})
	}
}

// TestLockedOnce: the cause of a lock that somebody holds is said once.
func TestLockedOnce(t *testing.T) {
	path := created(t)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(path)
	if !errors.Is(err, ErrLocked) || strings.Count(err.Error(), "SQLITE_BUSY") > 1 || strings.Count(err.Error(), ErrLocked.Error()) != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("the message is %q", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
