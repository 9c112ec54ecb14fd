package postgres

import "testing"

// TestForeignSchema: a trigger, a rule or a view that somebody added, and a
// table that somebody took away, is refused at the opening.
func TestForeignSchema(t *testing.T) {
	for statement, want := range map[string]error{
		"CREATE FUNCTION ostiary.quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; " +
			"CREATE TRIGGER quiet BEFORE INSERT ON ostiary.audit_part FOR EACH ROW EXECUTE FUNCTION ostiary.quiet()": ErrForeign,
		"CREATE RULE quiet AS ON INSERT TO ostiary.audit_part DO INSTEAD NOTHING": ErrForeign,
		"CREATE VIEW ostiary.theirs AS SELECT * FROM ostiary.sealed_row":          ErrForeign,
		"DROP TABLE ostiary.audit_checkpoint":                                     ErrDamaged,
		"DROP TABLE ostiary.audit_queue":                                          ErrDamaged,
		"DROP TABLE ostiary.sealed_row":                                           ErrDamaged,
		"DROP TABLE ostiary.goose_db_version":                                     ErrDamaged,
	} {
		c := created(t)
		shared.SQL(t, name(c), statement)
		refused(t, Open, c, want)
	}
}
