package vault

import (
	"container/list"
	"sync"
	"time"
)

// entry is a token and its value in memory.
type entry struct {
	name    string // of the token's row
	index   string // what its value is found by; "" when a token was looked up
	token   string
	value   Value
	expires time.Time
	renew   time.Time // from then on a use of the value moves its expiry on
}

// cache is a bounded LRU of entries. It holds clear values, and nothing of it
// outlives clear.
type cache struct {
	mu     sync.Mutex
	limit  int
	clears uint64     // how often it was emptied
	order  *list.List // of *entry, the newest first
	names  map[string]*list.Element
	values map[string]*list.Element // by index
}

func newCache(limit int) *cache {
	c := &cache{limit: limit}
	c.reset()
	return c
}

func (c *cache) reset() {
	c.order, c.names, c.values = list.New(), map[string]*list.Element{}, map[string]*list.Element{}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clears++
	c.reset()
}

// now returns what put needs to know: what was read before the cache was emptied
// does not enter it afterwards (TestErasedWhileRead).
func (c *cache) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clears
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}

// token returns the token of the value with that index, unless its row is due to
// be renewed, or is nobody's while the value is known to be somebody's.
func (c *cache) token(index, subject string, now time.Time) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.values[index]
	if !ok {
		return "", false
	}
	e, _ := at.Value.(*entry)
	if !now.Before(e.renew) || subject != "" && e.value.Subject == "" {
		return "", false
	}
	c.order.MoveToFront(at)
	return e.token, true
}

// value returns the value of the token with that name.
func (c *cache) value(name string, now time.Time) (Value, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.names[name]
	if !ok {
		return Value{}, false
	}
	e, _ := at.Value.(*entry)
	if !now.Before(e.expires) {
		c.remove(at)
		return Value{}, false
	}
	c.order.MoveToFront(at)
	return e.value, true
}

// put keeps an entry in place of an older one of the same token.
func (c *cache) put(e entry, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.clears {
		return
	}
	if at, ok := c.names[e.name]; ok {
		old, _ := at.Value.(*entry)
		if e.index == "" {
			e.index, e.renew = old.index, old.renew
		}
		c.remove(at)
	}
	at := c.order.PushFront(&e)
	c.names[e.name] = at
	if e.index != "" {
		c.values[e.index] = at
	}
	for c.order.Len() > c.limit {
		c.remove(c.order.Back())
	}
}

func (c *cache) remove(at *list.Element) {
	e, _ := c.order.Remove(at).(*entry)
	delete(c.names, e.name)
	if e.index != "" {
		delete(c.values, e.index)
	}
}
