package coord

import (
	"context"
	"strings"

	"millrace/repr"
	"millrace/sql/ast"
)

// copy runs COPY … TO STDOUT. The rows are those of the query, table or subscription; how they look on the wire is the
// business of the protocol.
func (s *Session) copy(ctx context.Context, st *ast.Copy, given bindings) (*Result, *repr.Error) {
	if st.Target != "" {
		return nil, repr.NewError(repr.CodeInsufficientPrivilege, "COPY to or from a file of the server is not allowed").
			WithHint("use COPY … TO STDOUT, or \\copy in psql").At(st.Pos)
	}
	if st.From {
		return nil, unsupported("COPY FROM STDIN", st.Pos)
	}
	format, err := copyFormat(st.Options)
	if err != nil {
		return nil, err
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

func copyFormat(options []ast.Option) (*CopyFormat, *repr.Error) {
	f := &CopyFormat{Format: "text", Delimiter: '\t', Null: `\N`}
	given := map[string]bool{}
	for _, o := range options {
		given[o.Name] = true
		switch o.Name {
		case "format":
			f.Format = strings.ToLower(o.Value.Text)
			if f.Format != "text" && f.Format != "csv" && f.Format != "binary" {
				return nil, repr.NewError(repr.CodeInvalidParameter, "COPY format \""+o.Value.Text+"\" not recognized").At(o.Pos)
			}
		case "delimiter":
			if len(o.Value.Text) != 1 {
				return nil, repr.NewError(repr.CodeFeatureNotSupported, "COPY delimiter must be a single one-byte character").At(o.Pos)
			}
			f.Delimiter = o.Value.Text[0]
		case "null":
			f.Null = o.Value.Text
		case "header":
			v, ok := optionBool(o)
			if !ok {
				return nil, repr.NewError(repr.CodeInvalidParameter, "header requires a Boolean value").At(o.Pos)
			}
			f.Header = v
		default:
			return nil, unsupported("the COPY option "+strings.ToUpper(o.Name), o.Pos)
		}
	}
	if f.Format == "csv" {
		if !given["delimiter"] {
			f.Delimiter = ','
		}
		if !given["null"] {
			f.Null = ""
		}
	}
	return f, nil
}
