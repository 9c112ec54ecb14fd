package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// maxAnswer bounds one answer, bytes. An answer has about 100 bytes a finding.
const maxAnswer = 4 << 20

// question is the body of a request.
type question struct {
	Text           []string `json:"text"`
	Language       string   `json:"language"`
	Entities       []string `json:"entities"`
	ScoreThreshold float64  `json:"score_threshold"`
}

// ask sends one request and returns the body of its answer.
func (c *Client) ask(ctx context.Context, texts, entities []string) (answer []byte, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, errors.New("sidecar: too many requests wait for the service")
	}
	body, err := json.Marshal(question{texts, c.c.Language, entities, c.c.MinScore})
	if err != nil {
		return nil, errors.New("sidecar: the texts cannot be written as JSON")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.c.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("sidecar: the address of the service cannot be used")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if c.c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.c.Token)
	}
	resp, err := c.c.Do(r)
	if err != nil {
		return nil, unreached(err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sidecar: the service answered with status %d", resp.StatusCode) // its text may repeat ours
	}
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, unreached(err)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("sidecar: the answer is longer than %d bytes", maxAnswer)
	}
	return answer, nil
}

// unreached leaves the URL out, which net/http repeats.
func unreached(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Err != nil {
		err = op.Err
	}
	return fmt.Errorf("sidecar: the service was not reached: %w", err)
}
