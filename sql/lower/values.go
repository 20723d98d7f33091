package lower

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"millrace/dataflow"
	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// values makes constant rows. A row whose expressions fail is computed by the graph instead, over one row without
// columns, so that the failure is a row of the err stream like any other.
func (b *builder) values(n *rel.Values) stream {
	var rows [][]byte
	var failing []dataflow.NodeID
	for _, row := range n.Rows {
		packed, err := b.constRow(row)
		if err == nil {
			rows = append(rows, packed)
			continue
		}
		unit := b.constant([][]byte{{}})
		failing = append(failing, b.rows(stream{node: unit, f: identity(0).compute(row)}, n.Cols, "values"))
	}
	node := b.constant(rows)
	if len(failing) > 0 {
		node = b.add(dataflow.Union{}, "", "values", append(failing, node)...)
	}
	return plain(node, len(n.Cols))
}

func (b *builder) constant(rows [][]byte) dataflow.NodeID {
	sum := sha256.New()
	for _, row := range rows {
		_, _ = sum.Write(binary.AppendUvarint(nil, uint64(len(row)))) // a hash takes all
		_, _ = sum.Write(row)
	}
	return b.add(dataflow.Constant{Rows: rows}, fmt.Sprintf("%d %x", len(rows), sum.Sum(nil)), "values")
}

func (b *builder) constRow(row []expr.Scalar) ([]byte, *repr.Error) {
	packed := []byte{}
	var in expr.Row
	for _, e := range row {
		d, err := expr.Compile(e, b.env)(&in)
		if err != nil {
			return nil, err
		}
		if err := b.env.TooLong(int64(len(packed) + len(d.Bytes()))); err != nil {
			return nil, err
		}
		packed = repr.Append(packed, d)
	}
	return packed, nil
}

// flatMap appends the rows that a table function gives for each row.
func (b *builder) flatMap(n *rel.FlatMap) stream {
	cols := n.Input.Columns()
	in := b.lower(n.Input)
	args := make([]field, len(n.Args))
	for i, a := range n.Args {
		args[i] = field{expr: a}
	}
	what := fmt.Sprintf("%s %v %t %s ->%s", n.Fn.Name, n.Fn.Args, n.Ordinality, in.f.key(), fieldsKey(args))
	node := b.add(dataflow.FlatMap{New: flatFunc(in.f, cols, n, b.env)}, what, n.Fn.Name, in.node)
	return plain(node, len(n.Columns()))
}

func flatFunc(f linear, cols repr.RowDesc, n *rel.FlatMap, env *expr.Env) func() dataflow.FlatFunc {
	return func() dataflow.FlatFunc {
		head := compile(f, f.fields(cols), env)
		evals := expr.CompileAll(n.Args, env)
		args := make([]repr.Datum, len(evals))
		parts := make([][]byte, 1)
		var row expr.Row
		var dst []byte
		return func(in []byte, emit func([]byte) bool) *repr.Error {
			parts[0] = in
			var keep bool
			var err *repr.Error
			if dst, keep, err = head.run(dst[:0], parts); err != nil || !keep {
				return err
			}
			width, number := len(dst), int64(0)
			row.Set(dst[:width:width])
			for i, eval := range evals {
				if args[i], err = eval(&row); err != nil {
					return err
				}
			}
			return n.Fn.Eval(env, args, func(out []repr.Datum) bool {
				dst = repr.AppendRow(dst[:width], out)
				if n.Ordinality {
					number++
					dst = repr.AppendFixed8(dst, repr.KindInt8, number)
				}
				return emit(dst)
			})
		}
	}
}
