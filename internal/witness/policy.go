package witness

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"ostiary.dev/ostiary/internal/keys"
)

// Bounds of a policy file; the specification asks for 32 of each.
const (
	maxPolicy = 64 << 10
	maxNames  = 128
)

// Policy is a C2SP tlog-policy: which witnesses there are, and which of them
// are enough.
type Policy struct {
	Logs      []string // verifier keys
	Witnesses []Witness
	quorum    *group // nil: none is needed
}

// Witness is one line of a policy.
type Witness struct {
	Name string // in the policy
	Key  keys.Cosignature
	URL  string // submission prefix, "" when the policy has none
}

// group is met when at least need of its members are. A group without members
// is one witness.
type group struct {
	witness string // verifier key
	need    int
	members []*group
}

// ParsePolicy reads a policy file. The error names the line.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxPolicy {
		return nil, fmt.Errorf("the witness policy is longer than %d bytes", maxPolicy)
	}
	p := &parser{names: map[string]*group{}, used: map[string]bool{}, keys: map[string]bool{}}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("witness policy, line %d: %w", i+1, err)
		}
	}
	if !p.hasQuorum {
		return nil, errors.New("the witness policy has no quorum line")
	}
	return &p.policy, nil
}

type parser struct {
	policy    Policy
	names     map[string]*group
	used      map[string]bool // member of a group already
	keys      map[string]bool // public keys of logs and witnesses
	hasQuorum bool
}

func (p *parser) line(line []byte) error {
	for _, b := range line {
		if b < ' ' && b != '\t' || b == 0x7f {
			return errors.New("a control character")
		}
	}
	words := strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' })
	if len(words) == 0 || strings.HasPrefix(words[0], "#") {
		return nil
	}
	switch words[0] {
	case "log":
		return p.log(words[1:])
	case "witness":
		return p.witness(words[1:])
	case "group":
		return p.group(words[1:])
	case "quorum":
		return p.quorum(words[1:])
	}
	return fmt.Errorf("%q is not log, witness, group or quorum", words[0])
}

func (p *parser) log(words []string) error {
	if len(words) < 1 || len(words) > 2 {
		return errors.New("use: log VKEY [URL]")
	}
	if len(p.policy.Logs) >= maxNames {
		return fmt.Errorf("more than %d logs", maxNames)
	}
	v, err := parseLogKey(words[0])
	if err != nil {
		return err
	}
	if err := p.newKey("log", v.key); err != nil {
		return err
	}
	p.policy.Logs = append(p.policy.Logs, words[0])
	return nil
}

// newKey refuses a public key that stands in the policy already under any name:
// it would count twice.
func (p *parser) newKey(kind, public string) error {
	if p.keys[kind+public] {
		return fmt.Errorf("the key of this %s is listed twice", kind)
	}
	p.keys[kind+public] = true
	return nil
}

func (p *parser) witness(words []string) error {
	if len(words) < 2 || len(words) > 3 {
		return errors.New("use: witness NAME VKEY [URL]")
	}
	key, err := keys.ParseCosignature(words[1])
	if err != nil {
		return err
	}
	if err := p.newKey("witness", string(key.Public())); err != nil {
		return err
	}
	w := Witness{Name: words[0], Key: key}
	if len(words) == 3 {
		if err := checkURL(words[2]); err != nil {
			return err
		}
		w.URL = words[2]
	}
	p.policy.Witnesses = append(p.policy.Witnesses, w)
	return p.define(words[0], &group{witness: key.VKey(), need: 1})
}

// checkURL accepts https, and http for this machine alone.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return errors.New("the URL cannot be read")
	}
	local := u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost"
	if u.Scheme != "https" && !(u.Scheme == "http" && local) || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the URL must be https://HOST[:PORT][/PATH]; plain http is for loopback alone")
	}
	return nil
}

func (p *parser) define(name string, g *group) error {
	if name == "none" || p.names[name] != nil {
		return fmt.Errorf("the name %q is taken", name)
	}
	if len(p.names) >= maxNames {
		return fmt.Errorf("more than %d names", maxNames)
	}
	p.names[name] = g
	return nil
}

func (p *parser) group(words []string) error {
	if len(words) < 3 {
		return errors.New("use: group NAME all|any|K and at least one MEMBER")
	}
	g := &group{}
	for _, name := range words[2:] {
		m := p.names[name]
		if m == nil {
			return fmt.Errorf("%q is not defined above", name)
		}
		if p.used[name] {
			return fmt.Errorf("%q is a member twice", name)
		}
		p.used[name] = true
		g.members = append(g.members, m)
	}
	switch words[1] {
	case "all":
		g.need = len(g.members)
	case "any":
		g.need = 1
	default:
		n, err := strconv.Atoi(words[1])
		if err != nil || n < 1 || n > len(g.members) || strconv.Itoa(n) != words[1] {
			return fmt.Errorf("%q is not all, any or a number from 1 to %d", words[1], len(g.members))
		}
		g.need = n
	}
	return p.define(words[0], g)
}

func (p *parser) quorum(words []string) error {
	if len(words) != 1 {
		return errors.New("use: quorum NAME|none")
	}
	if p.hasQuorum {
		return errors.New("a second quorum")
	}
	p.hasQuorum = true
	if words[0] == "none" {
		return nil
	}
	if p.policy.quorum = p.names[words[0]]; p.policy.quorum == nil {
		return fmt.Errorf("%q is not defined above", words[0])
	}
	return nil
}

// Met reports whether the witnesses whose verifier keys are in cosigned are
// enough.
func (p *Policy) Met(cosigned map[string]bool) bool {
	return p.quorum == nil || p.quorum.met(cosigned)
}

// Needed reports whether the policy asks for any witness.
func (p *Policy) Needed() bool { return p.quorum != nil }

func (g *group) met(cosigned map[string]bool) bool {
	if g.witness != "" {
		return cosigned[g.witness]
	}
	n := 0
	for _, m := range g.members {
		if m.met(cosigned) {
			n++
		}
	}
	return n >= g.need
}
