package auditlog

import (
	"bytes"
	"context"
	"testing"
)

// What a ticket says of an entry is what the log holds: the leaf's own bytes,
// without the length that a batch keeps before it.
func TestPlaceHasTheLeafOfTheLog(t *testing.T) {
	g := newGroup(Control)
	tickets := []*Ticket{g.add(Entry{}), g.add(Entry{})}
	long := bytes.Repeat([]byte("x"), 200)
	g.leaves = append([]byte{2, '{', '}', 200, 1}, long...)
	g.ends = []int{3, 3 + 2 + len(long)}
	g.first = 7
	g.finish(nil)
	for i, want := range [][]byte{[]byte("{}"), long} {
		p, err := tickets[i].Wait(context.Background())
		if err != nil || !bytes.Equal(p.Leaf, want) || p.Index != 7+uint64(i) {
			t.Errorf("entry %d: %+v, %v", i, p, err)
		}
	}
}
