// Package vault keeps the map of pseudonyms: which token stands for which value
// inside a scope. Hide gives tokens for values, Restore gives the values back.
//
// It holds clear values only while a call runs and in a bounded cache; what it
// stores is sealed by keys and found by blind indexes. It deliberately decides
// nothing: who may have a value back is protect's and admin's to say, and it
// writes to no log. docs/pseudonyms.md, docs/decisions/0029-pseudonyms.md.
package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// Errors of the vault. Each is a refusal: nothing was handed out.
var (
	ErrReadOnly   = errors.New("a new pseudonym is needed, and another gateway alone can make it")
	ErrTooMuch    = errors.New("more values or longer ones than a message may have pseudonyms for")
	ErrLookalikes = errors.New("too many tokens that nobody was given; the caller may be guessing")
	ErrFresh      = errors.New("the caller had more new values hidden in this hour than it may")
	ErrConflict   = errors.New("the rows of pseudonyms changed meanwhile")
	ErrInvalid    = errors.New("not a scope or a type of pseudonyms")
)

// Value is what a token stands for. Subject is whom it is about, "" when nobody
// knows; an erasure of the subject takes all of its values. The zero Value stands
// for a token that does not resolve.
type Value struct{ Type, Value, Subject string }

// String keeps the value out of anything that prints it.
func (v Value) String() string { return "[" + v.Type + "]" }

// GoString keeps it out of %#v.
func (v Value) GoString() string { return v.String() }

// Bounds of one call.
const (
	maxValues = 1 << 14
	maxValue  = 16 << 10
	maxScope  = 4 << 10
)

// Limit bounds what callers can make the vault do. Zero values mean the defaults.
type Limit struct {
	Cached     int // tokens whose values are kept in memory; 16,384
	Lookalikes int // tokens of a scope that do not resolve, a minute; 300
}

// Keys are the operations on keys that the vault needs. *keys.Ring is one.
type Keys interface {
	Index(kind, name string) string
	TokenCode(scope, typ, value string) (string, error)
	TokenCodes(scope, typ, value string) ([]string, error)
	ValueIndex(scope, typ, value string) (string, error)
	ValueIndexes(scope, typ, value string) ([]string, error)
	SealPseudonym(keys.PseudonymPlace, []byte) ([]byte, error)
	OpenPseudonym(keys.PseudonymPlace, []byte) ([]byte, error)
	Subjects(names []string) ([]keys.Subject, error)
	FindSubject(name string) (keys.Subject, bool)
	SubjectOf(pseudonym string) (keys.Subject, bool)
}

// Config is what a Vault is made of.
type Config struct {
	Rows     Rows
	Keys     Keys
	Clock    clock.Clock
	Limit    Limit
	Expiry   func() time.Duration // how long a token resolves after its last use, at most; nil: 30 days
	Fresh    func() int           // new tokens and people that one caller may have in an hour; nil and 0: any number
	Learn    func()               // reads subjects anew that another gateway made; nil: there is no other one
	ReadOnly bool                 // another gateway owns the rows: no new token is made here
}

// defaultExpiry is that of the zero configuration.
const defaultExpiry = 30 * 24 * time.Hour

// Vault is safe for concurrent use.
type Vault struct {
	cfg     Config
	decoy   decoy
	writer  chan struct{} // holds the one who writes
	mu      sync.Mutex    // guards next
	next    *batch        // what waits to be written
	cache   *cache
	guesses guesses
	fresh   fresh
	made    atomic.Uint64
	reused  atomic.Uint64
	back    atomic.Uint64
}

// New returns a Vault. It reads and writes nothing yet.
func New(c Config) *Vault {
	if c.Expiry == nil {
		c.Expiry = func() time.Duration { return defaultExpiry }
	}
	if c.Limit.Cached <= 0 {
		c.Limit.Cached = 1 << 14
	}
	if c.Limit.Lookalikes <= 0 {
		c.Limit.Lookalikes = 300
	}
	if c.Fresh == nil {
		c.Fresh = func() int { return 0 }
	}
	v := &Vault{cfg: c, writer: make(chan struct{}, 1), cache: newCache(c.Limit.Cached)}
	v.guesses.limit = c.Limit.Lookalikes
	return v
}

// Hide returns a token for each value, in order. The same value of a type has
// the same token inside a scope, keyed or not. Every token is on stable storage
// when Hide returns, so that no token is out that a crash would leave without its
// value (TestHideSurvivesKill). One call is one transaction, which calls at the
// same time share.
func (v *Vault) Hide(ctx context.Context, scope string, keyed bool, values []Value) ([]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	items, err := v.items(scope, keyed, values)
	if err != nil {
		return nil, fmt.Errorf("hide values: %w", err)
	}
	now := v.cfg.Clock.Now()
	var missing []*item
	for _, it := range items {
		if token, ok := v.cache.token(it.index, it.value.Subject, now); ok {
			it.token = token
			v.reused.Add(1)
			continue
		}
		missing = append(missing, it)
	}
	if len(missing) > 0 {
		caller := callerOf(ctx)
		if !v.fresh.allow(caller, v.cfg.Fresh(), now) {
			return nil, fmt.Errorf("hide values: %w", ErrFresh)
		}
		if err := v.write(ctx, missing); err != nil {
			return nil, fmt.Errorf("hide values: %w", err)
		}
		n := 0
		for _, it := range missing {
			if it.made || it.met {
				n++
			}
		}
		v.fresh.made(caller, n, now)
	}
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.token
	}
	return out, nil
}

// Restore returns the value of each token, in order. A token that was forged, is
// another scope's or tenant's, or has expired gives the zero Value, after the
// same work: neither answer nor time tells one from another
// (TestC11RestoreAlike). Too many of them in a minute are ErrLookalikes.
func (v *Vault) Restore(ctx context.Context, scope string, tokens []string) ([]Value, error) {
	if len(tokens) > maxValues || scope == "" || len(scope) > maxScope {
		return nil, fmt.Errorf("restore values: %w", ErrTooMuch)
	}
	out := make([]Value, len(tokens))
	unknown := 0
	for i, token := range tokens {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("restore values: %w", err)
		}
		value, ok, err := v.restore(scope, token)
		if err != nil {
			return nil, fmt.Errorf("restore values: %w", err)
		}
		if !ok {
			unknown++
			continue
		}
		out[i] = value
	}
	v.back.Add(uint64(len(tokens) - unknown))
	if !v.guesses.allow(scope, unknown, v.cfg.Clock.Now()) {
		return nil, fmt.Errorf("restore values: %w", ErrLookalikes)
	}
	return out, nil
}

// restore resolves one token.
func (v *Vault) restore(scope, token string) (Value, bool, error) {
	now, generation := v.cfg.Clock.Now(), v.cache.now()
	name := v.tokenName(scope, token)
	if value, ok := v.cache.value(name, now); ok {
		return value, true, nil
	}
	row, found, err := v.cfg.Rows.PseudonymRow(name)
	if err != nil {
		return Value{}, false, err
	}
	if !found || row.Token != token || row.Scope != scope {
		return Value{}, false, v.work()
	}
	plain, err := v.open(row)
	if err != nil || !now.Before(row.Expires) { // erased, or too old
		return Value{}, false, nil
	}
	value := Value{Type: row.Type, Value: string(plain), Subject: v.subjectName(row.Subject)}
	v.cache.put(entry{name: name, token: token, value: value, expires: row.Expires}, generation)
	return value, true, nil
}

// open opens the value of a row. Whose it is may be known to the gateway alone that
// made the row.
func (v *Vault) open(row Row) ([]byte, error) {
	plain, err := v.cfg.Keys.OpenPseudonym(row.place(), row.Sealed)
	if err == nil || row.Subject == "" || v.cfg.Learn == nil {
		return plain, err
	}
	if _, known := v.cfg.Keys.SubjectOf(row.Subject); known {
		return nil, err
	}
	v.cfg.Learn()
	return v.cfg.Keys.OpenPseudonym(row.place(), row.Sealed)
}

// Forget empties the cache: after an erasure, a rotation or a destruction of
// keys nothing may come from memory that the rows no longer give.
func (v *Vault) Forget() { v.cache.clear() }

// Counts are what the vault did since it was made.
type Counts struct {
	Made       uint64 `json:"made"`       // new tokens
	Reused     uint64 `json:"reused"`     // tokens from memory
	Restored   uint64 `json:"restored"`   // values given back
	Lookalikes uint64 `json:"lookalikes"` // tokens that did not resolve
	Refused    uint64 `json:"refused"`    // calls of callers who had too many new values hidden
	Cached     int    `json:"cached"`
}

// Counts returns them.
func (v *Vault) Counts() Counts {
	return Counts{Made: v.made.Load(), Reused: v.reused.Load(), Restored: v.back.Load(), Lookalikes: v.guesses.all.Load(), Refused: v.fresh.refused.Load(), Cached: v.cache.len()}
}
