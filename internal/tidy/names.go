package tidy

import (
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// checkNames: a package's name says what it holds.
func (t *tree) checkNames() {
	for _, f := range t.files {
		if slices.Contains(t.rules.BadNames, strings.TrimSuffix(f.Name.Name, "_test")) {
			t.report("name", f.path, f.Name.Pos(), "package name %s says nothing", f.Name.Name)
		}
	}
}

// checkComments: every package and every exported name is described.
func (t *tree) checkComments() {
	described := make(map[string]bool)
	first := make(map[string]string)
	for _, f := range t.files {
		if f.test {
			continue
		}
		if _, ok := first[f.dir]; !ok {
			first[f.dir] = f.path
		}
		described[f.dir] = described[f.dir] || f.Doc != nil
		if f.Name.Name != "main" {
			t.checkExported(f)
		}
	}
	for dir, file := range first {
		if !described[dir] {
			t.report("comment", file, 0, "package %s has no doc.go, nor a comment elsewhere", dir)
		}
	}
}

func (t *tree) checkExported(f goFile) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) && !wellKnown(d) {
				t.report("comment", f.path, d.Pos(), "exported %s has no comment", d.Name.Name)
			}
		case *ast.GenDecl:
			t.checkExportedSpecs(f, d)
		}
	}
}

// checkExportedSpecs: in a group of constants or variables, a comment on the group speaks for all.
func (t *tree) checkExportedSpecs(f goFile, d *ast.GenDecl) {
	for _, s := range d.Specs {
		switch s := s.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
				t.report("comment", f.path, s.Pos(), "exported %s has no comment", s.Name.Name)
			}
		case *ast.ValueSpec:
			if d.Doc != nil || s.Doc != nil || s.Comment != nil {
				continue
			}
			if i := slices.IndexFunc(s.Names, (*ast.Ident).IsExported); i >= 0 {
				t.report("comment", f.path, s.Names[i].Pos(), "exported %s has no comment", s.Names[i].Name)
			}
		}
	}
}

// wellKnown tells a method that the language's own interfaces describe.
func wellKnown(d *ast.FuncDecl) bool {
	return d.Recv != nil && (d.Name.Name == "Error" || d.Name.Name == "String")
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	receiver := d.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported()
		default:
			return false
		}
	}
}

var (
	todo         = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	todoWithCase = regexp.MustCompile(`\bTODO\(#\d+\)`)
)

// checkTodos: what is left to do stands in an issue, and the code says in which.
func (t *tree) checkTodos() {
	for _, f := range t.files {
		var comments []*ast.Comment
		for _, group := range f.Comments {
			comments = append(comments, group.List...)
		}
		for _, c := range comments {
			if todo.MatchString(c.Text) && !todoWithCase.MatchString(c.Text) {
				t.report("todo", f.path, c.Pos(), "a TODO is written TODO(#12), with the number of an issue")
			}
		}
	}
}

// machineTime are the names of package time that read the machine's clock or wait for it.
var machineTime = []string{"Now", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Since", "Until"}

// ownChance are the names of the rand packages that do not draw from the global source.
var ownChance = []string{
	"New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "Source64", "PCG", "ChaCha8", "Zipf",
}

// checkClock: time and chance are passed in, so that every run can be replayed.
func (t *tree) checkClock() {
	for _, f := range t.files {
		if f.test || underAny(f.dir, t.rules.Timekeepers) {
			continue
		}
		clock, chance := f.localName("time"), f.localName("math/rand", "math/rand/v2")
		ast.Inspect(f.File, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			switch {
			case pkg.Name == clock && slices.Contains(machineTime, sel.Sel.Name):
				t.report("clock", f.path, sel.Pos(), "time.%s: take a clock.Clock instead", sel.Sel.Name)
			case pkg.Name == chance && !slices.Contains(ownChance, sel.Sel.Name):
				t.report("clock", f.path, sel.Pos(), "rand.%s: take a seeded source instead", sel.Sel.Name)
			}
			return true
		})
	}
}

// localName is the name under which the file imports one of the packages, or empty.
func (f goFile) localName(packages ...string) string {
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil || !slices.Contains(packages, name) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		elements := strings.Split(strings.TrimSuffix(name, "/v2"), "/")
		return elements[len(elements)-1]
	}
	return ""
}

// checkInit: nothing happens before main.
func (t *tree) checkInit() {
	for _, f := range t.files {
		f.functions(func(fn *ast.FuncDecl) {
			if fn.Recv == nil && fn.Name.Name == "init" {
				t.report("init", f.path, fn.Pos(), "no func init: make a table, or call it from main")
			}
		})
	}
}

// checkPanics: an assertion that fails is told from a runtime error by its type.
func (t *tree) checkPanics() {
	for _, f := range t.files {
		if f.test || underAny(f.dir, t.rules.Panickers) {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "panic" {
				t.report("panic", f.path, call.Pos(), "panic through internal/check, or return an error")
			}
			return true
		})
	}
}
