package ast

import (
	"strconv"
	"strings"

	"millrace/internal/check"
)

// How tightly the parts of an expression bind, loosest first: PostgreSQL's table of precedence.
const (
	bindOr = iota + 1
	bindAnd
	bindNot
	bindIs
	bindComparison
	bindLike // LIKE, IN, BETWEEN
	bindOp   // any operator without a line of its own
	bindPlus
	bindTimes
	bindPower
	bindAtTimeZone
	bindCollate
	bindMinus
	bindCast
	bindPrimary
)

// operatorBinding is how tightly the operators bind that have a line of their own.
var operatorBinding = map[string]int{
	"=": bindComparison, "<>": bindComparison, "<": bindComparison, ">": bindComparison, "<=": bindComparison,
	">=": bindComparison, "+": bindPlus, "-": bindPlus, "*": bindTimes, "/": bindTimes, "%": bindTimes, "^": bindPower,
}

// binding is how tightly an expression binds as a whole.
func binding(e Expr) int {
	switch e := e.(type) {
	case *Logic:
		if e.Or {
			return bindOr
		}
		return bindAnd
	case *Not:
		return bindNot
	case *Is, *IsDistinct:
		return bindIs
	case *Between, *In, *Like:
		return bindLike
	case *Binary:
		return binaryBinding(e)
	case *Unary:
		if e.Op == "-" && e.Schema == "" {
			return bindMinus
		}
		return bindOp
	case *Collate:
		return bindCollate
	case *Cast:
		if e.Literal || e.Try {
			return bindPrimary
		}
		return bindCast
	case *FuncCall:
		switch e.Special {
		case SpecialAtTimeZone:
			return bindAtTimeZone
		case SpecialOverlaps:
			return bindOp
		default:
			return bindPrimary
		}
	}
	return bindPrimary
}

func binaryBinding(e *Binary) int {
	if b, ok := operatorBinding[e.Op]; ok && e.Schema == "" {
		return b
	}
	return bindOp
}

// expr writes an expression where at least the given binding is needed, in parentheses if it has less.
func (p *printer) expr(e Expr, need int) {
	if binding(e) < need {
		p.put("(")
		p.bare(e)
		p.put(")")
		return
	}
	p.bare(e)
}

// bare writes an expression without parentheses around it.
func (p *printer) bare(e Expr) {
	switch e := e.(type) {
	case *ColumnRef:
		p.name(Name{Parts: e.Parts})
	case *Star:
		p.name(Name{Parts: e.Qualifier})
		p.when(len(e.Qualifier) > 0, ".")
		p.put("*")
	case *NumberLit:
		p.put(e.Text)
	case *StringLit:
		p.literal(e.Value)
	case *BitStringLit:
		p.put("B'", e.Bits, "'")
	case *BoolLit:
		p.put(strings.ToUpper(strconv.FormatBool(e.Value)))
	case *NullLit:
		p.put("NULL")
	case *Default:
		p.put("DEFAULT")
	case *Param:
		p.put("$", strconv.Itoa(e.Number))
	case *KeywordFunc:
		p.put(strings.ToUpper(e.Name))
		p.when(e.Precision >= 0, "(", strconv.Itoa(e.Precision), ")")
	default:
		p.operation(e)
	}
}

// operation writes the expressions made by operators and predicates.
func (p *printer) operation(e Expr) {
	switch e := e.(type) {
	case *Unary:
		p.unary(e)
	case *Binary:
		p.binary(e)
	case *Logic:
		p.logic(e)
	case *Not:
		p.put("NOT ")
		p.expr(e.Arg, bindNot)
	case *Is:
		p.expr(e.Arg, bindIs+1)
		p.put(" IS ")
		p.when(e.Not, "NOT ")
		p.put([...]string{IsNull: "NULL", IsTrue: "TRUE", IsFalse: "FALSE", IsUnknown: "UNKNOWN"}[e.Kind])
	case *IsDistinct:
		p.expr(e.Left, bindIs+1)
		p.put(" IS ")
		p.when(e.Not, "NOT ")
		p.put("DISTINCT FROM ")
		p.expr(e.Right, bindIs+1)
	case *Between:
		p.between(e)
	case *In:
		p.in(e)
	case *Like:
		p.like(e)
	default:
		p.compound(e)
	}
}

// compound writes the expressions with brackets or keywords around them.
func (p *printer) compound(e Expr) {
	switch e := e.(type) {
	case *Quantified:
		p.quantified(e)
	case *Exists:
		p.put("EXISTS ")
		p.parenQuery(e.Query)
	case *ScalarSubquery:
		p.parenQuery(e.Query)
	case *ArrayExpr:
		p.put("ARRAY[")
		p.exprs(e.Items)
		p.put("]")
	case *ArraySubquery:
		p.put("ARRAY")
		p.parenQuery(e.Query)
	case *Subscript:
		p.subscript(e)
	case *Field:
		p.put("(")
		p.expr(e.Arg, 0)
		p.put(").")
		if e.Name == "" {
			p.put("*")
		} else {
			p.ident(e.Name)
		}
	case *Row:
		p.when(e.Explicit, "ROW")
		p.put("(")
		p.exprs(e.Items)
		p.put(")")
	case *Case:
		p.caseExpr(e)
	case *Conditional:
		p.put(strings.ToUpper(e.Kind.String()), "(")
		p.exprs(e.Args)
		p.put(")")
	case *Cast:
		p.cast(e)
	case *Collate:
		p.expr(e.Arg, bindCollate)
		p.put(" COLLATE ")
		p.name(e.Collation)
	default:
		p.calls(e)
	}
}

func (p *printer) calls(e Expr) {
	switch e := e.(type) {
	case *FuncCall:
		p.call(e)
	case *NamedArg:
		p.ident(e.Name)
		p.put(" => ")
		p.expr(e.Value, 0)
	case *GroupingSets:
		p.put([...]string{Rollup: "ROLLUP", Cube: "CUBE", Sets: "GROUPING SETS"}[e.Kind], " (")
		p.exprs(e.Items)
		p.put(")")
	default:
		check.Never("format of %T", e)
	}
}

// operator writes an operator, qualified if it was.
func (p *printer) operator(op, schema string) {
	if schema == "" {
		p.put(op)
		return
	}
	p.put("OPERATOR(", QuoteIdent(schema), ".", op, ")")
}

func (p *printer) unary(e *Unary) {
	p.operator(e.Op, e.Schema)
	if e.Op != "-" || e.Schema != "" {
		p.put(" ")
		p.expr(e.Arg, bindOp+1)
		return
	}
	if inner, ok := e.Arg.(*Unary); ok && inner.Op == "-" && inner.Schema == "" {
		p.put(" ")
	}
	p.expr(e.Arg, bindMinus)
}

// binary writes an infix operator. Comparisons don't chain; the others group from the left.
func (p *printer) binary(e *Binary) {
	b := binaryBinding(e)
	left := b
	if b == bindComparison {
		left++
	}
	p.expr(e.Left, left)
	p.put(" ")
	p.operator(e.Op, e.Schema)
	p.put(" ")
	p.expr(e.Right, b+1)
}

func (p *printer) logic(e *Logic) {
	word, need := " AND ", bindAnd+1
	if e.Or {
		word, need = " OR ", bindOr+1
	}
	for i, arg := range e.Args {
		p.when(i > 0, word)
		p.expr(arg, need)
	}
}

func (p *printer) between(e *Between) {
	p.expr(e.Arg, bindLike+1)
	p.when(e.Not, " NOT")
	p.put(" BETWEEN ")
	p.when(e.Symmetric, "SYMMETRIC ")
	p.expr(e.Low, bindLike+1)
	p.put(" AND ")
	p.expr(e.High, bindLike+1)
}

func (p *printer) in(e *In) {
	p.expr(e.Arg, bindLike+1)
	p.when(e.Not, " NOT")
	p.put(" IN ")
	if e.Query != nil {
		p.parenQuery(e.Query)
		return
	}
	p.put("(")
	p.exprs(e.List)
	p.put(")")
}

func (p *printer) like(e *Like) {
	p.expr(e.Arg, bindLike+1)
	p.when(e.Not, " NOT")
	p.put([...]string{LikeMatch: " LIKE ", ILikeMatch: " ILIKE ", SimilarMatch: " SIMILAR TO "}[e.Kind])
	p.expr(e.Pattern, bindLike+1)
	if e.Escape != nil {
		p.put(" ESCAPE ")
		p.expr(e.Escape, bindLike+1)
	}
}

func (p *printer) quantified(e *Quantified) {
	if e.All {
		p.put("ALL ")
	} else {
		p.put("ANY ")
	}
	if e.Query != nil {
		p.parenQuery(e.Query)
		return
	}
	p.put("(")
	p.expr(e.Array, 0)
	p.put(")")
}

func (p *printer) subscript(e *Subscript) {
	switch e.Arg.(type) {
	case *ColumnRef, *Param, *Subscript:
		p.bare(e.Arg)
	default:
		p.put("(")
		p.bare(e.Arg)
		p.put(")")
	}
	p.put("[")
	switch {
	case !e.Slice:
		p.expr(e.Index, 0)
	default:
		if e.Low != nil {
			p.expr(e.Low, 0)
		}
		p.put(" : ")
		if e.High != nil {
			p.expr(e.High, 0)
		}
	}
	p.put("]")
}

func (p *printer) caseExpr(e *Case) {
	p.put("CASE")
	if e.Arg != nil {
		p.put(" ")
		p.expr(e.Arg, 0)
	}
	for _, w := range e.Whens {
		p.put(" WHEN ")
		p.expr(w.Cond, 0)
		p.put(" THEN ")
		p.expr(w.Then, 0)
	}
	if e.Else != nil {
		p.put(" ELSE ")
		p.expr(e.Else, 0)
	}
	p.put(" END")
}

func (p *printer) cast(e *Cast) {
	switch {
	case e.Try:
		p.put("try_cast(")
		p.expr(e.Arg, 0)
		p.put(" AS ")
		p.typeName(e.Type, false)
		p.put(")")
	case e.Literal:
		p.typeName(e.Type, true)
		p.put(" ")
		p.expr(e.Arg, 0)
		if e.Type.Fields != "" {
			p.intervalFields(e.Type)
		}
	default:
		p.expr(e.Arg, bindCast)
		p.put("::")
		p.typeName(e.Type, false)
	}
}

// call writes a call in the spelling that it had.
func (p *printer) call(e *FuncCall) {
	switch e.Special {
	case SpecialExtract:
		p.put("EXTRACT(")
		if field, ok := e.Args[0].(*StringLit); ok && isPlainWord(field.Value) && !quotedWords[field.Value] {
			p.put(field.Value)
		} else {
			p.expr(e.Args[0], 0)
		}
		p.put(" FROM ")
		p.expr(e.Args[1], 0)
		p.put(")")
	case SpecialAtTimeZone:
		p.expr(e.Args[1], bindAtTimeZone)
		p.put(" AT TIME ZONE ")
		p.expr(e.Args[0], bindAtTimeZone+1)
	case SpecialPosition:
		p.put("POSITION(")
		p.expr(e.Args[1], bindLike+1)
		p.put(" IN ")
		p.expr(e.Args[0], bindLike+1)
		p.put(")")
	case SpecialSubstring:
		p.specialArgs("SUBSTRING", e.Args, " FROM ", " FOR ")
	case SpecialOverlay:
		p.specialArgs("OVERLAY", e.Args, " PLACING ", " FROM ", " FOR ")
	case SpecialTrim:
		p.trim(e)
	case SpecialOverlaps:
		p.bare(&Row{Items: e.Args[:2]})
		p.put(" OVERLAPS ")
		p.bare(&Row{Items: e.Args[2:]})
	default:
		p.plainCall(e)
		return
	}
	p.callTail(e)
}

// specialArgs writes arguments with words between them.
func (p *printer) specialArgs(name string, args []Expr, between ...string) {
	p.put(name, "(")
	for i, a := range args {
		if i > 0 {
			p.put(between[min(i-1, len(between)-1)])
		}
		p.expr(a, 0)
	}
	p.put(")")
}

func (p *printer) trim(e *FuncCall) {
	p.put("TRIM(", map[string]string{"ltrim": "LEADING ", "rtrim": "TRAILING "}[e.Name.Last()])
	p.when(e.Name.Last() == "btrim", "BOTH ")
	rest := e.Args
	if n := len(rest); n > 1 {
		p.expr(rest[n-1], 0)
		p.put(" ")
		rest = rest[:n-1]
	}
	p.put("FROM ")
	p.exprs(rest)
	p.put(")")
}

func (p *printer) plainCall(e *FuncCall) {
	p.name(e.Name)
	p.put("(")
	p.when(e.Distinct, "DISTINCT ")
	p.when(e.Star, "*")
	for i, a := range e.Args {
		p.when(i > 0, ", ")
		p.when(e.Variadic && i == len(e.Args)-1, "VARIADIC ")
		p.expr(a, 0)
	}
	if len(e.OrderBy) > 0 && !e.WithinGroup {
		p.put(" ")
		p.orderBy(e.OrderBy)
	}
	p.put(")")
	if e.WithinGroup {
		p.put(" WITHIN GROUP (")
		p.orderBy(e.OrderBy)
		p.put(")")
	}
	p.callTail(e)
}

// callTail writes what stands behind the parentheses of a call.
func (p *printer) callTail(e *FuncCall) {
	if e.Filter != nil {
		p.put(" FILTER (WHERE ")
		p.expr(e.Filter, 0)
		p.put(")")
	}
	if e.Over == nil {
		return
	}
	p.put(" OVER ")
	if e.Over.Name != "" {
		p.ident(e.Over.Name)
		return
	}
	p.window(e.Over)
}

// window writes the definition of a window with its parentheses.
func (p *printer) window(w *WindowSpec) {
	p.put("(")
	space := ""
	if w.Base != "" {
		p.ident(w.Base)
		space = " "
	}
	if len(w.PartitionBy) > 0 {
		p.put(space, "PARTITION BY ")
		p.exprs(w.PartitionBy)
		space = " "
	}
	if len(w.OrderBy) > 0 {
		p.put(space)
		p.orderBy(w.OrderBy)
		space = " "
	}
	if w.Frame != nil {
		p.put(space)
		p.frame(w.Frame)
	}
	p.put(")")
}

func (p *printer) frame(f *Frame) {
	p.put([...]string{FrameRows: "ROWS ", FrameRange: "RANGE ", FrameGroups: "GROUPS "}[f.Mode])
	if f.End != nil {
		p.put("BETWEEN ")
		p.bound(f.Start)
		p.put(" AND ")
		p.bound(*f.End)
	} else {
		p.bound(f.Start)
	}
	p.when(f.Exclude != "", " EXCLUDE ", f.Exclude)
}

func (p *printer) bound(b Bound) {
	if b.Offset != nil {
		p.expr(b.Offset, bindLike+1)
		p.put(" ")
	}
	p.put([...]string{UnboundedPreceding: "UNBOUNDED PRECEDING", OffsetPreceding: "PRECEDING", CurrentRow: "CURRENT ROW",
		OffsetFollowing: "FOLLOWING", UnboundedFollowing: "UNBOUNDED FOLLOWING"}[b.Kind])
}
