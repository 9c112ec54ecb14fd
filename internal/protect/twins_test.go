package protect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// wantedOf makes findings of the values, each standing for itself.
func wantedOf(values []string) *wanted {
	var raw bytes.Buffer
	var found []finding
	for _, v := range values {
		found = append(found, finding{start: raw.Len(), end: raw.Len() + len(v), value: v})
		raw.WriteString(v)
	}
	raw.WriteString(` \u0020 \/`) // signs of every style
	return newWanted(raw.Bytes(), found)
}

// TestTwinIsTheLongest: of values that begin alike and stand in each other the
// longest that stands alone is found, as a look at each of them would.
func TestTwinIsTheLongest(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 7))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "aab-"[rng.IntN(4)]
		}
		return string(b)
	}
	hits := 0
	for range 600 {
		var values []string
		for range 40 {
			values = append(values, text(leastTwin+rng.IntN(5)))
		}
		w, raw := wantedOf(values), []byte(text(400))
		for i := range len(raw) - 4 {
			size := 0
			for _, v := range values {
				if len(v) > size && bytes.HasPrefix(raw[i:], []byte(v)) && begins(raw, i) && ends(raw, i+len(v)) {
					size = len(v)
				}
			}
			f, got := w.at(raw, i, len(raw))
			if got != size || size > 0 && f.value != string(raw[i:i+size]) {
				t.Fatalf("%q at %d: %d bytes, want %d", raw, i, got, size)
			}
			if size > 0 {
				hits++
				if w.next(raw, i, i+1) != i {
					t.Fatalf("%q at %d is stepped over", raw, i)
				}
			}
		}
	}
	if hits < 1000 {
		t.Errorf("only %d twins: the test says little", hits)
	}
}

// TestC13ValuesAlike: ten thousand values that begin alike are not tried one after
// the other: none stands in another, so each place asks for one.
func TestC13ValuesAlike(t *testing.T) {
	var values []string
	for i := range 10_000 {
		values = append(values, fmt.Sprintf("mariamariamaria%05d@example.com", i))
	}
	w := wantedOf(values)
	if len(w.needles) != len(values) { // nothing in them is written in more than one way
		t.Fatalf("%d needles of %d values", len(w.needles), len(values))
	}
	for _, n := range w.needles {
		if n.inner >= 0 {
			t.Fatalf("%q is tried after %q", w.needles[n.inner].bytes, n.bytes)
		}
	}
	raw := []byte("to " + values[4711] + " and on")
	if f, _ := w.at(raw, 3, len(raw)); f == nil || f.value != values[4711] {
		t.Errorf("the twin is not found: %v", f)
	}
}

// TestC13ValuesInEachOther: values each of which begins with the one before are not
// tried one after the other at every place that only begins like all of them.
func TestC13ValuesInEachOther(t *testing.T) {
	var values []string
	for i := range 500 {
		values = append(values, "ghp_aQ3"+strings.Repeat("a", i))
	}
	w, places := wantedOf(values), 1000
	raw := []byte(strings.Repeat("ghp_z ", places) + values[321] + " ")
	for i := range places {
		if f, _ := w.at(raw, 6*i, len(raw)); f != nil {
			t.Fatalf("%q is found", f.value)
		}
	}
	if w.steps > 40*places {
		t.Errorf("%d steps at %d places", w.steps, places)
	}
	if f, _ := w.at(raw, 6*places, len(raw)); f == nil || f.value != values[321] {
		t.Errorf("the twin is not found: %v", f)
	}
}

// TestC13WrittenFormsAreBounded: what is looked for does not grow with what a server
// hides in a message, nor is a value of thousands of bytes looked for in every form.
func TestC13WrittenFormsAreBounded(t *testing.T) {
	if w, _ := wantedOf([]string{strings.Repeat("é", longestToken)}), 0; len(w.needles) != 1 {
		t.Errorf("%d forms of a long value", len(w.needles))
	}
	var values []string
	clear := 0
	for i := range 600 {
		v := fmt.Sprint(i, strings.Repeat("é", 1000))
		values, clear = append(values, v), clear+len(v)
	}
	size := 0
	for _, n := range wantedOf(values).needles {
		size += len(n.bytes)
	}
	if size < mostForms || size > mostForms+1<<20+clear {
		t.Errorf("%d bytes are looked for", size)
	}
}
