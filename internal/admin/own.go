package admin

import (
	"context"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// Own is what the gateway itself may change without an operator, for pages such
// as the issuer's: nouns, each change with its entry in the control log.
type Own struct{ admin *Admin }

// Own returns the changes that need no operator. Whoever gets them must have
// checked who asks.
func (a *Admin) Own() Own { return Own{a} }

// Noun returns one noun as it is stored.
func (o Own) Noun(kind registry.NounKind, id string) (registry.Noun, error) {
	return o.admin.cfg.Store.Noun(kind, id)
}

// Nouns returns the nouns of a kind as they are stored.
func (o Own) Nouns(kind registry.NounKind) ([]registry.Noun, error) {
	return o.admin.cfg.Store.Nouns(kind)
}

// Pseudonym returns the pseudonym of a name.
func (o Own) Pseudonym(name string) (string, error) { return o.admin.cfg.Store.Pseudonym(name) }

// Name returns the name behind a pseudonym; registry.ErrNotFound for nobody.
func (o Own) Name(pseudonym string) (string, error) { return o.admin.cfg.Store.Name(pseudonym) }

// Note records what changed nothing.
func (o Own) Note(acts ...auditlog.Act) error { return o.admin.cfg.Recorder.Act(acts...) }

// Change runs do in a transaction and records what it returns in it: a change
// that cannot be recorded is not made. The data path sees it when Change
// returns, unless it touched nothing that the path sees. Errors of do come back
// as they are, and undo everything.
func (o Own) Change(_ context.Context, do func(registry.NounStore) ([]auditlog.Act, error)) error {
	a := o.admin
	a.mu.Lock()
	defer a.mu.Unlock()
	var view *registry.Snapshot
	err := a.cfg.Store.InTx(func(s store.Store) error {
		acts, err := do(s)
		if err != nil {
			return err
		}
		if seen(s.Touched()) {
			if view, err = (&operator{Admin: a}).next(s); err != nil {
				return err
			}
		}
		if len(acts) == 0 {
			acts = []auditlog.Act{{Kind: auditlog.AdminChanged, Action: "gateway.change"}}
		}
		return a.cfg.Recorder.Admin(rowsOf(s), acts...)
	})
	if err != nil || view == nil {
		return err
	}
	a.base = view
	a.cfg.Live.Swap(view)
	return nil
}

// seen reports whether a snapshot shows any of what was touched.
func seen(t registry.Touched) bool {
	if t.Whole || len(t.Servers)+len(t.Agents)+len(t.Tokens)+len(t.Certificates)+len(t.Grants) > 0 {
		return true
	}
	for _, n := range t.Nouns {
		if n.Kind.Lives() {
			return true
		}
	}
	return false
}
