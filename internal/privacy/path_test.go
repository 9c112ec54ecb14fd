package privacy

import (
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	for _, c := range []struct{ path, yes, no string }{
		{"a", "a", "b aa a.b [*] a[*]"},
		{"a.b", "a.b", "a b a.b.c a[*].b a.bb"},
		{"a[*].b", "a[*].b", "a.b a[*] a[*][*].b a.x.b"},
		{"[*].b", "[*].b", "b a.b"},
		{"a.*", "a.b a.c", "a a[*] a.b.c"},
		{"*.b", "a.b x.b", "b [*].b"},
		{"**", "a a.b a[*].b [*]", ""},
		{"**.b", "b a.b a[*].b a.b.b x.y.z.b", "a b.a a.bb"},
		{"a.**.b", "a.b a.x.b a[*].b a.b.x.b", "b a x.a.b a.b.x"},
		{"a.**", "a a.b a[*].c", "b b.a"},
		{"**.a.**.b.**", "a.b x.a.y.b.z", "b.a a"},
	} {
		p, err := parsePath(c.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range strings.Fields(c.yes) {
			if !p.match(place) {
				t.Errorf("%s does not name %s", c.path, place)
			}
		}
		for _, place := range append(strings.Fields(c.no), "") {
			if p.match(place) {
				t.Errorf("%s names %q", c.path, place)
			}
		}
	}
	for _, bad := range []string{"", ".", "a.", ".a", "a..b", "a[", "a[0]", "a[*", "a]", "[]", "a[*]b", strings.Repeat("a.", 33) + "a", strings.Repeat("a", 513)} {
		if p, err := parsePath(bad); err == nil {
			t.Errorf("%q is taken as %q", bad, p)
		}
	}
}

// TestPathIsBounded: many "**" over a long place end. Without the bound this test
// would not come back.
func TestPathIsBounded(t *testing.T) {
	p, err := parsePath(strings.Repeat("**.a.", 15) + "b")
	if err != nil {
		t.Fatal(err)
	}
	if p.match(strings.Repeat("a.", 20_000) + "c") {
		t.Error("it matches")
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct{ glob, yes, no string }{
		{"a", "a", "b ab ba"},
		{"a*", "a ab abc", "b ba"},
		{"*a", "a ba cba", "b ab"},
		{"a*b*c", "abc axbyc abbcc", "ab ac abcd"},
		{"*", "a b", ""},
		{"[a]", "[a]", "a"},
	} {
		for _, s := range strings.Fields(c.yes) {
			if !glob(c.glob, s) {
				t.Errorf("%s does not match %s", c.glob, s)
			}
		}
		for _, s := range strings.Fields(c.no) {
			if glob(c.glob, s) {
				t.Errorf("%s matches %s", c.glob, s)
			}
		}
	}
}
