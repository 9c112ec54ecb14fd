package authorize

import (
	"cmp"
	"slices"
	"sync"

	"ostiary.dev/ostiary/internal/fault"
	"ostiary.dev/ostiary/internal/policy"
	"ostiary.dev/ostiary/internal/registry"
)

// maxDifferences bounds the differences that a Shadow tells apart. Names of
// tools are those of callers, so there is no natural bound.
const maxDifferences = 1000

// Difference is what a shadow would have decided otherwise.
type Difference struct{ Agent, Server, Tool, Active, Shadow string }

// Shadow counts how the policies that run beside those in force compare with
// them. It decides nothing: what it finds never reaches a caller
// (TestShadowDecidesNothing). The zero value is ready, and nil counts nothing.
type Shadow struct {
	mu        sync.Mutex
	hash      string // of the policies that were counted
	decided   uint64
	different uint64
	left      uint64
	counts    map[Difference]uint64
}

// ShadowCounts is a copy of what was counted.
type ShadowCounts struct {
	Decided, Different, Left uint64 // Left: different, but not in Counts
	Counts                   []ShadowCount
}

// ShadowCount is one Difference and how often it was.
type ShadowCount struct {
	Difference
	Count uint64
}

// compare asks the shadow of s what was decided already.
func (h *Shadow) compare(s *registry.Snapshot, q policy.Query, d policy.Decision) {
	set := policy.ShadowOf(s)
	if h == nil || set == nil || d.Kind == fault.ScopeMissing { // what no policy decided, none would have changed
		return
	}
	would := policy.DecideWith(set, s, q)
	diff := Difference{q.Principal.ID, q.Server, q.Tool, word(d), word(would)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hash != set.Hash() {
		h.hash, h.decided, h.different, h.left, h.counts = set.Hash(), 0, 0, 0, map[Difference]uint64{}
	}
	h.decided++
	if diff.Active == diff.Shadow {
		return
	}
	h.different++
	if _, known := h.counts[diff]; !known && len(h.counts) >= maxDifferences {
		h.left++
		return
	}
	h.counts[diff]++
}

// Counts returns what was counted for the policies of the hash, the most
// frequent difference first.
func (h *Shadow) Counts(hash string) ShadowCounts {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hash != hash {
		return ShadowCounts{}
	}
	out := ShadowCounts{Decided: h.decided, Different: h.different, Left: h.left}
	for d, n := range h.counts {
		out.Counts = append(out.Counts, ShadowCount{d, n})
	}
	slices.SortFunc(out.Counts, func(a, b ShadowCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Tool, b.Tool))
	})
	return out
}

// word puts a decision in one word.
func word(d policy.Decision) string {
	switch {
	case d.Allow:
		return "allow"
	case d.Needs != "":
		return "needs"
	}
	return "deny"
}
