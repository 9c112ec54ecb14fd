package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"ostiary.dev/ostiary/internal/auditlog"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/witness"
)

// Witnesses is what watches over the checkpoints, as far as operators see it.
type Witnesses interface {
	// Met reports whether a checkpoint carries the cosignatures that the
	// policy asks for.
	Met(note []byte) bool
	// Policy returns the text of the policy file, "" when there is none, and
	// File its path.
	Policy() string
	File() string
	// Status says what the witnesses did.
	Status() []WitnessView
}

func noWitnesses() *Error {
	return &Error{Code: Unavailable, Message: "witnesses cannot be asked here", Fix: "check with: ostiary doctor"}
}

// WitnessList lists the witnesses of the policy.
func (o *operator) WitnessList(context.Context, None) ([]WitnessView, error) {
	if o.cfg.Witnesses == nil {
		return nil, noWitnesses()
	}
	return o.cfg.Witnesses.Status(), nil
}

// managed is the first line of a policy file that ostiary may rewrite.
const managed = "# This file is kept by: ostiary audit witness"

// ChangeWitness writes the policy file anew. One that was written by hand may
// have groups of its own and is left to its owner.
func (o *operator) ChangeWitness(_ context.Context, r WitnessChange) (Done[[]WitnessView], error) {
	var out Done[[]WitnessView]
	if o.cfg.Witnesses == nil {
		return out, noWitnesses()
	}
	if len(r.Reason) > maxReason {
		return out, invalid("shorten it", "the reason is longer than %d bytes", maxReason)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	path := o.cfg.Witnesses.File()
	old, was, err := readPolicy(path)
	if err != nil {
		return out, err
	}
	text, err := r.apply(old)
	if err != nil {
		return out, err
	}
	if r.DryRun {
		return Done[[]WitnessView]{Item: o.cfg.Witnesses.Status(), Notices: []string{}}, nil
	}
	action := "witness.add"
	if r.Remove {
		action = "witness.remove"
	}
	before, err1 := registry.Fingerprint(was)
	after, err2 := registry.Fingerprint(text)
	if err := errors.Join(err1, err2); err != nil {
		return out, asError("the witness", err)
	}
	err = o.cfg.Recorder.Act(auditlog.Act{Kind: auditlog.AdminChanged, Action: action, By: o.by, Subject: r.Name, Reason: r.Reason, Before: before, After: after,
		Change: map[string]any{"key": r.Key, "url": r.URL, "need": r.Need}})
	if err != nil {
		return out, asError("the witness", err)
	}
	if err := writePolicy(path, text); err != nil {
		return out, &Error{Code: Failed, Message: "the witness policy could not be written", Cause: err.Error()}
	}
	return Done[[]WitnessView]{Applied: true, Item: o.cfg.Witnesses.Status(), Notices: []string{
		"the policy is " + path + "; a gateway that runs follows it within seconds"}}, nil
}

func readPolicy(path string) (*witness.Policy, string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &witness.Policy{}, "", nil
	}
	if err != nil {
		return nil, "", &Error{Code: Invalid, Message: "the witness policy cannot be read", Cause: err.Error()}
	}
	if !strings.HasPrefix(string(text), managed) {
		return nil, "", &Error{Code: Conflict, Message: "the witness policy " + path + " was written by hand",
			Fix: "change it there (c2sp.org/tlog-policy); the gateway follows it by itself"}
	}
	p, err := witness.ParsePolicy(text)
	if err != nil {
		return nil, "", &Error{Code: Invalid, Message: "the witness policy is not valid", Cause: err.Error()}
	}
	return p, string(text), nil
}

// apply returns the new text of the policy.
func (r WitnessChange) apply(p *witness.Policy) (string, error) {
	var lines, names []string
	found := false
	for _, w := range p.Witnesses {
		if w.Name == r.Name {
			found = true
			continue
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("witness %s %s %s", w.Name, w.Key.VKey(), w.URL)))
		names = append(names, w.Name)
	}
	if r.Remove && !found {
		return "", &Error{Code: NotFound, Message: fmt.Sprintf("there is no witness %q", r.Name), Fix: "see: ostiary audit witness list"}
	}
	if !r.Remove {
		if found {
			return "", &Error{Code: Exists, Message: fmt.Sprintf("there is a witness %q already", r.Name), Fix: "choose another name, or remove it first"}
		}
		if strings.ContainsAny(r.Name+r.Key+r.URL, " \t\r\n#") || r.Name == "" || r.URL == "" {
			return "", invalid("use: NAME KEY URL", "a witness needs a name, its key and its URL, without spaces")
		}
		lines = append(lines, fmt.Sprintf("witness %s %s %s", r.Name, r.Key, r.URL))
		names = append(names, r.Name)
	}
	need := r.Need
	if need == 0 {
		need = len(names)
	}
	text := managed + "\n" + strings.Join(lines, "\n") + "\n"
	if len(names) == 0 {
		text += "quorum none\n"
	} else {
		text += fmt.Sprintf("group enough %d %s\nquorum enough\n", need, strings.Join(names, " "))
	}
	if _, err := witness.ParsePolicy([]byte(text)); err != nil {
		return "", invalid("check the key, the URL and --need", "the policy would not be valid: %v", err)
	}
	return text, nil
}

// writePolicy replaces the file whole.
func writePolicy(path, text string) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
