package filter

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"ostiary.dev/ostiary/internal/wire"
)

// Suggest writes a filter for the tools of one server, which keeps what later
// arguments used and what the output schema requires, and names as a comment
// what it leaves out. schemas returns a tool's outputSchema; absent: there is
// none. The text is a proposal: it is for a person to read and apply.
func Suggest(all []Learned, schemas func(tool string) wire.Value) string {
	var b strings.Builder
	b.WriteString("# A proposal: members that later calls used, and those that the output schema requires.\n" +
		"# Read it, move what is needed from the comments into keep, and apply it: ostiary filter apply FILE --server NAME --reason TEXT\n")
	b.WriteString("filter:\n")
	rules := 0
	for _, l := range all {
		if l.Tool == "" || len(l.Members) == 0 {
			continue
		}
		rules++
		suggestTool(&b, l, schemas(l.Tool))
	}
	if rules == 0 {
		return "# Nothing was learned yet. Set privacy.learn, or give results: --results FILE.jsonl\nfilter: []\n"
	}
	return b.String()
}

func suggestTool(b *strings.Builder, l Learned, schema wire.Value) {
	must := requiredOf(ShapeOf(schema))
	fmt.Fprintf(b, "  - tool: %s # %d results\n    keep:\n", quoteYAML(l.Tool), l.Results)
	var rest []Seen
	kept := 0
	for _, s := range l.Members {
		why := ""
		switch {
		case s.Used > 0:
			why = fmt.Sprintf("used by %d of the later calls", s.Used)
		case slices.Contains(must, s.Path):
			why = "the output schema requires it"
		default:
			rest = append(rest, s)
			continue
		}
		kept++
		fmt.Fprintf(b, "      - %s # %s\n", quoteYAML(s.Path), why)
	}
	if kept == 0 {
		b.WriteString("      [] # nothing came back in later calls\n")
	}
	for _, s := range rest {
		fmt.Fprintf(b, "      # - %s # in %d results\n", quoteYAML(s.Path), s.Results)
	}
}

// quoteYAML writes a text as a YAML scalar in double quotes, which JSON strings
// are. Names come from servers: none of them may end its line.
func quoteYAML(s string) string {
	var b strings.Builder
	for _, r := range string(wire.Quote(s)) {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000: // YAML ends lines where JSON does not, and terminals obey more
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// requiredOf returns the paths of leaves on whose way every member is required.
func requiredOf(s *Shape) []string {
	if s == nil {
		return nil
	}
	var all []string
	var walk func(s *shape, at path)
	walk = func(s *shape, at path) {
		if s == nil || len(at) > 8 || len(all) > maxSeen {
			return
		}
		if s.elements != nil {
			walk(s.elements, append(slices.Clone(at), step{kind: toElement}))
		}
		for name := range s.required {
			member := s.member(name)
			if member == nil {
				member = &shape{}
			}
			walk(member, append(slices.Clone(at), step{toName, name}))
		}
		if s.elements == nil && len(s.required) == 0 && len(at) > 0 {
			all = append(all, at.String())
		}
	}
	walk(s.root, nil)
	return all
}
