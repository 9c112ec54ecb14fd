package app

import (
	"fmt"

	"ostiary.dev/ostiary/internal/registry"
)

// checkKills is the check that shows kill switches.
const checkKills = "kill switches"

// killHealth is degraded while a kill switch is on, so that nobody forgets one.
// It names none: the page is served without credentials, and names of agents may
// be those of people. The status of operators names them.
func (a *App) killHealth() (state, detail string) {
	n := 0
	registry.All(a.live.Load(), registry.KindKill, func(*registry.Noun, *registry.Kill) { n++ })
	if n == 0 {
		return stateOK, ""
	}
	return stateDegraded, fmt.Sprintf("%d on; see: ostiary kill list", n)
}
