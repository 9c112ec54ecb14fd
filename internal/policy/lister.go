package policy

import "ostiary.dev/ostiary/internal/registry"

// Lister returns a Decide for the items of one list: queries of one principal
// on one server at one time that differ in their tool, or in their name. Where
// no rule looks at the item itself, items in the same slice get one evaluation.
// It is not safe for concurrent use.
func Lister(s *registry.Snapshot) func(Query) Decision {
	set, known := SetOf(s), &memo{map[string]Decision{}}
	return func(q Query) Decision { return decideWith(set, s, q, known) }
}

// memo keeps decisions of one list by the slice that made them.
type memo struct{ entries map[string]Decision }

// key names the slice of a trial by its rules, the group of its action and the
// labels of its item; "" when some rule looks at more.
func (c *trial) key() string {
	if c.merged.resource {
		return ""
	}
	b := make([]byte, 0, 64)
	for _, r := range c.rules {
		b = append(b, byte(r.n), byte(r.n>>8))
	}
	b = append(append(b, 0xff, 0xff), c.need...)
	if c.merged.labels {
		for _, label := range Labels(c.server, c.tool) {
			b = append(append(b, 0), label...)
		}
	}
	return string(b)
}

func (m *memo) get(key string) (Decision, bool) {
	if m == nil || key == "" {
		return Decision{}, false
	}
	d, ok := m.entries[key]
	return d, ok
}

func (m *memo) put(key string, d Decision) {
	if m != nil && key != "" {
		m.entries[key] = d
	}
}
