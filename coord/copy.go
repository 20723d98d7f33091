package coord

import (
	"context"

	"millrace/repr"
	"millrace/sql/ast"
)

// copy runs COPY … TO STDOUT and begins COPY … FROM STDIN. The rows are those of the query, table or subscription; how they look on the wire is the
// business of the protocol.
func (s *Session) copy(ctx context.Context, st *ast.Copy, given bindings) (*Result, *repr.Error) {
	if st.Target != "" {
		return nil, repr.NewError(repr.CodeInsufficientPrivilege, "COPY to or from a file of the server is not allowed").
			WithHint("use COPY … TO STDOUT, or \\copy in psql").At(st.Pos)
	}
	format, err := copyFormat(st.Options)
	if err != nil {
		return nil, err
	}
	if st.From {
		in, err := s.copyIn(ctx, st, format)
		return &Result{CopyIn: in}, err
	}
	if format.HeaderMatch {
		return nil, repr.NewError(repr.CodeInvalidParameter, "cannot use \"match\" with HEADER in COPY TO").At(st.Pos)
	}
	var res *Result
	switch {
	case st.Subscribe != nil:
		res, err = s.subscribeResult(ctx, st.Subscribe, given.values)
	case st.Query != nil:
		res, err = s.query(ctx, st.Query, given)
	default:
		res, err = s.query(ctx, tableQuery(st), given)
	}
	if err != nil {
		return nil, err
	}
	res.Tag, res.CopyOut = "COPY", format
	return res, nil
}

// tableQuery is the query that COPY t (a, b) stands for.
func tableQuery(st *ast.Copy) *ast.Query {
	sel := &ast.Select{At: st.At, From: []ast.TableExpr{&ast.TableRef{At: st.Table.At, Name: st.Table}}}
	for _, c := range st.Columns {
		sel.Targets = append(sel.Targets, ast.Target{At: c.At, Expr: &ast.ColumnRef{At: c.At, Parts: []string{c.Name}}})
	}
	if len(st.Columns) == 0 {
		sel.Targets = []ast.Target{{At: st.At, Expr: &ast.Star{At: st.At}}}
	}
	return &ast.Query{At: st.At, Body: sel}
}
