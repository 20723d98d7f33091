package op

import (
	"sync/atomic"

	"millrace/arrangement"
	"millrace/internal/budget"
	"millrace/repr"
)

// Their contracts are those of the functions of the same names in package dataflow.
type (
	// RowFunc makes at most one row of a row.
	RowFunc = func(dst, row []byte) (out []byte, keep bool, err *repr.Error)
	// FlatFunc makes any number of rows of a row.
	FlatFunc = func(row []byte, emit func(out []byte) bool) *repr.Error
	// JoinFunc makes at most one row of two rows with the same key.
	JoinFunc = func(dst, key, left, right []byte) (out []byte, keep bool, err *repr.Error)
)

// Map emits what a function makes of each row. It ends early when it is to stop, for a row may grow to any size.
func Map(f RowFunc, in arrangement.Batch, out *arrangement.Builder, errs *Errors) {
	for i := range in.Len() {
		if errs.stopped() {
			return
		}
		row, diff := in.Row(i), in.Diff(i)
		data := out.Open()
		made, keep, err := f(data, row)
		switch {
		case err != nil:
			errs.Add(err, row, diff)
		case keep:
			out.Keep(made, diff)
		}
	}
}

// FlatMap emits every row that a function makes of each row. When it fails half way nothing of the row is emitted.
type FlatMap struct {
	F      FlatFunc
	Stop   *atomic.Bool // true ends the step early
	Budget *budget.Budget

	made *arrangement.Builder // of one row; it stays when the step is given up, so that it is known what held most
}

// Held is the memory of what comes of the row at hand.
func (m *FlatMap) Held() int64 {
	if m.made == nil {
		return 0
	}
	return m.made.Held()
}

// Step emits the rows, and says whether it came to the end.
func (m *FlatMap) Step(in arrangement.Batch, out *arrangement.Builder, errs *Errors) bool {
	made := arrangement.NewBuilderOn(m.Budget)
	m.made = made
	for i := range in.Len() {
		row, diff := in.Row(i), in.Diff(i)
		made.Reset()
		err := m.F(row, func(b []byte) bool {
			made.Add(b, diff)
			return !m.stopped()
		})
		switch {
		case m.stopped():
			return false
		case err != nil:
			errs.Add(err, row, diff)
		default:
			Copy(made.View(), 1, out)
		}
	}
	made.Free()
	return true
}

func (m *FlatMap) stopped() bool { return m.Stop != nil && m.Stop.Load() }

// Copy emits every update with its count times a factor.
func Copy(in arrangement.Batch, factor repr.Diff, out *arrangement.Builder) {
	for i := range in.Len() {
		out.Add(in.Row(i), factor*in.Diff(i))
	}
}
