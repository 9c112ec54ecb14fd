package app

import (
	"runtime/debug"
	"runtime/metrics"
)

// The heap of a gateway under ordinary load is a few MiB, so that Go's default
// would collect it hundreds of times a second. While it is small it may grow
// to four times its size between two collections, which costs little memory;
// the larger it is, the tighter it is kept (docs/measurements.md).
const (
	smallHeap, smallPercent   = 8 << 20, 300
	mediumHeap, mediumPercent = 24 << 20, 100
	largePercent              = 60
)

// garbage adapts how often garbage is collected to the size of the heap.
type garbage struct {
	sample  []metrics.Sample
	percent int
}

func newGarbage() *garbage {
	c := &garbage{sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}
	c.set(smallPercent)
	return c
}

// adapt looks at the heap; call it once a second.
func (c *garbage) adapt() {
	metrics.Read(c.sample)
	if c.sample[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	switch live := c.sample[0].Value.Uint64(); {
	case live <= smallHeap:
		c.set(smallPercent)
	case live <= mediumHeap:
		c.set(mediumPercent)
	default:
		c.set(largePercent)
	}
}

func (c *garbage) set(percent int) {
	if c.percent != percent {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}
