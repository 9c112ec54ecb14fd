package privacy

import (
	"fmt"
	"strings"
)

// SubjectRule names the members that say whom a record is about. Whatever is
// found in the record belongs to them: an erasure takes it, and their dates move
// together.
type SubjectRule struct {
	Kind    string // "patient": ids of two kinds never name one person
	Servers []string
	Tools   []string
	Paths   []string // "rows[*].patient.id", below the arguments, the structured result or a text that is JSON
	Up      int      // how many objects and arrays above the member's own the record is
}

// Limits of subjects.
const (
	maxKind    = 64
	maxUp      = 8
	maxSubject = 256 // bytes of an id
)

// subject is a compiled SubjectRule.
type subject struct {
	SubjectRule
	paths []path
}

// subjects checks the rules of subjects.
func (c *compiler) subjects() []subject {
	out := make([]subject, 0, len(c.cfg.Subjects))
	if len(c.cfg.Subjects) > maxRules {
		c.add("subjects", "more than %d", maxRules)
		return nil
	}
	for i, r := range c.cfg.Subjects {
		key := fmt.Sprintf("subjects[%d]", i)
		if r.Kind == "" || len(r.Kind) > maxKind || strings.Contains(r.Kind, ":") {
			c.add(key+".kind", "name what the ids are of, such as patient, in 1 to %d bytes without a colon", maxKind)
		}
		if len(r.Servers) == 0 {
			c.add(key+".servers", "name the servers: an id is somebody else's at another one")
		}
		if len(r.Paths) == 0 {
			c.add(key+".paths", "name the members that hold an id")
		}
		if r.Up < 0 || r.Up > maxUp {
			c.add(key+".up", "is 0 to %d", maxUp)
		}
		c.words(key+".servers", r.Servers)
		c.words(key+".tools", r.Tools)
		out = append(out, subject{r, c.paths(key+".paths", r.Paths)})
	}
	return out
}

// About is what is said of the subjects of one server's tool. The zero value is
// nothing, and costs nothing.
type About struct{ rules []*subject }

// About returns what is said of the subjects in messages of a server's tool.
func (p *Profile) About(server, tool string) (a About) {
	for i := range p.subjects {
		r := &p.subjects[i]
		if anyOf(r.Servers, server) && anyOf(r.Tools, tool) {
			a.rules = append(a.rules, r)
		}
	}
	return a
}

// Exists reports whether anything is said.
func (a About) Exists() bool { return len(a.rules) > 0 }

// May reports whether a member of that name can name somebody: a cheap question
// before its path is written out.
func (a About) May(name string) bool {
	for _, r := range a.rules {
		for _, p := range r.paths {
			if last := p[len(p)-1]; last == name || last == "*" || last == "**" || last == element || strings.HasSuffix(name, "."+last) {
				return true
			}
		}
	}
	return false
}

// Member returns the rule that a member's path is of, the first one that names
// it: its place among the rules, and how far above the member's object the record
// is. It is false for a member that names nobody.
func (a About) Member(path string) (rule, up int, ok bool) {
	for i, r := range a.rules {
		if anyPath(r.paths, path) {
			return i, r.Up, true
		}
	}
	return 0, 0, false
}

// Name returns the name of the subject that a rule's member gives, "" when it
// gives none.
func (a About) Name(rule int, id string) string {
	id = strings.TrimSpace(id)
	if id == "" || len(id) > maxSubject {
		return ""
	}
	return a.rules[rule].Kind + ":" + id
}
