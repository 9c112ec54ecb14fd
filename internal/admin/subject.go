package admin

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
)

// EraseSubject erases a person or an agent: access, rows, key and name.
type EraseSubject struct {
	Change
	ID string `json:"id"` // the name, or the pseudonym
}

// Erasure tells what was erased.
type Erasure struct {
	Pseudonym    string     `json:"pseudonym"`
	Key          string     `json:"key"` // id of the destroyed key
	Agents       int        `json:"agents"`
	Tokens       int        `json:"tokens"`
	Certificates int        `json:"certificates"`
	Grants       int        `json:"grants"`
	Complete     *time.Time `json:"complete,omitempty"` // when the last backup of keys ends; nil: now
}

// erasure is what the log keeps of it: no name.
type erasure struct {
	Pseudonym string       `json:"pseudonym"`
	Key       string       `json:"key"`
	Rows      store.Erased `json:"erased"`
	Method    string       `json:"method"` // of the destruction, NIST SP 800-88
	Until     *time.Time   `json:"backups_until,omitempty"`
	Resumed   bool         `json:"resumed,omitempty"`
}

// eraseMethod says how, for the certificate of an erasure.
const eraseMethod = "cryptographic erase: the AES-256 key was overwritten and removed; rows deleted"

// erasedActs are the two entries of an erasure.
func erasedActs(e erasure, d destroyed) []auditlog.Act {
	e.Method = eraseMethod
	return []auditlog.Act{
		{Kind: auditlog.ErasureExecuted, Action: "subject.erase", Subject: e.Pseudonym, Change: e},
		{Kind: auditlog.KeyDestroyed, Action: "key.destroy", Subject: e.Key, Change: d},
	}
}

// EraseSubject ends every access of the subject at once, deletes its rows and
// destroys its key, which is all that ties its pseudonym to its name. Entries
// of the log stay and verify; nobody can tell any more whose they are.
func (o *operator) EraseSubject(_ context.Context, r EraseSubject) (Done[Erasure], error) {
	var out Done[Erasure]
	if err := reasoned(r.Change, "a subject is erased"); err != nil {
		return out, err
	}
	subject, err := o.subject(r.ID)
	if err != nil {
		return out, err
	}
	// The reason stays in the log: it must not keep the name that goes.
	r.Reason = without(r.Reason, subject.Name(), subject.Pseudonym)
	e := erasure{Pseudonym: subject.Pseudonym, Key: subject.KeyID(), Until: o.keyBackups()}
	t := &act{kind: "subject.erase", subject: e.Pseudonym, what: "subject " + e.Pseudonym, Change: r.Change}
	err = o.condemned(t, e.Key, func(s store.Store) (any, error) {
		var err error
		if e.Rows, err = s.EraseSubject(e.Pseudonym); err != nil {
			return nil, err
		}
		acts := erasedActs(e, destroyed{Key: e.Key, Purpose: "subject", Pseudonym: e.Pseudonym, Until: e.Until})
		t.also = acts[1:]
		return acts[0].Change, nil
	})
	if err != nil {
		return out, err
	}
	item := Erasure{Pseudonym: e.Pseudonym, Key: e.Key, Agents: e.Rows.Agents, Tokens: e.Rows.Tokens,
		Certificates: e.Rows.Certificates, Grants: e.Rows.Grants, Complete: e.Until}
	return Done[Erasure]{!r.DryRun, item, backupNotices(e.Until)}, nil
}

// subject finds who is to be erased, by name or by pseudonym.
func (o *operator) subject(id string) (keys.Subject, error) {
	s, ok := o.cfg.Ring.FindSubject(id)
	if !ok {
		s, ok = o.cfg.Ring.SubjectOf(id)
	}
	switch {
	case ok && s.Name() == o.by:
		return s, invalid("let another operator do it", "%s cannot erase himself: the entry would name him", o.by)
	case ok:
		return s, nil
	}
	if t, gone := o.cfg.Ring.Erased(id); gone {
		return s, &Error{Code: NotFound, Message: fmt.Sprintf("subject %s was erased on %s", id, t.At.Format(time.RFC3339)),
			Fix: "there is nothing left to erase"}
	}
	return s, &Error{Code: NotFound, Message: "nothing is known of a subject " + id, Fix: "check the name: ostiary agent list"}
}

// without replaces a name where it stands as a word of its own.
func without(text, name, by string) string {
	var out strings.Builder
	for {
		at := strings.Index(strings.ToLower(text), strings.ToLower(name))
		if at < 0 || at+len(name) > len(text) {
			out.WriteString(text)
			return out.String()
		}
		end := at + len(name)
		out.WriteString(text[:at])
		if inWord(text[:at], true) || inWord(text[end:], false) {
			out.WriteString(text[at:end])
		} else {
			out.WriteString(by)
		}
		text = text[end:]
	}
}

// inWord reports whether a letter or digit is next to a name: at the end of
// what is before it, or at the beginning of what is after.
func inWord(text string, before bool) bool {
	r, _ := utf8.DecodeRuneInString(text)
	if before {
		r, _ = utf8.DecodeLastRuneInString(text)
	}
	return text != "" && (unicode.IsLetter(r) || unicode.IsDigit(r))
}
