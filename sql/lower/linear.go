package lower

import (
	"fmt"
	"strings"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// linear is a chain of maps, filters and projections as one function of a row with in columns: computed columns
// follow those of the input, the predicates are tried in order, and out picks what is left.
// A computed column is evaluated when something that is evaluated needs it, and at most once.
type linear struct {
	in    int
	exprs []expr.Scalar // over the input columns and the computed ones before
	preds []expr.Scalar
	out   []int
}

// identity is the function that gives its input of n columns.
func identity(n int) linear {
	f := linear{in: n, out: make([]int, n)}
	for i := range f.out {
		f.out[i] = i
	}
	return f
}

// trivial says whether the function gives its input as it is.
func (f linear) trivial() bool { return f.pure() && f.identity() }

// pure says whether the function only picks columns.
func (f linear) pure() bool { return len(f.preds) == 0 && !f.computes() }

func (f linear) computes() bool {
	for _, c := range f.out {
		if c >= f.in {
			return true
		}
	}
	return false
}

func (f linear) identity() bool {
	if len(f.out) != f.in {
		return false
	}
	for i, c := range f.out {
		if c != i {
			return false
		}
	}
	return true
}

// over rewrites an expression over the output into one over input and computed columns.
func (f linear) over(e expr.Scalar) expr.Scalar {
	return rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
		to := f.out[c.Index]
		if to == c.Index {
			return c
		}
		return &expr.Column{Index: to, Typ: c.Typ, Name: c.Name}
	})
}

func (f linear) filter(preds []expr.Scalar) linear {
	f.preds = f.preds[:len(f.preds):len(f.preds)]
	for _, p := range preds {
		f.preds = append(f.preds, f.over(p))
	}
	return f
}

func (f linear) compute(exprs []expr.Scalar) linear {
	f.exprs = f.exprs[:len(f.exprs):len(f.exprs)]
	out := append([]int(nil), f.out...)
	for _, e := range exprs {
		if c, ok := e.(*expr.Column); ok {
			out = append(out, f.out[c.Index])
			continue
		}
		out = append(out, f.in+len(f.exprs))
		f.exprs = append(f.exprs, f.over(e))
	}
	f.out = out
	return f
}

func (f linear) project(cols []int) linear {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = f.out[c]
	}
	f.out = out
	return f
}

// extract peels maps, filters and projections off a plan.
func extract(r rel.Rel) (rel.Rel, linear) {
	switch n := r.(type) {
	case *rel.Filter:
		base, f := extract(n.Input)
		return base, f.filter(n.Preds)
	case *rel.Map:
		base, f := extract(n.Input)
		return base, f.compute(n.Exprs)
	case *rel.Project:
		base, f := extract(n.Input)
		return base, f.project(n.Cols)
	}
	return r, identity(len(r.Columns()))
}

// used are the input columns that the function reads.
func (f linear) used() rel.ColSet {
	var set rel.ColSet
	for _, c := range f.out {
		set = set.Add(c)
	}
	for _, p := range f.preds {
		set = rel.ColumnsOf(p, set)
	}
	for i := len(f.exprs) - 1; i >= 0; i-- {
		if set.Has(f.in + i) {
			set = rel.ColumnsOf(f.exprs[i], set)
		}
	}
	var in rel.ColSet
	set.All(func(i int) {
		if i < f.in {
			in = in.Add(i)
		}
	})
	return in
}

// rebase moves the function onto another input of n columns, in which column i stands at to[i].
func (f linear) rebase(n int, to []int) linear {
	at := func(i int) int {
		if i >= f.in {
			return i - f.in + n
		}
		return to[i]
	}
	move := func(list []expr.Scalar) []expr.Scalar {
		out := make([]expr.Scalar, len(list))
		for i, e := range list {
			out[i] = rel.MapColumns(e, func(c *expr.Column) expr.Scalar {
				return &expr.Column{Index: at(c.Index), Typ: c.Typ, Name: c.Name}
			})
		}
		return out
	}
	out := make([]int, len(f.out))
	for i, c := range f.out {
		out[i] = at(c)
	}
	return linear{in: n, exprs: move(f.exprs), preds: move(f.preds), out: out}
}

// key is a text that is the same for functions that are the same.
func (f linear) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %v", f.in, f.out)
	for _, e := range f.exprs {
		b.WriteString(" :" + rel.FingerprintScalar(e))
	}
	for _, p := range f.preds {
		b.WriteString(" ?" + rel.FingerprintScalar(p))
	}
	return b.String()
}

// field is one column that a program writes.
type field struct {
	expr  expr.Scalar // over the output of the linear function before it
	canon bool        // in canonical form, as a key
	as    repr.Kind   // of a key: the kind that both sides of a comparison are packed in; KindNull: its own
	drop  bool        // a NULL here drops the row
	whole bool        // not expr, but the whole input row as one bytea: its identity as it prints
}

// fields are the output columns of the function, as they stand.
func (f linear) fields(cols repr.RowDesc) []field {
	out := make([]field, len(cols))
	for i := range cols {
		out[i] = field{expr: rel.ColumnOf(cols, i)}
	}
	return out
}

func fieldsKey(fields []field) string {
	var b strings.Builder
	for _, f := range fields {
		if f.whole {
			b.WriteString(" whole")
			continue
		}
		fmt.Fprintf(&b, " %s/%t/%d/%t", rel.FingerprintScalar(f.expr), f.canon, f.as, f.drop)
	}
	return b.String()
}
