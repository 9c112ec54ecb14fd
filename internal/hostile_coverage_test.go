package internal_test

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hostile are the numbers of the hostile cases. Numbers that are missing belong
// to no case of ours.
const hostile = `
A01 A02 A03 A04 A07 A08 A09 A10 A13 A14 A18 A19 A21 A22 A24
H02 H03 H04 H05 H06 H07 H09 H10 H11 H12 H13 H14 H16 H17 H21 H23 H24 H26 H27 H28 H29 H30
J01 J02 J05 J06 J07 J08 J09 J10 J11 J13 J14 J15 J16 J17 J19
L10
M02 M03 M04 M05 M07 M11 M12 M14 M15 M16 M17 M18 M19 M20 M22 M23 M24 M25 M27 M28
P06 P08 P09 P15 P17
S02 S04 S05 S08 S09
T02 T03 T04 T05 T06
U02 U03 U05 U06 U08 U09 U12 U13 U14 U15 U16 U17
P01 P02 P03 P04 P16 P18
K02 K04 K06 K07 K08
G01 G04 G05 G06 G07 G09 G11 G12 G16 G17
R06
X01
C02 C04 C05 C06 C07 C08 C09 C10 C11 C13 C14 C16 C17 C18`

// caseNumber finds numbers of cases in a test's source: in its name, in the
// names of its subtests, in its comments.
var caseNumber = regexp.MustCompile(`[ACGHJKLMPRSTUX][0-9]{2}`)

// tests returns, for each test function of the module, the numbers of the cases
// that its name, body and comment mention.
func tests(t *testing.T) map[string][]string {
	t.Helper()
	mentioned := map[string][]string{}
	for _, s := range open(t).files {
		if !s.test || s.folder == "internal" {
			continue
		}
		text := read(t, s.path)
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") && !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			from := f.Pos()
			if f.Doc != nil {
				from = f.Doc.Pos()
			}
			start := s.file.FileStart
			body := text[from-start : f.End()-start]
			mentioned[f.Name.Name] = append(mentioned[f.Name.Name], caseNumber.FindAllString(body, -1)...)
		}
	}
	return mentioned
}

// quoted finds the names in a cell.
var quoted = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")

// TestHostileCasesAreCovered holds docs/hostile-coverage.md to the tests: one row
// per case, with tests that exist and mention it, or with what it waits for.
func TestHostileCasesAreCovered(t *testing.T) {
	mentioned := tests(t)
	var listed []string
	for _, row := range cells(read(t, "docs/hostile-coverage.md")) {
		if len(row) != 2 {
			t.Errorf("the row %q has %d cells, want 2", row, len(row))
			continue
		}
		id, cell := row[0], row[1]
		if slices.Contains(listed, id) {
			t.Errorf("%s has two rows", id)
		}
		listed = append(listed, id)
		names := quoted.FindAllStringSubmatch(cell, -1)
		if len(names) == 0 && !strings.HasPrefix(cell, "waits for ") {
			t.Errorf("%s names neither a test nor what it waits for", id)
		}
		for _, name := range names {
			numbers, there := mentioned[name[1]]
			if !there {
				t.Errorf("%s names %s, which is not there", id, name[1])
			} else if !slices.Contains(numbers, id) {
				t.Errorf("%s names %s, which does not mention it", id, name[1])
			}
		}
	}
	want := strings.Fields(hostile)
	for _, id := range want {
		if !slices.Contains(listed, id) {
			t.Errorf("%s has no row", id)
		}
	}
	for _, id := range listed {
		if !slices.Contains(want, id) {
			t.Errorf("%s is no case", id)
		}
	}
}
