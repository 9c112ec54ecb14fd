package sidecar

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ostiary.dev/ostiary/internal/pii"
)

// maxFound bounds the findings of one answer.
const maxFound = 20_000

// found is one finding as the service writes it; all four members are needed.
type found struct {
	Entity *string  `json:"entity_type"`
	Start  *int     `json:"start"`
	End    *int     `json:"end"`
	Score  *float64 `json:"score"`
}

// read returns the findings of an answer to texts. What the service reports
// without being asked is dropped where its meaning is known, and refused else: an
// entity that nobody has given a meaning might be the one that matters.
func (c *Client) read(answer []byte, texts []string, types []pii.Type) ([][]pii.Span, error) {
	var lists []*[]found
	if err := json.Unmarshal(answer, &lists); err != nil {
		return nil, errors.New("sidecar: the answer is not a list of lists of findings") // err repeats bytes of it
	}
	if len(lists) != len(texts) {
		return nil, fmt.Errorf("sidecar: the answer has %d lists for %d texts", len(lists), len(texts))
	}
	out, n := make([][]pii.Span, len(texts)), 0
	for i, list := range lists {
		if list == nil {
			return nil, fmt.Errorf("sidecar: the answer has no list for text %d", i)
		}
		if n += len(*list); n > maxFound {
			return nil, fmt.Errorf("sidecar: the answer has more than %d findings", maxFound)
		}
		if len(*list) == 0 {
			continue
		}
		at := offsets(texts[i])
		for _, f := range *list {
			s, ours, err := c.span(f, at)
			if err != nil {
				return nil, fmt.Errorf("sidecar: a finding in text %d %w", i, err)
			}
			if ours && s.Score >= c.c.MinScore && slices.Contains(types, s.Type) {
				out[i] = append(out[i], s)
			}
		}
	}
	return out, nil
}

// span reads one finding. at has the byte at which each code point begins.
func (c *Client) span(f found, at []int) (s pii.Span, ours bool, err error) {
	switch {
	case f.Entity == nil || f.Start == nil || f.End == nil || f.Score == nil:
		return s, false, errors.New("lacks a member")
	case *f.Start < 0 || *f.End <= *f.Start || *f.End >= len(at):
		return s, false, errors.New("lies outside of it")
	case *f.Score < 0 || *f.Score > 1:
		return s, false, errors.New("has a score that is none")
	}
	typ, known := c.meanings[*f.Entity]
	if !known {
		return s, false, errors.New("has an entity type of unknown meaning; name it in privacy.sidecar.entities")
	}
	return pii.Span{Start: at[*f.Start], End: at[*f.End], Type: typ, Score: *f.Score, Why: "sidecar"}, typ != "", nil
}

// offsets returns the byte at which each code point of a text begins, and the
// text's end.
func offsets(t string) []int {
	at := make([]int, 0, len(t)+1)
	for i := range t {
		at = append(at, i)
	}
	return append(at, len(t))
}
