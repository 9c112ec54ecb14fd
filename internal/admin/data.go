package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// whose is what is known of somebody: their tokens, and the subject when a
// subject path gave one.
type whose struct {
	subject *keys.Subject
	tokens  []vault.Found
	secret  []string // what the log must not keep
}

// about finds everything about somebody.
func (o *operator) about(ctx context.Context, d DataSubject) (w whose, err error) {
	if o.cfg.Vault == nil {
		return w, noVault()
	}
	given := 0
	for _, text := range []string{d.Token, d.Value, d.Subject} {
		if text != "" {
			given++
		}
	}
	if given != 1 {
		return w, invalid("give one of a token, a value and a subject", "it must be clear whom this is about")
	}
	var all []vault.Found
	switch {
	case d.Subject != "":
		return o.ofSubject(ctx, d.Subject)
	case d.Token != "":
		all, w.secret, err = o.ofToken(ctx, d.Token)
	default:
		w.secret = []string{d.Value}
		all, err = o.cfg.Vault.OfValue(ctx, d.Type, d.Value)
	}
	if err != nil {
		return w, asError("what is known of them", err)
	}
	pseudonyms := map[string]bool{}
	for _, f := range all {
		if f.Subject() != "" {
			pseudonyms[f.Subject()] = true
		}
	}
	if len(pseudonyms) > 1 {
		return w, &Error{Code: Conflict, Message: "this value is about more than one person: " + strings.Join(sorted(pseudonyms), ", "),
			Fix: "choose one of them: --subject PSEUDONYM"}
	}
	for p := range pseudonyms {
		if w.tokens, err = o.cfg.Vault.OfSubject(ctx, p); err != nil {
			return w, asError("what is known of them", err)
		}
		if s, ok := o.cfg.Ring.SubjectOf(p); ok {
			w.subject = &s
		}
	}
	for _, f := range all {
		if f.Subject() == "" {
			w.tokens = append(w.tokens, f)
		}
	}
	if len(w.tokens) == 0 {
		return w, &Error{Code: NotFound, Message: "the map of pseudonyms holds nothing about them"}
	}
	return w, nil
}

func sorted(set map[string]bool) (out []string) {
	for s := range set {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// ofSubject finds somebody by the name that a subject path gave, or the
// pseudonym of it.
func (o *operator) ofSubject(ctx context.Context, id string) (w whose, err error) {
	s, ok := o.cfg.Ring.FindSubject(keys.DataSubject + id)
	if !ok {
		s, ok = o.cfg.Ring.SubjectOf(id)
	}
	if !ok || !strings.HasPrefix(s.Name(), keys.DataSubject) {
		return w, &Error{Code: NotFound, Message: "the map of pseudonyms holds nothing about them",
			Fix: "an agent or a person with a login is erased with: ostiary privacy subject erase ID"}
	}
	w.subject, w.secret = &s, []string{strings.TrimPrefix(s.Name(), keys.DataSubject)}
	if w.tokens, err = o.cfg.Vault.OfSubject(ctx, s.Pseudonym); err != nil {
		return w, asError("what is known of them", err)
	}
	return w, nil
}

// ofToken returns every token of the value behind one. The value is opened for
// it, and goes nowhere.
func (o *operator) ofToken(ctx context.Context, token string) (all []vault.Found, secret []string, err error) {
	f, err := o.found(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	if f.Subject() != "" {
		return []vault.Found{f}, nil, nil
	}
	v, ok := o.cfg.Vault.Reveal(f)
	if !ok {
		return []vault.Found{f}, nil, nil
	}
	all, err = o.cfg.Vault.OfValue(ctx, v.Type, v.Value)
	return all, []string{v.Value}, err
}

// exported is what the log keeps of an export.
type exported struct {
	Subject string `json:"subject,omitempty"`
	Tokens  int    `json:"tokens"`
}

// ExportData lists what is held about somebody (GDPR Art. 15), by pseudonym. The
// record holds counts of what protect did, not tokens: which calls carried a
// value is not told, only within which scopes.
func (o *operator) ExportData(ctx context.Context, r DataSubject) (DataExport, error) {
	w, err := o.about(ctx, r)
	if err != nil {
		return DataExport{}, err
	}
	out := DataExport{Tokens: []TokenInfo{}, Places: []DataPlace{}}
	if w.subject != nil {
		out.Subject = w.subject.Pseudonym
	}
	for _, f := range w.tokens {
		out.Tokens = append(out.Tokens, o.viewToken(f))
	}
	slices.SortFunc(out.Tokens, func(a, b TokenInfo) int { return strings.Compare(a.Scope+a.Token, b.Scope+b.Token) })
	out.Places = places(out.Tokens)
	for i := range out.Places {
		if p := &out.Places[i]; p.Agent != "" {
			p.Agent = o.shown(p.Agent)
		}
	}
	act := auditlog.Act{Kind: auditlog.AuditRead, Action: "data.export", By: o.by, Subject: out.Subject, Change: exported{out.Subject, len(out.Tokens)}}
	if err := o.cfg.Recorder.Act(act); err != nil {
		return DataExport{}, asError("the export", err)
	}
	return out, nil
}

// places gathers tokens, sorted by scope, into what their scopes tell.
func places(all []TokenInfo) []DataPlace {
	out := []DataPlace{}
	for _, t := range all {
		if len(out) == 0 || out[len(out)-1].Scope != t.Scope {
			p := DataPlace{Scope: t.Scope, First: t.Made, Last: t.Made, Types: []string{}}
			readScope(t.Scope, &p)
			out = append(out, p)
		}
		p := &out[len(out)-1]
		if !slices.Contains(p.Types, t.Type) {
			p.Types = append(p.Types, t.Type)
		}
		if t.Made.Before(p.First) {
			p.First = t.Made
		}
		if t.Made.After(p.Last) {
			p.Last = t.Made
		}
	}
	return out
}

// readScope takes the parts out of a scope, as protect writes it:
// name:length:value; and so on. What is not of that form is left.
func readScope(scope string, p *DataPlace) {
	for scope != "" {
		name, rest, _ := strings.Cut(scope, ":")
		size, rest, ok := strings.Cut(rest, ":")
		n, err := strconv.Atoi(size)
		if !ok || err != nil || n < 0 || n >= len(rest) || rest[n] != ';' {
			return
		}
		switch value := rest[:n]; name {
		case "agent":
			p.Agent = value
		case "server":
			p.Server = value
		case "session":
			p.Session = value
		case "purpose":
			p.Purpose = value
		}
		scope = rest[n+1:]
	}
}

// namesAtOnce is how many names of rows one entry of the log holds.
const namesAtOnce = 500

// dataErasure is what the log keeps of an erasure. Rows are the blind names of
// the rows that are gone: a restore of an older backup erases them again.
type dataErasure struct {
	Pseudonym string     `json:"pseudonym,omitempty"`
	Key       string     `json:"key,omitempty"`
	Tokens    int        `json:"tokens"`
	Scopes    int        `json:"scopes"`
	Rows      []string   `json:"pseudonym_rows"`
	Method    string     `json:"method"`
	Until     *time.Time `json:"backups_until,omitempty"`
}

const eraseRowsMethod = "rows deleted and barred from coming back"

// EraseData deletes every token of somebody, in all scopes, and destroys the key
// of the subject when there is one (GDPR Art. 17). What was handed out as a token
// stands for nothing from then on; the log keeps its entries and verifies.
func (o *operator) EraseData(ctx context.Context, r EraseData) (Done[DataErasure], error) {
	var out Done[DataErasure]
	if err := reasoned(r.Change, "data is erased"); err != nil {
		return out, err
	}
	w, err := o.about(ctx, r.DataSubject)
	if err != nil {
		return out, err
	}
	for _, s := range w.secret {
		r.Reason = without(r.Reason, s, "(erased)")
	}
	e := dataErasure{Tokens: len(w.tokens), Method: eraseRowsMethod, Until: o.keyBackups()}
	scopes := map[string]bool{}
	for _, f := range w.tokens {
		scopes[f.Scope()] = true
		e.Rows = append(e.Rows, f.Rows()...)
	}
	e.Scopes = len(scopes)
	if w.subject != nil {
		e.Pseudonym, e.Key, e.Method = w.subject.Pseudonym, w.subject.KeyID(), eraseMethod
	}
	t := &act{kind: "data.erase", subject: e.Pseudonym, what: "their data", Change: r.Change}
	do := func(s store.Store) (any, error) {
		if err := erasePseudonyms(s, w.tokens); err != nil {
			return nil, err
		}
		t.also = e.more()
		if e.Key != "" {
			t.also = append(t.also, auditlog.Act{Kind: auditlog.KeyDestroyed, Action: "key.destroy", Subject: e.Key,
				Change: destroyed{Key: e.Key, Purpose: "subject", Pseudonym: e.Pseudonym, Until: e.Until}})
		}
		return e.part(0), nil
	}
	if e.Key != "" {
		err = o.condemned(t, e.Key, do)
	} else {
		err = o.change(t, do)
	}
	o.forget()
	if err != nil {
		return out, err
	}
	item := DataErasure{Subject: e.Pseudonym, Key: e.Key, Tokens: e.Tokens, Scopes: e.Scopes, Complete: e.Until}
	if !r.DryRun {
		if item.Receipt, err = o.receipt(item); err != nil {
			return out, asError("the receipt", err)
		}
	}
	return Done[DataErasure]{!r.DryRun, item, append(backupNotices(e.Until), "a backup of data that was made before still holds the sealed rows; a restore erases them again, from the control log")}, nil
}

// part is what the entry with that number holds.
func (e dataErasure) part(n int) dataErasure {
	from := min(n*namesAtOnce, len(e.Rows))
	e.Rows = e.Rows[from:min(from+namesAtOnce, len(e.Rows))]
	return e
}

// more are the entries after the first one.
func (e dataErasure) more() (out []auditlog.Act) {
	for n := 1; n*namesAtOnce < len(e.Rows); n++ {
		out = append(out, auditlog.Act{Kind: auditlog.ErasureExecuted, Action: "data.erase", Subject: e.Pseudonym, Change: e.part(n)})
	}
	return out
}

// receipt is a signed note about an erasure, which holds no value: whoever has
// the gateway's key of receipts can check it (note.Open).
func (o *operator) receipt(e DataErasure) (string, error) {
	if o.cfg.Book == nil {
		return "", nil
	}
	text, err := json.Marshal(struct {
		Erased time.Time   `json:"erased"`
		Item   DataErasure `json:"item"`
	}{o.cfg.Clock.Now().UTC().Truncate(time.Second), e})
	if err != nil {
		return "", err
	}
	signer := o.cfg.Ring.ReceiptSigner(ReceiptName(o.cfg.Book.Control().Origin()))
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("ostiary.dev/erasure/v1\n%s\n", text)}, signer)
	return string(signed), err
}
