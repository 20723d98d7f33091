package rel

import (
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
)

// Facts is what can be said of the rows of a plan and of each plan in it, whatever its inputs hold. It is made
// for one plan, so that references to a Let are known; what it has found it remembers.
type Facts struct {
	lets    map[int]Rel
	keys    map[Rel][]ColSet
	notNull map[Rel]ColSet
	grows   map[Rel]bool
}

// FactsOf begins to look at a plan.
func FactsOf(root Rel) *Facts {
	f := &Facts{lets: map[int]Rel{}, keys: map[Rel][]ColSet{}, notNull: map[Rel]ColSet{}, grows: map[Rel]bool{}}
	Walk(root, func(r Rel) bool {
		if l, ok := r.(*Let); ok {
			f.lets[l.ID] = l.Value
		}
		return true
	})
	return f
}

// Value is the plan that a reference stands for, if its Let is in the plan.
func (f *Facts) Value(r *Ref) (value Rel, ok bool) {
	value, ok = f.lets[r.ID]
	return value, ok
}

// maxKeys bounds how many keys are remembered of one plan: joins multiply them.
const maxKeys = 8

// Keys are sets of columns by which no two rows of the plan are equal, NULLs counted as equal to each other. The empty
// set says that there is one row at the most.
func (f *Facts) Keys(r Rel) []ColSet {
	if keys, ok := f.keys[r]; ok {
		return keys
	}
	f.keys[r] = nil // what refers to itself says nothing
	keys := leastKeys(f.keysOf(r))
	f.keys[r] = keys
	return keys
}

// UniqueBy says whether no two rows of the plan are equal by the columns.
func (f *Facts) UniqueBy(r Rel, cols ColSet) bool {
	return slices.ContainsFunc(f.Keys(r), func(k ColSet) bool { return k.Subset(cols) })
}

// leastKeys leaves out keys that hold another, and those beyond maxKeys.
func leastKeys(keys []ColSet) []ColSet {
	var out []ColSet
	for i, k := range keys {
		least := true
		for j, o := range keys {
			if i != j && o.Subset(k) && (j < i || !k.Subset(o)) {
				least = false
			}
		}
		if least && len(out) < maxKeys {
			out = append(out, k)
		}
	}
	return out
}

func (f *Facts) keysOf(r Rel) []ColSet {
	switch r := r.(type) {
	case *Get:
		var keys []ColSet
		for _, k := range r.Keys {
			keys = append(keys, ColsOf(k...))
		}
		return keys
	case *Values:
		if len(r.Rows) <= 1 {
			return []ColSet{{}}
		}
	case *Filter:
		return without(f.Keys(r.Input), constants(r.Preds))
	case *Temporal:
		return f.Keys(r.Input)
	case *Map:
		return f.mapKeys(r)
	case *Project:
		return projectedKeys(f.Keys(r.Input), r.Cols)
	case *Join:
		return f.joinKeys(r)
	case *Reduce:
		return f.reduceKeys(r)
	case *Distinct:
		return append(f.Keys(r.Input)[:len(f.Keys(r.Input)):len(f.Keys(r.Input))], ColRange(0, len(r.Columns())))
	case *TopK:
		keys := f.Keys(r.Input)
		if c, ok := r.Limit.(*expr.Const); ok && !c.Val.IsNull() && c.Val.Int() <= 1 {
			keys = append(keys[:len(keys):len(keys)], ColsOf(r.Group...))
		}
		return keys
	case *Window:
		return f.windowKeys(r)
	case *Threshold:
		return f.Keys(minuend(r.Input))
	case *FlatMap:
		return f.flatMapKeys(r)
	case *Let:
		return f.Keys(r.Body)
	case *Ref:
		if value, ok := f.lets[r.ID]; ok {
			return f.Keys(value)
		}
	}
	return nil
}

// mapKeys are the keys of the input, also with the copies that are made of columns in their place.
func (f *Facts) mapKeys(r *Map) []ColSet {
	keys := f.Keys(r.Input)
	for i, e := range r.Exprs {
		c, ok := e.(*expr.Column)
		if !ok || len(keys) > maxKeys {
			continue
		}
		for _, k := range keys {
			if k.Has(c.Index) {
				keys = append(keys[:len(keys):len(keys)], k.Minus(ColsOf(c.Index)).Add(len(r.Input.Columns())+i))
			}
		}
	}
	return keys
}

// windowKeys are the keys of the input, and the number of a row in its partition.
func (f *Facts) windowKeys(r *Window) []ColSet {
	keys := f.Keys(r.Input)
	for i := range r.Funcs {
		if fn := &r.Funcs[i]; fn.Agg == nil && fn.Name == "row_number" {
			keys = append(keys[:len(keys):len(keys)], ColsOf(r.Partition...).Add(len(r.Input.Columns())+i))
		}
	}
	return keys
}

// minuend is what a Threshold can give rows of: of a difference the first plan.
func minuend(r Rel) Rel {
	u, ok := r.(*Union)
	if !ok {
		return r
	}
	for _, in := range u.Inputs[1:] {
		if _, ok := in.(*Negate); !ok {
			return r
		}
	}
	return u.Inputs[0]
}

// constants are the columns that the conditions hold to one value.
func constants(preds []expr.Scalar) ColSet {
	var set ColSet
	for _, e := range preds {
		eq, ok := AsEquality(e)
		if !ok {
			continue
		}
		a, b := eq.A, eq.B
		if _, ok := a.(*expr.Const); ok {
			a, b = b, a
		}
		c, isColumn := a.(*expr.Column)
		if _, isConst := b.(*expr.Const); isColumn && isConst {
			set = set.Add(c.Index)
		}
	}
	return set
}

func without(keys []ColSet, cols ColSet) []ColSet {
	if cols.Empty() {
		return keys
	}
	out := make([]ColSet, len(keys))
	for i, k := range keys {
		out[i] = k.Minus(cols)
	}
	return out
}

// projectedKeys are the keys of which all columns are picked.
func projectedKeys(keys []ColSet, cols []int) []ColSet {
	var out []ColSet
	for _, k := range keys {
		var moved ColSet
		whole := true
		k.All(func(c int) {
			at := slices.Index(cols, c)
			if whole = whole && at >= 0; whole {
				moved = moved.Add(at)
			}
		})
		if whole {
			out = append(out, moved)
		}
	}
	return out
}

// Matched are the columns of each side of a join that its conditions hold equal to a column of the other side or to
// a constant; those of the right side count from 0.
func (r *Join) Matched() (left, right ColSet) {
	nl := len(r.Left.Columns())
	for _, e := range r.On {
		eq, ok := AsEquality(e)
		if !ok {
			continue
		}
		a, okA := eq.A.(*expr.Column)
		b, okB := eq.B.(*expr.Column)
		if !okA || !okB || (a.Index < nl) == (b.Index < nl) {
			continue
		}
		left, right = left.Add(min(a.Index, b.Index)), right.Add(max(a.Index, b.Index)-nl)
	}
	return left, right
}

func (f *Facts) joinKeys(r *Join) []ColSet {
	lk := f.Keys(r.Left)
	switch r.Kind {
	case JoinSemi, JoinAnti:
		return lk
	case JoinFull:
		return nil // a padded row of either side may be nothing but NULLs in both keys
	default:
	}
	nl := len(r.Left.Columns())
	left, right := r.Matched()
	var keys []ColSet
	if r.Kind != JoinRight && f.UniqueBy(r.Right, right) {
		keys = append(keys, lk...)
	}
	if r.Kind != JoinLeft && f.UniqueBy(r.Left, left) {
		for _, k := range f.Keys(r.Right) {
			keys = append(keys, k.Shift(nl))
		}
	}
	if len(keys) > 0 {
		return keys
	}
	for _, a := range lk {
		for _, b := range f.Keys(r.Right) {
			keys = append(keys, a.Union(b.Shift(nl)))
		}
	}
	return keys
}

// reduceKeys are the grouping columns, and the keys of the input that stand among them.
func (f *Facts) reduceKeys(r *Reduce) []ColSet {
	cols := make([]int, len(r.Keys))
	for i, k := range r.Keys {
		cols[i] = -1
		if c, ok := k.(*expr.Column); ok {
			cols[i] = c.Index
		}
	}
	return append(projectedKeys(f.Keys(r.Input), cols), ColRange(0, len(r.Keys)))
}

func (f *Facts) flatMapKeys(r *FlatMap) []ColSet {
	if !r.Ordinality {
		return nil
	}
	var keys []ColSet
	for _, k := range f.Keys(r.Input) {
		keys = append(keys, k.Add(len(r.Columns())-1))
	}
	return keys
}

// NotNull are the columns of a plan that are never NULL.
func (f *Facts) NotNull(r Rel) ColSet {
	if set, ok := f.notNull[r]; ok {
		return set
	}
	f.notNull[r] = ColSet{}
	set := f.notNullOf(r)
	f.notNull[r] = set
	return set
}

func (f *Facts) notNullOf(r Rel) ColSet {
	switch r := r.(type) {
	case *Values:
		return f.valuesNotNull(r)
	case *Filter:
		return f.NotNull(r.Input).Union(rejectedBy(r.Preds))
	case *Temporal:
		return f.NotNull(r.Input)
	case *Map:
		set := f.NotNull(r.Input)
		width := len(r.Input.Columns())
		for i, e := range r.Exprs {
			if neverNull(e, set) {
				set = set.Add(width + i)
			}
		}
		return set
	case *Project:
		var set ColSet
		in := f.NotNull(r.Input)
		for i, c := range r.Cols {
			if in.Has(c) {
				set = set.Add(i)
			}
		}
		return set
	case *Join:
		return f.joinNotNull(r)
	case *Reduce:
		return f.reduceNotNull(r)
	case *Union:
		set := f.NotNull(r.Inputs[0])
		for _, in := range r.Inputs[1:] {
			set = set.Intersect(f.NotNull(in))
		}
		return set
	case *Distinct:
		return f.NotNull(r.Input)
	case *TopK:
		return f.NotNull(r.Input)
	case *Window:
		return f.NotNull(r.Input).Union(declared(r.Columns()))
	case *Negate:
		return f.NotNull(r.Input)
	case *Threshold:
		return f.NotNull(minuend(r.Input))
	case *Let:
		return f.NotNull(r.Body)
	case *Ref:
		if value, ok := f.lets[r.ID]; ok {
			return f.NotNull(value)
		}
	}
	return declared(r.Columns())
}

func declared(cols repr.RowDesc) ColSet {
	var set ColSet
	for i, c := range cols {
		if c.NotNull {
			set = set.Add(i)
		}
	}
	return set
}

func (f *Facts) valuesNotNull(r *Values) ColSet {
	set := ColRange(0, len(r.Cols))
	for _, row := range r.Rows {
		for i, e := range row {
			if !neverNull(e, ColSet{}) {
				set = set.Minus(ColsOf(i))
			}
		}
	}
	return set
}

func rejectedBy(preds []expr.Scalar) ColSet {
	var set ColSet
	for _, e := range preds {
		set = set.Union(Rejects(e))
	}
	return set
}

func (f *Facts) joinNotNull(r *Join) ColSet {
	nl := len(r.Left.Columns())
	left, right := f.NotNull(r.Left), f.NotNull(r.Right).Shift(nl)
	switch r.Kind {
	case JoinInner:
		return left.Union(right).Union(rejectedBy(r.On))
	case JoinSemi:
		return left.Union(rejectedBy(r.On).Intersect(ColRange(0, nl)))
	case JoinLeft, JoinAnti:
		return left
	case JoinRight:
		return right
	default:
		return ColSet{}
	}
}

func (f *Facts) reduceNotNull(r *Reduce) ColSet {
	var set ColSet
	in := f.NotNull(r.Input)
	for i, k := range r.Keys {
		if neverNull(k, in) {
			set = set.Add(i)
		}
	}
	for i, a := range r.Aggs {
		grouped := len(r.Keys) > 0 && a.Filter == nil && len(a.Args) == 1 && neverNull(a.Args[0], in)
		if a.Fn.Name == "count" || grouped && fillsGroups[a.Fn.Name] {
			set = set.Add(len(r.Keys) + i)
		}
	}
	return set
}

// fillsGroups are the aggregates that are not NULL for a group whose values are not.
var fillsGroups = map[string]bool{"sum": true, "min": true, "max": true, "avg": true, "bool_and": true, "bool_or": true}

// neverNull says whether an expression is never NULL over rows whose columns in set are not.
func neverNull(e expr.Scalar, set ColSet) bool {
	switch e := e.(type) {
	case *expr.Column:
		return set.Has(e.Index)
	case *expr.Const:
		return !e.Val.IsNull()
	case *expr.IsNull:
		return true
	case *expr.Coalesce:
		return slices.ContainsFunc(e.Args, func(a expr.Scalar) bool { return neverNull(a, set) })
	case *expr.Case:
		ok := e.Else != nil && neverNull(e.Else, set)
		for _, w := range e.Whens {
			ok = ok && neverNull(w.Then, set)
		}
		return ok
	case *expr.Call:
		if !fillsOperands[e.Fn.Name] && !safeCast(e) || hasRecord(e.Args) {
			return false
		}
	case *expr.And, *expr.Or, *expr.Not:
	default:
		return false
	}
	return !slices.ContainsFunc(expr.Children(e), func(a expr.Scalar) bool { return !neverNull(a, set) })
}

// hasRecord says whether an operand is a record: comparing one with a NULL in it may give NULL.
func hasRecord(args []expr.Scalar) bool {
	return slices.ContainsFunc(args, func(a expr.Scalar) bool { return a.Type().Kind == repr.KindRecord })
}

// fillsOperands are the operators that have a value, or fail, when no operand is NULL.
var fillsOperands = map[string]bool{"=": true, "<>": true, "<": true, "<=": true, ">": true, ">=": true,
	"+": true, "-": true, "*": true, "/": true, "~~": true, "!~~": true, "lower": true, "upper": true, "length": true}

// IsNotNull says whether an expression over the rows of a plan is never NULL.
func (f *Facts) IsNotNull(e expr.Scalar, r Rel) bool { return neverNull(e, f.NotNull(r)) }
