package op

import "millrace/repr"

// columns are the columns of a row behind its key, which are decoded when they are first asked for. The values alias the row.
type columns struct {
	packed [][]byte
	values []repr.Datum
	known  uint64 // of the first columns, as bits: their values are decoded
}

// set finds the columns of a row.
func (c *columns) set(row []byte) {
	c.packed, c.known = c.packed[:0], 0
	for len(row) > 0 {
		rest := repr.Skip(row)
		c.packed = append(c.packed, row[:len(row)-len(rest)])
		row = rest
	}
	for len(c.values) < len(c.packed) {
		c.values = append(c.values, repr.Null)
	}
}

// at is the value of a column.
func (c *columns) at(i int) repr.Datum {
	if i >= 64 || c.known>>i&1 == 0 {
		c.values[i], _ = repr.Decode(c.packed[i])
		c.known |= 1 << i
	}
	return c.values[i]
}

// int is the payload of an integer-like column; false when it is NULL.
func (c *columns) int(i int) (n int64, ok bool) {
	if _, n, ok := repr.Fixed8(c.packed[i]); ok {
		return n, true
	}
	d := c.at(i)
	return d.Int(), !d.IsNull()
}
