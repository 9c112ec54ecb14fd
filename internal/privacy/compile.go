package privacy

import (
	"fmt"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/pii"
)

// Limits of a Config.
const (
	maxProfiles = 64
	maxRules    = 256
	maxDepth    = 8 // profiles that extend each other
	maxWord     = 256
)

// Problem is one thing wrong with a Config.
type Problem struct {
	Key  string // path of the key: "profiles.support.rules[2].types[0]"
	Text string // what is wrong and what to do
}

// Problems are everything wrong with a Config.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Key + ": " + p.Text
	}
	return strings.Join(lines, "\n")
}

// compiler collects problems.
type compiler struct {
	cfg      Config
	problems Problems
	names    map[string]bool // of user patterns
}

func (c *compiler) add(key, format string, args ...any) {
	c.problems = append(c.problems, Problem{key, fmt.Sprintf(format, args...)})
}

// list says which words there are, for a sentence.
func list[T ~string](words []T) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}

// Compile checks cfg and returns its profile, or every problem at once as
// Problems.
func Compile(cfg Config) (*Profile, error) {
	c := &compiler{cfg: cfg, names: map[string]bool{}}
	if cfg.Profile == "" {
		cfg.Profile = secretsOnly.name
	}
	c.patterns()
	c.plain()
	p := &Profile{cfg: cfg, patterns: c.names}
	p.restore, p.subjects = c.restores(), c.subjects()
	all := c.profiles()
	if chosen := all[cfg.Profile]; chosen != nil {
		p.base, p.keyed, p.fixed, p.sure = chosen.base, chosen.keyed, chosen.fixed, chosen.sure
		p.order(chosen.rules)
	} else if _, own := cfg.Profiles[cfg.Profile]; !own {
		c.add("profile", "%q is not a profile; there are %s", cfg.Profile, list(c.known()))
	}
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return p, p.look(cfg.Patterns)
}

// known returns the names that profile and extends may have.
func (c *compiler) known() []string {
	own := make([]string, 0, len(c.cfg.Profiles))
	for name := range c.cfg.Profiles {
		own = append(own, name)
	}
	slices.Sort(own)
	return append(Names(), own...)
}

// patterns tries every pattern by itself, so that each problem has its place.
func (c *compiler) patterns() {
	for i, p := range c.cfg.Patterns {
		key := fmt.Sprintf("patterns[%d]", i)
		if _, err := pii.New(pii.Config{Patterns: []pii.Pattern{p}}); err != nil {
			c.add(key, "RE2 refuses it, or it lacks a name or a known type: %v", err)
		}
		if c.names[p.Name] {
			c.add(key, "its name is another pattern's too")
		}
		c.names[p.Name] = true
	}
}

// plain checks the keys that stand by themselves.
func (c *compiler) plain() {
	for word, z := range c.cfg.Zones {
		if !z.Known() {
			c.add("zones."+word, "%q is not a zone; there are clear, token, minimal, sealed", z)
		}
	}
	if !slices.Contains([]string{"", "block", "flag", "redact"}, c.cfg.OnError) {
		c.add("on_error", "%q is not block, flag or redact", c.cfg.OnError)
	}
	for i, s := range c.cfg.Scope {
		if !slices.Contains(scopes, s) {
			c.add(fmt.Sprintf("scope[%d]", i), "%q is not a part of a scope; there are %s", s, list(scopes))
		}
	}
	if c.cfg.Expiry < 0 {
		c.add("expiry", "is negative")
	}
}

// scopes are the parts of a scope, in the order in which they are joined.
var scopes = []string{"tenant", "session", "agent", "server", "purpose"}

// restores checks the rules of restoring. Servers and paths must be named: a
// rule for all of them would hand clear values to whoever asks.
func (c *compiler) restores() []restore {
	out := make([]restore, 0, len(c.cfg.Restore))
	for i, r := range c.cfg.Restore {
		key := fmt.Sprintf("restore[%d]", i)
		one := restore{RestoreRule: r, types: c.types(key+".types", r.Types)}
		if one.types == nil {
			one.types = allButSecrets()
		}
		if one.types[pii.Secret] {
			c.add(key+".types", "a secret is never restored")
		}
		if len(r.Servers) == 0 {
			c.add(key+".servers", "name the servers that may see clear values")
		}
		if len(r.Paths) == 0 {
			c.add(key+".paths", "name the arguments that are restored")
		}
		if one.paths = c.paths(key+".paths", r.Paths); r.FF1 {
			c.digits(key, one)
		}
		c.words(key+".servers", r.Servers)
		c.words(key+".tools", r.Tools)
		c.words(key+".purposes", r.Purposes)
		out = append(out, one)
	}
	return out
}

// digits checks a rule about numbers that FF1 made. Nothing in such a number says
// so: the rule must name the very arguments and the one type that it is of.
func (c *compiler) digits(key string, r restore) {
	if len(r.Types) != 1 || !slices.Contains(digits, pii.Type(r.Types[0])) {
		c.add(key+".types", "name the one type of the numbers that ff1 made; there are %s", list(digits))
	}
	for i, p := range r.paths {
		if slices.Contains(p, "*") || slices.Contains(p, "**") {
			c.add(fmt.Sprintf("%s.paths[%d]", key, i), "with ff1 a path names one argument, without stars")
		}
	}
}

func (c *compiler) words(key string, words []string) {
	for i, w := range words {
		if w == "" || len(w) > maxWord {
			c.add(fmt.Sprintf("%s[%d]", key, i), "a name has 1 to %d bytes", maxWord)
		}
	}
}

func (c *compiler) paths(key string, texts []string) (out []path) {
	for i, t := range texts {
		p, err := parsePath(t)
		if err != nil {
			c.add(fmt.Sprintf("%s[%d]", key, i), "%v", err)
		}
		out = append(out, p)
	}
	return out
}

// types returns the set of the named types, and nil for none named.
func (c *compiler) types(key string, names []string) map[pii.Type]bool {
	if len(names) == 0 {
		return nil
	}
	out := map[pii.Type]bool{}
	for i, n := range names {
		if !pii.Type(n).Known() {
			c.add(fmt.Sprintf("%s[%d]", key, i), "%q is not a type; there are %s", n, list(pii.Types()))
		}
		out[pii.Type(n)] = true
	}
	return out
}

func allButSecrets() map[pii.Type]bool {
	out := map[pii.Type]bool{}
	for _, t := range pii.Types() {
		out[t] = t != pii.Secret
	}
	return out
}
