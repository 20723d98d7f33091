package expr

import (
	"millrace/internal/check"
	"millrace/repr"
)

// Row is the input of an Eval: a packed row whose columns are decoded when they are first asked for, from left
// to right and no further than needed. A Row belongs to one goroutine and is used again for row after row; the
// values it gives alias the packed bytes.
type Row struct {
	cols  []repr.Datum // decoded so far
	rest  []byte       // behind them
	parts [][]byte     // the packed pieces behind rest
	stack []repr.Datum // operands of the calls under way
}

// Set makes packed the row.
func (r *Row) Set(packed []byte) {
	r.cols = r.cols[:0]
	r.rest = packed
	r.parts = nil
}

// SetParts makes the columns of all parts, one after the other, the row. The slice is kept until the next Set.
func (r *Row) SetParts(parts [][]byte) {
	r.cols = r.cols[:0]
	r.rest = nil
	r.parts = parts
}

// SetDatums makes the values the row; they are copied.
func (r *Row) SetDatums(values []repr.Datum) {
	r.cols = append(r.cols[:0], values...)
	r.rest = nil
	r.parts = nil
}

// Column is the value of a column, counted from 0.
func (r *Row) Column(i int) repr.Datum {
	if i < len(r.cols) {
		return r.cols[i]
	}
	return r.decode(i)
}

func (r *Row) decode(i int) repr.Datum {
	for len(r.cols) <= i {
		for len(r.rest) == 0 {
			check.That(len(r.parts) > 0, "column %d of a row with %d", i, len(r.cols))
			r.rest, r.parts = r.parts[0], r.parts[1:]
		}
		var d repr.Datum
		d, r.rest = repr.Decode(r.rest)
		r.cols = append(r.cols, d)
	}
	return r.cols[i]
}
