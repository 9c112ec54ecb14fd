package policy

import "ostiary.dev/ostiary/internal/registry"

// Lister returns a Decide for the items of one list: queries of one principal
// on one server at one time that differ in their tool, or in their name. Where
// rules cannot tell two items apart, these get one evaluation
// (TestListsAgreeWithSingleDecisions). It is not safe for concurrent use.
func Lister(s *registry.Snapshot) func(Query) Decision {
	known := &memo{entries: map[string]Decision{}}
	c, set := &trial{}, SetOf(s)
	return func(q Query) Decision {
		*c = trial{memo: known, q: q}
		return c.run(set, s)
	}
}

// memo keeps decisions of one list by what made them.
type memo struct {
	entries map[string]Decision
	key     []byte
	agent   *registry.Agent // of all entries
	server  *registry.Server
}

// mark makes the key of a trial: its rules, what its action is on and needs, and
// what they read of its item. Rules can tell one item from another only by its
// labels and by its name, so an item that none of them names is like any other
// that none names. It is empty when the trial must stand alone.
func (c *trial) mark() {
	m := c.memo
	m.key = m.key[:0]
	if m.agent == nil {
		m.agent, m.server = c.agent, c.server
	}
	if c.q.IsTool && !c.open || m.agent != c.agent || m.server != c.server {
		return
	}
	for _, r := range c.rules {
		m.key = append(m.key, byte(r.n), byte(r.n>>8))
		if r.tools != nil {
			m.flag(r.tools[c.q.Tool])
		}
	}
	m.key = append(m.key, 0xff, 0xff)
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
	if c.merged.item {
		m.flag(true)
		if c.named() {
			m.text(string(c.target.action.ID))
			m.text(string(c.target.resource.ID))
		}
	}
}

// named reports whether some rule names the very item or action.
func (c *trial) named() bool {
	for _, r := range c.rules {
		if len(r.reads.names) > 0 && (r.reads.names[c.target.resource] || r.reads.names[c.target.action]) {
			return true
		}
	}
	return false
}

// text adds a string, with its length before it.
func (m *memo) text(s string) {
	m.key = append(append(m.key, byte(len(s)), byte(len(s)>>8), byte(len(s)>>16)), s...)
}

func (m *memo) flag(on bool) {
	if on {
		m.key = append(m.key, 1)
	} else {
		m.key = append(m.key, 0)
	}
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
