package internal_test

import (
	"errors"
	"go/ast"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// shared is the package-level state that may change while the program runs.
// Everything else is made by New or Open and handed on.
var shared = map[string]string{
	"http1.requestBuffers": "pool of memory, holds no data between uses",
	"http1.readBuffers":    "pool of memory, holds no data between uses",
	"http1.writeBuffers":   "pool of memory, holds no data between uses",
	"http1.holdBuffers":    "pool of memory, holds no data between uses",
	"wire.scanners":        "pool of memory, holds no data between uses",
	"pii.keyCaches":        "pool of memory, holds no data between uses",
	"pii.memos":            "pool of memory, holds no data between uses",
	"forward.paramCache":   "a pure function's results, by digest of a pinned definition",
	"gateway.turn":         "spreads locks; has no meaning",
	"pii.numIndex":         "a table; addressed to read it without a copy",
	"pii.noWord":           "a table; addressed to read it without a copy",
}

// errNoImporter ends every import: only names of the package itself matter.
var errNoImporter = errors.New("imports are not resolved")

type noImporter struct{}

func (noImporter) Import(string) (*types.Package, error) { return nil, errNoImporter }

// TestNoMutableState looks for init functions and for package-level variables
// that somebody assigns to, takes the address of, or that guard or count.
func TestNoMutableState(t *testing.T) {
	h := open(t)
	packages := map[string][]*source{}
	for _, s := range h.program() {
		packages[s.folder] = append(packages[s.folder], s)
	}
	seen := map[string]bool{}
	for _, files := range packages {
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		var parsed []*ast.File
		for _, s := range files {
			parsed = append(parsed, s.file)
		}
		// Errors are expected: no import resolves. Names of the package do.
		conf := types.Config{Importer: noImporter{}, Error: func(error) {}}
		pkg, _ := conf.Check(files[0].folder, h.fset, parsed, info)
		c := &changes{house: h, pkg: pkg, info: info, found: map[types.Object]string{}}
		for _, f := range parsed {
			c.file(t, f)
		}
		for object, how := range c.found {
			id := files[0].room() + "." + object.Name()
			seen[id] = true
			if shared[id] == "" {
				t.Errorf("%s is mutable state: %s", id, how)
			}
		}
	}
	for id := range shared {
		if !seen[id] {
			t.Errorf("the list allows %s, which is no mutable state", id)
		}
	}
}

// changes collects the package-level variables that change.
type changes struct {
	*house
	pkg   *types.Package
	info  *types.Info
	found map[types.Object]string
}

func (c *changes) file(t *testing.T, f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == "init" {
				t.Errorf("%s: func init has effects that nobody asked for", c.line(d))
			}
			ast.Inspect(d, c.visit)
		case *ast.GenDecl:
			c.declared(d)
		}
	}
}

// declared finds variables whose very type is there to change.
func (c *changes) declared(d *ast.GenDecl) {
	for _, spec := range d.Specs {
		v, ok := spec.(*ast.ValueSpec)
		if !ok {
			continue
		}
		parts := []ast.Expr{v.Type}
		for _, value := range v.Values {
			if lit, ok := value.(*ast.CompositeLit); ok {
				parts = append(parts, lit.Type)
			}
		}
		for _, part := range parts {
			if sel, ok := part.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && slices.Contains([]string{"sync", "atomic"}, x.Name) {
					for _, name := range v.Names {
						c.add(name, "it is a "+x.Name+"."+sel.Sel.Name)
					}
				}
			}
		}
	}
}

func (c *changes) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, left := range n.Lhs {
			c.change(left, n)
		}
	case *ast.IncDecStmt:
		c.change(n.X, n)
	case *ast.UnaryExpr:
		if n.Op.String() == "&" {
			if _, literal := n.X.(*ast.CompositeLit); !literal {
				c.change(n.X, n)
			}
		}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
			c.change(n.Args[0], n)
		}
	}
	return true
}

// change notes a change of what e is rooted in.
func (c *changes) change(e ast.Expr, at ast.Node) {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			c.add(x, "changed at "+c.line(at))
			return
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return
		}
	}
}

func (c *changes) add(name *ast.Ident, how string) {
	o := c.info.ObjectOf(name)
	v, ok := o.(*types.Var)
	if !ok || v.Parent() != c.pkg.Scope() || strings.HasPrefix(name.Name, "_") {
		return
	}
	if c.found[o] == "" {
		c.found[o] = how
	}
}
