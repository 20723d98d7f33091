package parse

import (
	"github.com/auxten/postgresql-parser/pkg/sql/sem/tree"

	"millrace/repr"
	"millrace/sql/ast"
)

// comparisonOps names the comparison operators.
var comparisonOps = map[tree.ComparisonOperator]string{
	tree.EQ: "=", tree.NE: "<>", tree.LT: "<", tree.LE: "<=", tree.GT: ">", tree.GE: ">=",
}

// likeForm is what a comparison that matches a pattern is.
type likeForm struct {
	kind ast.LikeKind
	not  bool
}

// likeOps are the pattern matches without ESCAPE, likeCalls those with it.
var (
	likeOps = map[tree.ComparisonOperator]likeForm{
		tree.Like: {ast.LikeMatch, false}, tree.NotLike: {ast.LikeMatch, true},
		tree.ILike: {ast.ILikeMatch, false}, tree.NotILike: {ast.ILikeMatch, true},
		tree.SimilarTo: {ast.SimilarMatch, false}, tree.NotSimilarTo: {ast.SimilarMatch, true},
	}
	likeCalls = map[string]likeForm{
		"like_escape": {ast.LikeMatch, false}, "not_like_escape": {ast.LikeMatch, true},
		"ilike_escape": {ast.ILikeMatch, false}, "not_ilike_escape": {ast.ILikeMatch, true},
		"similar_to_escape": {ast.SimilarMatch, false}, "not_similar_to_escape": {ast.SimilarMatch, true},
	}
)

// comparison translates what the library counts as comparison.
func (t *translator) comparison(e *tree.ComparisonExpr) ast.Expr {
	if op, ok := comparisonOps[e.Operator]; ok {
		out := &ast.Binary{Op: op, Left: t.expr(e.Left)}
		first := t.span(func() { out.Right = t.expr(e.Right) })
		out.At = t.infixBefore(first)
		return out
	}
	if f, ok := likeOps[e.Operator]; ok {
		return t.like(f, tree.Exprs{e.Left, e.Right})
	}
	switch e.Operator {
	case tree.IsDistinctFrom:
		return t.isTest(e, true)
	case tree.IsNotDistinctFrom:
		return t.isTest(e, false)
	case tree.In:
		return t.in(e, false)
	case tree.NotIn:
		return t.in(e, true)
	default:
		t.internal()
		return &ast.NullLit{}
	}
}

// like translates LIKE and its kin: value, pattern and, with ESCAPE, the escape.
func (t *translator) like(f likeForm, args tree.Exprs) ast.Expr {
	out := &ast.Like{Kind: f.kind, Not: f.not, Arg: t.expr(args[0])}
	first := t.span(func() { out.Pattern = t.expr(args[1]) })
	out.At = t.keywordBefore(first, "like", "ilike", "similar")
	if len(args) > 2 {
		out.Escape = t.expr(args[2])
	}
	return out
}

// isTest translates IS [NOT] DISTINCT FROM, and the tests that the library spells so.
func (t *translator) isTest(e *tree.ComparisonExpr, distinct bool) ast.Expr {
	arg := t.expr(e.Left)
	at := ast.At{Pos: arg.Position()}
	switch right := e.Right.(type) {
	case *tree.DBool:
		kind := ast.IsFalse
		if bool(*right) {
			kind = ast.IsTrue
		}
		return &ast.Is{At: at, Not: distinct, Kind: kind, Arg: arg}
	case tree.Datum:
		return &ast.Is{At: at, Not: distinct, Kind: ast.IsNull, Arg: arg}
	}
	if mark := t.entryOf(e.Right); mark != nil && mark.kind == entryNode {
		if is, ok := mark.node.(*ast.Is); ok {
			t.see(mark.tok)
			return &ast.Is{At: at, Not: distinct, Kind: is.Kind, Arg: arg}
		}
	}
	out := &ast.IsDistinct{Not: !distinct, Left: arg}
	first := t.span(func() { out.Right = t.expr(e.Right) })
	out.At = t.keywordBefore(first, "is")
	return out
}

func (t *translator) in(e *tree.ComparisonExpr, not bool) ast.Expr {
	out := &ast.In{Not: not, Arg: t.expr(e.Left)}
	first := t.span(func() {
		switch right := e.Right.(type) {
		case *tree.Subquery:
			out.Query = t.subquery(right.Select)
		case *tree.Tuple:
			out.List = t.exprs(right.Exprs)
		default:
			t.internal()
		}
	})
	out.At = t.keywordBefore(first, "in")
	return out
}

// call translates a call: of a function, of a special form that travels as one, or one that the library
// made of a construct.
func (t *translator) call(e *tree.FuncExpr) ast.Expr {
	ref, ok := e.Func.FunctionReference.(*tree.UnresolvedName)
	if !ok {
		return t.libraryCall(e)
	}
	fn, ok := t.s.lookup(ref.Parts[0])
	if !ok || ref.NumParts != 1 {
		t.badName(ref.Parts[0], nil)
		return &ast.NullLit{}
	}
	t.see(fn.tok)
	switch fn.kind {
	case entryForm:
		return t.form(fn, e)
	case entryName:
		return t.function(fn, e)
	default:
		t.syntaxAt(fn.tok + 1)
		return &ast.NullLit{}
	}
}

// libraryCall translates the calls that the library makes of constructs.
func (t *translator) libraryCall(e *tree.FuncExpr) ast.Expr {
	name := e.Func.String()
	if f, ok := likeCalls[name]; ok && len(e.Exprs) == 3 {
		return t.like(f, e.Exprs)
	}
	if name != "timezone" || len(e.Exprs) != 2 {
		t.internal()
		return &ast.NullLit{}
	}
	arg := t.expr(e.Exprs[0])
	var zone ast.Expr
	first := t.span(func() { zone = t.expr(e.Exprs[1]) })
	at := t.keywordBefore(first, "at")
	return &ast.FuncCall{At: at, Name: ast.Name{At: at, Parts: []string{"timezone"}},
		Args: []ast.Expr{zone, arg}, Special: ast.SpecialAtTimeZone}
}

// form translates the special forms that travel as calls.
func (t *translator) form(fn *entry, e *tree.FuncExpr) ast.Expr {
	at := t.at(fn.tok)
	if e.Filter != nil || e.WindowDef != nil || e.OrderBy != nil {
		t.syntaxAt(fn.tok)
		return &ast.NullLit{}
	}
	switch {
	case fn.form == formSets && t.inGroupBy:
		return &ast.GroupingSets{At: at, Kind: ast.Sets, Items: t.exprs(e.Exprs)}
	case fn.form == formTryCast && len(e.Exprs) == 2:
		mark := t.entryOf(e.Exprs[1])
		c, ok := mark.castMark()
		if !ok {
			break
		}
		group := t.inGroupBy
		t.inGroupBy = false
		out := &ast.Cast{At: at, Arg: t.expr(e.Exprs[0]), Type: c.Type, Try: true}
		t.inGroupBy = group
		return out
	case fn.form == formAny, fn.form == formAll:
		return t.quantified(fn, e)
	}
	t.syntaxAt(fn.tok)
	return &ast.NullLit{}
}

// castMark is the type that travels as the second argument of try_cast.
func (e *entry) castMark() (*ast.Cast, bool) {
	if e == nil {
		return nil, false
	}
	c, ok := e.node.(*ast.Cast)
	return c, ok && c.Arg == nil
}

// quantified translates ANY (…) and ALL (…). That it stands behind an operator is so by the skeleton.
func (t *translator) quantified(fn *entry, e *tree.FuncExpr) ast.Expr {
	out := &ast.Quantified{At: t.at(fn.tok), All: fn.form == formAll}
	if len(e.Exprs) != 1 {
		t.syntaxAt(fn.tok + 1)
		return out
	}
	arg := e.Exprs[0]
	if sub, ok := arg.(*tree.Subquery); ok && !sub.Exists {
		out.Query = t.subquery(sub.Select)
		return out
	}
	save := t.holes
	t.holes = nil
	out.Array = t.expr(arg)
	t.holes = save
	return out
}

// conditionals are the conditional forms by the name of the call; groupings the sets of GROUP BY.
var (
	conditionals = map[string]ast.ConditionalKind{
		"coalesce": ast.Coalesce, "nullif": ast.NullIf, "greatest": ast.Greatest, "least": ast.Least,
	}
	groupings = map[string]ast.GroupingKind{"rollup": ast.Rollup, "cube": ast.Cube}
)

// function translates a call of a function by its name.
func (t *translator) function(fn *entry, e *tree.FuncExpr) ast.Expr {
	word := ""
	if len(fn.parts) == 1 && !fn.quoted {
		word = fn.parts[0]
	}
	if kind, ok := groupings[word]; ok && t.inGroupBy {
		return &ast.GroupingSets{At: t.at(fn.tok), Kind: kind, Items: t.exprs(e.Exprs)}
	}
	saveHoles, saveGroup, saveDefault := t.holes, t.inGroupBy, t.defaultDepth
	t.holes, t.inGroupBy, t.defaultDepth = nil, false, 0
	defer func() { t.holes, t.inGroupBy, t.defaultDepth = saveHoles, saveGroup, saveDefault }()
	if kind, ok := conditionals[word]; ok {
		return t.conditional(fn, kind, e)
	}
	out := &ast.FuncCall{At: t.at(fn.tok), Name: ast.Name{At: t.at(fn.tok), Parts: fn.parts}, Special: fn.special}
	if len(fn.parts) > 3 {
		t.p.fail(repr.NewError(repr.CodeSyntax, "improper qualified name (too many dotted names): "+out.Name.String()).At(out.Pos))
	}
	t.args(out, e.Exprs)
	t.swapArgs(out, fn)
	out.OrderBy = t.orderBy(e.OrderBy)
	if len(e.OrderBy) > 0 {
		if mark := t.entryOf(e.OrderBy[0].Expr); mark != nil && mark.withinGroup {
			out.WithinGroup = true
		}
	}
	if e.Filter != nil {
		out.Filter = t.expr(e.Filter)
	}
	if e.WindowDef != nil {
		out.Over = t.over(e.WindowDef)
	}
	return out
}

// conditional translates COALESCE, NULLIF, GREATEST and LEAST.
func (t *translator) conditional(fn *entry, kind ast.ConditionalKind, e *tree.FuncExpr) ast.Expr {
	out := &ast.Conditional{At: t.at(fn.tok), Kind: kind, Args: t.exprs(e.Exprs)}
	wrong := len(out.Args) == 0 || (kind == ast.NullIf && len(out.Args) != 2)
	if wrong || e.Filter != nil || e.WindowDef != nil || e.OrderBy != nil {
		t.syntaxAt(t.s.p.close(fn.tok + 1))
	}
	return out
}

// args translates the arguments of a call with the remarks that travel among them.
func (t *translator) args(out *ast.FuncCall, list tree.Exprs) {
	name := (*entry)(nil)
	for i, e := range list {
		if mark := t.entryOf(e); mark != nil && mark.kind == entryArg {
			if mark.arg == argNamed {
				name = mark
			}
			t.argRemark(out, mark, i == len(list)-2)
			continue
		}
		if len(list) == 1 && t.bareStar(e) != nil {
			out.Star = true
			continue
		}
		arg := t.expr(e)
		if name != nil {
			arg = &ast.NamedArg{At: t.at(name.tok), Name: name.parts[0], Value: arg}
			name = nil
		}
		out.Args = append(out.Args, arg)
	}
}

// argRemark applies a remark to a call; beforeLast says whether only one argument follows it.
func (t *translator) argRemark(out *ast.FuncCall, mark *entry, beforeLast bool) {
	t.see(mark.tok)
	switch mark.arg {
	case argDistinct:
		out.Distinct = true
	case argVariadic:
		if !beforeLast {
			t.syntaxAt(mark.tok)
		}
		out.Variadic = true
	case argNone, argNamed: // say nothing about the call
	}
}

// swapArgs brings the arguments of a special spelling into the order of the function.
func (t *translator) swapArgs(out *ast.FuncCall, fn *entry) {
	a := out.Args
	wrong := false
	switch fn.swap {
	case swapTwo:
		if wrong = len(a) != 2; !wrong {
			out.Args = []ast.Expr{a[1], a[0]}
		}
	case swapFirst:
		if wrong = len(a) < 2; !wrong {
			out.Args = append(append([]ast.Expr{}, a[1:]...), a[0])
		}
	case swapForOnly:
		if wrong = len(a) != 2; !wrong {
			out.Args = []ast.Expr{a[0], &ast.NumberLit{Text: "1"}, a[1]}
		}
	case swapForFrom:
		if wrong = len(a) != 3; !wrong {
			out.Args = []ast.Expr{a[0], a[2], a[1]}
		}
	case swapNone:
		wrong = fn.special != ast.SpecialNone && len(a) == 0
	}
	if wrong || (fn.special != ast.SpecialNone && (out.Distinct || out.Star || out.Variadic)) {
		t.syntaxAt(t.s.p.close(fn.tok + 1))
	}
}

// over translates OVER w and OVER (…).
func (t *translator) over(w *tree.WindowDef) *ast.WindowSpec {
	if w.Name != "" {
		name := t.ident(string(w.Name))
		return &ast.WindowSpec{At: name.At, Name: name.Name}
	}
	return t.windowSpec(w)
}

// windowSpec translates the definition of a window.
func (t *translator) windowSpec(w *tree.WindowDef) *ast.WindowSpec {
	out := &ast.WindowSpec{}
	first := t.span(func() {
		if w.RefName != "" {
			out.Base = t.ident(string(w.RefName)).Name
		}
		out.PartitionBy = t.exprs(w.Partitions)
		out.OrderBy = t.orderBy(w.OrderBy)
		if w.Frame != nil {
			out.Frame = t.frame(w.Frame)
		}
	})
	out.At = t.at(first)
	return out
}

// Tables of the library's frame clauses in our terms.
var (
	frameModes = map[tree.WindowFrameMode]ast.FrameMode{
		tree.ROWS: ast.FrameRows, tree.RANGE: ast.FrameRange, tree.GROUPS: ast.FrameGroups,
	}
	boundKinds = map[tree.WindowFrameBoundType]ast.BoundKind{
		tree.UnboundedPreceding: ast.UnboundedPreceding, tree.OffsetPreceding: ast.OffsetPreceding,
		tree.CurrentRow: ast.CurrentRow, tree.OffsetFollowing: ast.OffsetFollowing,
		tree.UnboundedFollowing: ast.UnboundedFollowing,
	}
	exclusions = map[tree.WindowFrameExclusion]string{
		tree.NoExclusion: "", tree.ExcludeCurrentRow: "CURRENT ROW", tree.ExcludeGroup: "GROUP", tree.ExcludeTies: "TIES",
	}
)

func (t *translator) frame(f *tree.WindowFrame) *ast.Frame {
	out := &ast.Frame{Mode: frameModes[f.Mode], Exclude: exclusions[f.Exclusion]}
	first := t.span(func() {
		out.Start = *t.bound(f.Bounds.StartBound)
		if f.Bounds.EndBound != nil {
			out.End = t.bound(f.Bounds.EndBound)
		}
	})
	out.At = t.at(first)
	return out
}

func (t *translator) bound(b *tree.WindowFrameBound) *ast.Bound {
	out := &ast.Bound{Kind: boundKinds[b.BoundType]}
	if b.OffsetExpr != nil {
		out.Offset = t.expr(b.OffsetExpr)
	}
	return out
}
