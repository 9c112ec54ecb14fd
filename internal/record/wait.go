package record

import (
	"ostiary.dev/ostiary/internal/exchange"
	"ostiary.dev/ostiary/internal/registry"
	"ostiary.dev/ostiary/internal/wire"
)

// waits reports whether the answer of x must wait for its outcome to be on
// stable storage. A part does not: its parent, whose entry comes after, waits
// for both and looks at how the part's went.
func (s *Step) waits(x *exchange.Exchange) bool {
	return x.Parent == "" && (s.c.All || mustWait(x))
}

// mustWait is the one place that says which outcomes may trail: those of what
// is provably a read. A method or a class that is not named here waits. Labels
// of data belong here too, once exchanges carry them: confidential, personal,
// health and secret wait (TestOutcomesThatMayTrail).
func mustWait(x *exchange.Exchange) bool {
	need := x.Decision.Need
	if x.Join != nil {
		need = x.PartNeed
	}
	switch x.Fact.Action {
	case wire.ActSession, wire.ActRead, wire.ActReadResource, wire.ActReadPrompt, wire.ActComplete, wire.ActListen:
		return x.Pending != nil
	case wire.ActTool:
		return need != registry.Read
	}
	return true
}
