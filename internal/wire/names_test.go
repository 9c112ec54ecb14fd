package wire

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestNamesAreTheSame: what is taken out with remembered names is what is taken out
// without, of every pattern of members that go, also where names are escaped, and
// beyond what is remembered.
func TestNamesAreTheSame(t *testing.T) {
	var many strings.Builder
	for i := range 2 * maxNames {
		fmt.Fprintf(&many, `"m%d":%d,`, i, i)
	}
	names := new(Names)
	for _, text := range []string{`{}`, `{"a":1}`, `{"a":1,"b":2,"c":3}`, `{"\u0061":1,"b\"":[1,{"a":2}],"c":null}`, `{` + strings.TrimSuffix(many.String(), ",") + `}`, `[1]`, `"a"`} {
		v, err := ParseValue([]byte(text), DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		for pattern := range 8 {
			var seen [2][]Member
			drop := func(which int) func(Member, Value) bool {
				return func(m Member, _ Value) bool {
					seen[which] = append(seen[which], m)
					return pattern>>(len(seen[which])%3)&1 == 1
				}
			}
			want, got := RemoveMembers(v, drop(0)), names.RemoveMembers(v, drop(1))
			if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(seen[0], seen[1]) {
				t.Fatalf("%.80s, pattern %d: %v, want %v", text, pattern, got, want)
			}
		}
	}
	if n := len(names.known); n > maxNames {
		t.Errorf("%d names are kept", n)
	}
}
