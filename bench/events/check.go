package events

import (
	"fmt"

	"millrace/repr"
)

// Check adds up the changes that a query puts out, so that two engines can be compared without comparing rows.
// Its Sum does not depend on the order of the changes, nor on changes that cancel out.
type Check struct {
	Out  int64 // changes
	Rows int64 // rows that remain: the sum of diffs
	Sum  int64 // the sum of diff × Hash of the integer columns
}

// Add takes a change, its row packed. Columns that are not smallint, integer or bigint do not count, nor do NULLs:
// a query casts sums and averages to bigint to have them counted.
func (c *Check) Add(row []byte, diff repr.Diff) {
	var h uint64
	for len(row) > 0 {
		var d repr.Datum
		d, row = repr.Decode(row)
		if k := d.Kind(); k == repr.KindInt2 || k == repr.KindInt4 || k == repr.KindInt8 {
			h = mix(h, d.Int())
		}
	}
	c.add(h, diff)
}

// AddInts takes a change whose integer columns are given.
func (c *Check) AddInts(columns []int64, diff repr.Diff) { c.add(uint64(Hash(columns)), diff) }

func (c *Check) add(h uint64, diff repr.Diff) {
	c.Out++
	c.Rows += diff
	c.Sum += diff * int64(h)
}

// String is the check as every engine prints it.
func (c *Check) String() string {
	return fmt.Sprintf("out=%d rows=%d sum=%016x", c.Out, c.Rows, uint64(c.Sum))
}

// Hash is the hash of a row's integer columns, in order.
func Hash(columns []int64) int64 {
	var h uint64
	for _, n := range columns {
		h = mix(h, n)
	}
	return int64(h)
}

func mix(h uint64, n int64) uint64 {
	h = (h ^ uint64(n)) * 0x9E3779B97F4A7C15
	return h ^ h>>32
}
