package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Bounds of a policy; the specification asks for at least 32 of each.
const (
	maxPolicy     = 256 << 10 // bytes
	maxComponents = 256       // logs, witnesses and groups together
)

// Policy says which logs are known and which witnesses must have signed a
// checkpoint (https://c2sp.org/tlog-policy).
type Policy struct {
	logs      []Key
	witnesses []witness
	groups    map[string]group // a witness is a group of itself
	quorum    string
}

type witness struct {
	name string
	key  Key
}

type group struct {
	need    int
	members []string // names of groups; empty for a witness
}

// ParsePolicy reads a policy file. It refuses what it does not know: a policy
// that is half understood is weaker than its author meant.
func ParsePolicy(file []byte) (*Policy, error) {
	if len(file) > maxPolicy {
		return nil, errors.New("the policy is too long")
	}
	r := policyReader{p: &Policy{groups: map[string]group{}}, member: map[string]bool{}}
	for i, line := range strings.Split(string(file), "\n") {
		if bad := strings.IndexFunc(line, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }); bad >= 0 {
			return nil, fmt.Errorf("line %d of the policy holds a control character", i+1)
		}
		f := strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '\t' })
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		if err := r.line(f); err != nil {
			return nil, fmt.Errorf("line %d of the policy: %w", i+1, err)
		}
		if len(r.p.logs)+len(r.p.groups) > maxComponents {
			return nil, errors.New("the policy has too many lines")
		}
	}
	if r.p.quorum == "" {
		return nil, errors.New("the policy has no quorum line")
	}
	return r.p, nil
}

type policyReader struct {
	p      *Policy
	member map[string]bool // names that are a member of a group already
}

func (r *policyReader) line(f []string) error {
	switch {
	case f[0] == "log" && (len(f) == 2 || len(f) == 3):
		return r.log(f[1])
	case f[0] == "witness" && (len(f) == 3 || len(f) == 4):
		return r.witness(f[1], f[2])
	case f[0] == "group" && len(f) >= 4:
		return r.group(f[1], f[2], f[3:])
	case f[0] == "quorum" && len(f) == 2:
		return r.quorum(f[1])
	}
	return fmt.Errorf("%q is no line that is known", strings.Join(f, " "))
}

func (r *policyReader) log(vkey string) error {
	k, err := ParseKey(vkey)
	if err != nil {
		return err
	}
	for _, other := range r.p.logs {
		// The specification refuses two logs of one key. Ours are two logs of one
		// key by design: the key is bound to each name by its hash.
		if other.name == k.name && bytes.Equal(other.public, k.public) {
			return errors.New("the log is there twice")
		}
	}
	r.p.logs = append(r.p.logs, k)
	return nil
}

func (r *policyReader) witness(name, vkey string) error {
	k, err := parseKey(vkey, algCosignature)
	if err != nil {
		return err
	}
	for _, w := range r.p.witnesses {
		if bytes.Equal(w.key.public, k.public) {
			return fmt.Errorf("the witnesses %s and %s have one key", w.name, name)
		}
	}
	if err := r.define(name, group{}); err != nil {
		return err
	}
	r.p.witnesses = append(r.p.witnesses, witness{name, k})
	return nil
}

func (r *policyReader) group(name, need string, members []string) error {
	g := group{members: members}
	switch need {
	case "any":
		g.need = 1
	case "all":
		g.need = len(members)
	default:
		n, err := strconv.Atoi(need)
		if err != nil || n < 1 || n > len(members) || strconv.Itoa(n) != need {
			return fmt.Errorf("%q of %d is no threshold", need, len(members))
		}
		g.need = n
	}
	for _, m := range members {
		if _, ok := r.p.groups[m]; !ok {
			return fmt.Errorf("%q is not defined above", m)
		}
		if r.member[m] {
			return fmt.Errorf("%q counts twice", m)
		}
		r.member[m] = true
	}
	return r.define(name, g)
}

func (r *policyReader) define(name string, g group) error {
	if _, ok := r.p.groups[name]; ok || name == "none" {
		return fmt.Errorf("the name %q is taken", name)
	}
	r.p.groups[name] = g
	return nil
}

func (r *policyReader) quorum(name string) error {
	if r.p.quorum != "" {
		return errors.New("a second quorum line")
	}
	if _, ok := r.p.groups[name]; !ok && name != "none" {
		return fmt.Errorf("%q is not defined above", name)
	}
	r.p.quorum = name
	return nil
}

// check returns the witnesses that signed c, or an error when they are not
// enough. Signatures in sigs are verified already.
func (p *Policy) check(c Checkpoint, sigs []note.Signature) ([]Witness, error) {
	signed := map[string]bool{}
	var found []Witness
	for _, w := range p.witnesses {
		for _, s := range sigs {
			if s.Name == w.key.name && s.Hash == w.key.hash && !signed[w.name] {
				signed[w.name] = true
				found = append(found, Witness{w.name, cosignedAt(s)})
			}
		}
	}
	if len(p.logs) > 0 && !p.lists(c) {
		return nil, fmt.Errorf("the policy does not list the log %s with a key that signed", c.Origin)
	}
	if p.quorum != "none" && !p.satisfied(p.quorum, signed) {
		return nil, fmt.Errorf("the checkpoint lacks witnesses: %d of the policy's %d signed, the quorum %s is not met",
			len(found), len(p.witnesses), p.quorum)
	}
	return found, nil
}

func (p *Policy) lists(c Checkpoint) bool {
	for _, l := range p.logs {
		for _, k := range c.Signers {
			if l.name == k.name && l.hash == k.hash {
				return true
			}
		}
	}
	return false
}

// satisfied reports whether the group name has signed. Groups refer only to
// groups above them and each counts once, so this ends.
func (p *Policy) satisfied(name string, signed map[string]bool) bool {
	g := p.groups[name]
	if len(g.members) == 0 {
		return signed[name]
	}
	n := 0
	for _, m := range g.members {
		if p.satisfied(m, signed) {
			n++
		}
	}
	return n >= g.need
}
