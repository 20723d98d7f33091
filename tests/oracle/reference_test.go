package oracle

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"testing"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// The plain interpreter of plans: nested loops over rows, subqueries run again for every row. It is the meaning that
// decorrelation, the rules and the dataflow are held to.

// counted is a row with how often it is there.
type counted struct {
	row []repr.Datum
	n   repr.Diff
}

// failure is the panic of an expression that fails.
type failure struct{ err *repr.Error }

// interpreter runs a plan over collections.
type interpreter struct {
	t      testing.TB
	tables map[uint64][]counted
	at     repr.Time // the time that conditions on time see
	lets   map[int][]counted
}

// run gives the rows of a plan, or the error of an expression that fails.
func (in *interpreter) run(r rel.Rel) (rows []counted, err *repr.Error) {
	defer func() {
		if p := recover(); p != nil {
			f, ok := p.(failure)
			if !ok {
				panic(p)
			}
			err = f.err
		}
	}()
	in.lets = map[int][]counted{}
	return in.rel(r, nil), nil
}

// outers are the rows around a plan, the nearest first.
type outers [][]repr.Datum

func (o outers) with(row []repr.Datum) outers { return append(outers{row}, o...) }

func (in *interpreter) rel(r rel.Rel, o outers) []counted {
	switch n := r.(type) {
	case *rel.Get:
		return in.tables[n.ID]
	case *rel.Ref:
		return in.lets[n.ID]
	case *rel.Let:
		in.lets[n.ID] = in.rel(n.Value, o)
		return in.rel(n.Body, o)
	case *rel.LetRec:
		in.rounds(n, o)
		return in.rel(n.Body, o)
	case *rel.Values:
		var out []counted
		for _, row := range n.Rows {
			out = append(out, counted{in.scalars(row, nil, o), 1})
		}
		return out
	case *rel.Filter:
		return in.each(n.Input, o, func(c counted) []counted {
			if !in.all(n.Preds, c.row, o) {
				return nil
			}
			return []counted{c}
		})
	case *rel.Map:
		return in.each(n.Input, o, func(c counted) []counted {
			return []counted{{join(c.row, in.scalars(n.Exprs, c.row, o)), c.n}}
		})
	case *rel.Project:
		return in.each(n.Input, o, func(c counted) []counted { return []counted{{pick(c.row, n.Cols), c.n}} })
	case *rel.Join:
		right := in.rel(n.Right, o)
		return in.join(n.Kind, [2]rel.Rel{n.Left, n.Right}, n.On, o, func([]repr.Datum) []counted { return right })
	case *rel.Apply:
		return in.join(n.Kind, [2]rel.Rel{n.Left, n.Right}, n.On, o, func(row []repr.Datum) []counted {
			return in.rel(n.Right, o.with(row))
		})
	}
	return in.rest(r, o)
}

func (in *interpreter) rest(r rel.Rel, o outers) []counted {
	switch n := r.(type) {
	case *rel.Reduce:
		return in.reduce(n, o)
	case *rel.Distinct:
		var out []counted
		for _, c := range consolidate(in.rel(n.Input, o)) {
			if c.n > 0 {
				out = append(out, counted{c.row, 1})
			}
		}
		return out
	case *rel.TopK:
		return in.topK(n, o)
	case *rel.Window:
		return in.window(n, o)
	case *rel.Union:
		var out []counted
		for _, c := range n.Inputs {
			out = append(out, in.rel(c, o)...)
		}
		return out
	case *rel.Temporal:
		return in.each(n.Input, o, func(c counted) []counted {
			for i, d := range in.scalars(rel.Scalars(n), c.row, o) {
				if d.IsNull() || (int64(in.at) >= d.Int()) != (i < len(n.From)) {
					return nil
				}
			}
			return []counted{c}
		})
	case *rel.Negate:
		return in.each(n.Input, o, func(c counted) []counted { return []counted{{c.row, -c.n}} })
	case *rel.Threshold:
		var out []counted
		for _, c := range consolidate(in.rel(n.Input, o)) {
			if c.n > 0 {
				out = append(out, c)
			}
		}
		return out
	case *rel.FlatMap:
		return in.each(n.Input, o, func(c counted) []counted {
			var out []counted
			number := int64(0)
			err := n.Fn.Eval(&expr.Env{}, in.scalars(n.Args, c.row, o), func(row []repr.Datum) bool {
				number++
				row = join(c.row, row)
				if n.Ordinality {
					row = append(row, repr.Int8(number))
				}
				out = append(out, counted{row, c.n})
				return true
			})
			if err != nil {
				panic(failure{err})
			}
			return out
		})
	}
	in.t.Fatalf("interpreter: %T", r)
	return nil
}

// rounds computes the bindings of a recursion again and again, each from the newest values, until none changes.
func (in *interpreter) rounds(n *rel.LetRec, o outers) {
	printed := func(row []repr.Datum) string { return string(repr.AppendRow(nil, row)) }
	for _, b := range n.Bindings {
		in.lets[b.ID] = nil
	}
	for round, changed := 0, true; changed && (n.Limit == 0 || round < n.Limit); round++ {
		changed = false
		for _, b := range n.Bindings {
			rows := sumBy(in.rel(b.Value, o), printed)
			slices.SortFunc(rows, func(x, y counted) int { return strings.Compare(printed(x.row), printed(y.row)) })
			changed = changed || !slices.EqualFunc(rows, in.lets[b.ID], func(x, y counted) bool {
				return x.n == y.n && printed(x.row) == printed(y.row)
			})
			in.lets[b.ID] = rows
		}
	}
}

func (in *interpreter) each(input rel.Rel, o outers, f func(counted) []counted) []counted {
	var out []counted
	for _, c := range in.rel(input, o) {
		out = append(out, f(c)...)
	}
	return out
}

func join(a, b []repr.Datum) []repr.Datum { return append(slices.Clone(a), b...) }

func pick(row []repr.Datum, cols []int) []repr.Datum {
	out := make([]repr.Datum, len(cols))
	for i, c := range cols {
		out[i] = row[c]
	}
	return out
}

// join is every kind of join; right gives the right rows for a left row.
func (in *interpreter) join(kind rel.JoinKind, sides [2]rel.Rel, on []expr.Scalar, o outers, right func([]repr.Datum) []counted) []counted {
	nulls := make([]repr.Datum, len(sides[1].Columns()))
	matched := map[int]bool{}
	var out []counted
	for _, l := range in.rel(sides[0], o) {
		found := false
		for i, r := range right(l.row) {
			both := join(l.row, r.row)
			if !in.all(on, both, o) {
				continue
			}
			found, matched[i] = true, true
			if kind != rel.JoinSemi && kind != rel.JoinAnti {
				out = append(out, counted{both, l.n * r.n})
			}
		}
		switch {
		case kind == rel.JoinSemi && found, kind == rel.JoinAnti && !found:
			out = append(out, l)
		case (kind == rel.JoinLeft || kind == rel.JoinFull) && !found:
			out = append(out, counted{join(l.row, nulls), l.n})
		}
	}
	if kind == rel.JoinRight || kind == rel.JoinFull {
		none := make([]repr.Datum, len(sides[0].Columns()))
		for i, r := range right(none) {
			if !matched[i] {
				out = append(out, counted{join(none, r.row), r.n})
			}
		}
	}
	return out
}

func (in *interpreter) reduce(n *rel.Reduce, o outers) []counted {
	groups := map[string][]counted{}
	keys := map[string][]repr.Datum{}
	for _, c := range consolidate(in.rel(n.Input, o)) {
		key := in.scalars(n.Keys, c.row, o)
		k := canonical(key)
		if old, ok := keys[k]; !ok || bytes.Compare(repr.AppendRow(nil, key), repr.AppendRow(nil, old)) < 0 {
			keys[k] = key
		}
		groups[k] = append(groups[k], c)
	}
	if len(n.Keys) == 0 && len(groups) == 0 {
		groups[""] = nil
	}
	var out []counted
	for k, rows := range groups {
		row := slices.Clone(keys[k])
		for _, a := range n.Aggs {
			row = append(row, in.aggregate(a, rows, o))
		}
		out = append(out, counted{row, 1})
	}
	return out
}

func (in *interpreter) aggregate(a rel.Agg, rows []counted, o outers) repr.Datum {
	var args []counted
	for _, c := range rows {
		if a.Filter != nil && !in.all([]expr.Scalar{a.Filter}, c.row, o) {
			continue
		}
		v := in.scalars(a.Args, c.row, o)
		if a.Fn.SkipNulls && len(v) > 0 && v[0].IsNull() {
			continue
		}
		args = append(args, counted{v, c.n})
	}
	if len(rows) == 0 {
		return a.Fn.Empty
	}
	args = consolidate(args)
	if a.Distinct {
		for i := range args {
			args[i].n = 1
		}
	}
	slices.SortFunc(args, func(x, y counted) int { return compareRows(x.row, y.row) })
	return in.fold(a.Fn, args)
}

func (in *interpreter) fold(fn *repr.Aggregate, args []counted) repr.Datum {
	var d repr.Datum
	var err *repr.Error
	switch {
	case fn.Extreme != 0:
		if len(args) == 0 {
			return fn.Empty
		}
		d = args[0].row[0]
		if fn.Extreme > 0 {
			d = args[len(args)-1].row[0]
		}
	case fn.Fold != nil:
		if len(args) == 0 {
			return fn.Empty
		}
		var rows iter.Seq2[[]repr.Datum, repr.Diff] = func(yield func([]repr.Datum, repr.Diff) bool) {
			for _, c := range args {
				if !yield(c.row, c.n) {
					return
				}
			}
		}
		d, err = fn.Fold(rows)
	default:
		state := make([]int64, fn.Words)
		for _, c := range args {
			var arg repr.Datum
			if len(c.row) > 0 {
				arg = c.row[0]
			}
			fn.Add(state, arg, c.n)
		}
		d, err = fn.Result(state)
	}
	if err != nil {
		panic(failure{err})
	}
	return d
}

func (in *interpreter) topK(n *rel.TopK, o outers) []counted {
	rows := sumBy(in.rel(n.Input, o), func(row []repr.Datum) string { return string(repr.AppendRow(nil, row)) })
	slices.SortFunc(rows, func(x, y counted) int {
		for _, c := range n.Order {
			a := repr.AppendOrder(nil, x.row[c.Col], c.Desc, c.NullsFirst)
			b := repr.AppendOrder(nil, y.row[c.Col], c.Desc, c.NullsFirst)
			if d := bytes.Compare(a, b); d != 0 {
				return d
			}
		}
		return bytes.Compare(repr.AppendRow(nil, x.row), repr.AppendRow(nil, y.row))
	})
	limit, offset := repr.Diff(1<<40), repr.Diff(0)
	if n.Limit != nil {
		limit = n.Limit.(*expr.Const).Val.Int()
	}
	if n.Offset != nil {
		offset = n.Offset.(*expr.Const).Val.Int()
	}
	seen := map[string]repr.Diff{}
	var out []counted
	for _, c := range rows {
		g := canonical(pick(c.row, n.Group))
		for range c.n {
			if seen[g] >= offset && seen[g] < offset+limit {
				out = append(out, counted{c.row, 1})
			}
			seen[g]++
		}
	}
	return out
}

// consolidate sums the counts of rows that are one key, drops zeros, and keeps the least printed form.
func consolidate(rows []counted) []counted { return sumBy(rows, canonical) }

func sumBy(rows []counted, key func([]repr.Datum) string) []counted {
	at := map[string]int{}
	var out []counted
	for _, c := range rows {
		k := key(c.row)
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, counted{row: c.row})
		}
		if bytes.Compare(repr.AppendRow(nil, c.row), repr.AppendRow(nil, out[i].row)) < 0 {
			out[i].row = c.row
		}
		out[i].n += c.n
	}
	return slices.DeleteFunc(out, func(c counted) bool { return c.n == 0 })
}

func canonical(row []repr.Datum) string {
	var b []byte
	for _, d := range row {
		b = repr.AppendKey(b, d)
	}
	return string(b)
}

func compareRows(a, b []repr.Datum) int {
	for i := range a {
		if d := repr.Compare(a[i], b[i]); d != 0 {
			return d
		}
	}
	return 0
}

func (in *interpreter) scalars(list []expr.Scalar, row []repr.Datum, o outers) []repr.Datum {
	out := make([]repr.Datum, len(list))
	for i, e := range list {
		out[i] = in.scalar(e, row, o)
	}
	return out
}

// all says whether all conditions are true.
func (in *interpreter) all(preds []expr.Scalar, row []repr.Datum, o outers) bool {
	for _, e := range preds {
		if !in.scalar(e, row, o).Bool() {
			return false
		}
	}
	return true
}

func (in *interpreter) scalar(e expr.Scalar, row []repr.Datum, o outers) repr.Datum {
	switch e := e.(type) {
	case *expr.Column:
		return row[e.Index]
	case *expr.Outer:
		return o[e.Level-1][e.Index]
	case *expr.Const:
		return e.Val
	case *expr.Call:
		args := in.scalars(e.Args, row, o)
		for _, a := range args {
			if a.IsNull() && !e.Fn.NullCalled {
				return repr.Null
			}
		}
		d, err := e.Fn.Eval(&expr.Env{LogicalNow: in.at}, args)
		if err != nil {
			panic(failure{err})
		}
		return d
	case *expr.And:
		return in.logic(e.Args, false, row, o)
	case *expr.Or:
		return in.logic(e.Args, true, row, o)
	case *expr.Not:
		if d := in.scalar(e.Arg, row, o); !d.IsNull() {
			return repr.Bool(!d.Bool())
		}
		return repr.Null
	case *expr.IsNull:
		return repr.Bool(in.scalar(e.Arg, row, o).IsNull())
	case *expr.Case:
		for _, w := range e.Whens {
			if in.scalar(w.Cond, row, o).Bool() {
				return in.scalar(w.Then, row, o)
			}
		}
		if e.Else == nil {
			return repr.Null
		}
		return in.scalar(e.Else, row, o)
	case *expr.Coalesce:
		for _, a := range e.Args {
			if d := in.scalar(a, row, o); !d.IsNull() {
				return d
			}
		}
		return repr.Null
	case *expr.Subquery:
		return in.subquery(e, row, o)
	}
	in.t.Fatalf("interpreter: %T", e)
	return repr.Null
}

func (in *interpreter) logic(args []expr.Scalar, stop bool, row []repr.Datum, o outers) repr.Datum {
	null := false
	for _, a := range args {
		d := in.scalar(a, row, o)
		if !d.IsNull() && d.Bool() == stop {
			return d
		}
		null = null || d.IsNull()
	}
	if null {
		return repr.Null
	}
	return repr.Bool(!stop)
}

func (in *interpreter) subquery(e *expr.Subquery, row []repr.Datum, o outers) repr.Datum {
	rows := consolidate(in.rel(e.Query.(rel.Rel), o.with(row)))
	switch e.Kind {
	case expr.SubqueryExists:
		return repr.Bool(len(rows) > 0)
	case expr.SubqueryScalar:
		if len(rows) == 0 {
			return repr.Null
		}
		if len(rows) > 1 || rows[0].n > 1 {
			panic(failure{repr.NewError("21000", "more than one row")})
		}
		return rows[0].row[0]
	case expr.SubqueryArray:
		var values []repr.Datum
		slices.SortFunc(rows, func(x, y counted) int { return compareRows(x.row, y.row) })
		for _, c := range rows {
			for range c.n {
				values = append(values, c.row[0])
			}
		}
		return repr.Array(values)
	}
	null, stop := false, e.Kind == expr.SubqueryAny
	for _, c := range rows {
		tests := make([]expr.Scalar, len(e.Left))
		for i := range e.Left {
			a := &expr.Const{Val: in.scalar(e.Left[i], row, o)}
			tests[i] = &expr.Call{Fn: e.Ops[i], Args: []expr.Scalar{a, &expr.Const{Val: c.row[i]}}}
		}
		d := in.logic(tests, false, nil, o)
		if !d.IsNull() && d.Bool() == stop {
			return d
		}
		null = null || d.IsNull()
	}
	if null {
		return repr.Null
	}
	return repr.Bool(!stop)
}
