package tpch

import (
	"fmt"
	"iter"
	"math"
	"slices"

	"millrace/sources/generator"
)

// Generator is one database on its way: what is in it now is known by what was handed out.
type Generator struct {
	chance generator.Chance
	seed   int64

	suppliers, parts, customers, clerks int64

	loading  int64   // how many orders the load has
	live     []int64 // the numbers of the orders that are there
	next     int64   // the number of the next new order
	versions map[row]int64
}

// row names a row of a table by its key.
type row struct {
	table    int
	key, nth int64 // nth is which of its part's four offers a row of partsupp is
}

// New starts a database at a scale, of which 1 has six million lines; the smallest is 0.001.
func New(scale float64, seed int64) (*Generator, error) {
	if scale < 0.001 || scale > 1000 {
		return nil, fmt.Errorf("generate tpch: the scale is %v, and must lie between 0.001 and 1000", scale)
	}
	milli := int64(math.Round(scale * 1000))
	return &Generator{
		chance: *generator.ChanceOf(seed), seed: seed,
		suppliers: 10 * milli, parts: 200 * milli, customers: 150 * milli, clerks: max(milli, 1),
		loading: 1500 * milli, versions: map[row]int64{},
	}, nil
}

// tableRows is how many rows a table has.
type tableRows struct {
	table int
	rows  int64
}

// Load is the content at the beginning: table by table, and each order before its lines.
func (g *Generator) Load() iter.Seq[generator.Change] {
	return func(yield func(generator.Change) bool) {
		for _, fixed := range g.beside() {
			for i := range fixed.rows {
				if !yield(generator.Change{Table: fixed.table, New: g.current(g.nth(fixed.table, i))}) {
					return
				}
			}
		}
		for range g.loading {
			for _, c := range g.insertOrder() {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// nth is the i-th row of a table that has its rows from the beginning.
func (g *Generator) nth(table int, i int64) row {
	switch table {
	case PartSupp:
		return row{table: table, key: i/offers + 1, nth: i % offers}
	case Region, Nation:
		return row{table: table, key: i}
	default:
		return row{table: table, key: i + 1}
	}
}

// Refresh deletes some of the orders that are there, with their lines, and inserts as many new ones (the refresh
// functions 2 and 1 of the specification), and updates some rows of the tables beside them. No row changes twice, and
// what is done to a table is in one stretch: deletions first, insertions last.
func (g *Generator) Refresh(orders, updates int) []generator.Change {
	var out []generator.Change
	for range min(orders, len(g.live)) {
		out = append(out, g.deleteOrder()...)
	}
	slices.SortStableFunc(out, func(a, b generator.Change) int { return b.Table - a.Table })
	for _, changed := range g.refreshed() {
		g.renew(changed.table, changed.rows, updates, func(r row) {
			old := g.current(r)
			g.versions[r]++
			out = append(out, generator.Change{Table: changed.table, Old: old, New: g.current(r)})
		})
	}
	inserted := len(out)
	for range orders {
		out = append(out, g.insertOrder()...)
	}
	slices.SortStableFunc(out[inserted:], func(a, b generator.Change) int { return a.Table - b.Table })
	return out
}

// refreshed are the tables beside orders and lines that a refresh changes: all but regions and nations.
func (g *Generator) refreshed() []tableRows { return g.beside()[Supplier:] }

// renew draws some rows of a table that get their next version, none of them twice.
func (g *Generator) renew(table int, rows int64, updates int, next func(row)) {
	done := map[row]bool{}
	for range updates {
		if r := g.nth(table, g.chance.Below(rows)); !done[r] {
			done[r] = true
			next(r)
		}
	}
}

// addOrder gives the number of a new order.
func (g *Generator) addOrder() int64 {
	n := g.next
	g.next++
	g.live = append(g.live, n)
	return n
}

// takeOrder draws an order that goes, and gives its number.
func (g *Generator) takeOrder() int64 {
	at, last := g.chance.Below(int64(len(g.live))), len(g.live)-1
	n := g.live[at]
	g.live[at] = g.live[last]
	g.live = g.live[:last]
	return n
}

func (g *Generator) insertOrder() []generator.Change {
	rows := g.order(g.addOrder())
	out := make([]generator.Change, len(rows))
	for i, r := range rows {
		out[i] = generator.Change{Table: Orders, New: r}
		if i > 0 {
			out[i].Table = LineItem
		}
	}
	return out
}

func (g *Generator) deleteOrder() []generator.Change {
	rows := g.order(g.takeOrder())
	out := make([]generator.Change, len(rows))
	for i, r := range rows {
		out[i] = generator.Change{Table: Orders, Old: r}
		if i > 0 {
			out[i].Table = LineItem
		}
	}
	return out
}
