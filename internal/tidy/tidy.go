package tidy

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Finding is a place that breaks a rule.
type Finding struct {
	Rule    string
	Path    string // below the root, with forward slashes
	Line    int    // 0: the file or folder as a whole
	Name    string // of the function, where the rule is about one
	Message string
}

// String shows the finding as compilers do.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s (%s)", f.Path, f.Message, f.Rule)
	}
	return fmt.Sprintf("%s:%d: %s (%s)", f.Path, f.Line, f.Message, f.Rule)
}

// goFile is a parsed Go file of the tree.
type goFile struct {
	path  string
	dir   string
	test  bool
	lines int
	*ast.File
}

// tree is everything that the rules look at.
type tree struct {
	root  string
	fset  *token.FileSet
	rules Rules
	files []goFile
	docs  []string // paths of Markdown files
	dirs  []string // top-level folders
	found []Finding
}

// ruleTable lists the checks. Each name may appear in an Exception.
var ruleTable = []struct {
	name  string
	check func(*tree)
}{
	{"folder", (*tree).checkFolders},
	{"import", (*tree).checkImports},
	{"module", (*tree).checkModules},
	{"size", (*tree).checkSizes},
	{"shape", (*tree).checkShapes},
	{"name", (*tree).checkNames},
	{"comment", (*tree).checkComments},
	{"todo", (*tree).checkTodos},
	{"clock", (*tree).checkClock},
	{"init", (*tree).checkInit},
	{"panic", (*tree).checkPanics},
	{"link", (*tree).checkLinks},
	{"proof", (*tree).checkProofs},
	{"place", (*tree).checkPlaces},
	{"decision", (*tree).checkDecisions},
}

// Check reads the tree at root and returns what breaks the rules, in the order of paths and lines.
func Check(root string, rules Rules) ([]Finding, error) {
	t := &tree{root: root, fset: token.NewFileSet(), rules: rules}
	if err := t.read(); err != nil {
		return nil, err
	}
	for _, r := range ruleTable {
		r.check(t)
	}
	found := t.withoutExceptions()
	slices.SortStableFunc(found, func(a, b Finding) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return found, nil
}

// withoutExceptions drops what the exceptions accept, and adds a finding for each of them that accepts nothing.
func (t *tree) withoutExceptions() []Finding {
	used := make([]bool, len(t.rules.Exceptions))
	kept := slices.DeleteFunc(t.found, func(f Finding) bool {
		accepted := false
		for i, e := range t.rules.Exceptions {
			if e.Reason != "" && e.Rule == f.Rule && under(f.Path, e.Path) && (e.Name == "" || e.Name == f.Name) {
				used[i], accepted = true, true
			}
		}
		return accepted
	})
	for i, e := range t.rules.Exceptions {
		switch {
		case e.Reason == "":
			kept = append(kept, Finding{Rule: "exception", Path: e.Path, Message: "exception from " + e.Rule + " gives no reason"})
		case !used[i]:
			kept = append(kept, Finding{Rule: "exception", Path: e.Path, Message: "exception from " + e.Rule + " is no longer needed"})
		}
	}
	return kept
}

func (t *tree) report(rule, path string, pos token.Pos, format string, args ...any) {
	t.reportNamed(Finding{Rule: rule, Path: path}, pos, format, args...)
}

func (t *tree) reportNamed(f Finding, pos token.Pos, format string, args ...any) {
	if pos.IsValid() {
		f.Line = t.fset.Position(pos).Line
	}
	f.Message = fmt.Sprintf(format, args...)
	t.found = append(t.found, f)
}

// read walks the tree. Hidden folders, testdata and what a build leaves are not ours to judge, and a folder with
// a go.mod of its own is another module, whose Go files are not.
func (t *tree) read() error {
	foreign := ""
	return filepath.WalkDir(t.root, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read tree: %w", err)
		}
		rel, err := filepath.Rel(t.root, full)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if skipped(rel, entry.Name()) {
				return filepath.SkipDir
			}
			if !strings.Contains(rel, "/") {
				t.dirs = append(t.dirs, rel)
			}
			if _, err := os.Stat(filepath.Join(full, "go.mod")); err == nil {
				foreign = rel
			}
			return nil
		}
		switch path.Ext(rel) {
		case ".md":
			t.docs = append(t.docs, rel)
		case ".go":
			if foreign == "" || !under(rel, foreign) {
				return t.parse(rel)
			}
		}
		return nil
	})
}

func skipped(rel, name string) bool {
	return strings.HasPrefix(name, ".") || name == "testdata" || rel == "bin"
}

func (t *tree) parse(rel string) error {
	text, err := os.ReadFile(filepath.Join(t.root, rel))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone since the walk saw it
	}
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	file, err := parser.ParseFile(t.fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse source: %w", err)
	}
	t.files = append(t.files, goFile{
		path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
		lines: strings.Count(string(text), "\n"), File: file,
	})
	return nil
}

// under tells whether name is folder, or lies in it. Everything lies in the empty folder.
func under(name, folder string) bool {
	return folder == "" || name == folder || strings.HasPrefix(name, folder+"/")
}

func underAny(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return under(name, folder) })
}

// functions calls visit for each function declaration of the file.
func (f goFile) functions(visit func(*ast.FuncDecl)) {
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			visit(fn)
		}
	}
}
