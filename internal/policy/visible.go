package policy

import "ostiary.dev/ostiary/internal/registry"

// Visible returns the active servers that exist for an agent, sorted by id:
// those on which it has a grant, and those that some permit may let it use.
// What it may do on them is decided item by item.
func Visible(s *registry.Snapshot, agent string) []*registry.Server {
	set, a := SetOf(s), s.Agent(agent)
	if set == nil || a == nil {
		return s.Visible(agent)
	}
	var all []*registry.Server
	for _, server := range s.Servers() {
		if server.State == registry.Active && (s.Grant(agent, server.ID) != nil || set.concerns(a, server.ID)) {
			all = append(all, server)
		}
	}
	return all
}
