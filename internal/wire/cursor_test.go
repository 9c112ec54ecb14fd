package wire

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCursorFindsPlaces: a place in a text is where its bytes stand as written.
func TestCursorFindsPlaces(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var text, written strings.Builder
		type at struct{ text, raw int }
		var places []at
		for range rapid.IntRange(1, 20).Draw(r, "n") {
			c := rapid.SampledFrom([][2]string{{"a", "a"}, {"a", `\u0061`}, {"\n", `\n`}, {"\"", `\"`}, {"é", "é"}, {"é", `\u00E9`}, {"€", `\u20ac`}, {"😀", `\ud83d\ude00`}, {"😀", "😀"}, {"\\", `\\`}}).Draw(r, "c")
			places = append(places, at{text.Len(), written.Len()})
			text.WriteString(c[0])
			written.WriteString(c[1])
		}
		var decoded string
		if err := json.Unmarshal([]byte(`"`+written.String()+`"`), &decoded); err != nil || decoded != text.String() {
			r.Fatalf("%s is not %q: %v", written.String(), text.String(), err)
		}
		v, err := ParseValue([]byte(`"`+written.String()+`"`), DefaultLimits())
		if err != nil {
			r.Fatal(err)
		}
		c := NewCursor(v)
		for _, p := range places {
			if got := c.Seek(p.text); got != p.raw {
				r.Fatalf("%s: byte %d is at %d, not %d", written.String(), p.text, got, p.raw)
			}
		}
	})
}
