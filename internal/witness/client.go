package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/keys"
)

// Misbehaviour that a witness saw: not a failure that passes, but a log that is
// not what it was.
var (
	ErrRolledBack = errors.New("the witness has seen a larger log: entries were taken away")
	ErrForked     = errors.New("the witness has seen another history of the log")
)

// Client asks the witnesses of a policy. It is safe for concurrent use.
type Client struct {
	policy *Policy
	do     func(*http.Request) (*http.Response, error)
	clock  clock.Clock

	mu     sync.Mutex
	states map[string]*state // by witness and origin
}

// state is what is known of one witness and one log.
type state struct {
	size uint64 // that it cosigned last
	at   time.Time
	err  error
}

// NewClient returns a client. do must not follow redirects, and bounds the time
// of a request.
func NewClient(p *Policy, do func(*http.Request) (*http.Response, error), c clock.Clock) *Client {
	return &Client{policy: p, do: do, clock: c, states: map[string]*state{}}
}

// Prove returns the consistency proof between two sizes of the log.
type Prove func(old, size uint64) ([]tlog.Hash, error)

// Result is what one round of questions gave.
type Result struct {
	Note []byte  // the checkpoint with every cosignature that is valid
	Met  bool    // whether the policy is content
	New  int     // cosignatures that were not there before
	Errs []error // of witnesses, by name
	Bad  error   // ErrRolledBack or ErrForked, when a witness said so
}

// Cosign asks every witness that has not cosigned signed yet, all at once.
func (c *Client) Cosign(ctx context.Context, signed []byte, prove Prove) (Result, error) {
	now, err := ParseCheckpoint(string(signed))
	if err != nil {
		return Result{}, err
	}
	lines := make([]string, len(c.policy.Witnesses))
	errs := make([]error, len(c.policy.Witnesses))
	have := c.Cosigned(signed)
	var wait sync.WaitGroup
	for i, w := range c.policy.Witnesses {
		if w.URL == "" || have[w.Key.VKey()] {
			continue
		}
		wait.Go(func() { lines[i], errs[i] = c.ask(ctx, w, now, signed, prove) })
	}
	wait.Wait()
	r := Result{Note: signed}
	for i, w := range c.policy.Witnesses {
		if errs[i] != nil {
			r.Errs = append(r.Errs, fmt.Errorf("witness %s: %w", w.Name, errs[i]))
			if errors.Is(errs[i], ErrRolledBack) || errors.Is(errs[i], ErrForked) {
				r.Bad = errors.Join(r.Bad, r.Errs[len(r.Errs)-1])
			}
		}
		if lines[i] != "" {
			r.Note = append(r.Note[:len(r.Note):len(r.Note)], lines[i]...)
			r.New++
		}
	}
	r.Met = c.policy.Met(c.Cosigned(r.Note))
	return r, nil
}

// Cosigned returns the verifier keys of the witnesses whose valid cosignature
// signed carries.
func (c *Client) Cosigned(signed []byte) map[string]bool {
	out := map[string]bool{}
	for _, w := range c.policy.Witnesses {
		if _, ok := cosignatureOf(signed, w.Key); ok {
			out[w.Key.VKey()] = true
		}
	}
	return out
}

// Met reports whether signed carries what the policy asks for.
func (c *Client) Met(signed []byte) bool { return c.policy.Met(c.Cosigned(signed)) }

// cosignatureOf returns when a witness cosigned, if it did.
func cosignatureOf(signed []byte, key keys.Cosignature) (time.Time, bool) {
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil || len(n.Sigs) == 0 {
		return time.Time{}, false
	}
	raw, err := decodeSignature(n.Sigs[0].Base64)
	return keys.CosignedAt(raw), err == nil
}

// ask gets one cosignature. A witness that knows another size is asked once
// more, from there.
func (c *Client) ask(ctx context.Context, w Witness, now Checkpoint, signed []byte, prove Prove) (string, error) {
	id := w.Key.VKey() + "\n" + now.Origin
	old := min(c.known(id), now.Size)
	for try := 0; ; try++ {
		line, size, err := c.post(ctx, w, old, now, signed, prove)
		if !errors.Is(err, errSize) {
			c.note(id, now.Size, err)
			return line, err
		}
		switch {
		case size > now.Size:
			err = ErrRolledBack
		case size == old:
			err = ErrForked // the same size, another root
		case try > 0:
			err = errors.New("it changes its mind about the size")
		}
		if !errors.Is(err, errSize) {
			c.note(id, size, err)
			return "", err
		}
		old = size
	}
}

func (c *Client) known(id string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.states[id]; s != nil {
		return s.size
	}
	return 0
}

func (c *Client) note(id string, size uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.states[id]
	if s == nil {
		s = &state{}
		c.states[id] = s
	}
	s.err = err
	if err == nil {
		s.size, s.at = size, c.clock.Now()
	}
}

// errSize says that the witness answered with its own size.
var errSize = errors.New("the witness knows another size")

func (c *Client) post(ctx context.Context, w Witness, old uint64, now Checkpoint, signed []byte, prove Prove) (string, uint64, error) {
	r := request{old: old, note: signed}
	if old > 0 && old < now.Size {
		var err error
		if r.proof, err = prove(old, now.Size); err != nil {
			return "", 0, fmt.Errorf("prove that the log only grew: %w", err)
		}
	}
	url := strings.TrimSuffix(w.URL, "/") + "/add-checkpoint"
	h, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(r.encode()))
	if err != nil {
		return "", 0, err
	}
	h.Header.Set("Content-Type", "text/plain")
	resp, err := c.do(h)
	if err != nil {
		return "", 0, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return "", 0, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		line, err := pick(signed, string(text), w.Key)
		return line, 0, err
	case http.StatusConflict:
		size, err := parseSize(strings.TrimSuffix(string(text), "\n"))
		if err != nil || resp.Header.Get("Content-Type") != "text/x.tlog.size" {
			return "", 0, errors.New("its answer to a conflict is not a size")
		}
		return "", size, errSize
	case http.StatusUnprocessableEntity:
		return "", 0, ErrForked
	}
	return "", 0, fmt.Errorf("it answered %d: %s", resp.StatusCode, oneLine(text))
}

// pick returns the signature line of key in an answer, if it is valid for the
// checkpoint. What else the witness sent is dropped.
func pick(signed []byte, answer string, key keys.Cosignature) (string, error) {
	for line := range strings.Lines(answer) {
		if !strings.HasPrefix(line, "— "+key.Name()+" ") || !strings.HasSuffix(line, "\n") {
			continue
		}
		with := append(slices.Clone(textOf(signed)), line...)
		if _, ok := cosignatureOf(with, key); ok {
			return line, nil
		}
	}
	return "", errors.New("its answer holds no valid cosignature of its key")
}

// textOf returns the text of a note with the empty line after it.
func textOf(signed []byte) []byte {
	i := bytes.Index(signed, []byte("\n\n"))
	if i < 0 {
		return nil
	}
	return signed[:i+2]
}

// oneLine is the beginning of what a stranger said.
func oneLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	if len(line) > 200 {
		line = line[:200]
	}
	return fmt.Sprintf("%q", line)
}

// Status is what is known of one witness, for operators.
type Status struct {
	Witness Witness
	Origin  string
	Size    uint64
	At      time.Time // of the last cosignature; zero: none since the start
	Err     error     // of the last question
}

// Witnesses returns the witnesses of the policy.
func (c *Client) Witnesses() []Witness { return c.policy.Witnesses }

// Known returns what is known of one witness, by origin.
func (c *Client) Known(w Witness) []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Status
	for id, s := range c.states {
		if key, origin, _ := strings.Cut(id, "\n"); key == w.Key.VKey() {
			all = append(all, Status{Witness: w, Origin: origin, Size: s.size, At: s.at, Err: s.err})
		}
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Origin, b.Origin) })
	return all
}
