package plan

import (
	"slices"

	"millrace/repr"
	"millrace/sql/expr"
	"millrace/sql/rel"
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

// callKeySets puts the set-returning functions that stand in grouping keys below the grouping, on the rows of FROM. The
// others stay where they are, with new numbers.
func (s *selectBody) callKeySets(in rel.Rel, keys, values []expr.Scalar) (rel.Rel, []expr.Scalar, []expr.Scalar) {
	below, above := &setCalls{}, &setCalls{}
	moved := make([]int, len(s.sets.list)) // where the columns of each call begin now
	for i, c := range s.sets.list {
		to := above
		if usesSet(keys, i) {
			to = below
		}
		moved[i] = setBase + len(to.list)*maxSetCols
		to.list = append(to.list, c)
	}
	if len(below.list) == 0 {
		return in, keys, values
	}
	renumber := func(n expr.Scalar, depth int) expr.Scalar {
		c, ok := n.(*expr.Column)
		if !ok || depth > 0 || c.Index < setBase {
			return n
		}
		call, col := (c.Index-setBase)/maxSetCols, (c.Index-setBase)%maxSetCols
		return &expr.Column{Index: moved[call] + col, Typ: c.Typ, Name: c.Name}
	}
	keys, values = rewriteScalars(keys, 0, renumber), rewriteScalars(values, 0, renumber)
	s.sets = below
	in, keys = s.callSets(in, keys)
	s.sets = above
	return in, keys, values
}

// usesSet says whether a column of set-returning function i stands in an expression.
func usesSet(list []expr.Scalar, i int) bool {
	return slices.ContainsFunc(list, func(e expr.Scalar) bool {
		return expr.Any(e, func(n expr.Scalar) bool {
			c, ok := n.(*expr.Column)
			return ok && c.Index >= setBase && (c.Index-setBase)/maxSetCols == i
		})
	})
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
