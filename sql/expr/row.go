package expr

import (
	"millrace/internal/check"
	"millrace/repr"
)

// Row is the input of an Eval: a packed row that is walked from left to right, no further than needed, and whose columns
// are decoded when they are first asked for. A Row belongs to one goroutine and is used again for row after row; the
// values it gives alias the packed bytes.
type Row struct {
	vals   []repr.Datum
	packed [][]byte // the columns walked over so far
	known  uint64   // of the first columns, as bits: their vals are decoded
	rest   []byte   // behind them
	parts  [][]byte // the packed pieces behind rest
	stack  []repr.Datum
}

// Set makes packed the row.
func (r *Row) Set(packed []byte) {
	r.packed, r.known = r.packed[:0], 0
	r.rest = packed
	r.parts = nil
}

// SetParts makes the columns of all parts, one after the other, the row. The slice is kept until the next Set.
func (r *Row) SetParts(parts [][]byte) {
	r.packed, r.known = r.packed[:0], 0
	r.rest = nil
	r.parts = parts
}

// SetDatums makes the values the row; they are copied.
func (r *Row) SetDatums(values []repr.Datum) {
	var packed []byte
	for _, d := range values {
		packed = repr.Append(packed, d)
	}
	r.Set(packed)
}

// Column is the value of a column, counted from 0.
func (r *Row) Column(i int) repr.Datum { return *r.at(i) }

// Packed are the bytes of a column.
func (r *Row) Packed(i int) []byte {
	if i >= len(r.packed) {
		r.walk(i)
	}
	return r.packed[i]
}

// at is a column, decoded. It holds until the next column is asked for.
func (r *Row) at(i int) *repr.Datum {
	if i < 64 && r.known>>i&1 != 0 {
		return &r.vals[i]
	}
	return r.decode(i)
}

func (r *Row) decode(i int) *repr.Datum {
	if i >= len(r.packed) {
		r.walk(i)
	}
	for len(r.vals) <= i {
		r.vals = append(r.vals, repr.Datum{})
	}
	r.vals[i], _ = repr.Decode(r.packed[i])
	if i < 64 {
		r.known |= 1 << i
	}
	return &r.vals[i]
}

// walk finds the columns up to one.
func (r *Row) walk(i int) {
	for len(r.packed) <= i {
		for len(r.rest) == 0 {
			check.That(len(r.parts) > 0, "column %d of a row with %d", i, len(r.packed))
			r.rest, r.parts = r.parts[0], r.parts[1:]
		}
		next := repr.Skip(r.rest)
		r.packed = append(r.packed, r.rest[:len(r.rest)-len(next)])
		r.rest = next
	}
}
