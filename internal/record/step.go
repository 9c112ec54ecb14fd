// Package record writes one entry per exchange: Open proves that there is room
// for it before anything happens, Close writes it when the outcome is known.
// Refused exchanges have their entry too; floods of unidentified callers are
// counted and summarised so that they cannot fill the disk.
//
// It may touch its own file and nothing else. It deliberately records no
// argument, no result, no URI and no credential. Until the sealed log takes
// over, entries are JSON lines in D/records.jsonl.
package record

import (
	"context"
	"net/netip"
	"time"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/clock"
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/fault"
)

// Step is the recorder. New makes it.
type Step struct {
	file  *File
	clock clock.Clock
	flood flood
}

// New returns a recorder that appends to file.
func New(file *File, c clock.Clock) *Step { return &Step{file: file, clock: c} }

// Entry is one line of the record. Fields are additive only.
type Entry struct {
	Time     string `json:"time"` // RFC 3339, UTC, when the exchange began
	Kind     string `json:"kind"` // "exchange", "admin", "summary", "system"
	Exchange string `json:"exchange,omitempty"`
	Parent   string `json:"parent,omitempty"`
	Actor    string `json:"actor,omitempty"`
	ActorBy  string `json:"actor_by,omitempty"` // how it proved who it is
	Token    string `json:"token,omitempty"`    // id of the token, never the token
	Serial   string `json:"serial,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Server   string `json:"server,omitempty"`
	Method   string `json:"method,omitempty"`
	Name     string `json:"name,omitempty"` // tool or prompt
	Era      string `json:"era,omitempty"`
	Version  string `json:"version,omitempty"`
	Session  string `json:"session,omitempty"`
	Decision string `json:"decision,omitempty"` // "allow", "deny"; empty: never reached
	Need     string `json:"need,omitempty"`     // access the call needed
	Registry uint64 `json:"registry,omitempty"` // version of the grants that decided
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason,omitempty"` // stable code
	Detail   string `json:"detail,omitempty"` // which rule, in words of ours
	Status   int    `json:"status,omitempty"`
	BytesIn  int    `json:"bytes_in"`
	BytesOut int    `json:"bytes_out"`
	Passed   int    `json:"passed,omitempty"`
	Dropped  int    `json:"dropped,omitempty"`
	DropWhy  string `json:"drop_reason,omitempty"`
	Sent     bool   `json:"sent"` // whether a byte went to a server
	Elapsed  int64  `json:"elapsed_us"`
	Count    int    `json:"count,omitempty"` // summary: how many
	By       string `json:"by,omitempty"`    // admin: who
	Change   any    `json:"change,omitempty"`
}

// Open refuses with fault.LogUnavailable unless the entry is sure to have room.
func (s *Step) Open(_ context.Context, x *exchange.Exchange) error {
	if err := s.file.Reserve(); err != nil {
		return fault.Wrap(fault.LogUnavailable, err)
	}
	x.Opened = true
	return nil
}

// Close writes the entry of x. It refuses with fault.LogUnavailable when the
// entry could not be written; the answer must then not leave.
func (s *Step) Close(_ context.Context, x *exchange.Exchange) error {
	if x.Opened {
		defer s.file.Release()
	}
	now := s.clock.Now()
	if early(x) {
		write, summary := s.flood.admit(x.Fault.Kind, now)
		if summary != nil {
			if err := s.write(summary); err != nil {
				return err
			}
		}
		if !write {
			return nil
		}
	}
	e := entryOf(x, now)
	return s.write(&e)
}

// Bad records a connection that never became a request: reason is one of a
// closed set of sentences of ours. Floods are counted.
func (s *Step) Bad(peer netip.AddrPort, reason string) error {
	now := s.clock.Now()
	write, summary := s.flood.admit(fault.BadHeader, now)
	if summary != nil {
		if err := s.write(summary); err != nil {
			return err
		}
	}
	if !write {
		return nil
	}
	e := Entry{Time: stamp(now), Kind: "exchange", Outcome: string(exchange.Refused), Reason: string(fault.BadHeader), Detail: reason}
	if peer.IsValid() {
		e.Peer = peer.Addr().String()
	}
	return s.write(&e)
}

// Admin records acts of operators, which must hold no secret.
func (s *Step) Admin(_ auditlog.Rows, acts ...auditlog.Act) error { return s.Act(acts...) }

// Act is Admin for acts that change nothing in the store.
func (s *Step) Act(acts ...auditlog.Act) error {
	for _, a := range acts {
		err := s.write(&Entry{
			Time: stamp(s.clock.Now()), Kind: "admin", Method: a.Action, Name: a.Subject,
			By: a.By, Reason: a.Reason, Outcome: string(exchange.OK), Change: a.Change,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Step) write(e *Entry) error {
	line, err := e.line()
	if err != nil {
		return fault.Wrap(fault.Internal, err)
	}
	if err := s.file.Append(line); err != nil {
		return fault.Wrap(fault.LogUnavailable, err)
	}
	return nil
}

// early reports whether x was turned away before anybody was identified.
func early(x *exchange.Exchange) bool {
	return x.Fault != nil && x.Principal.ID == "" && !x.Opened
}

func entryOf(x *exchange.Exchange, now time.Time) Entry {
	e := Entry{
		Time: stamp(x.Start), Kind: "exchange", Exchange: x.ID, Parent: x.Parent,
		Actor: x.Principal.ID, ActorBy: x.Principal.Method, Token: x.Principal.TokenID, Serial: x.Principal.Serial,
		Server: x.Endpoint, Method: clip(x.Method()), Name: nameOf(x),
		Outcome: string(x.Outcome), BytesIn: x.BytesIn, BytesOut: x.BytesOut,
		Passed: x.Passed, Dropped: x.Dropped, DropWhy: string(x.DropKind), Sent: x.Sent,
		Elapsed: now.Sub(x.Start).Microseconds(), Registry: x.Decision.Version, Need: string(x.Decision.Need),
	}
	if x.Peer.IsValid() {
		e.Peer = x.Peer.Addr().String()
	}
	if x.Era != 0 {
		e.Era, e.Version = x.Era.String(), string(x.Version)
	}
	if x.Session != nil {
		e.Session = x.Session.ID
	}
	if x.View != nil {
		e.Decision = "deny"
		if x.Decision.Allow {
			e.Decision = "allow"
		}
		e.Detail = x.Decision.Reason
	}
	if x.Fault != nil {
		e.Reason, e.Status = string(x.Fault.Kind), x.Fault.Status()
	}
	if e.Decision == "deny" && x.Decision.Kind != "" { // the caller was told less
		e.Reason = string(x.Decision.Kind)
	}
	return e
}

// nameOf returns the tool or prompt that was named; a resource's URI may hold
// personal data and stays out.
func nameOf(x *exchange.Exchange) string {
	if x.Request == nil || x.Fact.Routed != "name" {
		return ""
	}
	return clip(x.Request.Name())
}

func clip(s string) string {
	const most = 256
	if len(s) > most {
		return s[:most]
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z07:00") }
