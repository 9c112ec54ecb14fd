package privacy

import (
	"os"
	"slices"
	"strings"
	"testing"

	"ostiary.dev/ostiary/internal/pii"
)

// TestManualSaysWhatProfilesDo holds the table in docs/privacy.md to the code:
// every type and fine label that a profile tells apart has a row, which is true.
func TestManualSaysWhatProfilesDo(t *testing.T) {
	text, err := os.ReadFile("../../docs/privacy.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		name, quoted := strings.CutPrefix(cells[0], "`")
		typ, sub, _ := strings.Cut(strings.TrimSuffix(name, "`"), "/")
		if !quoted || len(cells) != 1+len(Names()) || !pii.Type(typ).Known() {
			continue
		}
		rows = append(rows, strings.Trim(cells[0], "`"))
		for i, profile := range Names() {
			if got := named(t, profile).Decide(Where{Toward: Client, Zone: ZoneToken}, pii.Type(typ), sub); string(got) != cells[1+i] {
				t.Errorf("%s in %s: the manual says %s, it is %s", cells[0], profile, cells[1+i], got)
			}
		}
	}
	var want []string
	for _, typ := range pii.Types() {
		if typ != pii.Secret {
			want = append(want, string(typ))
		}
	}
	for _, b := range builtins {
		for f := range b.subs {
			want = append(want, string(f.typ)+"/"+f.sub)
		}
	}
	for _, name := range want {
		if !slices.Contains(rows, name) {
			t.Errorf("the manual has no row for %s", name)
		}
	}
}
