package policy

import (
	"slices"
	"strings"
	"unicode"

	"ostiary.dev/ostiary/internal/wire"
)

// The named rules that tell facts about arguments. Each stands for the whole
// call; with ":NAME" behind it, for the argument of that name.
const (
	FactSQLReadOnly = "sql_read_only"  // every argument that holds SQL only reads, and there is one
	FactShellMeta   = "shell_meta"     // some string holds what a shell would interpret
	FactLeadingDash = "leading_dash"   // some string begins with a dash: a program takes it for an option
	FactOddPath     = "path_ambiguous" // some path or address is not written in the one canonical way
)

// FactNames are the named rules, for schemas and explanations.
func FactNames() []string {
	return []string{FactLeadingDash, FactOddPath, FactShellMeta, FactSQLReadOnly}
}

// factsOf computes the facts that are asked for, sorted. A fact that nobody asks
// for is not looked at.
func factsOf(args wire.Value, asked []string) (out []string) {
	for _, want := range asked {
		name, of, one := strings.Cut(want, ":")
		if !slices.Contains(FactNames(), name) {
			continue
		}
		v := args
		if one {
			v = args.Get(of)
		}
		if factOn(name, v, one) {
			out = append(out, want)
		}
	}
	slices.Sort(out)
	return out
}

func factOn(name string, v wire.Value, one bool) bool {
	switch name {
	case FactSQLReadOnly:
		return sqlOnlyReads(v, one)
	case FactShellMeta:
		return anyText(v, shellMeta)
	case FactLeadingDash:
		return anyText(v, func(s string) bool {
			return strings.HasPrefix(strings.TrimLeftFunc(s, blank), "-")
		})
	}
	return anyText(v, func(s string) bool { return looksLikePath(s) && !canonical(s) })
}

// anyText reports whether a string inside v, as a value or a member's name, has
// the property.
func anyText(v wire.Value, has func(string) bool) bool {
	if text, ok := v.Text(); ok {
		return has(text)
	}
	for e := range v.Elements() {
		if anyText(e, has) {
			return true
		}
	}
	for m, e := range v.Members() {
		if anyText(e, has) || v.Kind() == wire.Object && strings.HasPrefix(m.Key, "-") && has(m.Key) {
			return true
		}
	}
	return false
}

func blank(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.In(r, unicode.Cf)
}

// shellMeta reports whether a shell would see more than one word's plain text
// in s: expansions, separators, redirections, quotes, line ends (P09).
func shellMeta(s string) bool {
	return strings.ContainsAny(s, "$`;|&<>(){}[]*?!#~'\"\\\n\r\x00") || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\t' || unicode.In(r, unicode.Zl, unicode.Zp)
	})
}

// sqlWords are parts of argument names that hold SQL.
var sqlWords = []string{"sql", "query", "statement", "stmt"}

// sqlOnlyReads reports whether every string that holds SQL is proven to read
// only. Without such a string nothing is proven (P08).
func sqlOnlyReads(v wire.Value, one bool) bool {
	if one {
		text, ok := v.Text()
		return ok && sqlReads(text)
	}
	found := false
	for m, e := range v.Members() {
		name := strings.ToLower(m.Key)
		if !slices.ContainsFunc(sqlWords, func(w string) bool { return strings.Contains(name, w) }) {
			continue
		}
		text, ok := e.Text()
		if !ok || !sqlReads(text) {
			return false
		}
		found = true
	}
	return found
}
