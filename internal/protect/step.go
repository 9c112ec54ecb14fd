// Package protect is the step that decides what of a message its receiver may
// see: filters take out what is not needed, findings of the detector are
// hidden, blocked or passed as the profile says, and pseudonyms in arguments
// become clear values again for the few servers that are entitled to them.
//
// It alone holds clear text beside its pseudonym, and only while one message
// walks. It may use the profile, the detector, the filters and the vault that
// app wires. It deliberately decides nothing about who may call (authorize
// does), keeps nothing but the ends of a stream's texts for as long as the
// exchange lasts, and writes no value into a record, a log or an error. An
// error here is a refusal: what could not be examined does not pass
// (TestC13DetectorFailureBlocks).
//
// Docs: docs/privacy.md, docs/privacy-limits.md.
package protect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/export"
	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/filter"
	"ostiary.dev/ostiary/internal/pii"
	"ostiary.dev/ostiary/internal/privacy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/vault"
	"ostiary.dev/ostiary/internal/wire"
)

// Vault keeps the map from pseudonyms to values.
type Vault interface {
	// Hide returns a pseudonym for each value; their rows are durable when it
	// returns.
	Hide(ctx context.Context, scope string, keyed bool, values []vault.Value) ([]string, error)
	// Restore returns the values; a zero Value is one that does not resolve.
	Restore(ctx context.Context, scope string, tokens []string) ([]vault.Value, error)
}

// Config is what a Step is made of.
type Config struct {
	// Profile returns the profile as it is now. Never nil.
	Profile func() *privacy.Profile
	// Scan finds what is personal; nil asks the profile's own scanner.
	Scan func(ctx context.Context, p *privacy.Profile, raw []byte) ([]pii.Span, error)
	// Outside is asked about prose besides; nil: nobody is.
	Outside Outside
	// Vault keeps pseudonyms; nil refuses messages that need one.
	Vault Vault
	// Secrets makes keyed values.
	Secrets privacy.Secrets
	// Open turns keyed values back; nil refuses messages with some to be turned back.
	Open Opener
	// Schemas returns the compiled output schema of a tool, nil when it has none.
	Schemas func(tool *registry.Tool) filter.Schema
	// Learn takes note of what results hold and later arguments use, for
	// filters to be proposed; nil: nobody does.
	Learn *filter.Learner
	// Read is told the labels of what passed in clear to the caller.
	Read func(x *exchange.Exchange, labels []string)
	// Log receives failures of the detector. err holds no content.
	Log func(msg string, x *exchange.Exchange, err error)
	// Tenant is part of every scope.
	Tenant string
}

// Step is the room's two places on the path. It is safe for concurrent use.
type Step struct{ c Config }

// New returns a step.
func New(c Config) *Step { return &Step{c} }

// Request looks at what goes to the server.
func (s *Step) Request(ctx context.Context, x *exchange.Exchange) (err error) {
	if x.Request == nil || x.Join != nil {
		return nil // parts walk on their own
	}
	defer recovered(&err)
	p := s.c.Profile()
	j := s.job(x, p, privacy.Server)
	if err := s.headers(ctx, x, j); err != nil {
		return err
	}
	m, err := s.hide(ctx, j, x.Request)
	if err != nil {
		return err
	}
	if m, err = s.restore(ctx, j, m); err != nil {
		return err
	}
	s.learn(x, wire.Value{}, m.Params().Get("arguments"))
	if m == x.Request {
		return nil
	}
	if x.Parent == "" && x.RequestSum == ([32]byte{}) {
		x.RequestSum = export.MessageDigest(x.Request.Raw())
	}
	x.Request = m
	return nil
}

// Answer looks at what goes to the caller.
func (s *Step) Answer(ctx context.Context, x *exchange.Exchange) (err error) {
	if x.Message == nil || x.Join != nil {
		return nil
	}
	defer recovered(&err)
	err = s.answer(ctx, x)
	if err == nil {
		return nil
	}
	f := fault.As(err)
	switch x.Message.Kind() {
	case wire.Notification:
		if f.Kind != fault.ContentBlocked || errors.Is(f.Cause, errSplitSecret) {
			return err
		}
		x.Drop = f.Kind
		return nil
	case wire.Request: // the server asks the client: it is told why nobody answers
		x.Drop, x.Back = f.Kind, wire.NewError(x.Message.ID(), x.Version, f, x.ID)
		return nil
	}
	return err
}

func (s *Step) answer(ctx context.Context, x *exchange.Exchange) error {
	p := s.c.Profile()
	j := s.job(x, p, privacy.Client)
	m, err := unclaimed(x.Message)
	if err != nil {
		return err
	}
	s.learn(x, m.Result(), wire.Value{})
	if m, err = s.filter(j, m); err != nil {
		return err
	}
	if m, err = s.hide(ctx, j, m); err != nil {
		return err
	}
	if err = s.seams(ctx, j, m); err != nil {
		return err
	}
	if m != x.Message {
		if err = s.fits(j, m); err != nil {
			return err
		}
	}
	if x.Message, err = told(j, m); err != nil {
		return err
	}
	if s.c.Read != nil && len(j.clear) > 0 {
		s.c.Read(x, j.clear)
	}
	return nil
}

// job is one message on its way to one receiver.
type job struct {
	x      *exchange.Exchange
	p      *privacy.Profile
	where  privacy.Where
	scope  string
	clear  []string // labels of what passes as it is
	hidden map[string]int
	schema shapes // what the values must fit, once shaped is set
	shaped bool
	report filter.Report

	metadata int // bytes of pictures' metadata that were read
}

// job says who receives the message, and what for.
func (s *Step) job(x *exchange.Exchange, p *privacy.Profile, toward privacy.Toward) *job {
	x.Privacy.Profile, x.Privacy.Shadow = p.Name(), p.Shadow()
	j := &job{x: x, p: p, where: privacy.Where{Toward: toward, Server: x.Endpoint}}
	if x.Tool != nil {
		j.where.Tool = x.Tool.Name
	} else if x.Fact.Action == wire.ActTool && x.Request != nil {
		j.where.Tool = x.Request.Name()
	}
	zone := ""
	if x.View != nil {
		if g := x.View.Grant(x.Principal.ID, x.Endpoint); g != nil {
			j.where.Purpose = g.Purpose
		}
		if a := x.View.Agent(x.Principal.ID); a != nil && toward == privacy.Client {
			zone = a.Zone
		}
	}
	if x.Server != nil && toward == privacy.Server {
		zone = x.Server.Zone
	}
	j.where.Zone = p.Zone(zone)
	return j
}

// scopeOf joins what a pseudonym's scope is made of. Every part has its length
// before it, so that no two scopes meet.
func (s *Step) scopeOf(j *job) string {
	if j.scope != "" {
		return j.scope
	}
	var b strings.Builder
	part := func(name, value string) { fmt.Fprintf(&b, "%s:%d:%s;", name, len(value), value) }
	for _, name := range j.p.Scope() {
		switch name {
		case "tenant":
			part(name, s.c.Tenant)
		case "session":
			if j.x.Session != nil {
				part(name, j.x.Session.ID)
			} else {
				part("agent", agentOf(j.x)) // the modern era has no sessions
			}
		case "agent":
			part(name, agentOf(j.x))
		case "server":
			part(name, j.x.Endpoint)
		case "purpose":
			part(name, j.where.Purpose)
		}
	}
	j.scope = b.String()
	return j.scope
}

// agentOf names the caller in a scope, which rows of pseudonyms keep: by
// pseudonym, so that an agent that is erased is not named there for weeks.
func agentOf(x *exchange.Exchange) string {
	if p := x.Principal.Pseudonym; p != "" {
		return p
	}
	return x.Principal.ID
}

// match says what an answer belongs to, for filters.
func (j *job) match() filter.Match {
	x := j.x
	m := filter.Match{Agent: x.Principal.ID, Caller: x.Principal.ID, Server: x.Endpoint, Tool: j.where.Tool, Method: x.Method(), Purpose: j.where.Purpose}
	if x.Fact.Action == wire.ActReadResource && x.Request != nil {
		m.Resource = x.Request.Name()
	}
	return m
}

// learn shows the learner a result, or the arguments that came after one.
func (s *Step) learn(x *exchange.Exchange, result, arguments wire.Value) {
	if s.c.Learn == nil || !result.Exists() && !arguments.Exists() {
		return
	}
	s.c.Learn.Observe((&job{x: x, where: privacy.Where{Tool: toolOf(x)}}).match(), result, arguments)
}

func toolOf(x *exchange.Exchange) string {
	if x.Fact.Action == wire.ActTool && x.Request != nil {
		return x.Request.Name()
	}
	return ""
}

// recovered turns a panic into a refusal. Its text stays out: it may hold what
// was examined.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fault.Wrap(fault.Unscannable, fmt.Errorf("panic of type %T", p))
	}
}

// count notes a finding and what became of it.
func (j *job) count(typ pii.Type, a privacy.Action, n int) {
	j.x.Privacy.Add(j.toward(), string(typ), string(a), n)
}

func (j *job) toward() string {
	if j.where.Toward == privacy.Server {
		return toServer
	}
	return toClient
}

// The receivers in counts.
const (
	toServer = "server"
	toClient = "client"
)
