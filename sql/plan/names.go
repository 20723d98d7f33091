package plan

import "millrace/sql/ast"

// How good a name for an output column is: a better one found further in replaces a worse one.
const (
	nameNone = iota
	nameWeak // of a type or of CASE
	nameGood
)

// targetName is the name of an output column without an alias, as PostgreSQL chooses it.
func targetName(e ast.Expr) string {
	if name, quality := exprName(e); quality > nameNone {
		return name
	}
	return "?column?"
}

func exprName(e ast.Expr) (string, int) {
	switch n := e.(type) {
	case *ast.ColumnRef:
		return n.Column(), nameGood
	case *ast.Field:
		if n.Name != "" {
			return n.Name, nameGood
		}
		return exprName(n.Arg)
	case *ast.Subscript:
		return exprName(n.Arg)
	case *ast.FuncCall:
		return n.Name.Last(), nameGood
	case *ast.KeywordFunc:
		return n.Name, nameGood
	case *ast.Conditional:
		return n.Kind.String(), nameGood
	case *ast.Collate:
		return exprName(n.Arg)
	case *ast.Cast:
		if name, quality := exprName(n.Arg); quality == nameGood {
			return name, quality
		}
		return n.Type.Name.Last(), nameWeak
	case *ast.Case:
		if n.Else != nil {
			if name, quality := exprName(n.Else); quality == nameGood {
				return name, quality
			}
		}
		return "case", nameWeak
	case *ast.ArrayExpr, *ast.ArraySubquery:
		return "array", nameGood
	case *ast.Row:
		return "row", nameGood
	case *ast.Exists:
		return "exists", nameGood
	case *ast.ScalarSubquery:
		return queryName(n.Query.Body)
	}
	return "", nameNone
}

// queryName is the name of the only column of a query.
func queryName(body ast.QueryBody) (string, int) {
	switch n := body.(type) {
	case *ast.Select:
		if len(n.Targets) != 1 {
			return "", nameNone
		}
		if n.Targets[0].Alias != "" {
			return n.Targets[0].Alias, nameGood
		}
		return targetName(n.Targets[0].Expr), nameGood
	case *ast.SetOp:
		return queryName(n.Left)
	case *ast.Query:
		return queryName(n.Body)
	case *ast.Values:
		return "column1", nameGood
	default:
		return "", nameNone
	}
}
