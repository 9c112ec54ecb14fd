package pii

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// checkMasks compares the masks of b with a look at each byte.
func checkMasks(t *testing.T, b []byte) {
	t.Helper()
	for base := 0; base < len(b); base += block {
		m := masksAt(b, base)
		high := false
		for n := range block {
			c := byte(0)
			if base+n < len(b) {
				c = b[base+n]
			}
			high = high || c >= 0x80
			if got := m.word>>n&1 == 1; got != isWord(c) {
				t.Fatalf("%#x: word is %v", c, got)
			}
			if got := m.sign>>n&1 == 1; got != strings.ContainsRune("%&'+/:;<=>?@\\", rune(c)) {
				t.Fatalf("%#x: sign is %v", c, got)
			}
		}
		if m.high != high {
			t.Fatalf("%q: high is %v", b, m.high)
		}
	}
}

// TestLanes: every byte is what it is in every lane, whatever its neighbours are.
func TestLanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 8))
	for c := range 256 {
		for range 40 {
			b := make([]byte, 1+rng.IntN(200))
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			b[rng.IntN(len(b))] = byte(c)
			checkMasks(t, b)
		}
	}
}

// TestRuns: a run over the end of a block is seen where it begins.
func TestRuns(t *testing.T) {
	for at := range block {
		for n := 1; n < 40; n++ {
			var m, next uint64
			for k := at; k < at+n; k++ {
				if k < block {
					m |= 1 << k
				} else {
					next |= 1 << (k - block)
				}
			}
			if got := runs(m, next)>>at&1 == 1; got != (n >= longToken) {
				t.Fatalf("%d bytes at %d: %v", n, at, got)
			}
		}
	}
}

func FuzzLanes(f *testing.F) {
	f.Add([]byte("a%&'+/:;<=>?@\\ _09AZaz\x7f\x80\xff"))
	f.Fuzz(func(t *testing.T, b []byte) { checkMasks(t, b) })
}
