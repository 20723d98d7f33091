package oracle

import (
	"bytes"
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/rel"
)

// moveFunc is an order moved by so many, as the ends of a RANGE frame are.
var moveFunc = &expr.Func{Name: "move", Args: []repr.Type{int8Type, int8Type}, Ret: int8Type,
	Eval: func(_ *expr.Env, a []repr.Datum) (repr.Datum, *repr.Error) {
		return repr.Int8(a[0].Int() + a[1].Int()), nil
	}}

// window is a plan with one to three functions over a partition in an order.
func (g *generator) window(depth int, o shapes) rel.Rel {
	in := g.plan(depth-1, o)
	cols := in.Columns()
	w := &rel.Window{Input: in}
	if len(cols) == 0 {
		return in
	}
	for range g.IntN(2) {
		w.Partition = append(w.Partition, g.IntN(len(cols)))
	}
	for range g.IntN(3) {
		w.Order = append(w.Order, rel.ColOrder{Col: g.IntN(len(cols)), Desc: g.IntN(2) == 0, NullsFirst: g.IntN(2) == 0})
	}
	for range 1 + g.IntN(3) {
		w.Funcs = append(w.Funcs, g.windowFunc(w, cols, o, depth-1))
	}
	if g.IntN(3) > 0 || w.Funcs[0].Name != "row_number" {
		return w
	}
	number := rel.ColumnOf(w.Columns(), len(cols))
	return &rel.Filter{Input: w, Preds: []expr.Scalar{callOf(lessFunc, number, intConst(int64(g.IntN(5))))}}
}

func (g *generator) windowFunc(w *rel.Window, cols repr.RowDesc, o shapes, depth int) rel.WindowFunc {
	names := []string{"row_number", "rank", "dense_rank", "lag", "lead", "first_value", "last_value", "nth_value"}
	f := rel.WindowFunc{Name: names[g.IntN(len(names))], Typ: int8Type, Frame: g.frame(w, cols)}
	if g.IntN(2) == 0 {
		f.Agg = []*repr.Aggregate{countAll, countOf, sumOf, minOf, maxOf}[g.IntN(5)]
		f.Name = f.Agg.Name
		if g.IntN(4) == 0 {
			f.Filter = g.boolExpr(cols, o, 0)
		}
	}
	if f.Agg != countAll && !slices.Contains(names[:3], f.Name) {
		f.Args = []expr.Scalar{g.intExpr(cols, o, depth)}
	}
	switch {
	case f.Name == "nth_value":
		f.Args = append(f.Args, intConst(int64(1+g.IntN(3))))
	case (f.Name == "lag" || f.Name == "lead") && g.IntN(2) == 0:
		distance := intConst(int64(g.IntN(4)))
		if g.IntN(3) == 0 {
			distance = g.intExpr(cols, o, 0)
		}
		f.Args = append(f.Args, distance, g.intExpr(cols, o, 0))
	}
	return f
}

func (g *generator) frame(w *rel.Window, cols repr.RowDesc) rel.WindowFrame {
	f := rel.WindowFrame{Mode: ast.FrameMode(g.IntN(3)), Exclude: []string{"", "", "CURRENT ROW", "GROUP", "TIES"}[g.IntN(5)]}
	f.Start.Kind = ast.BoundKind(g.IntN(4))
	f.End.Kind = max(f.Start.Kind, ast.BoundKind(1+g.IntN(4)))
	for _, b := range []*rel.WindowBound{&f.Start, &f.End} {
		if b.Kind != ast.OffsetPreceding && b.Kind != ast.OffsetFollowing {
			continue
		}
		by := int64(g.IntN(3))
		if f.Mode != ast.FrameRange {
			b.Offset = intConst(by)
			continue
		}
		if len(w.Order) != 1 || cols[w.Order[0].Col].Type != int8Type {
			b.Kind = ast.CurrentRow
			continue
		}
		if (b.Kind == ast.OffsetPreceding) != w.Order[0].Desc {
			by = -by
		}
		b.Offset = callOf(moveFunc, rel.ColumnOf(cols, w.Order[0].Col), intConst(by))
	}
	return f
}

// partition are the rows of one, in order, for the interpreter.
type partition struct {
	in    *interpreter
	n     *rel.Window
	o     outers
	rows  [][]repr.Datum
	heads []string // the place in the order, the same for peers
}

// window sorts the rows into partitions and computes every function for every row from all rows of its partition.
func (in *interpreter) window(n *rel.Window, o outers) []counted {
	rows := sumBy(in.rel(n.Input, o), func(row []repr.Datum) string { return string(repr.AppendRow(nil, row)) })
	head := func(row []repr.Datum) string {
		var b []byte
		for _, c := range n.Order {
			b = repr.AppendOrder(b, row[c.Col], c.Desc, c.NullsFirst)
		}
		return string(b)
	}
	slices.SortFunc(rows, func(x, y counted) int {
		if c := bytes.Compare([]byte(head(x.row)), []byte(head(y.row))); c != 0 {
			return c
		}
		return bytes.Compare(repr.AppendRow(nil, x.row), repr.AppendRow(nil, y.row))
	})
	parts := map[string]*partition{}
	for _, c := range rows {
		key := canonical(pick(c.row, n.Partition))
		p := parts[key]
		if p == nil {
			p = &partition{in: in, n: n, o: o}
			parts[key] = p
		}
		for range c.n {
			p.rows, p.heads = append(p.rows, c.row), append(p.heads, head(c.row))
		}
	}
	var out []counted
	for _, p := range parts {
		for i, row := range p.rows {
			var vals []repr.Datum
			for f := range n.Funcs {
				vals = append(vals, p.value(&n.Funcs[f], i))
			}
			out = append(out, counted{join(row, vals), 1})
		}
	}
	return out
}

// before is how many groups of peers stand before row i, and first the first row of its group.
func (p *partition) before(i int) (groups, first int) {
	for j := 1; j <= i; j++ {
		if p.heads[j] != p.heads[j-1] {
			groups, first = groups+1, j
		}
	}
	return groups, first
}

func (p *partition) scalar(e expr.Scalar, i int) repr.Datum { return p.in.scalar(e, p.rows[i], p.o) }

func (p *partition) value(f *rel.WindowFunc, i int) repr.Datum {
	groups, first := p.before(i)
	if f.Agg != nil {
		return p.aggregate(f, p.frame(f, i))
	}
	switch f.Name {
	case "row_number":
		return repr.Int8(int64(i + 1))
	case "rank":
		return repr.Int8(int64(first + 1))
	case "dense_rank":
		return repr.Int8(int64(groups + 1))
	case "lag", "lead":
		return p.shifted(f, i)
	}
	frame, at := p.frame(f, i), 0
	switch f.Name {
	case "last_value":
		at = len(frame) - 1
	case "nth_value":
		at = int(p.scalar(f.Args[1], i).Int()) - 1
	}
	if at < 0 || at >= len(frame) {
		return repr.Null
	}
	return p.scalar(f.Args[0], frame[at])
}

func (p *partition) shifted(f *rel.WindowFunc, i int) repr.Datum {
	by := int64(1)
	if len(f.Args) > 1 {
		d := p.scalar(f.Args[1], i)
		if d.IsNull() {
			return repr.Null
		}
		by = d.Int()
	}
	if f.Name == "lag" {
		by = -by
	}
	switch at := i + int(by); {
	case at >= 0 && at < len(p.rows):
		return p.scalar(f.Args[0], at)
	case len(f.Args) > 2:
		return p.scalar(f.Args[2], i)
	}
	return repr.Null
}

// frame are the rows of the frame of row i.
func (p *partition) frame(f *rel.WindowFunc, i int) []int {
	var out []int
	for j := range p.rows {
		peer := p.heads[i] == p.heads[j]
		switch f.Frame.Exclude {
		case "CURRENT ROW":
			peer = i == j
		case "TIES":
			peer = peer && i != j
		case "":
			peer = false
		}
		if !peer && p.side(&f.Frame, f.Frame.Start, i, j) >= 0 && p.side(&f.Frame, f.Frame.End, i, j) <= 0 {
			out = append(out, j)
		}
	}
	return out
}

// side says whether row j stands before an end of the frame of row i, at it, or behind it.
func (p *partition) side(f *rel.WindowFrame, b rel.WindowBound, i, j int) int {
	by := 0
	switch b.Kind {
	case ast.UnboundedPreceding:
		return 1
	case ast.UnboundedFollowing:
		return -1
	case ast.CurrentRow:
	default:
		if f.Mode == ast.FrameRange {
			end := slices.Clone(p.rows[i])
			c := p.n.Order[0]
			end[c.Col] = p.scalar(b.Offset, i)
			return bytes.Compare([]byte(p.heads[j]), repr.AppendOrder(nil, end[c.Col], c.Desc, c.NullsFirst))
		}
		if by = int(p.scalar(b.Offset, i).Int()); b.Kind == ast.OffsetPreceding {
			by = -by
		}
	}
	if f.Mode == ast.FrameRows {
		return j - (i + by)
	}
	gi, _ := p.before(i)
	gj, _ := p.before(j)
	return gj - (gi + by)
}

func (p *partition) aggregate(f *rel.WindowFunc, frame []int) repr.Datum {
	var rows []counted
	for _, j := range frame {
		rows = append(rows, counted{p.rows[j], 1})
	}
	return p.in.aggregate(rel.Agg{Fn: f.Agg, Args: f.Args, Filter: f.Filter}, rows, p.o)
}
