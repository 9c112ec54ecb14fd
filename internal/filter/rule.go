package filter

import (
	"math"

	"github.com/goccy/go-yaml/ast"
)

// Bounds of one file.
const (
	maxFile  = 256 << 10
	maxRules = 500
	maxPaths = 500 // of one rule
)

// unbounded is a bound that a rule does not set.
const unbounded = math.MaxInt

// Rule is one rule of a file: whose answers it is about and what it takes out of
// them. It is compiled and immutable.
type Rule struct {
	agent, server, tool, resource, method, purpose globs

	keep, drop  []path
	keeps       bool // keep was written, maybe with no path
	rows        []rows
	caps        []bound
	text        int // bytes of a text that is not JSON; unbounded: not said
	meta        globs
	stripMeta   bool
	annotations bool // strip them
	dropBlocks  globs
	keepBlocks  globs
	links       bool // strip what is secret in them
	errors      bool // strip paths and stack traces
	undeclared  bool // drop members that the output schema does not name

	machine *machine
}

// rows bounds a list: to the elements that a predicate is true for, and to a
// number of them.
type rows struct {
	path
	where *where // nil: all
	max   int
}

// bound caps one value.
type bound struct {
	path
	count  int // elements of a list
	length int // characters of a text
}

// hasPaths reports whether the rule looks into JSON.
func (r *Rule) hasPaths() bool { return r.keeps || len(r.drop)+len(r.rows)+len(r.caps) > 0 }

// does reports whether the rule takes anything away.
func (r *Rule) does() bool {
	return r.hasPaths() || r.text != unbounded || r.stripMeta || r.annotations || len(r.dropBlocks) > 0 || r.links || r.errors || r.undeclared
}

// textBound is the most bytes that a text which is not JSON may have: none under
// a keep rule that does not say, because no path reaches into it.
func (r *Rule) textBound() int {
	if r.text == unbounded && r.keeps {
		return 0
	}
	return r.text
}

// compile makes the machine of the rule's paths.
func (r *Rule) compile(moves *int) error {
	if !r.hasPaths() {
		return nil
	}
	var targets []target
	for _, p := range r.keep {
		targets = append(targets, target{p, forKeep, 0})
	}
	for _, p := range r.drop {
		targets = append(targets, target{p, forDrop, 0})
	}
	for i, x := range r.rows {
		targets = append(targets, target{x.path, forRows, uint16(i)})
	}
	for i, x := range r.caps {
		targets = append(targets, target{x.path, forCap, uint16(i)})
	}
	var err error
	r.machine, err = newMachine(targets, r.keeps, moves)
	return err
}

// about reports whether the rule is about a server's answers to an agent.
func (r *Rule) about(m *Match) bool {
	return r.server.fit(m.Server) && r.agent.fit(m.Agent) && r.purpose.fit(m.Purpose)
}

// fits reports whether it is about those to a request.
func (r *Rule) fits(m *Match) bool {
	return r.tool.fit(m.Tool) && r.method.fit(m.Method) && r.resource.fit(m.Resource)
}

// Names returns the agent, server and tool that the rule names, each "" when it
// names none or several.
func (r *Rule) Names() (agent, server, tool string) {
	agent, _ = r.agent.literal()
	server, _ = r.server.literal()
	tool, _ = r.tool.literal()
	return agent, server, tool
}

// rule reads one rule.
func (d *decoder) rule(key string, n ast.Node) Rule {
	r := Rule{text: unbounded}
	before := len(d.problems)
	name := func(into *globs) field { return func(key string, n ast.Node) { *into = d.globs(key, n) } }
	kinds := func(into *globs) field { return func(key string, n ast.Node) { *into = d.names(key, n) } }
	yes := func(into *bool) field { return func(key string, n ast.Node) { *into = d.strip(key, n) } }
	d.object(key, n, map[string]field{
		"agent": name(&r.agent), "server": name(&r.server), "tool": name(&r.tool),
		"resource": name(&r.resource), "method": name(&r.method), "purpose": name(&r.purpose),
		"keep": func(key string, n ast.Node) { r.keep, r.keeps = d.paths(key, n, true), true },
		"drop": func(key string, n ast.Node) { r.drop = d.paths(key, n, false) },
		"rows": func(key string, n ast.Node) {
			d.each(key, n, func(k string, n ast.Node) { r.rows = append(r.rows, d.rows(k, n)) })
		},
		"cap": func(key string, n ast.Node) {
			d.each(key, n, func(k string, n ast.Node) { r.caps = append(r.caps, d.bound(k, n)) })
		},
		"text":        func(key string, n ast.Node) { r.text = d.size(key, n) },
		"meta":        func(key string, n ast.Node) { r.meta, r.stripMeta = d.meta(key, n), true },
		"annotations": yes(&r.annotations), "links": yes(&r.links), "errors": yes(&r.errors),
		"undeclared": func(key string, n ast.Node) { r.undeclared = d.word(key, n, "drop") },
		"blocks": func(key string, n ast.Node) {
			d.object(key, n, map[string]field{"drop": kinds(&r.dropBlocks), "keep": kinds(&r.keepBlocks)})
		},
	})
	if len(d.problems) > before {
		return r
	}
	switch paths := len(r.keep) + len(r.drop) + len(r.rows) + len(r.caps); {
	case !r.does():
		d.add(key, at(n), "takes nothing away; add keep, drop, rows, cap, text, meta, annotations, blocks, links, errors or undeclared")
	case len(r.keepBlocks) > 0 && !r.keeps:
		d.add(key, at(n), "blocks.keep says which blocks stay beside keep, and there is no keep")
	case paths > maxPaths:
		d.add(key, at(n), "has too many paths")
	default:
		if err := r.compile(&d.moves); err != nil {
			d.add(key, at(n), err.Error())
		}
	}
	return r
}

func (d *decoder) rows(key string, n ast.Node) rows {
	r, before := rows{max: unbounded}, len(d.problems)
	d.object(key, n, map[string]field{
		"path":  func(key string, n ast.Node) { r.path = d.path(key, n) },
		"where": func(key string, n ast.Node) { r.where = d.where(key, n) },
		"max":   func(key string, n ast.Node) { r.max = d.number(key, n) },
	})
	if len(d.problems) == before {
		d.missing(key, n, "path", r.path != nil)
		d.missing(key, n, "where or max", r.where != nil || r.max != unbounded)
	}
	return r
}

func (d *decoder) bound(key string, n ast.Node) bound {
	b, before := bound{count: unbounded, length: unbounded}, len(d.problems)
	d.object(key, n, map[string]field{
		"path":   func(key string, n ast.Node) { b.path = d.path(key, n) },
		"count":  func(key string, n ast.Node) { b.count = d.number(key, n) },
		"length": func(key string, n ast.Node) { b.length = d.number(key, n) },
	})
	if len(d.problems) == before {
		d.missing(key, n, "path", b.path != nil)
		d.missing(key, n, "count or length", b.count != unbounded || b.length != unbounded)
	}
	return b
}

// meta reads strip, or the keys that stay.
func (d *decoder) meta(key string, n ast.Node) globs {
	if s, ok := scalar(n); ok && s == "strip" {
		return nil
	}
	return d.names(key, n)
}
