package filter

import (
	"errors"

	"ostiary.dev/ostiary/internal/registry"
)

// view is what the room made of one Snapshot. Texts that did not change are not
// read again.
type view struct {
	set   *Set
	files map[string]*file // by id of the noun
}

// file is one filter as it was compiled.
type file struct {
	hash  string
	rules []Rule
	err   error
}

// Of returns the compiled filters of a view of the registry; nil when there are
// none. A filter that cannot be read makes a set that lets no answer of its
// servers pass (TestBrokenFilterBlocks).
func Of(s *registry.Snapshot) *Set {
	return s.Derived(registry.OfFilter, func(s *registry.Snapshot, before any) any {
		old, _ := before.(*view)
		if old == nil {
			old = &view{}
		}
		v := &view{files: map[string]*file{}}
		registry.All(s, registry.KindFilter, func(n *registry.Noun, f *registry.Filter) {
			if c := old.files[n.ID]; c != nil && c.hash == f.Hash {
				v.files[n.ID] = c
				return
			}
			v.files[n.ID] = compileFile(n.ID, f)
		})
		if len(v.files) > 0 {
			v.set = v.join()
		}
		return v
	}).(*view).set
}

var errChanged = errors.New("the text is not the one that was applied")

func compileFile(id string, f *registry.Filter) *file {
	if registry.FilterHash(f.Text) != f.Hash {
		return &file{f.Hash, nil, errChanged}
	}
	rules, err := ParseFor(id, f.Name, []byte(f.Text))
	return &file{f.Hash, rules, err}
}

func (v *view) join() *Set {
	s := &Set{}
	for id, f := range v.files {
		if f.err == nil {
			s.add(f.rules)
			continue
		}
		if id == registry.FilterAll {
			id = ""
		}
		if s.broken == nil {
			s.broken = map[string]string{}
		}
		s.broken[id] = "the filter cannot be read"
	}
	return s
}

// ParseFor is Parse for the filter of one server, whose rules are all about it,
// or of registry.FilterAll.
func ParseFor(server, name string, text []byte) ([]Rule, error) {
	rules, err := Parse(name, text)
	if err != nil || server == registry.FilterAll {
		return rules, err
	}
	for i := range rules {
		if one, ok := rules[i].server.literal(); len(rules[i].server) > 0 && (!ok || one != server) {
			return nil, Problems{{File: name, Key: indexed("filter", i) + ".server", Text: "names another server than " + server + ", whose filter this is"}}
		}
		rules[i].server = globs{server}
	}
	return rules, nil
}
