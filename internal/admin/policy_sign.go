package admin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/keys"
	"ostiary.dev/ostiary/internal/registry"
)

// policyText is what the gateway signs of a stored policy: everything that is
// in it, and the place that it is for. A version that was replaced, or a shadow,
// so cannot be put where the policies in force are.
func policyText(kind registry.NounKind, id string, p registry.Policy) ([]byte, error) {
	p.Signature, p.Broken = "", ""
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("the text of a policy: %w", err)
	}
	return append([]byte(string(kind)+"\n"+id+"\n"), text...), nil
}

// signedPolicy returns the noun of a policy with the gateway's signature.
func signedPolicy(ring *keys.Ring, kind registry.NounKind, id string, p registry.Policy) (registry.Noun, error) {
	text, err := policyText(kind, id, p)
	if err != nil {
		return registry.Noun{}, err
	}
	p.Signature = base64.StdEncoding.EncodeToString(ring.SignPolicy(text))
	return registry.NewNoun(kind, id, "", p)
}

// flawOf says why a stored policy must not be used, or "".
func flawOf(ring *keys.Ring, kind registry.NounKind, id string, p registry.Policy) string {
	text, err := policyText(kind, id, p)
	if err != nil {
		return err.Error()
	}
	sig, err := base64.StdEncoding.DecodeString(p.Signature)
	switch {
	case err != nil || !ring.VerifyPolicy(text, sig):
		return "the signature of the policies does not hold"
	case p.Hash != registry.PolicyHash(p.Sources):
		return "the hash of the policies is of other ones"
	}
	return ""
}

// vouched returns a noun as snapshots may hold it: policies that the gateway
// did not sign are marked, and every call is refused then (P01,
// TestP01EditedPolicyDeniesAll).
func vouched(ring *keys.Ring, n registry.Noun) (registry.Noun, error) {
	if n.Kind != registry.KindPolicy {
		return n, nil
	}
	p, err := registry.ValueOf[registry.Policy](n)
	if err != nil {
		return n, err
	}
	if p.Broken = flawOf(ring, n.Kind, n.ID, p); p.Broken == "" {
		return n, nil
	}
	revision := n.Revision
	n, err = registry.NewNoun(n.Kind, n.ID, n.Owner, p)
	n.Revision = revision
	return n, err
}

// inForce returns what stands in for policies that are gone although versions
// of them are stored, or that are not the last version: nothing may be decided
// by less than what was applied last.
func inForce(s registry.NounStore, active *registry.Policy) (*registry.Noun, error) {
	versions, err := s.Nouns(registry.KindPolicyVersion)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	last := versions[len(versions)-1].ID
	if active != nil && versionID(active.Version) == last {
		return nil, nil
	}
	n, err := registry.NewNoun(registry.KindPolicy, registry.PolicyActive, "", registry.Policy{
		Broken: "the policies in force are not those of the last version, " + last})
	return &n, err
}

// versionID is the id of a version in the store.
func versionID(v uint64) string { return fmt.Sprintf("v/%012d", v) }

// PolicyFlaw says why the policies in force refuse every call, or "".
func (a *Admin) PolicyFlaw() string {
	if p := registry.Get[registry.Policy](a.cfg.Live.Load(), registry.KindPolicy, registry.PolicyActive); p != nil {
		return p.Broken
	}
	return ""
}

// noteFlaw records at a start that the policies in force cannot be used.
func (a *Admin) noteFlaw() error {
	flaw := a.PolicyFlaw()
	if flaw == "" || a.cfg.Follows != nil {
		return nil
	}
	err := a.cfg.Recorder.Act(auditlog.Act{Kind: auditlog.IntegrityFailed, Action: "policy.load", Reason: flaw})
	if err != nil {
		return fmt.Errorf("record that the policies cannot be used: %w", err)
	}
	return nil
}

// activeOf reads the policies in force; nil when none were ever applied.
func activeOf(s registry.NounStore) (*registry.Policy, registry.Noun, error) {
	n, err := s.Noun(registry.KindPolicy, registry.PolicyActive)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, n, nil
	}
	if err != nil {
		return nil, n, err
	}
	p, err := registry.ValueOf[registry.Policy](n)
	return &p, n, err
}
