// Package attest makes the receipts of exchanges: signed statements of what was
// asked, what was answered and where it stands in the log, for agents that are
// to have them. It takes the question for one out of requests, and receipts
// that are none of ours out of answers.
//
// It may use the key of receipts through a signer. It deliberately reads no log
// and decides nothing about a call: what cannot be signed leaves without a
// receipt. The format is docs/formats/receipt.md.
package attest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/wire"
)

// Config is what a Step needs.
type Config struct {
	Signer func() note.Signer         // of receipts, as it is now
	Origin func(auditlog.Name) string // of a log
	Prove  func(context.Context, auditlog.Place) ([]byte, error)
	Clock  clock.Clock
	Log    func(msg string, x *exchange.Exchange, err error)
}

// Step is the room's place on the path. It is safe for concurrent use.
type Step struct{ c Config }

// New returns a step.
func New(c Config) *Step { return &Step{c} }

// proofWait bounds how long an answer waits for the proof that was asked for.
const proofWait = time.Second

// Request takes the question for a receipt out of the request: it is meant for
// the gateway, and no server may learn that its caller keeps receipts. The
// digest of the request is that of what came in.
func (s *Step) Request(_ context.Context, x *exchange.Exchange) error {
	if x.Request == nil || x.Parent != "" {
		return nil
	}
	meta := x.Request.Params().Get("_meta")
	asked := meta.Get(export.ReceiptMember)
	if asked.Exists() || x.Principal.Receipts { // a refusal has no other step to make it
		x.RequestSum = export.MessageDigest(x.Request.Raw())
	}
	if !asked.Exists() {
		return nil
	}
	x.AsksProof, _ = asked.Get("proof").Bool()
	edit, _ := wire.RemoveMember(meta, export.ReceiptMember)
	m, err := x.Request.Rewrite(edit)
	if err != nil {
		return fmt.Errorf("take the question for a receipt out: %w", err)
	}
	x.Request = m
	return nil
}

// Response takes a receipt out of what a server answers: it is no statement of
// this gateway, and a client must not take it for one (TestReceiptOfAServer).
func (s *Step) Response(_ context.Context, x *exchange.Exchange) error {
	if x.Message == nil || x.Join != nil {
		return nil
	}
	if k := x.Message.Kind(); k != wire.Response && k != wire.ErrorResponse {
		return nil
	}
	m, err := export.RemoveReceipt(x.Message)
	if err != nil {
		return err
	}
	x.Message = m
	return nil
}

// Reply prepares the receipt of x, whose entry is in the log now. It is placed
// into the last message when its bytes are final.
func (s *Step) Reply(ctx context.Context, x *exchange.Exchange) {
	if !x.Principal.Receipts || x.Parent != "" || x.Verb != exchange.Post || len(x.Place.Leaf) == 0 {
		return
	}
	x.Attest = func(m *wire.Message) *wire.Message { return s.attest(ctx, x, m) }
}

// digestOf is export.AnswerDigest, which takes a message apart twice, for what
// nearly every message is: one whose _meta is not there or holds something.
func digestOf(m *wire.Message) ([32]byte, error) {
	top, names := m.Result(), []string{"_meta"}
	if !top.Exists() {
		top, names = m.ErrorObject(), []string{"data", "_meta"}
	}
	for _, name := range names {
		next := top.Get(name)
		if top.Kind() == wire.Object && !next.Exists() {
			return export.MessageDigest(m.Raw()), nil
		}
		if top = next; top.Kind() != wire.Object || top.Len() == 0 {
			return export.AnswerDigest(m)
		}
	}
	if top.Get(export.ReceiptMember).Exists() {
		return export.AnswerDigest(m)
	}
	return export.MessageDigest(m.Raw()), nil
}

// attest returns m with its receipt, or m when there cannot be one.
func (s *Step) attest(ctx context.Context, x *exchange.Exchange, m *wire.Message) *wire.Message {
	digest, err := digestOf(m)
	if errors.Is(err, export.ErrNoPlace) {
		return m
	}
	var out *wire.Message
	if err == nil {
		out, err = s.place(ctx, x, m, digest)
	}
	if err != nil {
		s.c.Log("attest.Reply", x, err)
		return m
	}
	return out
}

func (s *Step) place(ctx context.Context, x *exchange.Exchange, m *wire.Message, digest [32]byte) (*wire.Message, error) {
	r := export.Receipt{Origin: s.c.Origin(x.Place.Log), Index: x.Place.Index, Leaf: x.Place.Leaf, Exchange: x.ID,
		Request: x.RequestSum, Answer: digest, State: stateOf(x.Place.Leaf), Time: s.c.Clock.Now()}
	if x.AsksProof {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), proofWait)
		defer cancel()
		proof, err := s.c.Prove(ctx, x.Place)
		if err != nil {
			s.c.Log("attest.Reply: the proof", x, err) // it can be had later, by the index
		} else {
			r.Proof = proof
		}
	}
	receipt, err := r.Sign(s.c.Signer())
	if err != nil {
		return nil, err
	}
	return export.PlaceReceipt(m, receipt)
}

// stateOf says whether the entry holds the outcome: a refusal's one entry does,
// and of a call the second.
func stateOf(leaf []byte) string {
	if bytes.Contains(leaf, []byte(`"kind":"call.decided"`)) && !bytes.Contains(leaf, []byte(`"dec":"deny"`)) {
		return export.Decided
	}
	return export.Finished
}
