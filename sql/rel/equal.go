package rel

import (
	"fmt"
	"slices"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/sql/expr"
)

// Equal says whether two plans have the same structure: the same operators, columns, functions and constants.
// Names do not count.
func Equal(a, b Rel) bool { return a == b || Fingerprint(a) == Fingerprint(b) }

// EqualScalar is Equal for expressions.
func EqualScalar(a, b expr.Scalar) bool {
	return a == b || FingerprintScalar(a) == FingerprintScalar(b)
}

// Fingerprint is a text that is the same exactly for plans that are Equal. Functions stand in it by name and types.
func Fingerprint(r Rel) string { return string(new(tokens).rel(nil, r)) }

// FingerprintScalar is Fingerprint for expressions.
func FingerprintScalar(e expr.Scalar) string { return string(new(tokens).scalar(nil, e)) }

// tokens writes fingerprints. Plans that are named within what is printed go by the order of their names, since the same
// text bound twice gets other numbers; those that are named around it keep their numbers.
type tokens struct{ named []int }

// name is a number of Let, LetRec or Ref: -1 for the first that is named within, -2 for the second, and so on.
func (t *tokens) name(id int) int {
	if i := slices.Index(t.named, id); i >= 0 {
		return -1 - i
	}
	return id
}

// names notes numbers that are named within, and gives what stands for them.
func (t *tokens) names(ids ...int) []int {
	t.named = append(t.named, ids...)
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = t.name(id)
	}
	return out
}

func (t *tokens) rel(b []byte, r Rel) []byte {
	b = fmt.Appendf(b, "%T", r)
	switch r := r.(type) {
	case *Get:
		b = fmt.Appendf(b, " %d", r.ID)
	case *Ref:
		b = fmt.Appendf(b, " %d", t.name(r.ID))
	case *Let:
		b = fmt.Appendf(b, " %v", t.names(r.ID))
	case *LetRec:
		b = fmt.Appendf(b, " %v%s", t.names(r.IDs()...), r.limit())
	case *Values:
		b = fmt.Appendf(b, " %d %v", len(r.Rows), r.Cols.Types())
	case *Project:
		b = fmt.Appendf(b, " %v", r.Cols)
	case *Join:
		b = fmt.Appendf(b, " %d", r.Kind)
	case *Apply:
		b = fmt.Appendf(b, " %d", r.Kind)
	case *TopK:
		b = fmt.Appendf(b, " %v %v %t %t", r.Group, r.Order, r.Limit != nil, r.Offset != nil)
	case *FlatMap:
		b = fmt.Appendf(b, " %s %v %t", r.Fn.Name, r.Fn.Args, r.Ordinality)
	case *Reduce:
		b = appendAggs(b, r)
	case *Window:
		b = appendWindow(b, r)
	case *Temporal:
		b = fmt.Appendf(b, " %d", len(r.From))
	case *Filter, *Map, *Distinct, *Union, *Negate, *Threshold:
	default:
		check.Never("fingerprint of %T", r)
	}
	b = append(b, '(')
	for _, e := range Scalars(r) {
		b = append(t.scalar(b, e), ',')
	}
	b = append(b, ';')
	for _, c := range Children(r) {
		b = append(t.rel(b, c), ',')
	}
	return append(b, ')')
}

func appendAggs(b []byte, r *Reduce) []byte {
	b = fmt.Appendf(b, " %d", len(r.Keys))
	for _, a := range r.Aggs {
		b = fmt.Appendf(b, " %s/%d/%t/%t/%v", a.Fn.Name, len(a.Args), a.Filter != nil, a.Distinct, a.Typ)
		for _, o := range a.Order {
			b = fmt.Appendf(b, "/%t/%t", o.Desc, o.NullsFirst)
		}
	}
	return b
}

func (t *tokens) scalar(b []byte, e expr.Scalar) []byte {
	switch e := e.(type) {
	case *expr.Column:
		return fmt.Appendf(b, "#%d", e.Index)
	case *expr.Outer:
		return fmt.Appendf(b, "^%d.%d", e.Level, e.Index)
	case *expr.Const:
		return fmt.Appendf(b, "=%v %x", e.Typ, repr.Append(nil, e.Val))
	case *expr.Param:
		return fmt.Appendf(b, "$%d", e.N)
	case *expr.Call:
		b = appendFunc(append(b, "call"...), e.Fn)
		b = fmt.Appendf(b, " %v", e.Typ)
	case *expr.Case:
		b = fmt.Appendf(b, "case %d", len(e.Whens))
	case *expr.Subquery:
		b = fmt.Appendf(b, "query %d", e.Kind)
		for _, op := range e.Ops {
			b = appendFunc(b, op)
		}
		b = append(b, '{')
		b = append(t.rel(b, e.Query.(Rel)), '}')
	default:
		b = fmt.Appendf(b, "%T", e)
	}
	b = append(b, '(')
	for _, c := range expr.Children(e) {
		b = append(t.scalar(b, c), ',')
	}
	return append(b, ')')
}

// appendFunc tells functions apart as expr.SameFunc does.
func appendFunc(b []byte, f *expr.Func) []byte {
	return fmt.Appendf(b, " %q %v %v", f.Name, f.Args, f.Ret)
}
