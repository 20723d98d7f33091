package plan

import (
	"millrace/repr"
	"millrace/sql/expr"
)

// setCalls are the set-returning functions of a SELECT list. In its expressions they stand as columns from setBase
// on, maxSetCols for each, until the plan has a place for them.
type setCalls struct{ list []setCall }

type setCall struct {
	fn   *expr.TableFunc
	args []expr.Scalar
}

// maxSetCols is more than the columns of any set-returning function.
const maxSetCols = 1 << 10

// place is the column, behind those of the input, that stands for column index of an expression; ok is false
// for other columns.
func (c *setCalls) place(index int) (int, bool) {
	if index < setBase {
		return 0, false
	}
	at := (index - setBase) % maxSetCols
	for _, call := range c.list[:(index-setBase)/maxSetCols] {
		at += len(call.fn.Cols)
	}
	return at, true
}

// sideBySide makes one function of several: they advance together, and those that end first go on with NULLs.
func sideBySide(calls []setCall) setCall {
	if len(calls) == 1 {
		return calls[0]
	}
	f := &expr.TableFunc{Name: "rows_from"}
	out := setCall{fn: f}
	for _, c := range calls {
		for i := range c.args {
			f.Args = append(f.Args, c.args[i].Type())
		}
		for _, col := range c.fn.Cols {
			col.NotNull = false
			f.Cols = append(f.Cols, col)
		}
		out.args = append(out.args, c.args...)
	}
	f.Eval = func(env *expr.Env, args []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
		return emitSideBySide(env, calls, args, emit)
	}
	return out
}

func emitSideBySide(env *expr.Env, calls []setCall, args []repr.Datum, emit func([]repr.Datum) bool) *repr.Error {
	parts := make([][][]repr.Datum, len(calls))
	longest := 0
	for i, c := range calls {
		err := c.fn.Eval(env, args[:len(c.args)], func(row []repr.Datum) bool {
			kept := make([]repr.Datum, len(row))
			for j, d := range row {
				kept[j] = d.Clone()
			}
			parts[i] = append(parts[i], kept)
			return true
		})
		if err != nil {
			return err
		}
		args = args[len(c.args):]
		longest = max(longest, len(parts[i]))
	}
	var row []repr.Datum
	for n := range longest {
		row = row[:0]
		for i, c := range calls {
			if n < len(parts[i]) {
				row = append(row, parts[i][n]...)
			} else {
				row = append(row, make([]repr.Datum, len(c.fn.Cols))...)
			}
		}
		if !emit(row) {
			return nil
		}
	}
	return nil
}
