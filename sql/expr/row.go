package expr

import (
	"millrace/internal/check"
	"millrace/repr"
)

// Row is the input of an Eval: a packed row that is walked from left to right, no further than needed, and whose columns
// are decoded when they are first asked for. A Row belongs to one goroutine and is used again for row after row; the
// values it gives alias the packed bytes.
type Row struct {
	// Width is how many columns each row has; 0: not known. The last of a known number need not be walked to its end.
	Width int

	parts  [][]byte // the packed pieces of the row
	single [1][]byte
	part   int     // the piece that the walk has come to
	at     int     // where it stands there
	places []place // of the columns walked over so far
	vals   []repr.Datum
	known  uint64 // of the first columns, as bits: their vals are decoded
	stack  []repr.Datum
}

// place is where a column lies: in a piece, from a byte up to another.
type place struct{ part, from, to uint32 }

// Set makes packed the row.
func (r *Row) Set(packed []byte) {
	r.single[0] = packed
	r.SetParts(r.single[:])
}

// SetParts makes the columns of all parts, one after the other, the row. The slice is kept until the next Set.
func (r *Row) SetParts(parts [][]byte) {
	r.parts, r.places, r.known = parts, r.places[:0], 0
	r.part, r.at = 0, 0
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
func (r *Row) Column(i int) repr.Datum { return *r.value(i) }

// Packed are the bytes of a column.
func (r *Row) Packed(i int) []byte {
	if i >= len(r.places) {
		r.walk(i)
	}
	p := &r.places[i]
	return r.parts[p.part][p.from:p.to]
}

// AppendColumns appends the bytes of columns that stand side by side, in one go where they lie in one piece.
func (r *Row) AppendColumns(dst []byte, first, last int) []byte {
	if last >= len(r.places) {
		r.walk(last)
	}
	from, to := &r.places[first], &r.places[last]
	if from.part == to.part {
		return append(dst, r.parts[from.part][from.from:to.to]...)
	}
	for i := first; i <= last; i++ {
		dst = append(dst, r.Packed(i)...)
	}
	return dst
}

// value is a column, decoded. It holds until the next column is asked for.
func (r *Row) value(i int) *repr.Datum {
	if i < 64 && r.known>>i&1 != 0 {
		return &r.vals[i]
	}
	return r.decode(i)
}

// int is an integer-like column, which is not worth keeping decoded.
func (r *Row) int(i int) (n int64, null bool) {
	b := r.Packed(i)
	if _, n, ok := repr.Fixed8(b); ok {
		return n, false
	}
	d, _ := repr.Decode(b)
	return d.Int(), d.IsNull()
}

func (r *Row) decode(i int) *repr.Datum {
	b := r.Packed(i)
	for len(r.vals) <= i {
		r.vals = append(r.vals, repr.Datum{})
	}
	r.vals[i], _ = repr.Decode(b)
	if i < 64 {
		r.known |= 1 << i
	}
	return &r.vals[i]
}

// walk finds the columns up to one.
func (r *Row) walk(i int) {
	if len(r.parts) == 0 {
		check.Never("column %d of a row without any", i)
	}
	b := r.parts[r.part]
	for len(r.places) <= i {
		for r.at == len(b) {
			if r.part++; r.part >= len(r.parts) {
				check.Never("column %d of a row with %d", i, len(r.places))
			}
			b, r.at = r.parts[r.part], 0
		}
		from := r.at
		if len(r.places)+1 == r.Width && r.part == len(r.parts)-1 {
			r.at = len(b)
		} else {
			r.at = len(b) - len(repr.Skip(b[from:]))
		}
		r.places = append(r.places, place{part: uint32(r.part), from: uint32(from), to: uint32(r.at)})
	}
}
