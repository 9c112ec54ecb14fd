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
	"net/http/httptrace"
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

// errBusy is what callers get whose turn does not come. It says nothing about the
// service: whoever sends much at once must not make it look broken.
var errBusy = errors.New("sidecar: too many requests wait for the service")

// ask sends one request and returns the body of its answer.
func (c *Client) ask(ctx context.Context, texts, entities []string) (answer []byte, err error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, errBusy
	}
	body, err := json.Marshal(question{texts, c.c.Language, entities, c.c.MinScore})
	if err != nil {
		return nil, errors.New("sidecar: the texts cannot be written as JSON")
	}
	talked := false // GotConn is called before Do returns, by its goroutine
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { talked = true }})
	r, err := http.NewRequestWithContext(traced, http.MethodPost, c.c.URL, bytes.NewReader(body))
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
		return nil, unreached(err, talked)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("sidecar: the service answered with status %d", resp.StatusCode) // its text may repeat ours
	}
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, unreached(err, true)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("sidecar: the answer is longer than %d bytes", maxAnswer)
	}
	return answer, nil
}

// unreached leaves the URL out, which net/http repeats, and what it repeats of an
// answer that is no HTTP: a hostile service would put there what it was sent
// (TestErrorsRepeatNoAnswer).
func unreached(err error, talked bool) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	op := (*net.OpError)(nil)
	switch is := errors.As(err, &op); {
	case is && op.Err != nil:
		err = op.Err
	case talked && errors.Is(err, context.DeadlineExceeded):
		err = context.DeadlineExceeded
	case talked && errors.Is(err, context.Canceled):
		err = context.Canceled
	case talked && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)):
		err = io.ErrUnexpectedEOF
	case talked:
		return errors.New("sidecar: the answer of the service is not HTTP")
	}
	return fmt.Errorf("sidecar: the service was not reached: %w", err)
}
