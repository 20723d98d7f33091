package loadgen

import (
	"millrace/sources/generator"
	"millrace/sources/generator/tpch"
)

// orders is the database of the TPC-H benchmark: the load in steps, and then an order less and one more with each step, and one
// row of customers, parts, suppliers and their offers that is another.
type orders struct {
	g       *tpch.Generator
	n       int64
	rows    int64 // steps of the rows beside orders
	loading int64 // steps of orders
}

// How many rows and orders a step of the load has.
const (
	loadRows    = 1_000
	loadOrders  = 250
	smallScale  = 0.01
	stepOrders  = 1
	stepUpdates = 1
)

func newTPCH(cfg *Config) (world, error) {
	scale := cfg.Scale
	if scale == 0 {
		scale = smallScale
	}
	g, err := tpch.New(scale, int64(cfg.Seed))
	if err != nil {
		return nil, err
	}
	return &orders{g: g, rows: parts(g.Beside(), loadRows), loading: parts(g.Orders(), loadOrders)}, nil
}

func parts(n, size int64) int64 { return (n + size - 1) / size }

func (*orders) tables() []generator.Table { return tpch.Tables }

func (o *orders) first() int64 { return o.rows + o.loading }

func (o *orders) seek(step int64) {
	for ; o.n < step; o.n++ {
		switch {
		case o.n < o.rows:
		case o.n < o.first():
			o.g.SkipOrders(o.size())
		default:
			o.g.SkipRefresh(stepOrders, stepUpdates)
		}
	}
}

// size is how many orders the next step of the load has.
func (o *orders) size() int64 { return min(loadOrders, o.g.Orders()-(o.n-o.rows)*loadOrders) }

func (o *orders) next(func(int64) int64) []generator.Change {
	defer func() { o.n++ }()
	switch {
	case o.n < o.rows:
		return o.g.LoadBeside(o.n*loadRows, (o.n+1)*loadRows)
	case o.n < o.first():
		return o.g.LoadOrders(o.size())
	default:
		return o.g.Refresh(stepOrders, stepUpdates)
	}
}
