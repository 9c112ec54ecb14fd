package sealed

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

func some(n int) changes {
	c := changes{}
	for i := range n {
		c[key{[]string{"agent", "token"}[i%2], fmt.Sprintf("id-%d", i)}] = &mark{int64(i + 1), sha256.Sum256([]byte{byte(i)})}
	}
	return c
}

// TestLedgerDigest: the digest before a merge says what it is after, and depends
// on every row, its name, its revision and its body.
func TestLedgerDigest(t *testing.T) {
	l := newLedger()
	empty := l.digest(nil)
	all := some(1000)
	ahead := l.digest(all)
	l.merge(all)
	if l.digest(nil) != ahead || ahead == empty {
		t.Error("the digest with changes is not that after them")
	}
	if l.counts["agent"] != 500 || l.counts["token"] != 500 {
		t.Errorf("counts are %v", l.counts)
	}
	seen := map[string]string{ahead: "all", empty: "none"}
	for name, c := range map[string]changes{
		"revision": {key{"agent", "id-0"}: {2, sha256.Sum256([]byte{0})}},
		"body":     {key{"agent", "id-0"}: {1, sha256.Sum256([]byte{9})}},
		"deleted":  {key{"agent", "id-0"}: nil},
		"moved":    {key{"agent", "id-0"}: nil, key{"token", "id-0"}: {1, sha256.Sum256([]byte{0})}},
		"renamed":  {key{"agent", "id-0"}: nil, key{"agentid", "-0"}: {1, sha256.Sum256([]byte{0})}},
		"added":    {key{"agent", "id-00"}: {1, sha256.Sum256([]byte{0})}},
		"swapped":  {key{"agent", "id-0"}: {3, sha256.Sum256([]byte{2})}, key{"agent", "id-2"}: {1, sha256.Sum256([]byte{0})}},
	} {
		d := l.digest(c)
		if other := seen[d]; other != "" {
			t.Errorf("%s has the digest of %s", name, other)
		}
		seen[d] = name
		next := l.clone()
		next.merge(c)
		if next.digest(nil) != d || l.digest(nil) != ahead {
			t.Errorf("%s: merging a clone gives another digest, or changes the original", name)
		}
	}
	gone := changes{}
	for k := range all {
		gone[k] = nil
	}
	l.merge(gone)
	if l.digest(nil) != empty || l.counts["agent"] != 0 {
		t.Error("an emptied ledger differs from a new one")
	}
}

// TestLedgerVector fixes the form of the digest: it stands in control logs.
func TestLedgerVector(t *testing.T) {
	k := key{"agent", "abc"}
	name := "\x00\x05agent\x00\x03abc"
	bucket := sha256.Sum256([]byte(name))[0]
	body := sha256.Sum256([]byte("body"))
	one := sha256.Sum256([]byte(name + "\x00\x00\x00\x00\x00\x00\x01\x02" + string(body[:])))
	none := sha256.Sum256(nil)
	text := "rows/v1"
	for i := range 256 {
		if i == int(bucket) {
			text += string(one[:])
		} else {
			text += string(none[:])
		}
	}
	sum := sha256.Sum256([]byte(text))
	if got, want := newLedger().digest(changes{k: {0x102, body}}), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("the digest is %s, want %s", got, want)
	}
}

// BenchmarkDigest is what a change of one row costs besides its statement.
func BenchmarkDigest(b *testing.B) {
	for _, n := range []int{1000, 100000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := newLedger()
			l.merge(some(n))
			c := some(1)
			for b.Loop() {
				l.digest(c)
			}
		})
	}
}
