package app

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as a number or with KiB, MiB or GiB.
type Size int64

// sizeUnits are the units that a size may carry, largest first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// ParseSize reads a size.
func ParseSize(s string) (Size, error) {
	digits, unit := s, int64(1)
	for _, u := range sizeUnits {
		if d, ok := strings.CutSuffix(s, u.name); ok {
			digits, unit = strings.TrimSuffix(d, " "), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, errors.New("is not a size; write bytes or a number with KiB, MiB or GiB, such as 4MiB")
	}
	if n > math.MaxInt64/unit {
		return 0, errors.New("is too large")
	}
	return Size(n * unit), nil
}

// String writes the size with the largest unit that divides it.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// Duration is a length of time, written as a number with ms, s, m or h.
type Duration time.Duration

// ParseDuration reads a duration; it refuses negative ones and numbers without
// a unit.
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || s == "0" {
		return 0, errors.New("is not a duration; write a number with ms, s, m or h, such as 30s")
	}
	return Duration(d), nil
}

// String writes the duration without zero minutes and seconds.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText lets a size print as it is written.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText lets a duration print as it is written.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// bound checks that n lies in [lo, hi]; show writes a number in its unit.
func bound(n, lo, hi int64, show func(int64) string) error {
	if n < lo || n > hi {
		return fmt.Errorf("must be between %s and %s", show(lo), show(hi))
	}
	return nil
}
