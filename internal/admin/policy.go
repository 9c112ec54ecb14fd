package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/store"
)

// PolicyRules is what the configuration says about policies.
type PolicyRules struct {
	Dir      string // the policies come from there, and from nowhere else; "" = from operators
	FourEyes bool   // a second operator applies what one proposed
}

// ByConfig is who applies policies that lie in a directory.
const ByConfig = "config"

// rules returns what the configuration says now.
func (o *operator) rules() PolicyRules {
	if o.cfg.Policy == nil {
		return PolicyRules{}
	}
	return o.cfg.Policy()
}

// CheckPolicies checks policies against a gateway without servers.
func CheckPolicies(sources []policy.Source) PolicyReport {
	return report(registry.NewSnapshot(0, nil, nil, nil, nil, nil), sources)
}

func report(view *registry.Snapshot, sources []policy.Source) PolicyReport {
	set, problems := policy.Compile(view, sources)
	r := PolicyReport{Problems: problems}
	if r.Problems == nil {
		r.Problems = []policy.Problem{}
	}
	if r.Valid = len(problems) == 0; r.Valid {
		r.Hash, r.Policies = set.Hash(), len(set.Rules())
	}
	return r
}

// PolicyCheck checks policies against the registered servers.
func (o *operator) PolicyCheck(_ context.Context, r PolicyCheck) (PolicyReport, error) {
	return report(o.cfg.Live.Load(), r.Sources), nil
}

// PolicySchema returns the schema of the registered servers.
func (o *operator) PolicySchema(context.Context, None) (PolicySchema, error) {
	return PolicySchema{policy.Schema(o.cfg.Live.Load())}, nil
}

// maxProblems bounds the problems that one error names.
const maxProblems = 20

// compiled returns the set of sources, or an error that names every line.
func compiled(view *registry.Snapshot, sources []policy.Source) (*policy.Set, error) {
	set, problems := policy.Compile(view, sources)
	if len(problems) == 0 {
		return set, nil
	}
	return nil, PolicyProblems(problems)
}

// PolicyProblems returns problems as one error.
func PolicyProblems(problems []policy.Problem) *Error {
	lines := make([]string, 0, len(problems))
	for _, p := range problems[:min(len(problems), maxProblems)] {
		lines = append(lines, placed(p))
	}
	if n := len(problems) - maxProblems; n > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", n))
	}
	return &Error{Code: Invalid, Message: "the policies are not valid; those in force stay", Cause: strings.Join(lines, "\n"),
		Fix: "correct each line, and check with: ostiary policy validate FILE"}
}

// placed writes a problem as compilers do.
func placed(p policy.Problem) string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// applied is the recorded detail of policies: hashes tell which, the store holds
// the texts.
type applied struct {
	Version  uint64   `json:"version,omitempty"`
	Before   string   `json:"before,omitempty"` // hashes of the sets
	After    string   `json:"after,omitempty"`
	Files    []string `json:"files,omitempty"`
	Policies int      `json:"policies"`
	Of       uint64   `json:"of,omitempty"`       // version that came back
	Proposal string   `json:"proposal,omitempty"` // id
	Proposer string   `json:"proposer,omitempty"` // pseudonym
}

// PolicyApply puts policies in force. Invalid ones change nothing.
func (o *operator) PolicyApply(_ context.Context, r PolicyApply) (Done[PolicyView], error) {
	switch rules := o.rules(); {
	case rules.Dir != "" && o.by != ByConfig && !r.Shadow:
		return Done[PolicyView]{}, &Error{Code: Forbidden, Message: "the policies of this gateway come from " + rules.Dir,
			Fix: "change the files there and reload: ostiary config reload, or send the process SIGHUP"}
	case rules.FourEyes && o.by != ByConfig && !r.Shadow:
		return Done[PolicyView]{}, &Error{Code: Forbidden, Message: "a second operator applies policies (policy.four_eyes)",
			Fix: "ostiary policy propose FILE --reason TEXT"}
	}
	if r.Shadow {
		return o.applyShadow(r)
	}
	return o.apply(r.Change, "policy.apply", r.Sources, applied{})
}

// apply makes sources the next version. how tells the record where they are from.
func (o *operator) apply(c Change, kind string, sources []policy.Source, how applied) (Done[PolicyView], error) {
	var out Done[PolicyView]
	if err := hasReason(c); err != nil {
		return out, err
	}
	t := &act{kind: kind, subject: registry.PolicyActive, noun: registry.NounRef{Kind: registry.KindPolicy, ID: registry.PolicyActive},
		what: "the policies", Change: c}
	err := o.change(t, func(s store.Store) (any, error) {
		p, rules, err := o.nextPolicy(s, c, sources)
		if err != nil {
			return nil, err
		}
		if rules == 0 && how.Of == 0 && how.Before == "" && len(sources) > 0 {
			return nil, invalid("to let the grants alone decide: ostiary policy rollback 0 --reason TEXT", "there is no policy in the files")
		}
		how.Version, how.Before, how.After, how.Policies = p.Version, p.Previous, p.Hash, rules
		how.Files = filesOf(sources)
		out.Item = PolicyView{Version: p.Version, State: "active", Files: filesOf(sources), Policies: rules, Hash: p.Hash, Previous: p.Previous,
			Signed: true, By: o.by, Reason: p.Reason, At: p.At}
		return how, o.putPolicy(s, p)
	})
	if err != nil {
		return Done[PolicyView]{}, err
	}
	out.Applied, out.Notices = !c.DryRun, []string{}
	return out, nil
}

// nextPolicy checks sources against the registry as it is in the transaction,
// and returns them as the next version.
func (o *operator) nextPolicy(s store.Store, c Change, sources []policy.Source) (registry.Policy, int, error) {
	set, err := compiled(o.base, sources)
	if err != nil {
		return registry.Policy{}, 0, err
	}
	active, _, err := activeOf(s)
	if err != nil {
		return registry.Policy{}, 0, err
	}
	by, err := s.Pseudonym(o.by)
	if err != nil {
		return registry.Policy{}, 0, err
	}
	versions, err := s.Nouns(registry.KindPolicyVersion)
	if err != nil {
		return registry.Policy{}, 0, err
	}
	p := registry.Policy{Version: 1, Sources: sources, Hash: registry.PolicyHash(sources), Reason: c.Reason, By: by, At: o.now()}
	if p.Sources == nil {
		p.Sources = []policy.Source{}
	}
	if active != nil {
		p.Version, p.Previous = active.Version+1, active.Hash
	}
	if n := len(versions); n > 0 {
		last, err := registry.ValueOf[registry.Policy](versions[n-1])
		if err != nil {
			return registry.Policy{}, 0, err
		}
		p.Version, p.Previous = max(p.Version, last.Version+1), last.Hash
	}
	return p, len(set.Rules()), nil
}

// putPolicy stores p as what is in force, and as a version.
func (o *operator) putPolicy(s store.Store, p registry.Policy) error {
	version, err := signedPolicy(o.cfg.Ring, registry.KindPolicyVersion, versionID(p.Version), p)
	if err != nil {
		return err
	}
	if err := s.InsertNoun(version); err != nil {
		return err
	}
	n, err := signedPolicy(o.cfg.Ring, registry.KindPolicy, registry.PolicyActive, p)
	if err != nil {
		return err
	}
	return putNoun(s, n)
}

// putNoun stores n in place of what is there.
func putNoun(s registry.NounStore, n registry.Noun) error {
	old, err := s.Noun(n.Kind, n.ID)
	if errors.Is(err, registry.ErrNotFound) {
		return s.InsertNoun(n)
	}
	if err != nil {
		return err
	}
	n.Revision = old.Revision
	return s.UpdateNoun(n)
}

func (o *operator) now() time.Time { return o.cfg.Clock.Now().UTC().Truncate(time.Second) }

func hasReason(c Change) error {
	if strings.TrimSpace(c.Reason) == "" {
		return invalid("add --reason TEXT", "a change of policies needs a reason")
	}
	return nil
}

func filesOf(sources []policy.Source) []string {
	names := []string{}
	for _, s := range sources {
		names = append(names, s.Name)
	}
	return names
}

// PolicyHistory lists every version, the newest first.
func (o *operator) PolicyHistory(context.Context, None) ([]PolicyView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindPolicyVersion)
	if err != nil {
		return nil, asError("the versions of the policies", err)
	}
	views := []PolicyView{}
	for i, n := range slices.Backward(all) {
		v, err := o.viewVersion(n)
		if err != nil {
			return nil, err
		}
		if v.State = "replaced"; i == len(all)-1 {
			v.State = "active"
		}
		views = append(views, v)
	}
	return views, nil
}

// PolicyShow returns one version with its texts.
func (o *operator) PolicyShow(_ context.Context, r PolicyVersion) (PolicyView, error) {
	all, err := o.cfg.Store.Nouns(registry.KindPolicyVersion)
	if err != nil {
		return PolicyView{}, asError("the versions of the policies", err)
	}
	for i, n := range slices.Backward(all) {
		if r.Version != 0 && n.ID != versionID(r.Version) {
			continue
		}
		v, err := o.viewVersion(n)
		if err != nil {
			return v, err
		}
		p, err := registry.ValueOf[registry.Policy](n)
		if v.Sources = p.Sources; err != nil {
			return v, asError("the policies", err)
		}
		if v.State = "replaced"; i == len(all)-1 {
			v.State = "active"
		}
		return v, nil
	}
	if r.Version == 0 {
		return PolicyView{}, &Error{Code: NotFound, Message: "no policies were applied; the grants alone decide", Fix: "ostiary policy apply FILE --reason TEXT"}
	}
	return PolicyView{}, &Error{Code: NotFound, Message: fmt.Sprintf("there is no version %d of the policies", r.Version), Fix: "see: ostiary policy history"}
}

func (o *operator) viewVersion(n registry.Noun) (PolicyView, error) {
	p, err := registry.ValueOf[registry.Policy](n)
	if err != nil {
		return PolicyView{}, asError("the policies", err)
	}
	v := PolicyView{Version: p.Version, Files: filesOf(p.Sources), Hash: p.Hash, Previous: p.Previous, Reason: p.Reason, At: p.At,
		By: o.nameOf(p.By), Signed: flawOf(o.cfg.Ring, n.Kind, n.ID, p) == ""}
	if set, problems := policy.Compile(o.cfg.Live.Load(), p.Sources); len(problems) == 0 {
		v.Policies = len(set.Rules())
	}
	return v, nil
}

// nameOf returns the name behind a pseudonym, or the pseudonym of who was
// erased.
func (o *operator) nameOf(pseudonym string) string {
	if s, ok := o.cfg.Ring.SubjectOf(pseudonym); ok {
		return s.Name()
	}
	return pseudonym
}

// PolicyRollback makes an earlier version the next one.
func (o *operator) PolicyRollback(ctx context.Context, r PolicyRollback) (Done[PolicyView], error) {
	var none Done[PolicyView]
	switch rules := o.rules(); {
	case rules.Dir != "":
		return none, &Error{Code: Forbidden, Message: "the policies of this gateway come from " + rules.Dir, Fix: "put the earlier files back there, and reload"}
	case rules.FourEyes:
		return none, &Error{Code: Forbidden, Message: "a second operator applies policies (policy.four_eyes)",
			Fix: "ostiary policy show VERSION, then ostiary policy propose FILE --reason TEXT"}
	case r.Version == 0:
		return o.apply(r.Change, "policy.rollback", nil, applied{})
	}
	v, err := o.PolicyShow(ctx, PolicyVersion{r.Version})
	if err != nil {
		return none, err
	}
	if !v.Signed {
		return none, &Error{Code: Integrity, Message: fmt.Sprintf("version %d does not verify, so it cannot come back", r.Version), Fix: "apply the policies from their files"}
	}
	return o.apply(r.Change, "policy.rollback", v.Sources, applied{Of: r.Version})
}
