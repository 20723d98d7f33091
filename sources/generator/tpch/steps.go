package tpch

import "millrace/sources/generator"

// The load in pieces, and what follows it without its rows: for a reader that goes on in the middle.

// beside are the tables beside orders and lines with the number of their rows, in the order of the load.
func (g *Generator) beside() []tableRows {
	return []tableRows{{Region, int64(len(regions))}, {Nation, int64(len(nations))}, {Supplier, g.suppliers}, {Part, g.parts},
		{PartSupp, g.parts * offers}, {Customer, g.customers}}
}

// Beside is how many rows of the load are none of orders and their lines.
func (g *Generator) Beside() int64 {
	var n int64
	for _, t := range g.beside() {
		n += t.rows
	}
	return n
}

// LoadBeside are the rows [from, to) of those.
func (g *Generator) LoadBeside(from, to int64) []generator.Change {
	var out []generator.Change
	for _, t := range g.beside() {
		for i := max(from, 0); i < min(to, t.rows); i++ {
			out = append(out, generator.Change{Table: t.table, New: g.current(g.nth(t.table, i))})
		}
		from, to = from-t.rows, to-t.rows
	}
	return out
}

// Orders is how many orders the load has.
func (g *Generator) Orders() int64 { return g.loading }

// LoadOrders are the next n orders of the load with their lines.
func (g *Generator) LoadOrders(n int64) []generator.Change {
	var out []generator.Change
	for range n {
		out = append(out, g.insertOrder()...)
	}
	return out
}

// SkipOrders leaves out the next n orders of the load as if they had been handed out.
func (g *Generator) SkipOrders(n int64) {
	for range n {
		g.addOrder()
	}
}

// SkipRefresh leaves out a Refresh as if it had been handed out.
func (g *Generator) SkipRefresh(orders, updates int) {
	for range min(orders, len(g.live)) {
		g.takeOrder()
	}
	for _, t := range g.refreshed() {
		g.renew(t.table, t.rows, updates, func(r row) { g.versions[r]++ })
	}
	g.SkipOrders(int64(orders))
}
