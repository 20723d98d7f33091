package lower

import (
	"fmt"

	"millrace/dataflow"
	"millrace/dataflow/op"
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// window computes what the functions take beside the columns of the input, and then the functions. What they take stands
// behind the columns, and is not put out.
func (b *builder) window(n *rel.Window) stream {
	cols := n.Input.Columns()
	in := b.lower(n.Input)
	w := windowing{b: b, fields: in.f.fields(cols)}
	w.op = dataflow.Window{Width: len(cols), Partition: n.Partition}
	for _, o := range n.Order {
		w.op.Order = append(w.op.Order, dataflow.OrderCol{Col: o.Col, Desc: o.Desc, NullsFirst: o.NullsFirst})
	}
	label := "window"
	for i := range n.Funcs {
		w.function(&n.Funcs[i])
		label += []string{" ", ", "}[min(i, 1)] + n.Funcs[i].Name
	}
	var node dataflow.NodeID
	if len(w.fields) == len(cols) {
		node = b.rows(in, cols, "window input")
	} else {
		node = b.mapped(in, w.fields, "window input")
	}
	what := fmt.Sprint(w.op.Width, w.op.Partition, w.op.Order, w.what)
	return plain(b.add(w.op, what, label, node), len(n.Columns()))
}

// windowing is a Window node being made.
type windowing struct {
	b      *builder
	fields []field
	op     dataflow.Window
	what   string
}

var windowKinds = map[string]op.WindowKind{
	"row_number": op.WindowRowNumber, "rank": op.WindowRank, "dense_rank": op.WindowDenseRank,
	"percent_rank": op.WindowPercentRank, "cume_dist": op.WindowCumeDist, "ntile": op.WindowNtile, "lag": op.WindowLag,
	"lead": op.WindowLead, "first_value": op.WindowFirstValue, "last_value": op.WindowLastValue, "nth_value": op.WindowNthValue,
}

var (
	frameModes = map[ast.FrameMode]op.FrameMode{
		ast.FrameRows: op.FrameRows, ast.FrameRange: op.FrameRange, ast.FrameGroups: op.FrameGroups,
	}
	boundKinds = map[ast.BoundKind]op.BoundKind{
		ast.UnboundedPreceding: op.UnboundedPreceding, ast.OffsetPreceding: op.OffsetPreceding, ast.CurrentRow: op.CurrentRow,
		ast.OffsetFollowing: op.OffsetFollowing, ast.UnboundedFollowing: op.UnboundedFollowing,
	}
	exclusions = map[string]op.Exclusion{
		"": op.ExcludeNone, "NO OTHERS": op.ExcludeNone, "CURRENT ROW": op.ExcludeRow, "GROUP": op.ExcludeGroup, "TIES": op.ExcludeTies,
	}
)

func (w *windowing) function(f *rel.WindowFunc) {
	out := op.WindowFunc{Kind: windowKinds[f.Name], Agg: f.Agg, Filter: -1, Distance: -1, Default: -1}
	args := f.Args
	if f.Agg != nil {
		out.Kind = op.WindowAggregate
	}
	if out.Kind == op.WindowLag || out.Kind == op.WindowLead {
		w.shift(&out, args)
		args = args[:1]
	}
	for _, e := range args {
		out.Args = append(out.Args, w.column(guarded(e, f.Filter)))
	}
	if f.Filter != nil {
		out.Filter = w.column(f.Filter)
	}
	out.Frame = op.WindowFrame{Mode: frameModes[f.Frame.Mode], Start: w.bound(f.Frame.Mode, f.Frame.Start, "starting"),
		End: w.bound(f.Frame.Mode, f.Frame.End, "ending"), Exclude: exclusions[f.Frame.Exclude]}
	w.op.Funcs = append(w.op.Funcs, out)
	named := out
	named.Agg = nil
	w.what += fmt.Sprintf(" %s/%t/%v/%+v", f.Name, f.Agg != nil, f.Typ, named)
}

// shift reads how far lag and lead look: a constant is known beforehand, so that a change reaches that far and no further.
func (w *windowing) shift(out *op.WindowFunc, args []expr.Scalar) {
	out.Shift = 1
	if len(args) > 1 {
		if c, ok := args[1].(*expr.Const); ok && !c.Val.IsNull() {
			out.Shift = c.Val.Int()
		} else {
			out.Distance = w.column(args[1])
		}
	}
	if len(args) > 2 {
		out.Default = w.column(args[2])
	}
}

// column is the place of an expression in the row that the functions see.
func (w *windowing) column(e expr.Scalar) int {
	for i, f := range w.fields {
		if rel.EqualScalar(f.expr, e) {
			return i
		}
	}
	w.fields = append(w.fields, field{expr: e})
	return len(w.fields) - 1
}

func (w *windowing) bound(mode ast.FrameMode, b rel.WindowBound, end string) op.WindowBound {
	out := op.WindowBound{Kind: boundKinds[b.Kind], Col: -1}
	switch {
	case b.Offset == nil:
	case mode == ast.FrameRange:
		out.Col = w.column(b.Offset)
	default:
		out.Offset = w.offset(b.Offset, end)
	}
	return out
}

// offset is the number of rows or groups in a frame.
func (w *windowing) offset(e expr.Scalar, end string) int64 {
	d, err := expr.Compile(e, w.b.env)(&expr.Row{})
	switch {
	case err != nil:
	case d.IsNull():
		err = repr.NewError(repr.CodeNullNotAllowed, "frame "+end+" offset must not be null")
	case d.Int() < 0:
		err = repr.NewError("22013", "frame "+end+" offset must not be negative")
	default:
		return d.Int()
	}
	w.b.fail(err)
	return 0
}
