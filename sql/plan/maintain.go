package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// QueryAsView binds the body of a view as a collection: ORDER BY with LIMIT becomes TopK, ORDER BY alone means
// nothing. columns rename the first output columns. A view that is maintained may call only functions whose value
// never changes, and compare the time with its rows; a plain view is bound again wherever it is named, so it may call any.
func QueryAsView(env *Env, q *ast.Query, columns []ast.Ident, maintained bool) (*Bound, *repr.Error) {
	b := newBinder(env)
	out, err := b.query(q, b.top())
	if err != nil {
		return nil, err
	}
	if out.cols, err = viewColumns(out.cols, columns); err != nil {
		return nil, err
	}
	if len(b.params) > 0 {
		return nil, errAt(repr.CodeUndefinedParameter, "there is no parameter $1", 0)
	}
	return b.collection(out, maintained)
}

// Subscription binds a query whose collection is maintained while its columns need not have different names: that of
// SUBSCRIBE and TAIL, and that of a view whose columns were named already.
func Subscription(env *Env, q *ast.Query) (*Bound, *repr.Error) {
	b := newBinder(env)
	out, err := b.query(q, b.top())
	if err != nil {
		return nil, err
	}
	return b.collection(out, true)
}

// collection finishes a query as a collection.
func (b *binder) collection(out *output, maintained bool) (*Bound, *repr.Error) {
	r := collapse(out)
	r = projectTo(r, columnsOf(r), namesOf(out.cols))
	if maintained {
		r = boundTimes(r)
		if err := checkMaintained(r); err != nil {
			return nil, err
		}
	}
	return b.finish(&output{rel: r, cols: out.cols})
}

// viewColumns are the columns of a view: renamed, and each of another name.
func viewColumns(cols repr.RowDesc, names []ast.Ident) (repr.RowDesc, *repr.Error) {
	if len(names) > len(cols) {
		return nil, errAt(repr.CodeSyntax, "CREATE VIEW specifies more column names than columns", names[len(cols)].Pos)
	}
	out := append(repr.RowDesc(nil), cols...)
	for i, n := range names {
		out[i].Name = n.Name
	}
	for i, c := range out {
		if out[:i].Index(c.Name) >= 0 {
			return nil, errAt(repr.CodeDuplicateColumn, "column "+quote(c.Name)+" specified more than once", 0)
		}
	}
	return out, nil
}

// checkMaintained refuses what changes without a change of the inputs.
func checkMaintained(r rel.Rel) *repr.Error {
	var err *repr.Error
	visitRel(r, func(s expr.Scalar, _ int) {
		c, ok := s.(*expr.Call)
		if !ok || c.Fn.Volatility == expr.Immutable || rel.IsTimeBound(c) || err != nil {
			return
		}
		name := c.Fn.Name
		if isTimeCall(c) {
			err = timeOutOfPlace(name, c.Pos)
			return
		}
		err = unsupported("the function "+name+"() in a maintained view", c.Pos).
			WithHint("A maintained view must depend on its inputs alone. Call " + name + "() in the query that reads the view, or store its value in a column.")
	})
	return err
}

// timeOutOfPlace refuses the time where it would change rows in other ways than letting them in and out.
func timeOutOfPlace(name string, pos int) *repr.Error {
	return unsupported("the function "+name+"() in this place of a maintained view", pos).
		WithHint("In a maintained view the time may be compared with an expression over the row, by =, <, <=, >, >= or BETWEEN, " +
			"in a condition of WHERE, HAVING or JOIN, as in: ts > now() - interval '5 minutes'; under OR not in an outer join, " +
			"nor beside a subquery.")
}

// Bind makes of a prepared query one that can be run: parameters become their values, and functions that have one
// value within a statement are called now. The values have the types of Params.
func (q *Bound) Bind(values []repr.Datum, env *expr.Env) *Bound {
	f := bindParams(values, env)
	out := *q
	out.Rel = rewriteRel(q.Rel, 0, f)
	if q.Limit != nil {
		out.Limit = rewriteScalar(q.Limit, 0, f)
	}
	if q.Offset != nil {
		out.Offset = rewriteScalar(q.Offset, 0, f)
	}
	return &out
}

// bindParams gives parameters their values.
func bindParams(values []repr.Datum, env *expr.Env) func(expr.Scalar, int) expr.Scalar {
	return func(s expr.Scalar, _ int) expr.Scalar {
		switch n := s.(type) {
		case *expr.Param:
			return &expr.Const{Val: values[n.N-1], Typ: n.Typ}
		case *expr.Call:
			return foldStable(n, env)
		}
		return s
	}
}

// ReadsLogicalTime says whether mz_now() stands in the query.
func (q *Bound) ReadsLogicalTime() bool {
	found := false
	look := func(s expr.Scalar, _ int) {
		found = found || isCallOf(s, "mz_now") || isCallOf(s, "mz_logical_timestamp")
	}
	visitRel(q.Rel, look)
	return found
}

// foldStable calls a stable function whose operands are known. Other calls are the optimiser's.
func foldStable(c *expr.Call, env *expr.Env) expr.Scalar {
	if expr.VolatilityOf(c) != expr.Stable {
		return c
	}
	return expr.Fold(c, env, expr.Stable)
}

// ConstExpr evaluates an expression that names no columns, for SET, AS OF, LIMIT and the like.
func ConstExpr(env *Env, e ast.Expr, want repr.Type) (repr.Datum, *repr.Error) {
	b := newBinder(env)
	s, err := b.constExpr("").bindTo(e, want, explicitly)
	if err != nil {
		return repr.Null, err
	}
	if dependent(s) || len(b.params) > len(env.ParamTypes) {
		return repr.Null, unsupported("a subquery or parameter here", place(e))
	}
	var row expr.Row
	d, err := expr.Compile(s, env.Eval)(&row)
	if err != nil {
		return repr.Null, err.At(place(e))
	}
	return d.Clone(), nil
}

// Relation binds the name that SUBSCRIBE, TAIL and COPY take: all columns of the relation.
func Relation(env *Env, name ast.Name) (*Bound, *Item, *repr.Error) {
	b := newBinder(env)
	item, err := b.resolve(name, env.Path)
	if err != nil {
		return nil, nil, err
	}
	b.depend(item.ID)
	r, err := b.itemRel(item, name.Pos)
	if err != nil {
		return nil, nil, err
	}
	bound, err := b.finish(&output{rel: r, cols: item.Desc})
	return bound, item, err
}
