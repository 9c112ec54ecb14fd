package vault

import (
	"context"
	"errors"
	"time"

	"ostiary.dev/ostiary/internal/keys"
)

// item is one value on its way to a token.
type item struct {
	scope string
	keyed bool
	value Value
	index string // what finds the value: its token's row when keyed, else its own row
	token string
	made  bool // the token is new
	met   bool // it is about somebody who was not known
}

// items checks the values and finds what each is looked up by.
func (v *Vault) items(scope string, keyed bool, values []Value) ([]*item, error) {
	if len(values) > maxValues {
		return nil, ErrTooMuch
	}
	if scope == "" || len(scope) > maxScope {
		return nil, ErrInvalid
	}
	out := make([]*item, len(values))
	for i, value := range values {
		if !validType(value.Type) {
			return nil, ErrInvalid
		}
		if len(value.Value) > maxValue {
			return nil, ErrTooMuch
		}
		it := &item{scope: scope, keyed: keyed, value: value}
		if err := v.locate(it); err != nil {
			return nil, err
		}
		out[i] = it
	}
	return out, nil
}

// locate finds what a value is looked up by.
func (v *Vault) locate(it *item) error {
	text := normal(it.value.Type, it.value.Value)
	if it.keyed {
		code, err := v.cfg.Keys.TokenCode(it.scope, it.value.Type, text)
		if err != nil {
			return err
		}
		it.token = tokenText(it.value.Type, code)
		it.index = v.tokenName(it.scope, it.token)
	} else {
		index, err := v.cfg.Keys.ValueIndex(it.scope, it.value.Type, text)
		if err != nil {
			return err
		}
		it.index = byValue + index
	}
	return nil
}

// batch is what several calls have written in one transaction.
type batch struct {
	calls []*call
	done  chan struct{}
}

// call is what one call has written, and how that ended.
type call struct {
	items []*item
	err   error
}

// write gives each item its token. Whoever comes first writes for all who came
// meanwhile: one sync of the disk serves them all.
func (v *Vault) write(ctx context.Context, items []*item) error {
	v.mu.Lock()
	if v.next == nil {
		v.next = &batch{done: make(chan struct{})}
	}
	b, c := v.next, &call{items, errEnded}
	b.calls = append(b.calls, c)
	v.mu.Unlock()
	select {
	case v.writer <- struct{}{}:
		v.lead(b)
	case <-b.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-b.done
	return c.err
}

// errEnded is what a call gets unless the writer returns.
var errEnded = errors.New("pseudonyms: the writer ended early")

// lead writes b unless somebody has, and lets the next one write.
func (v *Vault) lead(b *batch) {
	defer func() { <-v.writer }()
	v.mu.Lock()
	mine := v.next == b
	if mine {
		v.next = nil
	}
	v.mu.Unlock()
	if !mine {
		return
	}
	defer close(b.done)
	v.together(b.calls)
}

// together writes what calls ask for, and for each by itself if that fails: what one
// caller may not have refuses nobody else (TestNobodyElseIsRefused).
func (v *Vault) together(calls []*call) {
	var items []*item
	for _, c := range calls {
		items = append(items, c.items...)
	}
	err := v.commit(items)
	for _, c := range calls {
		if c.err = err; err != nil && len(calls) > 1 {
			c.err = v.commit(c.items)
		}
	}
}

// attempts is how often a batch is made anew when its rows changed under it.
const attempts = 3

func (v *Vault) commit(items []*item) error {
	var err error
	for range attempts {
		var p *plan
		if err = v.know(items); err != nil {
			return err
		}
		if p, err = v.plan(items); err == nil && len(p.rows) > 0 {
			err = v.cfg.Rows.PutPseudonyms(p.rows)
		}
		if err == nil {
			v.settle(items, p)
			return nil
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return err
}

// plan is what a batch writes and what each of its values gets.
type plan struct {
	rows   []Row
	tokens map[string]entry // by index
	made   int
	seen   uint64 // the cache as it was before the rows were read
}

func (v *Vault) plan(items []*item) (*plan, error) {
	p := &plan{tokens: map[string]entry{}, seen: v.cache.now()}
	for _, it := range items {
		it.made = false // another attempt may find what this one did not
	}
	owners := map[string]string{}
	for _, it := range items {
		if it.value.Subject != "" && owners[it.index] == "" {
			owners[it.index] = it.value.Subject
		}
	}
	for _, it := range items {
		if _, done := p.tokens[it.index]; done {
			continue
		}
		it.value.Subject = owners[it.index]
		if err := v.decide(p, it); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// decide finds the token of a value that has one, and makes one otherwise.
func (v *Vault) decide(p *plan, it *item) error {
	row, found, err := v.cfg.Rows.PseudonymRow(it.index)
	if err != nil {
		return err
	}
	if found && !it.keyed {
		value := row
		if row, found, err = v.cfg.Rows.PseudonymRow(v.tokenName(it.scope, row.Token)); err != nil {
			return err
		}
		if !found { // its token was swept: another one takes its place
			return v.make(p, it, value.Revision, 0)
		}
	}
	if !found {
		return v.make(p, it, 0, 0)
	}
	now := v.cfg.Clock.Now()
	plain, err := v.open(row)
	if err != nil || !now.Before(row.Expires) { // its key was destroyed, or it is too old
		return v.replace(p, it, row)
	}
	it.value.Value = string(plain) // as it was first written
	if row.Subject != "" {
		it.value.Subject = v.subjectName(row.Subject) // whose it was first
	} else if it.value.Subject != "" && !v.cfg.ReadOnly {
		return v.adopt(p, it, row)
	}
	if !now.Before(v.renewal(row.Expires)) {
		return v.renew(p, it, row)
	}
	p.keep(it, row, v.renewal(row.Expires))
	return nil
}

// renewal is from when on a use of a value moves its expiry on.
func (v *Vault) renewal(expires time.Time) time.Time { return expires.Add(-v.cfg.Expiry() / 2) }

func (p *plan) keep(it *item, row Row, renew time.Time) {
	p.tokens[it.index] = entry{name: row.Name, index: it.index, token: row.Token, value: it.value, expires: row.Expires, renew: renew}
}

// make adds a token. value and token are the revisions of the rows that it
// replaces.
func (v *Vault) make(p *plan, it *item, value, token int64) error {
	if v.cfg.ReadOnly {
		return ErrReadOnly
	}
	text := it.token
	if !it.keyed {
		text = tokenText(it.value.Type, keys.RandomCode())
	}
	now := v.cfg.Clock.Now()
	row := Row{Name: v.tokenName(it.scope, text), Revision: token, Scope: it.scope, Type: it.value.Type, Token: text, Keyed: it.keyed,
		Made: now, Expires: now.Add(v.cfg.Expiry())}
	var err error
	if row.Subject, err = v.subjectOf(it.value.Subject); err != nil {
		return err
	}
	if row.Sealed, err = v.cfg.Keys.SealPseudonym(row.place(), []byte(it.value.Value)); err != nil {
		return err
	}
	if !it.keyed {
		row.Index = it.index
		p.rows = append(p.rows, Row{Name: it.index, Revision: value, Scope: it.scope, Type: it.value.Type, Token: text, Made: row.Made, Expires: row.Expires})
	}
	p.rows = append(p.rows, row)
	p.made++
	it.made = true
	p.keep(it, row, v.renewal(row.Expires))
	return nil
}

// replace makes a token in place of one that has expired or whose value is gone.
// A keyed one is the same text again.
func (v *Vault) replace(p *plan, it *item, row Row) error {
	if it.keyed {
		return v.make(p, it, 0, row.Revision)
	}
	value, found, err := v.cfg.Rows.PseudonymRow(it.index)
	if err != nil {
		return err
	}
	if !found {
		return ErrConflict
	}
	return v.make(p, it, value.Revision, 0)
}

// renew moves the expiry of a token on. A gateway that cannot write leaves it.
func (v *Vault) renew(p *plan, it *item, row Row) error {
	if v.cfg.ReadOnly {
		p.keep(it, row, row.Expires)
		return nil
	}
	row.Expires = v.cfg.Clock.Now().Add(v.cfg.Expiry())
	p.rows = append(p.rows, row)
	p.keep(it, row, v.renewal(row.Expires))
	return nil
}

// adopt gives a value that was nobody's to the subject that it is now known to be
// about: its erasure must take it, whenever it was met first
// (TestValueIsAdopted).
func (v *Vault) adopt(p *plan, it *item, row Row) error {
	var err error
	if row.Subject, err = v.subjectOf(it.value.Subject); err != nil {
		return err
	}
	if row.Sealed, err = v.cfg.Keys.SealPseudonym(row.place(), []byte(it.value.Value)); err != nil {
		return err
	}
	return v.renew(p, it, row)
}

// settle hands the tokens out, which are stored now.
func (v *Vault) settle(items []*item, p *plan) {
	for _, e := range p.tokens {
		v.cache.put(e, p.seen)
	}
	for _, it := range items {
		it.token = p.tokens[it.index].token
	}
	v.made.Add(uint64(p.made))
	v.reused.Add(uint64(len(items) - p.made))
}
