package events

import (
	"fmt"

	"millrace/repr"
)

// Check adds up the changes that a query puts out, so that two engines can be compared without comparing rows.
// Its Sum does not depend on the order of the changes, nor on changes that cancel out.
type Check struct {
	Out   int64 // changes
	Rows  int64 // rows that remain: the sum of diffs
	Sum   int64 // the sum of diff × Hash of the integer columns
	Width int   // how many of the first columns are looked at: none behind them counts; 0: all
}

// Counted is how many of the first columns a check has to look at.
func Counted(columns repr.RowDesc) int {
	for i := len(columns) - 1; i >= 0; i-- {
		if counts(columns[i].Type.Kind) {
			return i + 1
		}
	}
	return len(columns)
}

func counts(k repr.Kind) bool { return k == repr.KindInt2 || k == repr.KindInt4 || k == repr.KindInt8 }

// Add takes a change, its row packed. Columns that are not smallint, integer or bigint do not count, nor do NULLs:
// a query casts sums and averages to bigint to have them counted.
func (c *Check) Add(row []byte, diff repr.Diff) {
	var h uint64
	for left := c.Width; len(row) > 0; {
		if k, n, ok := repr.Fixed8(row); ok {
			if k == repr.KindInt8 {
				h = mix(h, n)
			}
			row = row[repr.Fixed8Bytes:]
		} else {
			var d repr.Datum
			if d, row = repr.Decode(row); counts(d.Kind()) {
				h = mix(h, d.Int())
			}
		}
		if left--; left == 0 {
			break
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
