package wire

import (
	"bytes"
	"hash/maphash"

	"ostiary.dev/ostiary/internal/fault"
)

// fewMembers is up to how many members are compared pair by pair.
const fewMembers = 16

// seed keys the hash of member names: names that collide by design would need
// to know it, so a large object costs linear time (hostile case J10).
var seed = maphash.MakeSeed()

// unique notes a flaw if two of the n members of the object at token at have
// the same name after unescaping. Two parsers would read two values there, and
// policy would judge one while the server acts on the other (J01, J02, J06).
func (s *scanner) unique(at, n int) {
	if n > fewMembers {
		s.uniqueMany(at, n)
		return
	}
	var keys [fewMembers]uint32
	for i, k := 0, uint32(at+1); i < n; i++ {
		keys[i] = k
		for j := range i {
			if s.same(keys[j], k) {
				s.twice(k)
				return
			}
		}
		k = s.toks[k+1].next
	}
}

// uniqueMany is unique for large objects, by an open-addressed hash table.
func (s *scanner) uniqueMany(at, n int) {
	size := 64
	for size < 2*n {
		size *= 2
	}
	if cap(s.seen) < size {
		s.seen = make([]uint32, size)
	}
	seen := s.seen[:size]
	clear(seen)
	mask := uint64(size - 1)
	for k := uint32(at + 1); n > 0; n-- {
		slot := maphash.Bytes(seed, s.name(k, 0)) & mask
		for ; seen[slot] != 0; slot = (slot + 1) & mask {
			if s.same(seen[slot], k) {
				s.twice(k)
				return
			}
		}
		seen[slot] = k
		k = s.toks[k+1].next
	}
}

// twice notes the second occurrence of a member's name.
func (s *scanner) twice(key uint32) {
	s.note(fault.BadMessage, int(s.toks[key].start), "a member name occurs for the second time in one object")
}

// same reports whether two keys have the same decoded name.
func (s *scanner) same(a, b uint32) bool {
	x, y := &s.toks[a], &s.toks[b]
	if (x.flags|y.flags)&escaped == 0 && x.end-x.start != y.end-y.start {
		return false
	}
	return bytes.Equal(s.name(a, 0), s.name(b, 1))
}

// name returns the decoded name of a key, in the given scratch if it must.
func (s *scanner) name(key uint32, scratch int) []byte {
	t := &s.toks[key]
	inside := s.src[t.start+1 : t.end-1]
	if t.flags&escaped == 0 {
		return inside
	}
	s.key[scratch] = appendText(s.key[scratch][:0], inside)
	return s.key[scratch]
}
