package loadgen

import (
	"millrace/repr"
	"millrace/sources/generator"
)

// counter counts from one on. With a cardinality the oldest number goes when there would be more.
type counter struct {
	n           int64
	cardinality int64
}

func newCounter(cfg *Config) (world, error) { return &counter{cardinality: cfg.Cardinality}, nil }

func (*counter) tables() []generator.Table {
	return []generator.Table{{Name: "counter", Key: []int{0}, Columns: repr.RowDesc{generator.Column("counter", generator.Int8)}}}
}

func (*counter) first() int64 { return 0 }

func (c *counter) seek(step int64) { c.n = step }

func (c *counter) next(func(int64) int64) []generator.Change {
	c.n++
	out := []generator.Change{{New: []repr.Datum{repr.Int8(c.n)}}}
	if old := c.n - c.cardinality; c.cardinality > 0 && old > 0 {
		out = append(out, generator.Change{Old: []repr.Datum{repr.Int8(old)}})
	}
	return out
}
