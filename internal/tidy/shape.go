package tidy

import "go/ast"

// checkSizes: files and functions stay readable at one sitting. Generated files are their generator's business.
func (t *tree) checkSizes() {
	for _, f := range t.files {
		if ast.IsGenerated(f.File) {
			continue
		}
		if f.lines > t.rules.Limits.FileLines {
			t.report("size", f.path, 0, "%d lines, more than %d", f.lines, t.rules.Limits.FileLines)
		}
		f.functions(func(fn *ast.FuncDecl) {
			first, last := t.fset.Position(fn.Pos()).Line, t.fset.Position(fn.End()).Line
			if n := last - first + 1; n > t.rules.Limits.FunctionLines {
				t.reportNamed(Finding{Rule: "size", Path: f.path, Name: fn.Name.Name}, fn.Pos(),
					"function %s has %d lines, more than %d", fn.Name.Name, n, t.rules.Limits.FunctionLines)
			}
		})
	}
}

// checkShapes: a function takes, returns and nests little.
func (t *tree) checkShapes() {
	limits := t.rules.Limits
	for _, f := range t.files {
		if ast.IsGenerated(f.File) {
			continue
		}
		f.functions(func(fn *ast.FuncDecl) {
			place := Finding{Rule: "shape", Path: f.path, Name: fn.Name.Name}
			if n := fn.Type.Params.NumFields(); n > limits.Parameters {
				t.reportNamed(place, fn.Pos(), "function %s takes %d parameters, more than %d", fn.Name.Name, n, limits.Parameters)
			}
			if n := fn.Type.Results.NumFields(); n > limits.Results {
				t.reportNamed(place, fn.Pos(), "function %s returns %d results, more than %d", fn.Name.Name, n, limits.Results)
			}
			if fn.Body == nil || f.test { // tables and subtests nest by nature
				return
			}
			if deep := deepest(fn.Body, limits.Nesting); deep != nil {
				t.reportNamed(place, deep.Pos(), "function %s nests deeper than %d", fn.Name.Name, limits.Nesting)
			}
		})
	}
}

// deepest returns the first statement that lies more than limit levels deep. A level is an if, for, switch or
// select; an else-if is on the level of its if, and a function literal starts anew.
func deepest(body *ast.BlockStmt, limit int) ast.Node {
	n := &nesting{limit: limit}
	ast.Walk(n, body)
	return *n.found()
}

// nesting is a visitor that knows how deep it is.
type nesting struct {
	depth, limit int
	deep         *ast.Node // shared by the visitors of one walk
}

func (n *nesting) found() *ast.Node {
	if n.deep == nil {
		n.deep = new(ast.Node)
	}
	return n.deep
}

// Visit goes one level down at each statement that makes a level.
func (n *nesting) Visit(node ast.Node) ast.Visitor {
	switch s := node.(type) {
	case *ast.FuncLit:
		return &nesting{limit: n.limit, deep: n.found()}
	case *ast.IfStmt:
		n.visitIf(s)
		return nil
	case *ast.ForStmt, *ast.RangeStmt, *ast.SwitchStmt, *ast.TypeSwitchStmt, *ast.SelectStmt:
		return n.down(node)
	}
	return n
}

func (n *nesting) down(node ast.Node) *nesting {
	if n.depth == n.limit && *n.found() == nil {
		*n.found() = node
	}
	return &nesting{depth: n.depth + 1, limit: n.limit, deep: n.found()}
}

func (n *nesting) visitIf(s *ast.IfStmt) {
	inner := n.down(s)
	if s.Init != nil {
		ast.Walk(n, s.Init)
	}
	ast.Walk(n, s.Cond)
	ast.Walk(inner, s.Body)
	switch e := s.Else.(type) {
	case *ast.IfStmt:
		n.visitIf(e)
	case *ast.BlockStmt:
		ast.Walk(inner, e)
	}
}
