package sinks

import (
	"bytes"
	"slices"

	"millrace/repr"
)

// Keyed is what has become of a key: the row that it has now, or none.
type Keyed struct {
	Key  []byte // the columns of the key, packed in canonical form
	Row  []byte // nil: it is gone
	Was  []byte // the last row of it that went; nil when none did
	Time repr.Time
}

// Fold is what ticks come to, by key, in the order of the keys. In one tick what goes goes first. Of two rows that one tick
// brings for one key the later in the order of bytes stays.
func Fold(ticks []Tick, key []int) []Keyed {
	at := map[string]int{}
	var out []Keyed
	var datums []repr.Datum
	var packed []byte
	take := func(t repr.Time, c *Change, row []byte) {
		datums = repr.DecodeRow(datums[:0], c.Row)
		packed = packed[:0]
		for _, k := range key {
			packed = repr.AppendKey(packed, datums[k])
		}
		i, known := at[string(packed)]
		if !known {
			i = len(out)
			out = append(out, Keyed{Key: slices.Clone(packed)})
			at[string(packed)] = i
		}
		out[i].Row, out[i].Time = row, t
		if row == nil {
			out[i].Was = c.Row
		}
	}
	for i := range ticks {
		changes := ticks[i].Changes
		for j := range changes {
			if changes[j].Diff < 0 {
				take(ticks[i].Time, &changes[j], nil)
			}
		}
		for j := range changes {
			if changes[j].Diff > 0 {
				take(ticks[i].Time, &changes[j], changes[j].Row)
			}
		}
	}
	slices.SortFunc(out, func(a, b Keyed) int { return bytes.Compare(a.Key, b.Key) })
	return out
}
