package authorize

import (
	"fmt"
	"testing"

	"ostiary.dev/ostiary/internal/policy"
)

// TestShadowDecidesNothing: without policies beside those in force nothing is
// counted, and nobody is asked.
func TestShadowDecidesNothing(t *testing.T) {
	var none *Shadow
	none.compare(nil, policy.Query{}, policy.Decision{})
	h := &Shadow{}
	h.compare(nil, policy.Query{}, policy.Decision{Allow: true})
	if c := h.Counts(""); c.Decided != 0 {
		t.Errorf("counted: %+v", c)
	}
}

// TestShadowIsBounded: callers cannot fill memory with names.
func TestShadowIsBounded(t *testing.T) {
	h := &Shadow{hash: "x", counts: map[Difference]uint64{}}
	for i := range maxDifferences {
		h.counts[Difference{Tool: fmt.Sprint(i)}] = 1
	}
	if c := h.Counts("x"); len(c.Counts) != maxDifferences {
		t.Errorf("%d differences", len(c.Counts))
	}
	if c := h.Counts("y"); len(c.Counts) != 0 || c.Decided != 0 {
		t.Errorf("counts of other policies: %+v", c)
	}
}
