package admin

import (
	"context"
	"sync"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
	"ostiary.dev/ostiary/internal/vault"
)

// revealsAnHour is how many values one operator may have revealed in an hour:
// re-identification is an act about somebody, not a way to copy the map.
const revealsAnHour = 20

// maxPurpose bounds a purpose, in bytes.
const maxPurpose = 128

// reveals counts who revealed how much in this hour.
type reveals struct {
	mu   sync.Mutex
	hour int64
	by   map[string]int
}

// allow counts one more, unless it is one too many.
func (r *reveals) allow(by string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if hour := now.Unix() / 3600; hour != r.hour || r.by == nil {
		r.hour, r.by = hour, map[string]int{}
	}
	r.by[by]++
	return r.by[by] <= revealsAnHour
}

func noVault() *Error {
	return &Error{Code: Unavailable, Message: "there is no map of pseudonyms here", Fix: "check with: ostiary doctor"}
}

// found finds a token, in whatever scope it is.
func (o *operator) found(ctx context.Context, token string) (vault.Found, error) {
	if o.cfg.Vault == nil {
		return vault.Found{}, noVault()
	}
	if !vault.IsToken(token) {
		return vault.Found{}, invalid("give it whole, with its brackets, in quotes", "that is no token")
	}
	f, ok, err := o.cfg.Vault.Lookup(ctx, token)
	if err != nil {
		return f, asError("the token", err)
	}
	if !ok {
		return f, &Error{Code: NotFound, Message: "nothing stands behind that token: it was never made, has expired or was erased"}
	}
	return f, nil
}

func (o *operator) viewToken(f vault.Found) TokenInfo {
	v := TokenInfo{Token: f.Token(), Type: f.Type(), Scope: f.Scope(), Form: "random", Subject: f.Subject(), Made: f.Made(), Expires: f.Expires(),
		Expired: !o.cfg.Clock.Now().Before(f.Expires())}
	if f.Keyed() {
		v.Form = "keyed"
	}
	return v
}

// VaultLookup says what is known of a token, but for its value. It is recorded:
// also whose scope a token is of says something about somebody.
func (o *operator) VaultLookup(ctx context.Context, r VaultToken) (TokenInfo, error) {
	f, err := o.found(ctx, r.Token)
	if err != nil {
		return TokenInfo{}, err
	}
	act := auditlog.Act{Kind: auditlog.AuditRead, Action: "vault.lookup", By: o.by, Change: revealed{Token: f.Token(), Type: f.Type()}}
	if err := o.cfg.Recorder.Act(act); err != nil {
		return TokenInfo{}, asError("the lookup", err)
	}
	return o.viewToken(f), nil
}

// revealed is what the log keeps: never the value.
type revealed struct {
	Token   string `json:"token"`
	Type    string `json:"type"`
	Purpose string `json:"purpose,omitempty"`
	Subject string `json:"subject,omitempty"`
	Second  string `json:"second,omitempty"` // pseudonym of who agreed
	Proof   string `json:"proof,omitempty"`  // how the person showed who they are
}

// VaultReveal returns the value behind a token. The entry about it is on stable
// storage before the value leaves (TestRevealIsRecordedFirst). Where people are
// enrolled who may, one of them does it, signed in again, and not the operator at
// the socket (TestRevealNeedsAPerson).
func (o *operator) VaultReveal(ctx context.Context, r RevealToken) (Done[Revealed], error) {
	var out Done[Revealed]
	if err := o.mayReveal(r); err != nil {
		return out, err
	}
	f, err := o.found(ctx, r.Token)
	if err != nil {
		return out, err
	}
	out.Item, out.Notices = Revealed{Token: f.Token(), Type: f.Type()}, []string{}
	if r.DryRun {
		return out, nil
	}
	value, ok := o.cfg.Vault.Reveal(f)
	if !ok {
		return out, &Error{Code: NotFound, Message: "nothing stands behind that token any more: it has expired, or its key was destroyed"}
	}
	// The reason stays in the log: it must not keep the value.
	r.Reason = without(r.Reason, value.Value, f.Token())
	var second string
	if o.cfg.RevealTwo != nil && o.cfg.RevealTwo() {
		if second, err = o.agreed(r, f, &out); err != nil || second == "" {
			return out, err
		}
	}
	if !o.revealed.allow(o.by, o.cfg.Clock.Now()) {
		return out, &Error{Code: Forbidden, Message: "you have revealed as many values as one person may in an hour", Fix: "wait, or ask a colleague"}
	}
	detail := revealed{Token: f.Token(), Type: f.Type(), Purpose: r.Purpose, Subject: f.Subject(), Second: second}
	if o.proof != nil {
		detail.Proof = o.proof.Strength.ACR()
	}
	err = o.cfg.Recorder.Act(auditlog.Act{Kind: auditlog.PseudonymRevealed, Action: "vault.reveal", By: o.by,
		Reason: r.Reason, Change: detail})
	if err != nil {
		return out, asError("the value", err)
	}
	if o.cfg.Alarm != nil {
		o.cfg.Alarm(string(auditlog.PseudonymRevealed), f.Type())
	}
	out.Applied, out.Item.Value = true, value.Value
	return out, nil
}

// mayReveal refuses what cannot be, and who may not.
func (o *operator) mayReveal(r RevealToken) error {
	switch {
	case o.cfg.Vault == nil:
		return noVault()
	case o.cfg.Follows != nil:
		return o.cfg.Follows
	case r.Reason == "" || len(r.Reason) > maxReason:
		return invalid("add --reason TEXT", "a value is revealed for a reason, of at most %d bytes", maxReason)
	case r.Purpose == "" || len(r.Purpose) > maxPurpose:
		return invalid("add --purpose NAME", "a value is revealed for a purpose, of at most %d bytes", maxPurpose)
	case o.proof != nil:
		return nil // role and fresh sign-in were checked before the call came here
	}
	people, err := adminsEnrolled(o.cfg.Store)
	if err != nil {
		return asError("people", err)
	}
	if people {
		return &Error{Code: Forbidden, Message: "people reveal values here, with a second factor; the operator at the socket does not",
			Fix: "an admin signs in and does it over the admin listener"}
	}
	return nil
}

// adminsEnrolled reports whether anybody is enrolled who may reveal values.
func adminsEnrolled(s registry.NounStore) (bool, error) {
	return anybody(s, func(p registry.Person) bool { return p.State == registry.PersonActive && p.Has(registry.RoleAdmin) })
}

// VaultStats counts what is in the map.
func (o *operator) VaultStats(ctx context.Context, _ None) (VaultStats, error) {
	if o.cfg.Vault == nil {
		return VaultStats{}, noVault()
	}
	s, err := o.cfg.Vault.Stats(ctx)
	if err != nil {
		return VaultStats{}, asError("the map of pseudonyms", err)
	}
	return VaultStats{s, o.cfg.Vault.Counts()}, nil
}

// forget empties what is in memory of pseudonyms, after keys changed.
func (o *operator) forget() {
	if o.cfg.Vault != nil {
		o.cfg.Vault.Forget()
	}
}

// erasePseudonyms deletes the rows of tokens.
func erasePseudonyms(s store.Store, all []vault.Found) error {
	for _, f := range all {
		if _, err := s.ErasePseudonyms(f.Rows()); err != nil {
			return err
		}
	}
	return nil
}
