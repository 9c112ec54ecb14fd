package protect

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/wire"
)

// Bounds of what is remembered of an exchange's messages.
const (
	tailBytes = 256  // decoded bytes of each place that has passed
	headBytes = 512  // of a text that are held against them
	maxTails  = 64   // places; what comes in further ones is looked at by itself
	maxBlocks = 1000 // of one result whose seams are looked at

	maxBefore    = 32 // blocks before a seam that count, when each is short
	maxStructure = 4  // texts of a structure that are held against the last block
)

// splittable are the types that are looked for over seams: their form proves
// them, so that texts which only happen to stand in a row are no findings.
var splittable = []pii.Type{pii.Secret, pii.Email, pii.CreditCard, pii.IBAN, pii.SSN, pii.Crypto, pii.NationalID, pii.TaxID, pii.HealthID}

// errSplitSecret is the cause of the refusal that also ends a stream.
var errSplitSecret = errors.New("a secret came in parts")

// seams looks for values that came in parts: over blocks of one result, over its
// text and its structure, and over the messages of a stream. What completes such
// a value does not leave, whatever its first part was: a message is refused, and
// after a secret the stream ends (C06).
func (s *Step) seams(ctx context.Context, j *job, m *wire.Message) error {
	if m.Kind() == wire.Notification || m.Kind() == wire.Request {
		return s.onStream(ctx, j, m.Params())
	}
	blocks, structure := results(m.Result())
	for _, t := range j.x.Privacy.Tails {
		if len(blocks) > 0 {
			if err := s.seam(ctx, j, t.Text, textOf(blocks[0])); err != nil {
				return err
			}
		}
	}
	for i := 1; i < len(blocks); i++ {
		if err := s.between(ctx, j, blocks[:i], blocks[i]); err != nil {
			return err
		}
	}
	for _, v := range structure {
		if err := s.between(ctx, j, blocks, v); err != nil {
			return err
		}
	}
	return nil
}

// between holds a text against the ends of those before it. Nothing is decoded
// where the seam is of two texts that cannot go on in each other.
func (s *Step) between(ctx context.Context, j *job, before []wire.Value, v wire.Value) error {
	left := inside(before[len(before)-1])
	if !joins(left, inside(v)) {
		return nil
	}
	var end []byte
	for i := max(0, len(before)-maxBefore); i < len(before); i++ {
		end = tail(end, textOf(before[i]))
	}
	return s.seam(ctx, j, end, textOf(v))
}

// inside returns what stands between a string's quotes.
func inside(v wire.Value) []byte {
	raw := v.Raw()
	return raw[1 : len(raw)-1]
}

func textOf(v wire.Value) string {
	text, _ := v.Text()
	return text
}

// onStream holds the texts of a message against what passed in the same places
// before, and remembers their ends.
func (s *Step) onStream(ctx context.Context, j *job, params wire.Value) error {
	next, n := slices.Clone(j.x.Privacy.Tails), 0
	for spot := range params.Spots() {
		text, is := spot.Value.Text()
		if spot.Key || !is || text == "" {
			continue
		}
		if n++; n > maxTails {
			break
		}
		place := spot.Path()
		at := slices.IndexFunc(next, func(t exchange.Tail) bool { return t.Place == place })
		if at < 0 {
			if len(next) < maxTails {
				next = append(next, exchange.Tail{Place: place, Text: tail(nil, text)})
			}
			continue
		}
		if err := s.seam(ctx, j, next[at].Text, text); err != nil {
			return err
		}
		next[at].Text = tail(next[at].Text, text)
	}
	j.x.Privacy.Tails = next
	return nil
}

// seam refuses a text that completes what the end of an earlier one began.
func (s *Step) seam(ctx context.Context, j *job, before []byte, text string) error {
	if !joins(before, []byte(text)) {
		return nil
	}
	window := append(slices.Clone(before), text[:min(len(text), headBytes)]...)
	spans, err := s.scanText(ctx, j, window)
	if err != nil {
		_, err = s.unscanned(j, nil, err)
		return err
	}
	for _, sp := range spans {
		if sp.Start >= len(before) || sp.End <= len(before) || !slices.Contains(splittable, sp.Type) {
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

// joins is a cheap test before a scan: a value goes on over a seam only where
// letters, digits or signs of a token meet, or digits with spaces between. An
// escape counts as a sign.
func joins(before, text []byte) bool {
	left, right := bytes.TrimRight(before, " \n\r\t"), bytes.TrimLeft(text, " \n\r\t")
	if len(left) == 0 || len(right) == 0 {
		return false
	}
	a, b := left[len(left)-1], right[0]
	if len(left) < len(before) || len(right) < len(text) {
		return digit(a) && digit(b)
	}
	return tokenish(a) && tokenish(b)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func tokenish(c byte) bool {
	return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 || strings.IndexByte(`-_.+/=@:\`, c) >= 0
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

// results returns the texts of a result's blocks, and the first ones of its
// structure, where a value can go on that a text began.
func results(r wire.Value) (blocks, structure []wire.Value) {
	for _, list := range []string{"content", "contents", "messages"} {
		for block := range r.Get(list).Elements() {
			for _, v := range []wire.Value{block.Get("text"), block.At("resource", "text"), block.At("content", "text")} {
				if v.Kind() == wire.String && len(blocks) < maxBlocks {
					blocks = append(blocks, v)
				}
			}
		}
	}
	if len(blocks) == 0 {
		return nil, nil
	}
	for spot := range r.Get("structuredContent").Spots() {
		if !spot.Key && spot.Value.Kind() == wire.String {
			if structure = append(structure, spot.Value); len(structure) == maxStructure {
				break
			}
		}
	}
	return blocks, structure
}
