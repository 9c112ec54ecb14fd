package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path before every import of ours.
const module = "ostiary.dev/ostiary"

// root is the module's folder, seen from this one.
const root = ".."

// source is one Go file.
type source struct {
	path    string // from root, with slashes
	folder  string // its folder: "internal/wire", "cmd/ostiary"
	test    bool
	file    *ast.File
	imports []string // paths
}

// room is the part of the house that the file belongs to: its folder below
// internal/, or "cmd", "test" or "examples".
func (s *source) room() string {
	if below, ok := strings.CutPrefix(s.folder, "internal/"); ok {
		return below
	}
	first, _, _ := strings.Cut(s.folder, "/")
	return first
}

// house is every Go file of the module, parsed with its comments.
type house struct {
	fset  *token.FileSet
	files []*source
}

// open reads the house. It reads folders and files itself: what a subprocess
// reads is unknown to the test cache, and a stale pass would stay.
func open(t *testing.T) *house {
	t.Helper()
	h := &house{fset: token.NewFileSet()}
	walk(t, func(path string) {
		if !strings.HasSuffix(path, ".go") || strings.Contains(path, "/testdata/") {
			return
		}
		f, err := parser.ParseFile(h.fset, filepath.Join(root, path), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		s := &source{path: path, folder: filepath.ToSlash(filepath.Dir(path)), test: strings.HasSuffix(path, "_test.go"), file: f}
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			s.imports = append(s.imports, p)
		}
		h.files = append(h.files, s)
	})
	if len(h.files) < 50 {
		t.Fatalf("only %d Go files were found", len(h.files))
	}
	return h
}

// walk visits every file of the module that is kept in the repository.
func walk(t *testing.T, visit func(path string)) {
	t.Helper()
	skip := []string{".git", "bin", "node_modules", ".venv", ".ostiary", ".ostiary-demo"}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (slices.Contains(skip, d.Name()) || nested(path)) {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nested reports whether a folder is another module: other people's tools, which
// have rules and dependencies of their own.
func nested(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil && folder != root
}

// read returns a file of the repository as text.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// line is where a node stands, for messages.
func (h *house) line(n ast.Node) string {
	p := h.fset.Position(n.Pos())
	rel, err := filepath.Rel(root, p.Filename)
	if err != nil {
		rel = p.Filename
	}
	return filepath.ToSlash(rel) + ":" + strconv.Itoa(p.Line)
}

// program is every file that is part of the gateway: no test, no example.
func (h *house) program() []*source {
	var all []*source
	for _, s := range h.files {
		if !s.test && s.room() != "test" && s.room() != "examples" {
			all = append(all, s)
		}
	}
	return all
}

// named returns the name under which a file imports path, or "".
func (s *source) named(path string) string {
	for i, p := range s.imports {
		if p != path {
			continue
		}
		if spec := s.file.Imports[i]; spec.Name != nil {
			return spec.Name.Name
		}
		return path[strings.LastIndex(path, "/")+1:]
	}
	return ""
}
