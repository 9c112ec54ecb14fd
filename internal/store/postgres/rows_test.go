package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// script is a handle that answers each statement with the next error.
type script struct {
	handle
	errs []error // nil beyond the end
	sent []string
}

func (s *script) ExecContext(_ context.Context, query string, _ ...any) (sql.Result, error) {
	s.sent = append(s.sent, query)
	if len(s.errs) == 0 {
		return driver.RowsAffected(1), nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return driver.RowsAffected(1), err
}

func native(code string) error { return &pgconn.PgError{Code: code} }

// TestRepeats: only what the database asks to repeat is sent again, and not
// for ever.
func TestRepeats(t *testing.T) {
	serial, dead := native(serializationFailure), native(deadlockDetected)
	broken := errors.New("broken")
	for what, c := range map[string]struct {
		errs []error
		sent int
		err  error
	}{
		"at once":             {nil, 1, nil},
		"after two":           {[]error{serial, dead}, 3, nil},
		"never":               {[]error{serial, serial, serial, serial, serial}, attempts, serial},
		"a broken wire":       {[]error{broken}, 1, broken},
		"a wrong statement":   {[]error{native("42601")}, 1, native("42601")},
		"a row that is there": {[]error{native(uniqueViolation)}, 1, translate(native(uniqueViolation))},
	} {
		h := &script{errs: c.errs}
		_, err := rows{h: h}.exec("X")
		if len(h.sent) != c.sent || !reflect.DeepEqual(err, c.err) {
			t.Errorf("%s: sent %d times (%v), want %d (%v)", what, len(h.sent), err, c.sent, c.err)
		}
	}
}

// TestRepeatsInTransaction: a repetition begins behind a new savepoint.
func TestRepeatsInTransaction(t *testing.T) {
	h := &script{errs: []error{nil, native(serializationFailure)}}
	n, err := rows{h: h, tx: true}.exec("X")
	want := []string{"SAVEPOINT statement", "X", "ROLLBACK TO SAVEPOINT statement; RELEASE SAVEPOINT statement",
		"SAVEPOINT statement", "X", "RELEASE SAVEPOINT statement"}
	if n != 1 || err != nil || !reflect.DeepEqual(h.sent, want) {
		t.Errorf("%d, %v, sent %q", n, err, h.sent)
	}
}

// TestBrokenSavepoint: when the savepoint cannot be left, the statement did
// not succeed.
func TestBrokenSavepoint(t *testing.T) {
	for what, errs := range map[string][]error{
		"begin": {errors.New("broken")}, "release": {nil, nil, errors.New("broken")},
		"roll back": {nil, native(uniqueViolation), errors.New("broken")},
	} {
		if _, err := (rows{h: &script{errs: errs}, tx: true}).exec("X"); err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}
