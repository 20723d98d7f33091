package lower

import (
	"fmt"

	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// temporal computes the bounds of each row once; the operator compares them with the time.
func (b *builder) temporal(n *rel.Temporal) stream {
	cols := n.Input.Columns()
	in := b.lower(n.Input)
	var bounds []field
	for _, e := range rel.Scalars(n) {
		bounds = append(bounds, field{expr: e})
	}
	what := fmt.Sprint(len(n.From)) + in.f.key() + " ->" + fieldsKey(bounds)
	node := b.add(dataflow.Temporal{New: temporalFunc(in.f, cols, n, b.env)}, what, "temporal filter", in.node)
	return plain(node, len(cols))
}

func temporalFunc(f linear, cols repr.RowDesc, n *rel.Temporal, env *expr.Env) func() dataflow.RowFunc {
	return func() dataflow.RowFunc {
		head := compile(f, f.fields(cols), env)
		from, until := expr.CompileAll(n.From, env), expr.CompileAll(n.Until, env)
		parts := make([][]byte, 1)
		var row expr.Row
		var made []byte
		return func(dst, in []byte) ([]byte, bool, *repr.Error) {
			parts[0] = in
			var keep bool
			var err *repr.Error
			if made, keep, err = head.run(made[:0], parts); err != nil || !keep {
				return dst, false, err
			}
			row.Set(made)
			since, ok, err := extremeBound(from, &row, 0, 1)
			if err != nil || !ok {
				return dst, false, err
			}
			before, ok, err := extremeBound(until, &row, rel.Never, -1)
			if err != nil || !ok || since >= before {
				return dst, false, err
			}
			dst = repr.AppendFixed8(dst, repr.KindInt8, since)
			dst = repr.AppendFixed8(dst, repr.KindInt8, before)
			return append(dst, made...), true, nil
		}
	}
}

// extremeBound is the last (sign 1) or first (sign -1) of bounds and start; ok is false when one is NULL.
func extremeBound(bounds []expr.Eval, row *expr.Row, start, sign int64) (t int64, ok bool, err *repr.Error) {
	t = start
	for _, eval := range bounds {
		d, err := eval(row)
		if err != nil || d.IsNull() {
			return 0, false, err
		}
		if n := d.Int(); (sign > 0) == (n > t) {
			t = n
		}
	}
	return t, true, nil
}
