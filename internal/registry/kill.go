package registry

import (
	"strings"
	"time"
)

// KindKill is a kill switch that is on. Every view holds it, and a decision
// looks for it before anything else.
const KindKill NounKind = "kill"

// Kill is why something was stopped at once. Its id says what: KillTool,
// KillServer, KillTenant, or the bare name of an agent, which is stored as a
// pseudonym.
type Kill struct {
	Reason string    `json:"reason"`
	By     string    `json:"by"` // pseudonym of the operator, "" when it has none
	At     time.Time `json:"at"`
}

// What a kill switch stops. An agent's is its bare name: no id of an agent has
// a slash.
const (
	killTool   = "tool/"
	killServer = "server/"
	killTenant = "tenant/"
)

// KillID returns the id of the kill switch for what (tool, server, client or
// tenant) of that name, "" when there is no such thing. A tool is SERVER/TOOL.
func KillID(what, name string) string {
	switch what {
	case "tool":
		if server, tool, ok := strings.Cut(name, "/"); ok && ValidID(server) == nil && tool != "" && len(name) <= 400 {
			return killTool + name
		}
	case "server":
		if ValidID(name) == nil {
			return killServer + name
		}
	case "client":
		if ValidID(name) == nil {
			return name
		}
	case "tenant":
		if name == Tenant {
			return killTenant + name
		}
	}
	return ""
}

// KillName splits the id of a kill switch.
func KillName(id string) (what, name string) {
	what, name, ok := strings.Cut(id, "/")
	if !ok {
		return "client", id
	}
	return what, name
}

// Tenant is the only tenant that there is.
const Tenant = "default"

// Killed returns the id of the kill switch that stops agent at tool of server,
// or "". An empty server or tool asks about the others alone. While no switch
// is on it costs one lookup.
func (s *Snapshot) Killed(agent, server, tool string) string {
	if s == nil || len(s.nouns[KindKill]) == 0 {
		return ""
	}
	on := s.nouns[KindKill]
	ids := [4]string{killTenant + Tenant}
	if agent != "" {
		ids[1] = agent
	}
	if server != "" {
		ids[2] = killServer + server
	}
	if server != "" && tool != "" {
		ids[3] = killTool + server + "/" + tool
	}
	for _, id := range ids {
		if id != "" && on[id] != nil {
			return id
		}
	}
	return ""
}
