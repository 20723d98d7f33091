package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// Query binds a query that is run once. Limit, offset and the order of the whole query are left to the caller.
func Query(env *Env, q *ast.Query) (*Bound, *repr.Error) {
	b := newBinder(env)
	out, err := b.query(q, b.top())
	if err != nil {
		return nil, err
	}
	return b.finish(out)
}

// binder is the state of binding one statement.
type binder struct {
	env       *Env
	params    []repr.Type
	depends   []uint64
	nextLet   int
	nextOwner int
	viewDepth int
	refs      map[expr.Scalar]*ast.ColumnRef // where a column was named, for errors that come later
	records   map[expr.Scalar]repr.RowDesc   // the fields of record values that have names
	rows      map[expr.Scalar][]expr.Scalar  // the items of values that are rows of FROM
}

func newBinder(env *Env) *binder {
	return &binder{env: env, params: slices.Clone(env.ParamTypes), refs: map[expr.Scalar]*ast.ColumnRef{},
		records: map[expr.Scalar]repr.RowDesc{}, rows: map[expr.Scalar][]expr.Scalar{}}
}

// top is the frame of a statement.
func (b *binder) top() frame { return frame{path: b.env.Path, sees: b.env.Sees} }

// newOwner numbers the queries of the statement, from 1.
func (b *binder) newOwner() int {
	b.nextOwner++
	return b.nextOwner
}

// depend notes that the statement reads an item.
func (b *binder) depend(id uint64) {
	if !slices.Contains(b.depends, id) {
		b.depends = append(b.depends, id)
	}
}

// output is a bound query within the statement.
type output struct {
	rel    rel.Rel
	cols   repr.RowDesc // visible; hidden columns of rel may follow
	order  []rel.ColOrder
	limit  expr.Scalar
	offset expr.Scalar
	fields []repr.RowDesc // of visible columns that are records with named fields; may be shorter than cols
}

// finish makes the result of a statement of its outermost query.
func (b *binder) finish(out *output) (*Bound, *repr.Error) {
	for i, p := range b.params {
		if p.Kind == repr.KindNull {
			return nil, errAt(repr.CodeIndeterminateType, "could not determine data type of parameter $"+itoa(i+1), 0)
		}
	}
	bound := &Bound{Rel: out.rel, Cols: out.cols, Hidden: len(out.rel.Columns()) - len(out.cols), Order: out.order,
		Limit: out.limit, Offset: out.offset, Params: b.params, Depends: b.depends}
	visitRel(out.rel, func(s expr.Scalar, _ int) {
		if c, ok := s.(*expr.Call); ok {
			bound.Volatility = max(bound.Volatility, c.Fn.Volatility)
		}
	})
	return bound, nil
}

// query binds a query with all that surrounds its body.
func (b *binder) query(q *ast.Query, fr frame) (*output, *repr.Error) {
	return b.queryWith(q, fr, func(body body) *repr.Error { return resolveUnknown(body) })
}

// queryWith binds a query; settle decides the types of columns before the plan is made.
func (b *binder) queryWith(q *ast.Query, fr frame, settle func(body) *repr.Error) (*output, *repr.Error) {
	return b.queryOf(q, fr, func(fr frame) (body, *repr.Error) { return b.body(q.Body, fr, q.OrderBy) }, settle)
}

// queryOf binds what surrounds a body that bind binds.
func (b *binder) queryOf(q *ast.Query, fr frame, bind func(frame) (body, *repr.Error), settle func(body) *repr.Error) (*output, *repr.Error) {
	if len(q.Locking) > 0 {
		return nil, unsupported("SELECT FOR "+q.Locking[0].Strength, q.Locking[0].Pos)
	}
	fr.level++
	fr, lets, err := b.with(q.With, fr)
	if err != nil {
		return nil, err
	}
	bd, err := bind(fr)
	if err != nil {
		return nil, err
	}
	if err := settle(bd); err != nil {
		return nil, err
	}
	out, err := bd.build()
	if err != nil {
		return nil, err
	}
	if out.limit, err = b.limit(q.Limit, "LIMIT", out.limit); err != nil {
		return nil, err
	}
	if out.offset, err = b.limit(q.Offset, "OFFSET", out.offset); err != nil {
		return nil, err
	}
	if q.Ties {
		if err := b.withTies(out, q.Limit); err != nil {
			return nil, err
		}
	}
	out.rel = wrapLets(lets, out.rel)
	return out, nil
}

// withTies keeps, in the place of a limit, the rows whose rank in the order is within it: those that are equal to the last
// one too.
func (b *binder) withTies(out *output, at ast.Expr) *repr.Error {
	if len(out.order) == 0 {
		return errAt(repr.CodeSyntax, "WITH TIES cannot be specified without ORDER BY clause", place(at))
	}
	if out.limit == nil {
		return nil
	}
	x := b.constExpr("LIMIT")
	last := out.limit
	if out.offset != nil {
		var err *repr.Error
		if last, err = x.operator("+", out.limit, out.offset, place(at)); err != nil {
			return err
		}
	}
	if expr.Any(last, func(n expr.Scalar) bool { _, ok := n.(*expr.Param); return ok }) {
		return unsupported("a parameter in FETCH FIRST … WITH TIES", place(at))
	}
	width := len(out.rel.Columns())
	int8 := repr.TypeOf(repr.KindInt8)
	rank := &rel.Window{Input: out.rel, Order: out.order, Funcs: []rel.WindowFunc{{Name: "rank", Typ: int8,
		Frame: rel.WindowFrame{Mode: ast.FrameRange, End: rel.WindowBound{Kind: ast.CurrentRow}}}}}
	within, err := x.operator("<=", &expr.Column{Index: width, Typ: int8, Name: "rank"}, last, place(at))
	if err != nil {
		return err
	}
	out.rel = &rel.Project{Input: &rel.Filter{Input: rank, Preds: []expr.Scalar{within}}, Cols: upTo(width)}
	out.limit = nil
	return nil
}

// body is what stands between WITH and ORDER BY, bound but for the types that its surroundings decide: a column
// that is a bare literal has no type until then.
type body interface {
	// columns are names and types; KindNull for a type that is still open.
	columns() repr.RowDesc
	// coerce gives a column the type that it shall have.
	coerce(i int, to repr.Type, ctx coercion) *repr.Error
	// build makes the plan.
	build() (*output, *repr.Error)
	// position is where column i stands in the text, 0 when that is unknown.
	position(i int) int
}

// resolveUnknown makes text of the columns whose type is still open.
func resolveUnknown(bd body) *repr.Error {
	for i, c := range bd.columns() {
		if c.Type.Kind == repr.KindNull {
			if err := bd.coerce(i, repr.TypeOf(repr.KindText), implicitly); err != nil {
				return err
			}
		}
	}
	return nil
}

// body binds a query body. order is the ORDER BY around it.
func (b *binder) body(q ast.QueryBody, fr frame, order []ast.OrderItem) (body, *repr.Error) {
	switch n := q.(type) {
	case *ast.Select:
		return b.selectBody(n, fr, order)
	case *ast.SetOp:
		bd, err := b.setOp(n, fr)
		if err != nil {
			return nil, err
		}
		return b.orderedByOutput(bd, order, "UNION/INTERSECT/EXCEPT")
	case *ast.Values:
		bd, err := b.values(n, fr)
		if err != nil {
			return nil, err
		}
		if err := bd.unify(); err != nil {
			return nil, err
		}
		return b.orderedByOutput(bd, order, "VALUES")
	case *ast.TableQuery:
		sel := &ast.Select{At: n.At, Targets: []ast.Target{{At: n.At, Expr: &ast.Star{At: n.At}}},
			From: []ast.TableExpr{&ast.TableRef{At: n.Table.At, Name: n.Table}}}
		return b.selectBody(sel, fr, order)
	case *ast.Query:
		return b.nested(n, fr, order)
	default:
		return nil, unsupported("this form of query", q.Position())
	}
}

// nested binds a query in parentheses: its own order and limit apply first.
func (b *binder) nested(q *ast.Query, fr frame, order []ast.OrderItem) (body, *repr.Error) {
	if q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil {
		return b.body(q.Body, fr, order)
	}
	out, err := b.query(q, fr)
	if err != nil {
		return nil, err
	}
	if len(order) == 0 {
		return &done{b: b, out: out}, nil
	}
	return b.orderedByOutput(&done{b: b, out: &output{rel: collapse(out), cols: out.cols}}, order, "parenthesized query")
}

// collapse is the plan of a query as a collection of its visible columns: limit and offset become TopK, an order
// alone means nothing.
func collapse(out *output) rel.Rel {
	r := out.rel
	if out.limit != nil || out.offset != nil {
		r = &rel.TopK{Input: r, Order: out.order, Limit: out.limit, Offset: out.offset}
	}
	return visible(r, out.cols)
}

// visible drops the hidden columns of a plan.
func visible(r rel.Rel, cols repr.RowDesc) rel.Rel {
	if len(r.Columns()) == len(cols) {
		return r
	}
	return &rel.Project{Input: r, Cols: upTo(len(cols)), Names: namesOf(cols)}
}

// upTo are the numbers from 0 up to n, n left out.
func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func namesOf(cols repr.RowDesc) []string {
	out := make([]string, len(cols))
	for i := range cols {
		out[i] = cols[i].Name
	}
	return out
}

// done is a body that is finished: types are changed by casting its columns.
type done struct {
	b    *binder
	out  *output
	pos  int
	cast []func(expr.Scalar) (expr.Scalar, *repr.Error)
	typ  []repr.Type
}

func (d *done) columns() repr.RowDesc {
	cols := slices.Clone(d.out.cols)
	for i, t := range d.typ {
		if t.Kind != repr.KindNull {
			cols[i].Type = t
		}
	}
	return cols
}

func (d *done) position(int) int { return d.pos }

func (d *done) coerce(i int, to repr.Type, ctx coercion) *repr.Error {
	col := d.out.cols[i]
	if col.Type == to {
		return nil
	}
	if d.typ == nil {
		d.typ = make([]repr.Type, len(d.out.cols))
		d.cast = make([]func(expr.Scalar) (expr.Scalar, *repr.Error), len(d.out.cols))
	}
	d.typ[i] = to
	d.cast[i] = func(s expr.Scalar) (expr.Scalar, *repr.Error) { return d.b.coerce(s, to, ctx, d.pos) }
	_, err := d.cast[i](&expr.Column{Index: i, Typ: col.Type, Name: col.Name})
	return err
}

func (d *done) build() (*output, *repr.Error) {
	if d.typ == nil {
		return d.out, nil
	}
	cols := d.columns()
	list := make([]expr.Scalar, len(cols))
	for i, c := range d.out.cols {
		list[i] = &expr.Column{Index: i, Typ: c.Type, Name: c.Name}
		if d.cast[i] == nil {
			continue
		}
		s, err := d.cast[i](list[i])
		if err != nil {
			return nil, err
		}
		list[i] = s
	}
	return &output{rel: projectTo(collapse(d.out), list, namesOf(cols)), cols: cols}, nil
}

// projectTo computes expressions over a plan and keeps them alone, in order.
func projectTo(in rel.Rel, list []expr.Scalar, names []string) rel.Rel {
	width := len(in.Columns())
	cols := make([]int, len(list))
	var exprs []expr.Scalar
	var exprNames []string
	plain := len(list) == width
	for i, s := range list {
		if c, ok := s.(*expr.Column); ok {
			cols[i] = c.Index
			plain = plain && c.Index == i
			continue
		}
		plain = false
		cols[i] = width + len(exprs)
		exprs = append(exprs, s)
		exprNames = append(exprNames, names[i])
	}
	if plain && slices.Equal(namesOf(in.Columns()), names) {
		return in
	}
	if len(exprs) > 0 {
		in = &rel.Map{Input: in, Exprs: exprs, Names: exprNames}
	}
	return &rel.Project{Input: in, Cols: cols, Names: names}
}

// limit binds LIMIT or OFFSET: a constant or a parameter of type bigint. Without the clause it is what it was.
func (b *binder) limit(e ast.Expr, clause string, otherwise expr.Scalar) (expr.Scalar, *repr.Error) {
	if e == nil {
		return otherwise, nil
	}
	x := b.constExpr(clause)
	s, err := x.bindTo(e, repr.TypeOf(repr.KindInt8), assigning(clause))
	if err != nil {
		return nil, err
	}
	s = expr.Fold(s, b.env.Eval, expr.Stable)
	switch c := s.(type) {
	case *expr.Param:
		return c, nil
	case *expr.Const:
		return checkLimit(c, clause)
	default:
		return nil, unsupported("an expression of parameters in "+clause, place(e))
	}
}

// checkLimit refuses a negative limit; NULL is no limit.
func checkLimit(c *expr.Const, clause string) (expr.Scalar, *repr.Error) {
	if c.Val.IsNull() {
		return nil, nil
	}
	if c.Val.Int() >= 0 {
		return c, nil
	}
	code := repr.CodeInvalidLimit
	if clause == "OFFSET" {
		code = codeInvalidOffset
	}
	return nil, errAt(code, clause+" must not be negative", 0)
}

// codeInvalidOffset is the SQLSTATE of a negative OFFSET.
const codeInvalidOffset = "2201X"
