package vault

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// Kind is the kind of the rows of pseudonyms in the store.
const Kind = "pseudonym"

// The names of rows begin with what they are found by, so that a walk over the
// tokens does not meet the values' rows.
const (
	byToken = "t"
	byValue = "v"
)

// Row is a row of the map. There is one for each token, found by the blind index
// of scope and token, and for a random token a second one, found by the blind
// index of its value, which tells the token.
type Row struct {
	Name     string // blind index
	Revision int64  // 0: new
	Scope    string
	Type     string
	Token    string
	Subject  string // pseudonym of the data subject
	Keyed    bool
	Index    string // name of the value's row; "" when keyed, and in that row
	Made     time.Time
	Expires  time.Time
	Sealed   []byte // the value; nil in the value's row
}

// place is where the value of the row is sealed for.
func (r Row) place() keys.PseudonymPlace {
	return keys.PseudonymPlace{Scope: r.Scope, Type: r.Type, Token: r.Token, Subject: r.Subject}
}

// Rows keeps the map. Methods are safe for concurrent use.
type Rows interface {
	// PseudonymRow returns a row by its name.
	PseudonymRow(name string) (Row, bool, error)
	// PseudonymRows returns at most limit rows whose names begin with prefix and come
	// after the given one, in order.
	PseudonymRows(prefix, after string, limit int) ([]Row, error)
	// PutPseudonyms adds rows of revision 0 and replaces others that are still of
	// theirs, all or none; ErrConflict when one is not. They are on stable
	// storage when it returns.
	PutPseudonyms(rows []Row) error
	// DropPseudonyms removes rows that are there and returns how many.
	DropPseudonyms(names []string) (int, error)
}

// tokenName is the name of a token's row.
func (v *Vault) tokenName(scope, token string) string {
	name := binary.BigEndian.AppendUint32(nil, uint32(len(scope)))
	return byToken + v.cfg.Keys.Index(Kind, string(append(append(name, scope...), token...)))
}

// know makes the data subjects of values that are not there yet, in one write.
func (v *Vault) know(items []*item) error {
	var names []string
	seen := map[string]bool{"": true}
	for _, it := range items {
		if seen[it.value.Subject] {
			continue
		}
		seen[it.value.Subject] = true
		name := keys.DataSubject + it.value.Subject
		if _, ok := v.cfg.Keys.FindSubject(name); !ok {
			names, it.met = append(names, name), true
		}
	}
	if len(names) == 0 || v.cfg.ReadOnly {
		return nil
	}
	if _, err := v.cfg.Keys.Subjects(names); err != nil {
		return fmt.Errorf("data subject: %w", err)
	}
	return nil
}

// subjectOf returns the pseudonym of a data subject, which know has made.
func (v *Vault) subjectOf(name string) (string, error) {
	if name == "" {
		return "", nil
	}
	s, ok := v.cfg.Keys.FindSubject(keys.DataSubject + name)
	switch {
	case ok:
		return s.Pseudonym, nil
	case v.cfg.ReadOnly:
		return "", ErrReadOnly
	}
	return "", fmt.Errorf("data subject: %w", ErrConflict) // it was erased meanwhile
}

// subjectName is the opposite; "" for one that was erased.
func (v *Vault) subjectName(pseudonym string) string {
	s, ok := v.cfg.Keys.SubjectOf(pseudonym)
	if pseudonym == "" || !ok {
		return ""
	}
	return strings.TrimPrefix(s.Name(), keys.DataSubject)
}
