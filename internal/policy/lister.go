package policy

import "ostiary.dev/ostiary/internal/registry"

// Lister returns a Decide for the items of one list: queries of one principal
// on one server at one time that differ in their tool, or in their name. Where
// rules cannot tell two items apart, these get one evaluation
// (TestListsAgreeWithSingleDecisions). It is not safe for concurrent use.
func Lister(s *registry.Snapshot) func(Query) Decision {
	known := &memo{entries: map[string]Decision{}, bases: map[string]int{}, verdicts: map[verdictKey]verdict{}}
	c, set := &trial{}, SetOf(s)
	return func(q Query) Decision {
		*c = trial{memo: known, q: q}
		return c.run(set, s)
	}
}

// memo keeps decisions of one list by what made them.
type memo struct {
	entries  map[string]Decision
	bases    map[string]int
	verdicts map[verdictKey]verdict
	key      []byte
	base     int             // number of the key's first part
	agent    *registry.Agent // of all entries
	server   *registry.Server
}

// verdictKey names what a rule says to items that it does not name.
type verdictKey struct {
	rule *rule
	base int
}

// mark makes the key of a trial: what its action needs and is on, the labels,
// its rules, and its name. Rules can tell one item from another only by its
// labels and by its name, so an item that none of them names is like any other
// that none names. The key is empty when the trial must stand alone.
func (c *trial) mark() {
	m := c.memo
	m.key = m.key[:0]
	if m.agent == nil {
		m.agent, m.server = c.agent, c.server
	}
	if c.q.IsTool && !c.open || m.agent != c.agent || m.server != c.server {
		return
	}
	m.text(string(c.need))
	m.text(string(c.target.resource.Type))
	if !c.q.IsTool {
		m.text(string(c.target.action.ID))
	}
	if c.merged.labels {
		for _, label := range c.labels() {
			m.text(label)
		}
	}
	m.key = append(m.key, 0xff, 0xff, 0xff)
	m.number()
	c.known = c.set.mentions(c.target.resource, c.target.action)
	named := false
	for _, r := range c.rules {
		m.key = append(m.key, byte(r.n), byte(r.n>>8))
		if r.tools != nil && r.tools[c.q.Tool] {
			m.key = append(m.key, 0xff, 0xff)
		}
		named = named || c.named(r)
	}
	if named {
		m.key = append(m.key, 0xff, 0xfe)
		m.text(string(c.target.action.ID))
		m.text(string(c.target.resource.ID))
	}
}

// number gives the key so far a number.
func (m *memo) number() {
	n, ok := m.bases[string(m.key)]
	if !ok {
		n = len(m.bases)
		m.bases[string(m.key)] = n
	}
	m.base = n
}

// named reports whether the rule's conditions name the very item or action.
func (c *trial) named(r *rule) bool {
	return c.known && (r.reads.names[c.target.resource] || r.reads.names[c.target.action])
}

// recalled judges a rule, or recalls what it said to another item that it cannot
// tell from this one.
func (c *trial) recalled(r *rule) verdict {
	if c.memo == nil || len(c.memo.key) == 0 || r.tools != nil || c.named(r) {
		return c.judge(r)
	}
	key := verdictKey{r, c.memo.base}
	v, ok := c.memo.verdicts[key]
	if !ok {
		v = c.judge(r)
		c.memo.verdicts[key] = v
	}
	return v
}

// text adds a string, with its length before it.
func (m *memo) text(s string) {
	m.key = append(append(m.key, byte(len(s)), byte(len(s)>>8), byte(len(s)>>16)), s...)
}

// recall returns what was decided in the same words.
func (c *trial) recall() (Decision, bool) {
	if c.memo == nil {
		return Decision{}, false
	}
	c.mark()
	if len(c.memo.key) == 0 {
		return Decision{}, false
	}
	d, ok := c.memo.entries[string(c.memo.key)]
	return d, ok
}

// remember keeps what recall did not find.
func (c *trial) remember(d Decision) {
	if c.memo != nil && len(c.memo.key) > 0 {
		c.memo.entries[string(c.memo.key)] = d
	}
}
