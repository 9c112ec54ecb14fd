package internal_test

import (
	"go/ast"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// cells returns the rows of every Markdown table in text, cell by cell, without
// heads and rules.
func cells(text string) [][]string {
	var rows [][]string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		if i+1 < len(lines) && strings.HasPrefix(lines[i+1], "|---") {
			continue
		}
		var row []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			row = append(row, strings.TrimSpace(cell))
		}
		rows = append(rows, row)
	}
	return rows
}

// reason is a reason code in a cell.
var reason = regexp.MustCompile("`([a-z_]+)`")

// TestPathIsDocumented holds docs/path.md to the list in gateway/path.go, and
// the threat model to the same steps.
func TestPathIsDocumented(t *testing.T) {
	var steps []string
	for _, s := range open(t).files {
		if s.path != "internal/gateway/path.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if kv, ok := n.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Name" {
					if lit, ok := kv.Value.(*ast.BasicLit); ok {
						name, err := strconv.Unquote(lit.Value)
						if err != nil {
							t.Fatal(err)
						}
						steps = append(steps, name)
					}
				}
			}
			return true
		})
	}
	if len(steps) < 5 {
		t.Fatalf("path.go names %v", steps)
	}
	steps = append(steps, "record.Close", "attest.Reply")
	var got []string
	kinds := read(t, "internal/fault/fault.go")
	for _, row := range cells(read(t, "docs/path.md")) {
		for _, code := range reason.FindAllStringSubmatch(row[2], -1) {
			if !strings.Contains(kinds, `= "`+code[1]+`"`) {
				t.Errorf("docs/path.md says that %s refuses with %s, which is no kind", row[0], code[1])
			}
		}
		if name := strings.Trim(row[0], "`"); name != row[0] {
			got = append(got, name)
		}
	}
	if !slices.Equal(got, steps) {
		t.Errorf("docs/path.md lists %v, path.go has %v", got, steps)
	}
	threats := read(t, "docs/threat-model.md")
	for _, step := range steps {
		if !strings.Contains(threats, "| `"+step+"` |") {
			t.Errorf("docs/threat-model.md says nothing of %s", step)
		}
	}
}

// required is a line of a require directive: module, version, comment.
var required = regexp.MustCompile(`(?m)^\s*(?:require )?([a-z0-9./_-]+\.[a-z]+[^ ]*) (v[^ \n]+)( // indirect)?$`)

// TestDependenciesAreExplained demands one line in docs/dependencies.md for each
// module that our code imports, and none for others.
func TestDependenciesAreExplained(t *testing.T) {
	var modules, want []string
	for _, m := range required.FindAllStringSubmatch(read(t, "go.mod"), -1) {
		modules = append(modules, m[1])
		if m[3] == "" {
			want = append(want, m[1])
		}
	}
	for _, s := range open(t).files {
		for _, p := range s.imports {
			first, _, _ := strings.Cut(p, "/")
			if !strings.Contains(first, ".") || strings.HasPrefix(p, module+"/") {
				continue
			}
			owner := ""
			for _, m := range modules {
				if (p == m || strings.HasPrefix(p, m+"/")) && len(m) > len(owner) {
					owner = m
				}
			}
			if owner == "" {
				t.Errorf("%s imports %s, which go.mod does not name", s.path, p)
			}
			want = append(want, owner)
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	var got []string
	for _, row := range cells(read(t, "docs/dependencies.md")) {
		name := strings.Trim(row[0], "`")
		if name == row[0] {
			continue
		}
		if slices.Contains(got, name) {
			t.Errorf("docs/dependencies.md has two lines for %s", name)
		}
		got = append(got, name)
		if len(row) != 4 || slices.Contains(row, "") {
			t.Errorf("docs/dependencies.md: the line of %s lacks a cell", name)
		}
		if !slices.Contains(want, name) {
			t.Errorf("docs/dependencies.md explains %s, which nothing imports", name)
		}
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("docs/dependencies.md has no line for %s", name)
		}
	}
}

// link is the target of a Markdown link.
var link = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	walk(t, func(file string) {
		if !strings.HasSuffix(file, ".md") || strings.Contains(file, "/testdata/") {
			return
		}
		for _, m := range link.FindAllStringSubmatch(read(t, file), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			target := path.Join(path.Dir(file), m[1])
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which is not there", file, target)
			}
		}
	})
}

func TestDecisionsHaveTheirParts(t *testing.T) {
	index := read(t, "docs/decisions/README.md")
	count := 0
	walk(t, func(file string) {
		if path.Dir(file) != "docs/decisions" || path.Base(file) == "README.md" {
			return
		}
		count++
		text := read(t, file)
		number, _, _ := strings.Cut(path.Base(file), "-")
		if !strings.HasPrefix(text, "# "+number+": ") {
			t.Errorf("%s does not begin with its number", file)
		}
		for _, part := range []string{"**Context.**", "**Choice.**", "**Rejected.**", "**Revisit when**"} {
			if !strings.Contains(text, "\n"+part) {
				t.Errorf("%s has no %s", file, part)
			}
		}
		if !strings.Contains(index, "("+path.Base(file)+")") {
			t.Errorf("docs/decisions/README.md does not list %s", file)
		}
	})
	if count == 0 {
		t.Error("there are no decisions")
	}
}

// TestNoTraceOfTheWorkshop refuses words that belong to the machine on which
// something was written, and marks of what is unfinished.
func TestNoTraceOfTheWorkshop(t *testing.T) {
	// In halves, so that this file does not find itself.
	words := []string{"/work/" + "main", "/work/" + "shared", "/work/" + ".", "/ro" + "ot/", "bash_" + "jobs", "/opt/" + "wheels"}
	marks := []string{"TO" + "DO", "FIX" + "ME", "HA" + "CK:"}
	walk(t, func(file string) {
		if strings.Contains(file, "/testdata/") || strings.HasSuffix(file, "package-lock.json") {
			return
		}
		text := read(t, file)
		for _, word := range words {
			if strings.Contains(text, word) {
				t.Errorf("%s holds %q", file, word)
			}
		}
		if path.Ext(file) == ".go" || path.Ext(file) == ".sh" {
			for _, mark := range marks {
				if strings.Contains(text, mark) {
					t.Errorf("%s holds %q", file, mark)
				}
			}
		}
	})
}
