package rel

import (
	"fmt"
	"slices"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
)

// Window appends to each row the values of functions over the rows with equal columns Partition, in the order Order. Rows
// equal in the order stand in the order of their bytes.
type Window struct {
	Input     Rel
	Partition []int
	Order     []ColOrder
	Funcs     []WindowFunc
}

// WindowFunc is one function of a Window: an aggregate over the frame, or, when Agg is nil, the window function Name.
type WindowFunc struct {
	Name   string
	Agg    *repr.Aggregate
	Args   []expr.Scalar
	Filter expr.Scalar // of an aggregate; nil: none
	Frame  WindowFrame
	Typ    repr.Type
}

// WindowFrame is the rows around a row that a function looks at.
type WindowFrame struct {
	Mode    ast.FrameMode
	Start   WindowBound
	End     WindowBound
	Exclude string // as in ast.Frame
}

// WindowBound is one end of a frame. Of FrameRows and FrameGroups, Offset is a constant; of FrameRange it is the value of
// the order that the frame goes up to, an expression over the row.
type WindowBound struct {
	Kind   ast.BoundKind
	Offset expr.Scalar // nil without an offset
}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Window) IsRelation() {}

func (*Window) isRel() {}

// Columns are those of the input, then one for each function.
func (r *Window) Columns() repr.RowDesc {
	in := r.Input.Columns()
	out := append(make(repr.RowDesc, 0, len(in)+len(r.Funcs)), in...)
	for i := range r.Funcs {
		f := &r.Funcs[i]
		out = append(out, repr.Column{Name: f.Name, Type: f.Typ, NotNull: f.NotNull()})
	}
	return out
}

// ranking are the functions that have a value for every row.
var ranking = []string{"row_number", "rank", "dense_rank", "percent_rank", "cume_dist"}

// NotNull says whether the function is never NULL.
func (f *WindowFunc) NotNull() bool {
	if f.Agg != nil {
		return f.Agg.Name == "count"
	}
	return slices.Contains(ranking, f.Name)
}

// TellsTies says whether the function may be another for rows that are equal in the order.
func (f *WindowFunc) TellsTies() bool {
	switch {
	case f.Agg == nil:
		return f.Name == "row_number" || !slices.Contains(ranking, f.Name)
	case f.Agg.Fold != nil, f.Agg.Extreme != 0 && !f.Typ.Kind.KeyIsValue():
		return true
	}
	return f.Frame.Mode == ast.FrameRows && !f.Frame.whole()
}

// whole says whether the frame is the whole partition, but for what is excluded.
func (f *WindowFrame) whole() bool {
	return f.Start.Kind == ast.UnboundedPreceding && f.End.Kind == ast.UnboundedFollowing
}

// scalars are the expressions of a function in a fixed order.
func (f *WindowFunc) scalars() []expr.Scalar {
	out := slices.Clone(f.Args)
	for _, e := range []expr.Scalar{f.Filter, f.Frame.Start.Offset, f.Frame.End.Offset} {
		if e != nil {
			out = append(out, e)
		}
	}
	return out
}

// Map is the function with each expression replaced.
func (f *WindowFunc) Map(to func(expr.Scalar) expr.Scalar) WindowFunc {
	c := *f
	c.Args = make([]expr.Scalar, len(f.Args))
	for i, e := range f.Args {
		c.Args[i] = to(e)
	}
	for _, e := range []*expr.Scalar{&c.Filter, &c.Frame.Start.Offset, &c.Frame.End.Offset} {
		if *e != nil {
			*e = to(*e)
		}
	}
	return c
}

func windowScalars(r *Window) []expr.Scalar {
	var out []expr.Scalar
	for i := range r.Funcs {
		out = append(out, r.Funcs[i].scalars()...)
	}
	return out
}

func windowWithScalars(r *Window, s []expr.Scalar) Rel {
	c := *r
	c.Funcs = make([]WindowFunc, len(r.Funcs))
	for i := range r.Funcs {
		c.Funcs[i] = r.Funcs[i].Map(func(expr.Scalar) expr.Scalar {
			head := s[0]
			s = s[1:]
			return head
		})
	}
	return &c
}

func appendWindow(b []byte, r *Window) []byte {
	b = fmt.Appendf(b, " %v %v", r.Partition, r.Order)
	for i := range r.Funcs {
		f := &r.Funcs[i]
		b = fmt.Appendf(b, " %s/%t/%d/%t/%v/%d/%d/%t/%d/%t/%s", f.Name, f.Agg != nil, len(f.Args), f.Filter != nil, f.Typ,
			f.Frame.Mode, f.Frame.Start.Kind, f.Frame.Start.Offset != nil, f.Frame.End.Kind, f.Frame.End.Offset != nil, f.Frame.Exclude)
	}
	return b
}

func (p *printer) window(r *Window) string {
	cols := r.Input.Columns()
	s := ""
	for i, c := range r.Partition {
		s += []string{" by ", ", "}[min(i, 1)] + column(cols, c)
	}
	for i, o := range r.Order {
		s += []string{" order ", ", "}[min(i, 1)] + column(cols, o.Col) + direction(o.Desc, o.NullsFirst)
	}
	for i := range r.Funcs {
		s += []string{" compute ", ", "}[min(i, 1)] + p.windowFunc(&r.Funcs[i], cols)
	}
	return s
}

func (p *printer) windowFunc(f *WindowFunc, cols repr.RowDesc) string {
	s := f.Name + "("
	if f.Agg != nil && len(f.Args) == 0 {
		s += "*"
	}
	s += p.list(f.Args, cols, ", ") + ")"
	if f.Filter != nil {
		s += " FILTER (" + p.scalar(f.Filter, cols) + ")"
	}
	if !f.framed() {
		return s
	}
	s += fmt.Sprintf(" over %s %s to %s", []string{"rows", "range", "groups"}[f.Frame.Mode],
		p.windowBound(&f.Frame, f.Frame.Start, cols), p.windowBound(&f.Frame, f.Frame.End, cols))
	if f.Frame.Exclude != "" {
		s += " exclude " + f.Frame.Exclude
	}
	return s
}

// framed says whether the function looks at a frame that is not the one of a window without a frame clause.
func (f *WindowFunc) framed() bool {
	if f.Agg == nil && f.Name != "first_value" && f.Name != "last_value" && f.Name != "nth_value" {
		return false
	}
	return f.Frame.Mode != ast.FrameRange || f.Frame.Start.Kind != ast.UnboundedPreceding ||
		f.Frame.End.Kind != ast.CurrentRow || f.Frame.Exclude != ""
}

var boundNames = [...]string{
	ast.UnboundedPreceding: "start", ast.OffsetPreceding: " preceding", ast.CurrentRow: "current", ast.OffsetFollowing: " following",
	ast.UnboundedFollowing: "end",
}

func (p *printer) windowBound(f *WindowFrame, b WindowBound, cols repr.RowDesc) string {
	switch {
	case b.Offset == nil:
		return boundNames[b.Kind]
	case f.Mode == ast.FrameRange:
		return p.scalar(b.Offset, cols)
	}
	return p.scalar(b.Offset, cols) + boundNames[b.Kind]
}
