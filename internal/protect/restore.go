package protect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

var (
	errNoVault = errors.New("no vault keeps pseudonyms here")
	errNoKeys  = errors.New("no key opens what stands for a value here")
)

// Opener opens values that carry themselves along: keys.Transforms.
type Opener interface {
	OpenSIV(scope, typ, code string) (string, error)
	OpenFF1(scope, typ, digits string) ([]string, error)
}

// restored stands for pseudonyms that were turned back, in counts.
const restored privacy.Action = "restore"

// holder is a value of the arguments with what may be turned back in it.
type holder struct {
	value wire.Value
	text  string
	parts []part
}

// part is one pseudonym: a token of the vault, or a text or number that carries
// its value along.
type part struct {
	start, end int // in the text, or in a string of the JSON that the text is
	text       string
	quoted     bool // there are quotes in the text around it
	typ        pii.Type
	token      string // of the vault
	code       string // of SIV
	value      string // what it stands for, "" when it does not resolve
}

// restore turns pseudonyms in the arguments of a tool's call back into values,
// where a rule of the profile names the server, the type and the path. It happens
// nowhere else: not in names, URIs, headers or answers, and never for a caller.
// Were it wider, a hostile server could ask a model to repeat pseudonyms to it
// and would receive what they stand for (TestC11RestoreIsNarrow).
func (s *Step) restore(ctx context.Context, j *job, m *wire.Message) (*wire.Message, error) {
	if j.where.Zone != privacy.ZoneClear || m.Kind() != wire.Request || m.Method() != "tools/call" || j.p.Shadow() {
		return m, nil
	}
	holders := s.holders(j, m.Params().Get("arguments"))
	if len(holders) == 0 {
		return m, nil
	}
	if err := s.resolve(ctx, j, holders); err != nil {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("turn pseudonyms back: %w", err))
	}
	var edits []wire.Edit
	for _, h := range holders {
		if text, changed := j.filled(h); changed {
			edits = append(edits, wire.Replace(h.value, text))
		}
	}
	if len(edits) == 0 {
		return m, nil
	}
	return m.Rewrite(edits...)
}

// filled returns the JSON of a value with everything in it that was turned back.
func (j *job) filled(h holder) (text []byte, changed bool) {
	values := map[string]string{}
	for _, p := range h.parts {
		if p.value == "" || p.typ == pii.Secret || p.breaks(p.value) {
			j.x.Privacy.Unknown++
			continue
		}
		values[p.text] = p.value
		j.x.Privacy.Restored++
		j.count(p.typ, restored, 1)
	}
	if h.value.Kind() == wire.Number {
		return []byte(values[h.text]), len(values) > 0
	}
	if whole, is := values[h.text]; is {
		return wire.Quote(whole), true
	}
	return wire.Quote(fill(h.text, values, 0)), len(values) > 0
}

// resolve finds what the parts stand for: those that have rows in one call of the
// vault, and the others by the keys.
func (s *Step) resolve(ctx context.Context, j *job, holders []holder) error {
	var rows []*part
	var tokens []string
	for _, h := range holders {
		for i := range h.parts {
			p := &h.parts[i]
			switch {
			case p.token != "":
				rows, tokens = append(rows, p), append(tokens, p.token)
			case s.c.Open == nil:
				return errNoKeys
			case p.code != "":
				p.value, _ = s.c.Open.OpenSIV(s.scopeOf(j), string(p.typ), p.code) // "": forged, or of another scope
			default:
				p.value = s.digits(j, h.text, p.typ)
			}
		}
	}
	if len(tokens) == 0 {
		return nil
	}
	if s.c.Vault == nil {
		return errNoVault
	}
	values, err := s.c.Vault.Restore(ctx, s.scopeOf(j), tokens)
	if err == nil && len(values) != len(tokens) {
		err = errNoVault
	}
	if err != nil {
		return err
	}
	for i, v := range values {
		if v != (vault.Value{}) {
			rows[i].typ, rows[i].value = pii.Type(v.Type), v.Value
		}
	}
	return nil
}

// digits returns what FF1 made a number of: the first outcome of the versions of
// the key that looks like its type, else that of the newest one. FF1 proves
// nothing: a number that it did not make becomes another one, which is why a rule
// must name the very argument (docs/privacy.md).
func (s *Step) digits(j *job, text string, typ pii.Type) string {
	first := ""
	for version := 0; ; version++ {
		more := false
		plain, err := privacy.Decrypted(typ, text, func(digits string) (string, error) {
			all, err := s.c.Open.OpenFF1(s.scopeOf(j), string(typ), digits)
			if err != nil || version >= len(all) {
				return "", errNoKeys
			}
			more = version+1 < len(all)
			return all[version], nil
		})
		if err != nil {
			plain = ""
		}
		if first == "" {
			first = plain
		}
		if plain != "" && j.looksLike(plain, typ) {
			return plain
		}
		if !more {
			return first
		}
	}
}

// looksLike reports whether the detector takes a text for a value of a type.
func (j *job) looksLike(text string, typ pii.Type) bool {
	for _, sp := range j.p.Scanner().Scan([]byte(text)) {
		if sp.Type == typ {
			return true
		}
	}
	return false
}

// holders returns the values with pseudonyms that a rule names.
func (s *Step) holders(j *job, arguments wire.Value) (holders []holder) {
	var mirrored []wire.HeaderParam
	asked, digits := false, j.p.RestoresDigits()
	for spot := range arguments.Spots() {
		text, is := spot.Value.Text()
		if spot.Key || !is && !digits {
			continue
		}
		if !is {
			text = string(spot.Value.Raw())
		}
		h, found := holder{value: spot.Value, text: text}, candidates(text, 0)
		if len(found) == 0 && !digits {
			continue
		}
		if !asked {
			mirrored, asked = headersOf(j), true
		}
		w := j.where
		if w.Path = spot.Path(); inHeader(mirrored, w.Path) {
			continue
		}
		for _, p := range found {
			if j.p.Restores(w, p.typ) {
				h.parts = append(h.parts, p)
			}
		}
		if typ, ok := j.p.Digits(w); ok && len(found) == 0 && privacy.Encryptable(typ, h.text) {
			h.parts = append(h.parts, part{text: h.text, typ: typ})
		}
		if len(h.parts) > 0 {
			holders = append(holders, h)
		}
	}
	return holders
}

// typeOf returns the type that a pseudonym names.
func typeOf(token string) pii.Type { return pii.Type(token[1:strings.LastIndexByte(token, '_')]) }

// headersOf returns which arguments of the call are repeated in headers, where
// proxies and logs read them.
func headersOf(j *job) []wire.HeaderParam {
	if j.x.Tool == nil || j.x.Tool.Definition == "" {
		return nil
	}
	schema, ok := wire.InputSchema([]byte(j.x.Tool.Definition))
	if !ok {
		return nil
	}
	params, err := wire.HeaderParams(schema)
	if err != nil {
		return nil // such a tool is not called where headers repeat arguments
	}
	return params
}

func inHeader(params []wire.HeaderParam, path string) bool {
	for _, p := range params {
		if strings.Join(p.Path, ".") == path {
			return true
		}
	}
	return false
}
