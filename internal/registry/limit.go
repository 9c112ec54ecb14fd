package registry

import "time"

// The kinds of limits: what operators set lives in snapshots; what was used of
// a long window is written down for the next start.
const (
	KindLimit NounKind = "limit"
	KindQuota NounKind = "quota"
)

// Limit bounds what matching calls may use. Its zero fields do not bound, and
// its empty names match everything. Counts are kept for each agent that the
// limit matches, unless Shared.
type Limit struct {
	Agent    string `json:"agent,omitempty"` // pseudonym
	Server   string `json:"server,omitempty"`
	Tool     string `json:"tool,omitempty"`   // needs Server
	Shared   bool   `json:"shared,omitempty"` // one count for all agents: of the server, tool or tenant
	Calls    Amount `json:"calls"`
	Bytes    Amount `json:"bytes"`
	Cost     Amount `json:"cost"`
	InFlight int    `json:"in_flight,omitempty"`
	Weight   int64  `json:"weight,omitempty"` // what one call costs towards Cost limits; 0 = says nothing
}

// Amount is how much may be used in each window of a length.
type Amount struct {
	Limit  int64         `json:"limit"` // 0 = no bound
	Window time.Duration `json:"window"`
}

// Matches reports whether the limit is about a call of the agent with this
// pseudonym.
func (l *Limit) Matches(agent, server, tool string) bool {
	return (l.Agent == "" || l.Agent == agent) && (l.Server == "" || l.Server == server) && (l.Tool == "" || l.Tool == tool)
}

// Quota is what is taken of one window: at least what was used, so that a crash
// counts too much and never too little.
type Quota struct {
	Start time.Time `json:"start"`
	Taken int64     `json:"taken"`
}
