package app

import (
	"cmp"
	"slices"
	"sync"

	"ostiary.dev/ostiary/internal/admin"
)

// States of a check.
const (
	stateOK       = "ok"
	stateDegraded = "degraded"
	stateFail     = "fail"
)

// Health is the readiness of the gateway: one check for each thing that can
// keep it from serving well.
type Health struct {
	mu     sync.Mutex
	checks map[string]func() admin.Check
}

func newHealth() *Health { return &Health{checks: map[string]func() admin.Check{}} }

// Set fixes the state of the check name until the next Set.
func (h *Health) Set(name, state, detail string) {
	h.Watch(name, func() (string, string) { return state, detail })
}

// Watch asks f for the state of the check name each time somebody looks. f
// must not block.
func (h *Health) Watch(name string, f func() (state, detail string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks[name] = func() admin.Check {
		state, detail := f()
		return admin.Check{Name: name, State: state, Detail: detail}
	}
}

// Checks returns every check by name.
func (h *Health) Checks() []admin.Check {
	h.mu.Lock()
	fs := make([]func() admin.Check, 0, len(h.checks))
	for _, f := range h.checks {
		fs = append(fs, f)
	}
	h.mu.Unlock()
	all := make([]admin.Check, 0, len(fs))
	for _, f := range fs {
		all = append(all, f())
	}
	slices.SortFunc(all, func(a, b admin.Check) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// worst returns the worst state of checks.
func worst(checks []admin.Check) string {
	state := stateOK
	for _, c := range checks {
		if c.State == stateFail {
			return stateFail
		}
		if c.State != stateOK {
			state = stateDegraded
		}
	}
	return state
}
