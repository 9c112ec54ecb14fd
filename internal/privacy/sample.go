package privacy

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
)

// Sample is a Secrets for previews: its outcomes look like the real ones, are
// the same everywhere, and hide nothing. It never stands on the path.
type Sample struct{}

func (Sample) sum(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s", len(p), p)
	}
	return max(1, h.Sum64())
}

// Hash is a checksum.
func (s Sample) Hash(scope, typ, value string) string {
	return fmt.Sprintf("%016X", s.sum(scope, typ, value))
}

// Shift is ten days for everybody.
func (Sample) Shift(_, _ string) int { return 10 }

// SIV is hexadecimal.
func (Sample) SIV(_, _, value string) (string, error) { return fmt.Sprintf("%X", value), nil }

// FF1 adds three to every digit.
func (Sample) FF1(_, _, digits string) (string, error) {
	if len(digits) < 6 {
		return "", errors.New("fewer than a million values")
	}
	return strings.Map(func(r rune) rune { return '0' + (r-'0'+3)%10 }, digits), nil
}

// Surrogate is a checksum.
func (s Sample) Surrogate(scope, typ, value string) uint64 { return s.sum(scope, typ, value) }
