package sealed

import (
	"fmt"
	"testing"
)

// BenchmarkLedgerOfMany is what a transaction of a few rows costs the ledger
// among 200,000: why the rows of pseudonyms are not in it.
func BenchmarkLedgerOfMany(b *testing.B) {
	l, all := newLedger(), changes{}
	for i := range 200_000 {
		all[key{kindNoun, fmt.Sprintf("%032d", i)}] = &mark{revision: 1}
	}
	l.merge(all)
	for _, n := range []int{2, 20, 200} {
		some := changes{}
		for i := range n {
			some[key{kindNoun, fmt.Sprintf("new%029d", i)}] = &mark{revision: 1}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				l.digest(some)
				l.merge(some)
			}
		})
	}
}
