package protect

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// replace sets what takes the place of each finding. All pseudonyms of a message
// are made in one transaction, which is durable before anything leaves.
func (s *Step) replace(ctx context.Context, j *job, found []finding) error {
	shapes := j.shapes()
	var tokens []*finding
	for i := range found {
		f := &found[i]
		shape := shapes.at(f)
		if !shape.Free() && j.p.Drawn(f.action, f.typ) && len(f.value) <= longestToken {
			f.shape, tokens = &shape, append(tokens, f)
			continue
		}
		if !shape.Free() {
			f.action = j.p.Shaped(f.action, privacy.Finding{Type: f.typ, Sub: f.sub, Value: f.value, Schema: shape})
		}
		switch f.action {
		case privacy.Block:
			return refusal(j.where.Toward, []string{string(f.typ)})
		case privacy.Token:
			if len(f.value) <= longestToken {
				tokens = append(tokens, f)
				continue
			}
			f.action = privacy.Redact // a whole encoded run: nobody repeats it
		case privacy.Drop:
			if f.key || !f.whole {
				f.action = privacy.Redact // a part of a text cannot be taken out as a member
			} else {
				continue
			}
		}
		if err := s.transform(j, f, privacy.Finding{Schema: shape}); err != nil {
			return err
		}
	}
	return s.tokens(ctx, j, tokens)
}

// transform makes what takes a finding's place, without the vault. of says what
// the schema demands, and the seed if one was drawn.
func (s *Step) transform(j *job, f *finding, of privacy.Finding) error {
	of.Type, of.Sub, of.Value, of.Scope, of.Subject = f.typ, f.sub, f.value, s.scopeOf(j), f.subject
	text, err := j.p.Transform(f.action, of, s.c.Secrets)
	if errors.Is(err, privacy.ErrShape) && f.whole && !f.key && j.where.Toward == privacy.Client {
		f.action = privacy.Drop // the schema is asked at the end whether it can do without
		return nil
	}
	if err != nil {
		return fault.Wrap(fault.Unscannable, fmt.Errorf("%s of %s: %w", f.action, f.typ, err))
	}
	f.text = text
	return nil
}

// longestToken is the longest value, in bytes, that a pseudonym stands for.
const longestToken = 4 << 10

// tokens fills in the pseudonyms, one for each value.
func (s *Step) tokens(ctx context.Context, j *job, found []*finding) error {
	if len(found) == 0 {
		return nil
	}
	place := map[vault.Value]int{}
	var values []vault.Value
	for _, f := range found {
		v := vault.Value{Type: string(f.typ), Value: f.value}
		at, known := place[v]
		if !known {
			at = len(values)
			place[v], values = at, append(values, v)
		}
		if values[at].Subject == "" {
			values[at].Subject = f.subject
		}
	}
	if s.c.Vault == nil {
		return fault.Wrap(fault.Unscannable, errNoVault)
	}
	made, err := s.c.Vault.Hide(vault.For(ctx, j.x.Principal.ID), s.scopeOf(j), j.p.Keyed(), values)
	if err != nil {
		return unhidden(fmt.Errorf("make pseudonyms: %w", err))
	}
	if len(made) != len(values) {
		return fault.New(fault.Unscannable)
	}
	for _, f := range found {
		token := made[place[vault.Value{Type: string(f.typ), Value: f.value}]]
		if f.shape == nil {
			f.text = token
			continue
		}
		f.action = privacy.Surrogate
		if err := s.transform(j, f, privacy.Finding{Schema: *f.shape, Seed: seedOf(token)}); err != nil {
			return err
		}
	}
	return nil
}

// seedOf is a number that follows from a pseudonym's random code, and from nothing
// else.
func seedOf(token string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(token)) // it cannot fail
	return max(1, h.Sum64())
}

// unhidden says why there are no pseudonyms, where the caller or an operator can do
// something about it.
func unhidden(err error) error {
	f := fault.Wrap(fault.Unscannable, err)
	switch {
	case errors.Is(err, vault.ErrFresh):
		f = fault.Wrap(fault.RateLimited, err)
		f.Public = "Too many different values had to be hidden from this client in this hour; ask for less, or try again later."
	case errors.Is(err, vault.ErrReadOnly):
		f.Public = "A value must be hidden that was not met before, which this replica of the gateway cannot do; ask its owner, another address of the same gateway."
	case errors.Is(err, vault.ErrTooMuch):
		f.Public = "The message holds more values that must be hidden, or longer ones, than one message may; ask for less."
	}
	return f
}

// splice puts the texts in the places of the findings and of their twins
// elsewhere in the message.
func (j *job) splice(m *wire.Message, found []finding) (*wire.Message, error) {
	found = append(found, j.twins(m, found)...)
	slices.SortFunc(found, func(a, b finding) int { return a.start - b.start })
	gone := map[int]bool{}
	for _, f := range found {
		if f.action == privacy.Drop {
			gone[f.spot] = true
		}
	}
	edits, cut := removals(m, gone)
	names := map[string]int{}
	last := -1
	for _, f := range found {
		j.count(f.typ, f.action, 1)
		j.hide(f)
		if f.action == privacy.Drop || cut.covers(f.start) || f.start < last {
			continue
		}
		edits = append(edits, wire.Edit{Start: f.start, End: f.end, Text: f.written(names)})
		last = f.end
	}
	n, err := m.Rewrite(edits...)
	if err != nil {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("the message cannot be written anew: %w", err))
	}
	return n, nil
}

// hide counts what the reader is told about.
func (j *job) hide(f finding) {
	if j.hidden == nil {
		j.hidden = map[string]int{}
	}
	j.hidden[string(f.typ)]++
}

// written is the JSON that takes the finding's place. Names of members stay
// distinct, so that no two become one.
func (f *finding) written(names map[string]int) []byte {
	text := f.text
	if f.key {
		if n := names[text]; n > 0 {
			text = fmt.Sprintf("%s-%d", text, n+1)
		}
		names[f.text]++
	}
	quoted := wire.Quote(text)
	if f.number {
		if v, err := wire.ParseValue([]byte(text), wire.DefaultLimits()); err == nil && v.Kind() == wire.Number {
			return []byte(text)
		}
		return quoted
	}
	return quoted[1 : len(quoted)-1]
}
