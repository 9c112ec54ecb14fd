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

var errNoVault = errors.New("no vault keeps pseudonyms here")

// restored stands for pseudonyms that were turned back, in counts.
const restored privacy.Action = "restore"

// place is a string of the arguments with pseudonyms that may be turned back.
type holder struct {
	value  wire.Value
	text   string
	tokens [][2]int
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
	holders, tokens := s.holders(j, m.Params().Get("arguments"))
	if len(tokens) == 0 {
		return m, nil
	}
	if s.c.Vault == nil {
		return nil, fault.Wrap(fault.Unscannable, errNoVault)
	}
	values, err := s.c.Vault.Restore(ctx, s.scopeOf(j), tokens)
	if err != nil || len(values) != len(tokens) {
		return nil, fault.Wrap(fault.Unscannable, fmt.Errorf("turn pseudonyms back: %w", err))
	}
	var edits []wire.Edit
	for _, h := range holders {
		var b strings.Builder
		last, changed := 0, false
		for _, t := range h.tokens {
			v := values[0]
			values = values[1:]
			if v == (vault.Value{}) || pii.Type(v.Type) == pii.Secret {
				j.x.Privacy.Unknown++
				continue
			}
			b.WriteString(h.text[last:t[0]])
			b.WriteString(v.Value)
			last, changed = t[1], true
			j.x.Privacy.Restored++
			j.count(pii.Type(v.Type), restored, 1)
		}
		if changed {
			b.WriteString(h.text[last:])
			edits = append(edits, wire.Replace(h.value, wire.Quote(b.String())))
		}
	}
	if len(edits) == 0 {
		return m, nil
	}
	return m.Rewrite(edits...)
}

// holders returns the strings with pseudonyms that a rule names, and those
// pseudonyms in their order.
func (s *Step) holders(j *job, arguments wire.Value) (holders []holder, tokens []string) {
	var mirrored []wire.HeaderParam
	asked := false
	for spot := range arguments.Spots() {
		text, is := spot.Value.Text()
		if spot.Key || !is || !strings.Contains(text, "<") {
			continue
		}
		found := vault.Find([]byte(text))
		if len(found) == 0 {
			continue
		}
		if !asked {
			mirrored, asked = headersOf(j), true
		}
		path := spot.Path()
		h := holder{value: spot.Value, text: text}
		for _, t := range found {
			token := text[t[0]:t[1]]
			w := j.where
			w.Path = path
			if !inHeader(mirrored, path) && j.p.Restores(w, typeOf(token)) {
				h.tokens = append(h.tokens, t)
				tokens = append(tokens, token)
			}
		}
		if len(h.tokens) > 0 {
			holders = append(holders, h)
		}
	}
	return holders, tokens
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
