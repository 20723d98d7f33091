package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// funcCall binds a call: of an aggregate, a set-returning function or a plain one.
func (x *scalars) funcCall(n *ast.FuncCall) (expr.Scalar, *repr.Error) {
	name := n.Name.Last()
	if n.Over != nil {
		return x.windowCall(n)
	}
	if err := checkSchema(n.Name); err != nil {
		return nil, err
	}
	switch {
	case name == "grouping" && len(n.Name.Qualifiers()) == 0:
		return x.grouping(n)
	case n.WithinGroup:
		return x.withinGroup(n)
	case fn.IsAggregate(name):
		return x.aggregate(n)
	case fn.IsOrderedSet(name):
		return nil, errAt(repr.CodeWrongObjectType, "WITHIN GROUP is required for ordered-set aggregate "+name, n.Pos)
	case fn.IsWindow(name):
		return nil, errAt(repr.CodeWrongObjectType, "window function "+name+" requires an OVER clause", n.Pos)
	}
	if err := refuseAggregateSyntax(n); err != nil {
		return nil, err
	}
	if isSetFunc(n) {
		set, first, err := x.setCall(n)
		if err != nil {
			return nil, err
		}
		if len(set.Cols) != 1 {
			return x.setRecord(set, first, n.Pos), nil
		}
		return &expr.Column{Index: first, Typ: set.Cols[0].Type, Name: name}, nil
	}
	args, pos, err := x.plainArgs(n)
	if err != nil {
		return nil, err
	}
	if name == "pg_typeof" && len(args) == 1 {
		return x.typeOf(args[0])
	}
	x.namedRows(name, args)
	if name == "row_to_json" && len(args) == 1 && args[0].Type().Kind == repr.KindJSON {
		return args[0], nil
	}
	s, err := x.callNamed(name, args, pos, n.Pos)
	if err == nil || err.Code != repr.CodeUndefinedFunction || len(args) != 1 {
		return s, err
	}
	return x.castCall(n, args[0], pos[0], err)
}

// checkSchema refuses functions of a schema that has none.
func checkSchema(name ast.Name) *repr.Error {
	q := name.Qualifiers()
	if len(q) == 0 {
		return nil
	}
	switch schema := q[len(q)-1]; schema {
	case "pg_catalog", "information_schema", "mz_catalog", "mz_internal":
		return nil
	default:
		return errAt(repr.CodeInvalidSchemaName, "schema "+quote(schema)+" does not exist", name.Pos)
	}
}

// refuseAggregateSyntax refuses what only an aggregate may have.
func refuseAggregateSyntax(n *ast.FuncCall) *repr.Error {
	what := ""
	switch {
	case n.Star:
		what = n.Name.Last() + "(*)"
	case n.Distinct:
		what = "DISTINCT"
	case len(n.OrderBy) > 0:
		what = "ORDER BY"
	case n.Filter != nil:
		what = "FILTER"
	default:
		return nil
	}
	return errAt(repr.CodeWrongObjectType, what+" specified, but "+n.Name.Last()+" is not an aggregate function", n.Pos)
}

// plainArgs binds the operands of a call.
func (x *scalars) plainArgs(n *ast.FuncCall) ([]expr.Scalar, []int, *repr.Error) {
	if n.Variadic {
		return nil, nil, unsupported("VARIADIC in a call", n.Pos)
	}
	names, err := namesOfArgs(n)
	if err != nil {
		return nil, nil, err
	}
	if names != nil {
		return x.namedArgs(n, names)
	}
	return x.bindAll(n.Args)
}

// typeOf is pg_typeof: known when the statement is bound.
func (x *scalars) typeOf(arg expr.Scalar) (expr.Scalar, *repr.Error) {
	return &expr.Const{Val: repr.IntOf(repr.KindRegType, int64(arg.Type().OID())), Typ: repr.TypeOf(repr.KindRegType)}, nil
}

// castCall is int4(x): a call by the name of a type is a cast, where there is no such function.
func (x *scalars) castCall(n *ast.FuncCall, arg expr.Scalar, pos int, notFound *repr.Error) (expr.Scalar, *repr.Error) {
	t, err := fn.TypeByName("", n.Name.Last(), nil)
	if err != nil {
		return nil, notFound
	}
	s, err := x.b.coerce(arg, t, explicitly, pos)
	if err != nil {
		return nil, notFound
	}
	return s, nil
}

// keywordNames are the functions that keywords stand for, where the names differ.
var keywordNames = map[string]string{"user": "current_user", "current_role": "current_user", "current_catalog": "current_database"}

func (x *scalars) keywordFunc(n *ast.KeywordFunc) (expr.Scalar, *repr.Error) {
	name := n.Name
	if to, ok := keywordNames[name]; ok {
		name = to
	}
	s, err := x.callNamed(name, nil, nil, n.Pos)
	if err != nil || n.Precision < 0 {
		return s, err
	}
	to, err := fn.TypeByName("", repr.Kinds[s.Type().Kind].Name, []int32{int32(n.Precision)})
	if err != nil {
		return nil, err.At(n.Pos)
	}
	return x.b.coerce(s, to, explicitly, n.Pos)
}

// isSetFunc says whether a call is of a function that gives rows.
func isSetFunc(n *ast.FuncCall) bool { return fn.IsTable(n.Name.Last()) }

// without is the binder of the operands of a form that evaluates some of them only, where a function may not give rows.
func (x *scalars) without(form string) *scalars {
	inner := *x
	inner.noSets = form
	return &inner
}

// setCall binds a set-returning function of a SELECT list and gives the column that its first one stands at.
func (x *scalars) setCall(n *ast.FuncCall) (*expr.TableFunc, int, *repr.Error) {
	if x.inWin {
		return nil, 0, errAt(repr.CodeFeatureNotSupported, "window function calls cannot contain set-returning function calls", n.Pos).
			WithHint("You might be able to move the set-returning function into a LATERAL FROM item.")
	}
	if x.inAgg {
		return nil, 0, errAt(repr.CodeFeatureNotSupported, "aggregate function calls cannot contain set-returning function calls", n.Pos).
			WithHint("You might be able to move the set-returning function into a LATERAL FROM item.")
	}
	if x.noSets != "" && x.sets != nil {
		return nil, 0, errAt(repr.CodeFeatureNotSupported, "set-returning functions are not allowed in "+x.noSets, n.Pos).
			WithHint("You might be able to move the set-returning function into a LATERAL FROM item.")
	}
	if x.sets == nil {
		return nil, 0, errAt(repr.CodeFeatureNotSupported, "set-returning functions are not allowed in "+clauseName(x.clause), n.Pos)
	}
	inner := *x
	inner.sets = nil
	f, args, err := inner.tableCall(n)
	if err != nil {
		return nil, 0, err
	}
	for i, c := range x.sets.list {
		if c.fn.Name == f.Name && slices.EqualFunc(c.args, args, expr.Equal) {
			return c.fn, setBase + i*maxSetCols, nil
		}
	}
	x.sets.list = append(x.sets.list, setCall{fn: f, args: args})
	return f, setBase + (len(x.sets.list)-1)*maxSetCols, nil
}

// tableCall binds the call of a function that gives rows.
func (x *scalars) tableCall(n *ast.FuncCall) (*expr.TableFunc, []expr.Scalar, *repr.Error) {
	args, pos, err := x.plainArgs(n)
	if err != nil {
		return nil, nil, err
	}
	f, err := fn.ResolveTable(n.Name.Last(), typesOf(args))
	if err != nil {
		return nil, nil, err.At(n.Pos)
	}
	for i := range args {
		if args[i], err = x.b.coerce(args[i], f.Args[min(i, len(f.Args)-1)], implicitly, pos[i]); err != nil {
			return nil, nil, err
		}
	}
	return f, args, nil
}

// clauseName is a clause as errors name it.
func clauseName(clause string) string {
	switch clause {
	case "JOIN/ON":
		return "JOIN conditions"
	case "FROM":
		return "functions in FROM"
	case "":
		return "this context"
	default:
		return clause
	}
}

// aggregate binds a call of an aggregate and gives the column that stands for it.
func (x *scalars) aggregate(n *ast.FuncCall) (expr.Scalar, *repr.Error) {
	inner := x.insideAggregate()
	agg, err := inner.aggregateCall(n)
	if err != nil {
		return nil, err
	}
	if err := inner.aggregateRest(n, &agg); err != nil {
		return nil, err
	}
	return x.placeAggregate(agg, n.Pos)
}

// aggregateCall binds the aggregate of a call and its operands.
func (x *scalars) aggregateCall(n *ast.FuncCall) (rel.Agg, *repr.Error) {
	args, pos, err := x.plainArgs(n)
	if err != nil {
		return rel.Agg{}, err
	}
	types := make([]repr.Type, len(args))
	for i, a := range args {
		types[i] = a.Type()
	}
	x.namedRows(n.Name.Last(), args)
	res, err := fn.ResolveAggregate(n.Name.Last(), types, n.Star)
	if err != nil {
		return rel.Agg{}, err.At(n.Pos)
	}
	agg := rel.Agg{Fn: res.Fn, Distinct: n.Distinct, Typ: res.Ret, Name: n.Name.Last()}
	for i, a := range args {
		if a.Type() != types[i] {
			continue // a row that has become JSON
		}
		to := res.Args[min(i, len(res.Args)-1)]
		if to.Kind == repr.KindNull && isUnknown(a) {
			to = repr.TypeOf(repr.KindText)
		}
		if args[i], err = x.b.coerce(a, to, implicitly, pos[i]); err != nil {
			return rel.Agg{}, err
		}
	}
	agg.Args = args
	return agg, nil
}

// insideAggregate is the binder of the operands of an aggregate, where one may stand.
func (x *scalars) insideAggregate() *scalars {
	inner := *x
	inner.inAgg, inner.aggs, inner.sets, inner.wins = true, nil, nil, nil
	if x.scope != nil {
		row := *x.scope
		row.inAgg = true
		inner.scope, inner.fr.outer = &row, &row
	}
	return &inner
}

func errNested(pos int) *repr.Error {
	return errAt(repr.CodeGrouping, "aggregate function calls cannot be nested", pos)
}

// placeAggregate gives the column that stands for a bound aggregate.
func (x *scalars) placeAggregate(agg rel.Agg, pos int) (expr.Scalar, *repr.Error) {
	if level := aggregateLevel(&agg); level > 0 {
		return x.outerAggregate(agg, level, pos)
	}
	if x.inAgg {
		return nil, errNested(pos)
	}
	if x.aggs == nil {
		return nil, errAt(repr.CodeGrouping, "aggregate functions are not allowed in "+clauseName(x.clause), pos)
	}
	if x.aggs.recursive {
		return nil, errAt(codeInvalidRecursion, "aggregate functions are not allowed in a recursive query's recursive term", pos)
	}
	i := x.aggs.add(agg)
	return &expr.Column{Index: aggBase + i, Typ: agg.Typ, Name: agg.Name}, nil
}

// aggregateRest binds ORDER BY and FILTER of an aggregate.
func (x *scalars) aggregateRest(n *ast.FuncCall, agg *rel.Agg) *repr.Error {
	for _, item := range n.OrderBy {
		o, err := x.orderItem(item)
		if err != nil {
			return err
		}
		if agg.Distinct && !slices.ContainsFunc(agg.Args, func(a expr.Scalar) bool { return expr.Equal(a, o.Expr) }) {
			return errAt(repr.CodeInvalidColumnReference,
				"in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list", item.Pos)
		}
		agg.Order = append(agg.Order, o)
	}
	if agg.Fn.Fold == nil {
		agg.Order = nil // the order changes nothing
	}
	if agg.Fn.Extreme != 0 {
		agg.Distinct = false // nor do duplicates
	}
	if n.Filter == nil {
		return nil
	}
	filter := *x
	filter.clause = "FILTER"
	var err *repr.Error
	agg.Filter, err = filter.condition(n.Filter)
	return err
}

// orderItem binds an item of the ORDER BY of an aggregate.
func (x *scalars) orderItem(item ast.OrderItem) (rel.Order, *repr.Error) {
	item, err := usingOrder(item)
	if err != nil {
		return rel.Order{}, err
	}
	s, err := x.bind(item.Expr)
	if err != nil {
		return rel.Order{}, err
	}
	if isUnknown(s) {
		if s, err = x.b.coerce(s, repr.TypeOf(repr.KindText), implicitly, item.Pos); err != nil {
			return rel.Order{}, err
		}
	}
	return rel.Order{Expr: s, Desc: item.Desc, NullsFirst: item.NullsAreFirst()}, nil
}

// usingOrder turns ORDER BY x USING < and USING > into ASC and DESC.
func usingOrder(item ast.OrderItem) (ast.OrderItem, *repr.Error) {
	switch item.Using {
	case "", "<":
	case ">":
		item.Desc = true
	default:
		return item, unsupported("ORDER BY USING "+item.Using, item.Pos)
	}
	item.Using = ""
	return item, nil
}

// add gives the number of an aggregate; equal ones are computed once.
func (a *aggregates) add(agg rel.Agg) int {
	i := slices.IndexFunc(a.list, func(o rel.Agg) bool { return sameAgg(o, agg) })
	if i < 0 {
		a.list = append(a.list, agg)
		return len(a.list) - 1
	}
	return i
}

func sameAgg(a, b rel.Agg) bool {
	return a.Name == b.Name && a.Typ == b.Typ && a.Distinct == b.Distinct && expr.Equal(a.Filter, b.Filter) &&
		slices.EqualFunc(a.Args, b.Args, expr.Equal) &&
		slices.EqualFunc(a.Order, b.Order, func(x, y rel.Order) bool {
			return x.Desc == y.Desc && x.NullsFirst == y.NullsFirst && expr.Equal(x.Expr, y.Expr)
		})
}
