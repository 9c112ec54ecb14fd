// Package sidecar asks a detector outside of the gateway what is personal in
// texts: Presidio's analyzer, or a model behind the same interface (POST with
// text, language, entities and score_threshold; the answer has, for each text, a
// list of entity_type, start, end and score, counted in code points).
//
// It touches no network but through the function that it is given. It
// deliberately chooses neither what is sent (protect does, which leaves out what
// it found itself) nor what becomes of a finding, sees no whole message, keeps no
// text, and repeats none in an error. An answer that is not exactly what was
// asked for is a failure, never "nothing found": offsets beyond the text, fewer
// lists than texts, an entity of unknown meaning (TestHostileAnswers).
//
// Docs: docs/sidecar.md.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/pii"
)

// Defaults of a Config.
const (
	DefaultTimeout     = 2 * time.Second
	DefaultBytes       = 64 << 10
	DefaultConcurrency = 8
	DefaultLanguage    = "en"
	DefaultScore       = 0.5
)

// Config is how the detector is reached and what it is asked for. The zero
// values of numbers are the defaults.
type Config struct {
	URL   string
	Token string // sent as a bearer token when it is set
	// Do sends a request. It must not follow redirects: the request holds text
	// in clear.
	Do          func(*http.Request) (*http.Response, error)
	Clock       clock.Clock
	Language    string
	MinScore    float64
	Types       []pii.Type        // that are asked for; default names
	Entities    map[string]string // further entities of the service, and their types; Ignore: no finding
	Timeout     time.Duration     // of all requests for one message
	Bytes       int               // of text in one request
	Concurrency int               // requests at once
}

// Ignore stands in Entities for what is no finding.
const Ignore = "ignore"

// Client asks. It is safe for concurrent use.
type Client struct {
	c        Config
	meanings map[string]pii.Type // "" of an ignored one
	slots    chan struct{}
	breaker  breaker
}

// Names are the types that a detector with a model is good for.
var Names = []pii.Type{pii.Person, pii.Location, pii.Organization, pii.NRP}

// New returns a client, or why there can be none.
func New(c Config) (*Client, error) {
	c.fill()
	meanings, err := meaningsOf(c.Entities)
	if err != nil {
		return nil, err
	}
	for i, t := range c.Types {
		if !t.Known() {
			return nil, fmt.Errorf("types[%d]: is not a type of the detector", i)
		}
		if t == pii.Secret {
			return nil, fmt.Errorf("types[%d]: secrets are found here and sent to nobody", i)
		}
		if len(entitiesOf(meanings, []pii.Type{t})) == 0 {
			return nil, fmt.Errorf("types[%d]: no entity of the service has the type %s; name one in entities", i, t)
		}
	}
	return &Client{c: c, meanings: meanings, slots: make(chan struct{}, c.Concurrency), breaker: breaker{clock: c.Clock}}, nil
}

func (c *Config) fill() {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Bytes <= 0 {
		c.Bytes = DefaultBytes
	}
	if c.Concurrency <= 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.Language == "" {
		c.Language = DefaultLanguage
	}
	if len(c.Types) == 0 {
		c.Types = Names
	}
}

// Types returns what is asked for.
func (c *Client) Types() []pii.Type { return slices.Clone(c.c.Types) }

// errNothing is a call for no type: the service would take it for all.
var errNothing = errors.New("sidecar: no type is asked for")

// Find returns for each text what the service finds in it, as bytes of the text,
// in the order of the answer. Texts are valid UTF-8. Either every text was
// examined, or there is an error.
func (c *Client) Find(ctx context.Context, texts []string, types []pii.Type) ([][]pii.Span, error) {
	entities := entitiesOf(c.meanings, types)
	if len(entities) == 0 {
		return nil, errNothing
	}
	out := make([][]pii.Span, len(texts))
	if err := c.breaker.enter(); err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	err := c.find(within, texts, entities, types, out)
	c.leave(ctx, err, entities, types)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// leave tells the breaker how a call ended. A failure that would open it counts
// only if the service fails with a text of ours too. The attack: somebody sends
// messages on which the service fails, or that take it too long, and as soon as
// the breaker is open nobody else's names are found where on_error is flag
// (TestNobodyOpensTheBreakerForOthers).
func (c *Client) leave(ctx context.Context, err error, entities []string, types []pii.Type) {
	says := func(err error) bool { return err == nil || ctx.Err() == nil && !errors.Is(err, errBusy) } // not of whoever went away
	if !says(err) || err == nil || !c.breaker.opens() {
		c.breaker.leave(err, says(err))
		return
	}
	within, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	if probed := c.find(within, []string{probe}, entities, types, make([][]pii.Span, 1)); probed != nil {
		c.breaker.leave(err, says(probed))
		return
	}
	c.breaker.spare(err)
}

// probe is a text on which no service fails that is well.
const probe = "Ann met Bob."

func (c *Client) find(ctx context.Context, texts []string, entities []string, types []pii.Type, out [][]pii.Span) error {
	for batch := range batches(texts, c.c.Bytes) {
		body := make([]string, len(batch))
		for i, p := range batch {
			body[i] = texts[p.text][p.start:p.end]
		}
		answer, err := c.ask(ctx, body, entities)
		if err != nil {
			return err
		}
		spans, err := c.read(answer, body, types)
		if err != nil {
			return err
		}
		for i, p := range batch {
			for _, s := range spans[i] {
				s.Start, s.End = s.Start+p.start, s.End+p.start
				out[p.text] = append(out[p.text], s)
			}
		}
	}
	return nil
}

// Health says whether the service answers, for people.
func (c *Client) Health() (ok bool, detail string) { return c.breaker.state() }
