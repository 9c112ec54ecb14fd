package main

import (
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

// labelledResults are results of tool servers, labelled by hand.
const labelledResults = "../../internal/pii/testdata/labelled"

// TestLabelled scores the labelled results of tool servers. The bounds are below
// what is reached today, so that a change for the worse fails.
func TestLabelled(t *testing.T) {
	s, err := pii.New(pii.Config{All: true})
	if err != nil {
		t.Fatal(err)
	}
	c := newTally("", 0)
	sources := map[string]bool{}
	if err := readFolder(labelledResults, func(r record) {
		sources[r.Source] = true
		c.add(r, s.Scan([]byte(r.Text)))
	}); err != nil {
		t.Fatal(err)
	}
	if c.total < 290 || len(sources) < 13 {
		t.Errorf("only %d results of %d kinds", c.total, len(sources))
	}
	if r := ratio(c.micro.found, c.micro.gold); r < 0.96 {
		t.Errorf("recall %.3f", r)
	}
	if p := ratio(c.micro.right, c.micro.pred); p < 0.95 {
		t.Errorf("precision %.3f", p)
	}
	if c.hit*100 > c.clean*4 {
		t.Errorf("%d of %d clean results hit", c.hit, c.clean)
	}
}

// TestMarkup reads labels, weak ones too, and refuses what is none.
func TestMarkup(t *testing.T) {
	rs, err := markedUp("x", "a [[EMAIL:jo@example.com]], [[~URL:https://e.org/]]\n----\nclean [[1],[2]]\n")
	if err != nil || len(rs) != 2 || rs[0].Text != "a jo@example.com, https://e.org/" || rs[1].Text != "clean [[1],[2]]" {
		t.Fatalf("got %+v, %v", rs, err)
	}
	if g := rs[0].Spans; len(g) != 2 || g[0] != (gold{Start: 2, End: 16, Type: "EMAIL"}) || !g[1].Weak || rs[0].Text[g[1].Start:g[1].End] != "https://e.org/" {
		t.Errorf("spans %+v", g)
	}
	for _, bad := range []string{"[[MAIL:x]]", "[[EMAIL x: y]]"} {
		if _, err := markedUp("x", bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	if readFolder(t.TempDir(), func(record) {}) == nil {
		t.Error("an empty folder passed")
	}
}
