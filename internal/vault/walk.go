package vault

import (
	"context"
	"fmt"
	"time"
)

// walkAtOnce is how many rows a walk reads between looks at its context: the
// store serves others meanwhile.
const walkAtOnce = 256

// Found is a token as operators may see it: everything but its value.
type Found struct {
	row Row
}

// What is known of a token.
func (f Found) Token() string      { return f.row.Token }
func (f Found) Type() string       { return f.row.Type }
func (f Found) Scope() string      { return f.row.Scope }
func (f Found) Keyed() bool        { return f.row.Keyed }
func (f Found) Subject() string    { return f.row.Subject } // pseudonym; "" when nobody knows
func (f Found) Made() time.Time    { return f.row.Made }
func (f Found) Expires() time.Time { return f.row.Expires }

// Rows are the names of the rows that make the token.
func (f Found) Rows() []string {
	if f.row.Index == "" {
		return []string{f.row.Name}
	}
	return []string{f.row.Name, f.row.Index}
}

// walk hands on every token's row. Rows that come or go meanwhile may be missed.
func (v *Vault) walk(ctx context.Context, fn func(Row) error) error {
	for after := ""; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		some, err := v.cfg.Rows.PseudonymRows(byToken, after, walkAtOnce)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, r := range some {
			if r.Token == "" {
				continue // erased
			}
			if err := fn(r); err != nil {
				return err
			}
		}
		after = some[len(some)-1].Name
	}
}

// Lookup finds a token in whatever scope it is. It reads the whole map: it is for
// operators, not for calls. An expired token is found until it is swept.
func (v *Vault) Lookup(ctx context.Context, token string) (f Found, ok bool, err error) {
	if !IsToken(token) {
		return f, false, nil
	}
	err = v.walk(ctx, func(r Row) error {
		if r.Token == token {
			f, ok = Found{r}, true
		}
		return nil
	})
	if err != nil {
		return f, false, fmt.Errorf("look a token up: %w", err)
	}
	return f, ok, nil
}

// Reveal returns the value behind a token, and false when it has expired or its
// key is gone. Whoever calls it has recorded that.
func (v *Vault) Reveal(f Found) (Value, bool) {
	plain, err := v.cfg.Keys.OpenPseudonym(f.row.place(), f.row.Sealed)
	if err != nil || !v.cfg.Clock.Now().Before(f.row.Expires) {
		return Value{}, false
	}
	return Value{Type: f.row.Type, Value: string(plain), Subject: v.subjectName(f.row.Subject)}, true
}

// OfSubject returns the tokens of a data subject, by its pseudonym.
func (v *Vault) OfSubject(ctx context.Context, pseudonym string) (out []Found, err error) {
	if pseudonym == "" {
		return nil, nil
	}
	err = v.walk(ctx, func(r Row) error {
		if r.Subject == pseudonym {
			out = append(out, Found{r})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("tokens of a subject: %w", err)
	}
	return out, nil
}

// OfValue returns the tokens of a value in every scope and under every version
// of the key, of one type or, with "", of all. No value is opened for it: the
// indexes of the value are looked up wherever there are tokens.
func (v *Vault) OfValue(ctx context.Context, typ, value string) (out []Found, err error) {
	places := map[[2]string]bool{}
	err = v.walk(ctx, func(r Row) error {
		if typ == "" || r.Type == typ {
			places[[2]string{r.Scope, r.Type}] = true
		}
		return nil
	})
	seen := map[string]bool{}
	for at := range places {
		if err != nil {
			break
		}
		var some []Found
		some, err = v.inScope(at[0], at[1], value)
		for _, f := range some {
			if !seen[f.row.Name] {
				seen[f.row.Name] = true
				out = append(out, f)
			}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("tokens of a value: %w", err)
	}
	return out, nil
}

// inScope returns the tokens of a value in one scope.
func (v *Vault) inScope(scope, typ, value string) (out []Found, err error) {
	text := normal(typ, value)
	codes, err := v.cfg.Keys.TokenCodes(scope, typ, text)
	if err != nil {
		return nil, err
	}
	var tokens []string
	for _, code := range codes {
		tokens = append(tokens, tokenText(typ, code))
	}
	indexes, err := v.cfg.Keys.ValueIndexes(scope, typ, text)
	if err != nil {
		return nil, err
	}
	for _, index := range indexes {
		row, found, err := v.cfg.Rows.PseudonymRow(byValue + index)
		if err != nil {
			return nil, err
		}
		if found {
			tokens = append(tokens, row.Token)
		}
	}
	for _, token := range tokens {
		row, found, err := v.cfg.Rows.PseudonymRow(v.tokenName(scope, token))
		if err != nil {
			return nil, err
		}
		if found {
			out = append(out, Found{row})
		}
	}
	return out, nil
}

// Stats counts what is in the map.
type Stats struct {
	Tokens   int            `json:"tokens"`
	Expired  int            `json:"expired"` // of them; swept soon
	Keyed    int            `json:"keyed"`
	Scopes   int            `json:"scopes"`
	Subjects int            `json:"subjects"`
	Types    map[string]int `json:"types"`
}

// Stats walks the map and counts.
func (v *Vault) Stats(ctx context.Context) (Stats, error) {
	s, scopes, subjects := Stats{Types: map[string]int{}}, map[string]bool{}, map[string]bool{}
	now := v.cfg.Clock.Now()
	err := v.walk(ctx, func(r Row) error {
		s.Tokens++
		s.Types[r.Type]++
		scopes[r.Scope] = true
		if r.Subject != "" {
			subjects[r.Subject] = true
		}
		if r.Keyed {
			s.Keyed++
		}
		if !now.Before(r.Expires) {
			s.Expired++
		}
		return nil
	})
	if err != nil {
		return Stats{}, fmt.Errorf("count pseudonyms: %w", err)
	}
	s.Scopes, s.Subjects = len(scopes), len(subjects)
	return s, nil
}

// Sweep removes tokens that have expired and returns how many. Nobody writes
// while some of them are looked at: a token that is made anew in the place of one
// that has expired must not go with it (TestSweepSparesTheRenewed).
func (v *Vault) Sweep(ctx context.Context) (n int, err error) {
	for after := ""; err == nil; {
		select {
		case v.writer <- struct{}{}:
		case <-ctx.Done():
			return n, nil
		}
		var gone int
		gone, after, err = v.sweepSome(after)
		<-v.writer
		if n += gone; after == "" {
			break
		}
	}
	if err != nil {
		return n, fmt.Errorf("sweep pseudonyms: %w", err)
	}
	return n, nil
}

func (v *Vault) sweepSome(after string) (n int, last string, err error) {
	some, err := v.cfg.Rows.PseudonymRows(byToken, after, walkAtOnce)
	if err != nil || len(some) == 0 {
		return 0, "", err
	}
	now := v.cfg.Clock.Now()
	var names []string
	for _, r := range some {
		if r.Token == "" || now.Before(r.Expires) {
			continue
		}
		n++
		names = append(names, r.Name)
		if r.Index == "" {
			continue
		}
		// The value's row may tell another token by now.
		value, found, err := v.cfg.Rows.PseudonymRow(r.Index)
		if err != nil {
			return 0, "", err
		}
		if found && value.Token == r.Token {
			names = append(names, r.Index)
		}
	}
	if len(names) > 0 {
		_, err = v.cfg.Rows.DropPseudonyms(names)
	}
	return n, some[len(some)-1].Name, err
}
