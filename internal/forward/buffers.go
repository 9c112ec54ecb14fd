package forward

import (
	"math/bits"
	"sync"
)

// Answers that come whole are read into buffers that are used again once the
// exchange is over: at 64 KiB and more, allocating and clearing them costs as
// much as reading them.
const (
	smallest = 12 // 4 KiB, as a power of two
	largest  = 22 // 4 MiB
)

// buffers are pools by size, each of one power of two.
type buffers [largest + 1]sync.Pool

// take returns n bytes and what gives them back; nil when they are not pooled.
// The bytes hold old data: the caller overwrites all of them.
func (b *buffers) take(n int) ([]byte, func()) {
	class := bits.Len(uint(n - 1))
	if n < 1<<smallest || class > largest {
		return make([]byte, n), nil
	}
	p := &b[class]
	held, ok := p.Get().(*[]byte)
	if !ok {
		fresh := make([]byte, 1<<class)
		held = &fresh
	}
	return (*held)[:n], func() { p.Put(held) }
}
