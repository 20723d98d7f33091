package plan

import (
	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
	"millrace/sql/fn"
	"millrace/sql/rel"
)

// windowFrame binds the frame of a window. A RANGE frame with offsets is found by comparing values of the order with bounds
// that are computed from the row; the order may have to be cast for that, so that the window is another one then.
func (x *scalars) windowFrame(w *window) (*window, rel.WindowFrame, *repr.Error) {
	if w.frame == nil {
		return w, rel.WindowFrame{Mode: ast.FrameRange, End: rel.WindowBound{Kind: ast.CurrentRow}}, nil
	}
	f := w.frame
	out := rel.WindowFrame{Mode: f.Mode, Start: rel.WindowBound{Kind: f.Start.Kind}, End: rel.WindowBound{Kind: ast.CurrentRow},
		Exclude: f.Exclude}
	end := ast.Bound{Kind: ast.CurrentRow}
	if f.End != nil {
		end = *f.End
		out.End.Kind = end.Kind
	}
	if f.Exclude == "NO OTHERS" {
		out.Exclude = ""
	}
	if err := checkBounds(f, end); err != nil {
		return nil, out, err
	}
	if f.Mode == ast.FrameGroups && len(w.order) == 0 {
		return nil, out, errAt(codeWindowing, "GROUPS mode requires an ORDER BY clause", f.Pos)
	}
	if f.Mode == ast.FrameRange && (f.Start.Offset != nil || end.Offset != nil) {
		w, err := x.rangeFrame(w, &out, end)
		return w, out, err
	}
	var err *repr.Error
	if out.Start.Offset, err = x.rowsOffset(f, f.Start.Offset); err != nil {
		return nil, out, err
	}
	out.End.Offset, err = x.rowsOffset(f, end.Offset)
	return w, out, err
}

// checkBounds refuses ends in the wrong order.
func checkBounds(f *ast.Frame, end ast.Bound) *repr.Error {
	message := ""
	switch start := f.Start.Kind; {
	case start == ast.UnboundedFollowing:
		message = "frame start cannot be UNBOUNDED FOLLOWING"
	case end.Kind == ast.UnboundedPreceding:
		message = "frame end cannot be UNBOUNDED PRECEDING"
	case start == ast.OffsetFollowing && f.End == nil:
		message = "frame starting from following row cannot end with current row"
	case start == ast.CurrentRow && end.Kind == ast.OffsetPreceding:
		message = "frame starting from current row cannot have preceding rows"
	case start == ast.OffsetFollowing && end.Kind < ast.OffsetFollowing:
		message = "frame starting from following row cannot have preceding rows"
	default:
		return nil
	}
	return errAt(codeWindowing, message, f.Pos)
}

// frameModeNames are the modes as errors name them.
var frameModeNames = [...]string{ast.FrameRows: "ROWS", ast.FrameRange: "RANGE", ast.FrameGroups: "GROUPS"}

// rowsOffset binds how many rows or groups a frame reaches.
func (x *scalars) rowsOffset(f *ast.Frame, e ast.Expr) (expr.Scalar, *repr.Error) {
	if e == nil {
		return nil, nil
	}
	clause := frameModeNames[f.Mode]
	s, err := x.b.constExpr(clause).bindTo(e, repr.TypeOf(repr.KindInt8), assigning(clause))
	if err != nil {
		return nil, err
	}
	s = expr.Fold(s, x.b.env.Eval, expr.Stable)
	c, ok := s.(*expr.Const)
	switch {
	case !ok:
		return s, nil
	case c.Val.IsNull():
		return nil, errAt(repr.CodeNullNotAllowed, "frame "+whichEnd(f, e)+" offset must not be null", 0)
	case c.Val.Int() < 0:
		return nil, errAt("22013", "frame "+whichEnd(f, e)+" offset must not be negative", 0)
	}
	return s, nil
}

func whichEnd(f *ast.Frame, e ast.Expr) string {
	if f.Start.Offset == e {
		return "starting"
	}
	return "ending"
}

// rangeFrame binds the ends of a RANGE frame with offsets, and gives the window over the order that they are compared with.
func (x *scalars) rangeFrame(w *window, out *rel.WindowFrame, end ast.Bound) (*window, *repr.Error) {
	f := w.frame
	if len(w.order) != 1 {
		return nil, errAt(codeWindowing, "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", f.Pos)
	}
	var err *repr.Error
	order := w.order[0]
	for i, b := range []ast.Bound{f.Start, end} {
		if b.Offset == nil {
			continue
		}
		offset, err := x.b.constExpr("RANGE").bind(b.Offset)
		if err != nil {
			return nil, err
		}
		as, by, err := fn.RangeFrame(w.order[0].Expr.Type(), offset.Type())
		if err != nil {
			return nil, err.At(place(b.Offset))
		}
		if offset, err = x.b.coerce(offset, by, implicitly, place(b.Offset)); err != nil {
			return nil, err
		}
		if c, ok := offset.(*expr.Const); ok && c.Val.IsNull() {
			return nil, errAt(repr.CodeNullNotAllowed, "frame "+whichEnd(f, b.Offset)+" offset must not be null", 0)
		}
		if order.Expr, err = x.b.coerce(w.order[0].Expr, as, implicitly, 0); err != nil {
			return nil, err
		}
		minus := (b.Kind == ast.OffsetPreceding) != order.Desc
		upper := (i == 1) != order.Desc
		bound := &expr.Call{Fn: fn.FrameBound(as, by, minus, upper), Args: []expr.Scalar{order.Expr, offset}, Typ: as,
			Pos: place(b.Offset)}
		if i == 0 {
			out.Start.Offset = bound
		} else {
			out.End.Offset = bound
		}
	}
	return &window{partition: w.partition, order: []rel.Order{order}, frame: f}, err
}
