package protect

import (
	"context"
	"errors"
	"slices"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// Bounds of what is remembered of an exchange's messages.
const (
	tailBytes = 256 // decoded bytes of each place that has passed
	headBytes = 512 // of a text that are held against them
	maxTails  = 64  // places; what comes in further ones is looked at by itself
	maxSeams  = 64  // texts of one message
)

// splittable are the types that are looked for over seams: their form proves
// them, so that texts which only happen to stand in a row are no findings.
var splittable = []pii.Type{pii.Secret, pii.Email, pii.CreditCard, pii.IBAN, pii.SSN, pii.Crypto, pii.NationalID, pii.TaxID, pii.HealthID}

// errSplitSecret is the cause of the refusal that also ends a stream.
var errSplitSecret = errors.New("a secret came in parts")

// piece is one text of a message.
type piece struct{ place, text string }

// seams looks for values that came in parts: over blocks of one message, over
// its text and its structure, and over the messages of a stream. What completes
// such a value does not leave, whatever its first part was: a message is
// refused, and after a secret the stream ends (C06).
func (s *Step) seams(ctx context.Context, j *job, m *wire.Message) error {
	tails := &j.x.Privacy.Tails
	last := m.Kind() != wire.Notification && m.Kind() != wire.Request
	pieces := results(m)
	if !last {
		pieces = leaves(m.Params())
	}
	if len(pieces) == 0 || last && len(pieces) == 1 && len(*tails) == 0 {
		return nil
	}
	if last {
		for _, t := range *tails {
			if err := s.seam(ctx, j, t.Text, pieces[0].text); err != nil {
				return err
			}
		}
		return s.inARow(ctx, j, pieces)
	}
	if err := s.inARow(ctx, j, pieces); err != nil {
		return err
	}
	next := slices.Clone(*tails)
	for _, p := range pieces {
		at := slices.IndexFunc(next, func(t exchange.Tail) bool { return t.Place == p.place })
		if at < 0 {
			if len(next) < maxTails {
				next = append(next, exchange.Tail{Place: p.place, Text: tail(nil, p.text)})
			}
			continue
		}
		if err := s.seam(ctx, j, next[at].Text, p.text); err != nil {
			return err
		}
		next[at].Text = tail(next[at].Text, p.text)
	}
	*tails = next
	return nil
}

// inARow holds each text against the end of those before it.
func (s *Step) inARow(ctx context.Context, j *job, pieces []piece) error {
	var before []byte
	for i, p := range pieces {
		if i > 0 {
			if err := s.seam(ctx, j, before, p.text); err != nil {
				return err
			}
		}
		before = tail(before, p.text)
	}
	return nil
}

// seam refuses a text that completes what the end of an earlier one began.
func (s *Step) seam(ctx context.Context, j *job, before []byte, text string) error {
	if len(before) == 0 || text == "" {
		return nil
	}
	window := append(slices.Clone(before), text[:min(len(text), headBytes)]...)
	spans, err := s.scan(ctx, j, wire.Quote(string(window)))
	if err != nil {
		_, err = s.unscanned(j, nil, err)
		return err
	}
	edge := len(wire.Quote(string(before))) - 1 // where the text begins inside the quotes
	for _, sp := range spans {
		if sp.Start >= edge || sp.End <= edge || !slices.Contains(splittable, sp.Type) {
			continue
		}
		a := j.p.Decide(j.where, sp.Type, sp.Sub)
		if a == privacy.Keep || a == privacy.Flag {
			continue
		}
		j.count(sp.Type, privacy.Block, 1)
		if j.p.Shadow() {
			continue
		}
		f := fault.As(refusal(j.where.Toward, []string{string(sp.Type)}))
		if sp.Type == pii.Secret {
			f.Cause = errSplitSecret
		}
		return f
	}
	return nil
}

// tail returns the last bytes of before and text together, cut at a character.
func tail(before []byte, text string) []byte {
	if len(text) >= tailBytes {
		before = nil
	}
	b := append(slices.Clone(before), text[max(0, len(text)-tailBytes):]...)
	b = b[max(0, len(b)-tailBytes):]
	for len(b) > 0 && b[0]&0xC0 == 0x80 {
		b = b[1:]
	}
	return b
}

// results returns the texts of a result: those of its blocks, and the first of
// its structure, where a value can go on that a text began.
func results(m *wire.Message) []piece {
	r := m.Result()
	var out []piece
	add := func(v wire.Value) {
		if text, ok := v.Text(); ok && len(out) < maxSeams {
			out = append(out, piece{"", text})
		}
	}
	for _, list := range []string{"content", "contents", "messages"} {
		for block := range r.Get(list).Elements() {
			add(block.Get("text"))
			add(block.At("resource", "text"))
			add(block.At("content", "text"))
		}
	}
	if len(out) == 0 && !r.Get("structuredContent").Exists() {
		return nil
	}
	return append(out, textsIn(r.Get("structuredContent"), maxSeams-len(out))...)
}

// leaves returns the texts of a notification or of a server's question.
func leaves(params wire.Value) []piece { return textsIn(params, maxSeams) }

// textsIn returns the first most strings in v.
func textsIn(v wire.Value, most int) (out []piece) {
	for spot := range v.Spots() {
		if len(out) >= most {
			break
		}
		if text, ok := spot.Value.Text(); ok && !spot.Key {
			out = append(out, piece{spot.Path(), text})
		}
	}
	return out
}
