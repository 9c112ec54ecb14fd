package admin

import (
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// patched returns the view after base, with what the transaction changed. It
// reads the changed rows only: the log cannot be written while a change's
// transaction is open, so calls would wait for a read of everything
// (BenchmarkChangeOfMany). TestPatchedViews holds it to what load reads. Rows
// that somebody else changed are found by the sweep and by the next start; once
// one was found, every change reads everything and is refused.
func (a *Admin) patched(s store.Store, base *registry.Snapshot, touched registry.Touched) (*registry.Snapshot, error) {
	var p registry.Patch
	servers, err := some(touched.Servers, s.Server)
	if err != nil {
		return nil, fmt.Errorf("read changed servers: %w", err)
	}
	agents, err := some(touched.Agents, s.Agent)
	if err != nil {
		return nil, fmt.Errorf("read changed agents: %w", err)
	}
	tokens, err := some(touched.Tokens, s.Token)
	if err != nil {
		return nil, fmt.Errorf("read changed tokens: %w", err)
	}
	for _, serial := range touched.Certificates {
		c, err := s.Certificate(serial)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			p.Ended = append(p.Ended, serial)
		case err != nil:
			return nil, fmt.Errorf("read changed certificates: %w", err)
		default:
			p.Certificates = append(p.Certificates, c)
		}
	}
	p.Servers, p.Agents, p.Tokens = servers, agents, tokens
	for _, pair := range touched.Grants {
		g, err := s.Grant(pair.Agent, pair.Server)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			p.Revoked = append(p.Revoked, pair)
		case err != nil:
			return nil, fmt.Errorf("read changed grants: %w", err)
		default:
			p.Grants = append(p.Grants, g)
		}
	}
	view := base.With(base.Version()+1, p)
	if len(touched.Nouns) == 0 {
		return view, nil
	}
	var put []registry.Noun
	var gone []registry.NounRef
	for _, ref := range touched.Nouns {
		n, err := s.Noun(ref.Kind, ref.ID)
		switch {
		case errors.Is(err, registry.ErrNotFound):
			gone = append(gone, ref)
		case err != nil:
			return nil, fmt.Errorf("read changed nouns: %w", err)
		default:
			if n, err = vouched(a.cfg.Ring, n); err != nil {
				return nil, fmt.Errorf("read changed nouns: %w", err)
			}
			put = append(put, n)
		}
	}
	return view.WithNouns(put, gone)
}

// some reads rows by their keys.
func some[V any](keys []string, read func(string) (V, error)) (out []V, err error) {
	for _, k := range keys {
		v, err := read(k)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// load reads the whole registry. Certificates that have ended cannot identify
// anybody and stay out. Every agent gets its pseudonym here, once for each
// view, so that no call has to look for it.
func (a *Admin) load(s store.Store, version uint64) (*registry.Snapshot, error) {
	now := a.cfg.Clock.Now()
	servers, err := s.Servers()
	if err != nil {
		return nil, fmt.Errorf("read servers: %w", err)
	}
	agents, err := s.Agents()
	if err != nil {
		return nil, fmt.Errorf("read agents: %w", err)
	}
	for i := range agents {
		subject, err := a.cfg.Ring.Subject(agents[i].ID)
		if err != nil {
			return nil, fmt.Errorf("the pseudonym of an agent: %w", err)
		}
		agents[i].Pseudonym = subject.Pseudonym
	}
	tokens, err := s.Tokens()
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	all, err := s.Certificates()
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	var certs []registry.Certificate
	for _, c := range all {
		if now.Before(c.NotAfter) {
			certs = append(certs, c)
		}
	}
	grants, err := s.Grants()
	if err != nil {
		return nil, fmt.Errorf("read grants: %w", err)
	}
	var nouns []registry.Noun
	for _, kind := range registry.NounKinds() {
		if !kind.Lives() {
			continue
		}
		some, err := s.Nouns(kind)
		if err != nil {
			return nil, fmt.Errorf("read nouns: %w", err)
		}
		for _, n := range some {
			if n, err = vouched(a.cfg.Ring, n); err != nil {
				return nil, fmt.Errorf("read nouns: %w", err)
			}
			nouns = append(nouns, n)
		}
	}
	active, _, err := activeOf(s)
	if err != nil {
		return nil, fmt.Errorf("read the policies: %w", err)
	}
	broken, err := inForce(s, active)
	if err != nil {
		return nil, fmt.Errorf("read the policies: %w", err)
	}
	if broken != nil {
		nouns = append(nouns, *broken)
	}
	return registry.NewSnapshot(version, servers, agents, tokens, certs, grants).WithNouns(nouns, nil)
}
