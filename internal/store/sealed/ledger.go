package sealed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"ostiary.dev/ostiary/internal/store"
)

// key names a row.
type key struct{ kind, id string }

// mark is what is remembered of a row: enough to know it again.
type mark struct {
	revision int64
	sum      [sha256.Size]byte // of the body
}

func markOf(r store.Row) mark { return mark{r.Revision, sha256.Sum256(r.Body)} }

// buckets spread the rows, so that a change hashes a few of them anew instead
// of all.
const buckets = 256

// ledger holds the marks of all rows and the digest over them.
//
// The digest is SHA-256 over "rows/v1" and the digests of 256 buckets; a row is
// in the bucket that the first byte of SHA-256 over its name says; a bucket's
// digest is SHA-256 over its rows, sorted by name, each as name, revision (8
// bytes, big endian) and SHA-256 of its body. A name is kind and id, each after
// its length (2 bytes, big endian).
type ledger struct {
	marks  [buckets]map[key]mark
	sums   [buckets][sha256.Size]byte
	counts map[string]int // rows of a kind
}

// changes are the rows that a transaction changed; nil is a deleted one.
type changes map[key]*mark

func newLedger() *ledger {
	l := &ledger{counts: map[string]int{}}
	for i := range l.marks {
		l.marks[i] = map[key]mark{}
		l.sums[i] = l.bucket(i, nil)
	}
	return l
}

// readLedger takes the marks of all stored rows but pseudonyms, which stand by
// themselves (pseudonyms.go).
func readLedger(raw store.Raw) (*ledger, error) {
	l, all := newLedger(), changes{}
	err := raw.EachRowBut(kindPseudonym, func(r store.Row) error {
		m := markOf(r)
		all[key{r.Kind, r.ID}] = &m
		return nil
	})
	l.merge(all)
	return l, err
}

func (k key) name() []byte {
	out := make([]byte, 0, 4+len(k.kind)+len(k.id))
	for _, part := range [...]string{k.kind, k.id} {
		out = binary.BigEndian.AppendUint16(out, uint16(len(part)))
		out = append(out, part...)
	}
	return out
}

func (k key) bucket() int {
	sum := sha256.Sum256(k.name())
	return int(sum[0])
}

func (l *ledger) mark(k key) (mark, bool) {
	m, ok := l.marks[k.bucket()][k]
	return m, ok
}

// merge makes the changes part of the ledger.
func (l *ledger) merge(c changes) {
	touched := map[int]bool{}
	for k, m := range c {
		b := k.bucket()
		touched[b] = true
		if _, had := l.marks[b][k]; had {
			l.counts[k.kind]--
			delete(l.marks[b], k)
		}
		if m != nil {
			l.counts[k.kind]++
			l.marks[b][k] = *m
		}
	}
	for b := range touched {
		l.sums[b] = l.bucket(b, nil)
	}
}

func (l *ledger) clone() *ledger {
	out := &ledger{sums: l.sums, counts: map[string]int{}}
	for kind, n := range l.counts {
		out.counts[kind] = n
	}
	for i, marks := range l.marks {
		out.marks[i] = make(map[key]mark, len(marks))
		for k, m := range marks {
			out.marks[i][k] = m
		}
	}
	return out
}

// digest returns the digest as it is with the changes.
func (l *ledger) digest(c changes) string {
	sums := l.sums
	byBucket := map[int]changes{}
	for k, m := range c {
		b := k.bucket()
		if byBucket[b] == nil {
			byBucket[b] = changes{}
		}
		byBucket[b][k] = m
	}
	for b, some := range byBucket {
		sums[b] = l.bucket(b, some)
	}
	h := sha256.New()
	h.Write([]byte("rows/v1"))
	for i := range sums {
		h.Write(sums[i][:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// bucket returns the digest of one bucket with the changes in it.
func (l *ledger) bucket(b int, c changes) (sum [sha256.Size]byte) {
	type named struct {
		name string
		mark mark
	}
	var all []named
	for k, m := range l.marks[b] {
		if _, changed := c[k]; !changed {
			all = append(all, named{string(k.name()), m})
		}
	}
	for k, m := range c {
		if m != nil {
			all = append(all, named{string(k.name()), *m})
		}
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.name, b.name) })
	h := sha256.New()
	for _, n := range all {
		h.Write([]byte(n.name))
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(n.mark.revision)))
		h.Write(n.mark.sum[:])
	}
	h.Sum(sum[:0])
	return sum
}
