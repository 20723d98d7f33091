package rel

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sql/expr"
)

// scalar prints an expression over a row of the shape; subqueries are numbered and left for below the node.
func (p *printer) scalar(e expr.Scalar, cols repr.RowDesc) string {
	switch e := e.(type) {
	case *expr.Column:
		if e.Index < len(cols) {
			return column(cols, e.Index)
		}
		return column(nil, e.Index)
	case *expr.Outer:
		return strings.TrimSpace(fmt.Sprintf("outer%d.#%d %s", e.Level, e.Index, e.Name))
	case *expr.Const:
		return constText(e)
	case *expr.Param:
		return "$" + strconv.Itoa(e.N)
	case *expr.Call:
		return p.call(e, cols)
	case *expr.And:
		return p.nested(e.Args, cols, " AND ")
	case *expr.Or:
		return p.nested(e.Args, cols, " OR ")
	case *expr.Not:
		return "NOT " + p.operand(e.Arg, cols)
	case *expr.IsNull:
		return p.operand(e.Arg, cols) + " IS NULL"
	case *expr.Case:
		return p.caseText(e, cols)
	case *expr.Coalesce:
		return "coalesce(" + p.list(e.Args, cols, ", ") + ")"
	case *expr.Subquery:
		return p.subquery(e, cols)
	}
	check.Never("format of %T", e)
	return ""
}

// nested prints operands of AND and OR, in parentheses where they are AND or OR themselves.
func (p *printer) nested(args []expr.Scalar, cols repr.RowDesc, sep string) string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = p.scalar(a, cols)
		switch a.(type) {
		case *expr.And, *expr.Or:
			out[i] = "(" + out[i] + ")"
		}
	}
	return strings.Join(out, sep)
}

// operand prints an operand in parentheses unless it is plainly one piece.
func (p *printer) operand(e expr.Scalar, cols repr.RowDesc) string {
	s := p.scalar(e, cols)
	switch e := e.(type) {
	case *expr.Column, *expr.Outer, *expr.Const, *expr.Param, *expr.Coalesce, *expr.Case, *expr.Subquery:
		return s
	case *expr.Call:
		if !isOperator(e.Fn.Name) && !IsSame(e) {
			return s
		}
	}
	return "(" + s + ")"
}

func isOperator(name string) bool {
	return name != "" && strings.ContainsRune("+-*/<>=~!@#%^&|`?", rune(name[0]))
}

func (p *printer) call(e *expr.Call, cols repr.RowDesc) string {
	switch {
	case IsSame(e):
		return p.operand(e.Args[0], cols) + " IS NOT DISTINCT FROM " + p.operand(e.Args[1], cols)
	case isOperator(e.Fn.Name) && len(e.Args) == 2:
		return p.operand(e.Args[0], cols) + " " + e.Fn.Name + " " + p.operand(e.Args[1], cols)
	case isOperator(e.Fn.Name) && len(e.Args) == 1:
		return e.Fn.Name + p.operand(e.Args[0], cols)
	default:
		return e.Fn.Name + "(" + p.list(e.Args, cols, ", ") + ")"
	}
}

func (p *printer) caseText(e *expr.Case, cols repr.RowDesc) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, w := range e.Whens {
		b.WriteString(" WHEN " + p.scalar(w.Cond, cols) + " THEN " + p.scalar(w.Then, cols))
	}
	if e.Else != nil {
		b.WriteString(" ELSE " + p.scalar(e.Else, cols))
	}
	b.WriteString(" END")
	return b.String()
}

func (p *printer) subquery(e *expr.Subquery, cols repr.RowDesc) string {
	p.queries++
	p.pending = append(p.pending, pendingQuery{number: p.queries, query: e.Query.(Rel)})
	query := "($query" + strconv.Itoa(p.queries) + ")"
	switch e.Kind {
	case expr.SubqueryExists:
		return "EXISTS " + query
	case expr.SubqueryArray:
		return "ARRAY " + query
	case expr.SubqueryScalar:
		return query
	case expr.SubqueryAll:
		return p.compared(e, cols) + " ALL " + query
	default:
		return p.compared(e, cols) + " ANY " + query
	}
}

// compared is what a quantified subquery is compared with, and the operator.
func (p *printer) compared(e *expr.Subquery, cols repr.RowDesc) string {
	left, op := p.list(e.Left, cols, ", "), ""
	if len(e.Left) > 1 {
		left = "(" + left + ")"
	}
	if len(e.Ops) > 0 {
		op = " " + e.Ops[0].Name
	}
	return left + op
}

// constText prints a constant as a literal that tells its type.
func constText(e *expr.Const) string {
	d := e.Val
	switch d.Kind() {
	case repr.KindNull:
		return "NULL"
	case repr.KindBool:
		return strconv.FormatBool(d.Bool())
	case repr.KindInt2, repr.KindInt4, repr.KindInt8, repr.KindOID:
		return strconv.FormatInt(d.Int(), 10)
	case repr.KindNumeric:
		return string(repr.AppendNumericText(nil, d))
	case repr.KindFloat4, repr.KindFloat8:
		return strconv.FormatFloat(d.Float(), 'g', -1, 64)
	case repr.KindText, repr.KindVarchar, repr.KindBpchar, repr.KindName, repr.KindChar:
		return quote(d.Str())
	case repr.KindJSON, repr.KindJSONB:
		return d.Kind().String() + " " + quote(d.Str())
	default:
		return constOther(e)
	}
}

// constOther is the type and the text of a value of any other kind.
func constOther(e *expr.Const) string {
	if k := e.Val.Kind(); k == repr.KindArray || k == repr.KindRecord {
		elems := e.Val.Elems(nil)
		out := make([]string, len(elems))
		for i := range elems {
			out[i] = constText(&expr.Const{Val: elems[i], Typ: repr.TypeOf(elems[i].Kind())})
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	return e.Typ.String() + " " + quote(string(pgfmt.AppendText(nil, e.Typ, e.Val, nil)))
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
