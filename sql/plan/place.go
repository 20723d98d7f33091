package plan

import "millrace/sql/ast"

// place is where errors about an expression point: where its text begins, for forms whose own position is that of
// an operator in the middle.
func place(e ast.Expr) int {
	switch n := e.(type) {
	case *ast.Binary:
		return leftmost(n.Pos, n.Left)
	case *ast.Logic:
		return leftmost(n.Pos, n.Args[0])
	case *ast.Is:
		return leftmost(n.Pos, n.Arg)
	case *ast.IsDistinct:
		return leftmost(n.Pos, n.Left)
	case *ast.Between:
		return leftmost(n.Pos, n.Arg)
	case *ast.In:
		return leftmost(n.Pos, n.Arg)
	case *ast.Like:
		return leftmost(n.Pos, n.Arg)
	case *ast.Subscript:
		return leftmost(n.Pos, n.Arg)
	case *ast.Cast:
		return leftmost(n.Pos, n.Arg)
	case *ast.Collate:
		return leftmost(n.Pos, n.Arg)
	default:
		return e.Position()
	}
}

// leftmost is the lesser of two known places.
func leftmost(pos int, e ast.Expr) int {
	if p := place(e); p > 0 && (p < pos || pos == 0) {
		return p
	}
	return pos
}
