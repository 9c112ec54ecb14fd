package filter

import (
	"fmt"
	"strings"
	"testing"
)

// TestFilesThatCannotBeRead tells what is wrong with files, each with its place.
func TestFilesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":             {"", "f.yaml: filter: is empty"},
		"no rule":           {"filter: []", "f.yaml: filter: is empty"},
		"an unknown key":    {"filter:\n  - dorp: [a]\n", "f.yaml:2:5: filter[0].dorp: is not a known key"},
		"an unknown head":   {"filters: []", "f.yaml:1:1: filters: is not a known key"},
		"twice":             {"filter:\n  - drop: [a]\n    drop: [b]\n", "f.yaml:3:5: filter[0].drop: is written twice"},
		"nothing to do":     {"filter:\n  - server: x\n", "f.yaml:2:5: filter[0]: takes nothing away"},
		"a path":            {"filter:\n  - drop: a..b\n", "f.yaml:2:13: filter[0].drop: is not a path: the name of a member is missing"},
		"a quoted path":     {"filter:\n  - drop: [\"ab[0]\"]\n", "f.yaml:2:15: filter[0].drop[0]: is not a path: write [*]"},
		"a path to all":     {"filter:\n  - drop: $\n", "f.yaml:2:11: filter[0].drop: names the whole answer"},
		"deep at the end":   {"filter:\n  - drop: a.**\n", "filter[0].drop: is not a path: ends in **"},
		"deep twice":        {"filter:\n  - drop: '**.**.a'\n", "filter[0].drop: is not a path: has ** twice"},
		"a star":            {"filter:\n  - drop: **.ssn\n", "in quotes"},
		"an alias":          {"filter:\n  - drop: *x\n", "in quotes"},
		"an anchor":         {"filter:\n  - drop: &x a\n", "filter[0].drop: must be a single value"},
		"a tag":             {"filter:\n  - drop: !!str a\n", "filter[0].drop: must be a single value"},
		"a merge":           {"filter:\n  - <<: {drop: a}\n", "anchors, aliases, merge keys"},
		"a predicate":       {"filter:\n  - rows: {path: l, where: \"a = 1\"}\n", "f.yaml:2:31: filter[0].rows.where: is not a predicate: an operator is missing"},
		"rows of nothing":   {"filter:\n  - rows: {path: l}\n", "filter[0].rows: where or max is missing"},
		"rows without path": {"filter:\n  - rows: {max: 1}\n", "filter[0].rows: path is missing"},
		"a cap of nothing":  {"filter:\n  - cap: [{path: l}]\n", "filter[0].cap[0]: count or length is missing"},
		"a negative":        {"filter:\n  - cap: {path: l, count: -1}\n", "filter[0].cap.count: must be a whole number"},
		"a size":            {"filter:\n  - text: 4KB\n", "filter[0].text: must be a size"},
		"a large size":      {"filter:\n  - text: 9999999999KiB\n", "filter[0].text: must be a size"},
		"another word":      {"filter:\n  - links: strp\n", "filter[0].links: knows only the word strip"},
		"blocks":            {"filter:\n  - blocks: {keep: [image]}\n", "takes nothing away"},
		"blocks and meta":   {"filter:\n  - blocks: {keep: [image]}\n    meta: strip\n", "there is no keep"},
		"a not for blocks":  {"filter:\n  - blocks: {drop: ['!image']}\n", "takes no ! here"},
		"an empty name":     {"filter:\n  - server: ''\n    drop: a\n", "filter[0].server: must not be empty"},
		"no names":          {"filter:\n  - server: []\n    drop: a\n", "filter[0].server: names nothing"},
		"only a not":        {"filter:\n  - server: '!'\n    drop: a\n", "names nothing"},
		"no paths":          {"filter:\n  - drop: []\n", "filter[0].drop: names nothing"},
		"null":              {"filter:\n  - drop: ~\n", "filter[0].drop: must be a single value"},
		"no list":           {"filter: 7\n", "filter: must be a mapping"},
		"two documents":     {"filter:\n  - drop: a\n---\nfilter:\n  - drop: b\n", "is a second document"},
		"no YAML":           {"filter: [", "is not YAML"},
	} {
		err := problems(t, c.text)
		if len(err) == 0 || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got\n%v\nwant %s", name, err, c.want)
		}
	}
	ps := problems(t, "filter:\n  - drop: a..b\n    kep: x\n  - rows: {path: '[', where: x, max: -1}\n")
	if len(ps) != 5 || ps[0].Line != 2 || ps[1].Line != 3 || ps[2].Line != 4 {
		t.Errorf("not all problems at once, in order: %v", ps)
	}
}

// TestFilesAreBounded tells that no file makes reading or compiling it long.
func TestFilesAreBounded(t *testing.T) {
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"large":   "filter:\n  - drop: a" + strings.Repeat("\n# ", maxFile/3),
		"rules":   "filter:\n" + strings.Repeat("  - drop: a\n", maxRules+1),
		"paths":   "filter:\n  - drop:\n" + strings.Repeat("    - a\n", maxPaths+1),
		"steps":   "filter:\n  - drop: " + strings.Repeat("a.", maxSteps) + "a\n",
		"path":    "filter:\n  - drop: " + strings.Repeat("a", maxPath+1) + "\n",
		"glob":    "filter:\n  - drop: a\n    server: " + strings.Repeat("a", maxGlob+1) + "\n",
		"tangled": "filter:\n  - drop:\n" + many(14, func(i int) string { return fmt.Sprintf("    - \"**.a%d.**.b%d.**.c%d\"\n", i, i, i) }),
		"deep":    "filter: " + strings.Repeat("[", 100000),
		"dashes":  "filter:\n" + strings.Repeat("- ", 50000) + "a",
		"indent":  many(10000, func(i int) string { return strings.Repeat(" ", i%200) + "a:\n" }),
	} {
		if ps := problems(t, text); len(ps) == 0 || len(ps) > maxProblems {
			t.Errorf("%s: %d problems", name, len(ps))
		}
	}
	// What people write is far from the bounds.
	parse(t, "filter:\n  - drop:\n"+many(400, func(i int) string { return fmt.Sprintf("    - \"**.member%d\"\n", i) }))
	parse(t, "filter:\n  - keep:\n"+many(400, func(i int) string { return fmt.Sprintf("    - items[*].part.member%d\n", i) }))
}

// TestPathsPrintAsTheyAreRead tells that what suggestions print can be applied.
func TestPathsPrintAsTheyAreRead(t *testing.T) {
	for _, text := range []string{"$", "a", "a.b", "[*]", "[*].a", "a[*][*].b", `"a b"."c.d"`, `"\"\\"`, "**.a", "a.**.b[*]", "*", "*.*", `""`, "$.a", "$[*].a", `a-b_c/d:e`, `"a"`} {
		p, err := parsePath(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		again, err := parsePath(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%s prints as %s, which reads as %s (%v)", text, p, again, err)
		}
	}
}

// TestGlobs tells what names rules are about.
func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		patterns string
		fit, not string
	}{
		{"", "a,", ""},
		{"a", "a", "b,,aa,A"},
		{"a*", "a,ab", "b,ba"},
		{"*b", "b,ab,bb", "ba"},
		{"a*b*c", "abc,axbxc,abcbc", "ac,acb,abcd"},
		{"a*a", "aa,aba", "a"},
		{"*", "a,", ""},
		{"!a", "b,", "a"},
		{"!a*|!b", "c", "ab,b"},
		{"a*|!ab", "a,ac", "ab,b"},
		{"a|b", "a,b", "c"},
	} {
		var g globs
		if c.patterns != "" {
			g = strings.Split(c.patterns, "|")
		}
		for _, s := range strings.Split(c.fit, ",") {
			if !g.fit(s) {
				t.Errorf("%s does not fit %q", c.patterns, s)
			}
		}
		for _, s := range strings.Split(c.not, ",") {
			if c.not != "" && g.fit(s) {
				t.Errorf("%s fits %q", c.patterns, s)
			}
		}
	}
}
