package op

import (
	"millrace/arrangement"
	"millrace/repr"
)

// Their contracts are those of the functions of the same names in package dataflow.
type (
	// RowFunc makes at most one row of a row.
	RowFunc = func(dst, row []byte) (out []byte, keep bool, err *repr.Error)
	// FlatFunc makes any number of rows of a row.
	FlatFunc = func(row []byte, emit func(out []byte)) *repr.Error
	// JoinFunc makes at most one row of two rows with the same key.
	JoinFunc = func(dst, key, left, right []byte) (out []byte, keep bool, err *repr.Error)
)

// Map emits what a function makes of each row.
func Map(f RowFunc, in arrangement.Batch, out *arrangement.Builder, errs *Errors) {
	for i := range in.Len() {
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
func FlatMap(f FlatFunc, in arrangement.Batch, out *arrangement.Builder, errs *Errors) {
	made := arrangement.NewBuilder()
	for i := range in.Len() {
		row, diff := in.Row(i), in.Diff(i)
		made.Reset()
		if err := f(row, func(b []byte) { made.Add(b, diff) }); err != nil {
			errs.Add(err, row, diff)
			continue
		}
		Copy(made.View(), 1, out)
	}
}

// Copy emits every update with its count times a factor.
func Copy(in arrangement.Batch, factor repr.Diff, out *arrangement.Builder) {
	for i := range in.Len() {
		out.Add(in.Row(i), factor*in.Diff(i))
	}
}
