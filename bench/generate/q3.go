package generate

import (
	"io"

	"millrace/sources/generator"
)

// The tables of a q3 file.
const (
	tableCustomer = iota
	tableOrder
	tableLine
)

// Sizes of the order data, each for a thousandth of the scale factor.
const (
	customersPerMilli = 150
	ordersPerMilli    = 1500
	orderDays         = 2406 // days since 1992-01-01
)

// Q3 writes customers, orders and lines after the shape of TPC-H, milliScale thousandths of its scale factor,
// and then pairs of refreshes: each inserts a thousandth of the orders with their lines and deletes as many.
func Q3(w io.Writer, milliScale, pairs int64) error {
	if err := positive("q3", milliScale, pairs); err != nil {
		return err
	}
	// The header counts the records, which only the draws know: so the history runs twice, first unwritten.
	counted := newShop(nil, milliScale)
	loaded, total := counted.run(pairs)
	s := newShop(newRecorder(w), milliScale)
	s.out.ints(total, loaded)
	s.run(pairs)
	return s.out.flush("q3")
}

type line struct{ number, price, discount, shipped int64 }

type order struct {
	key, customer, day int64
	lines              []line
}

// shop holds the orders that are there. Without an out it only counts.
type shop struct {
	*generator.Chance
	out        *recorder
	milliScale int64
	records    int64
	orders     []order
	nextKey    int64
}

func newShop(out *recorder, milliScale int64) *shop {
	return &shop{Chance: &generator.Chance{State: 13}, out: out, milliScale: milliScale}
}

// run writes the whole history and returns how many records the load and all of it have.
func (s *shop) run(pairs int64) (loaded, total int64) {
	for key := range customersPerMilli * s.milliScale {
		s.record(tableCustomer, key, s.Below(5), 0, 0, 0, 1)
	}
	for range ordersPerMilli * s.milliScale {
		s.insert()
	}
	loaded = s.records
	refresh := max(ordersPerMilli*s.milliScale/1000, 1)
	for range pairs {
		for range refresh {
			s.insert()
		}
		for range refresh {
			s.remove()
		}
	}
	return loaded, s.records
}

func (s *shop) insert() {
	o := order{key: s.nextKey, customer: s.Below(customersPerMilli * s.milliScale), day: s.Below(orderDays)}
	s.nextKey++
	o.lines = make([]line, 1+s.Below(7))
	for i := range o.lines {
		price := 90_000 + s.Below(9_400_000)
		discount := s.Below(11)
		o.lines[i] = line{number: int64(i), price: price, discount: discount, shipped: o.day + 1 + s.Below(121)}
	}
	s.write(o, 1)
	s.orders = append(s.orders, o)
}

func (s *shop) remove() {
	at := s.Below(int64(len(s.orders)))
	s.write(s.orders[at], -1)
	s.orders = removeUnordered(s.orders, at)
}

func (s *shop) write(o order, diff int64) {
	s.record(tableOrder, o.key, o.customer, o.day, 0, 0, diff)
	for _, l := range o.lines {
		s.record(tableLine, o.key, l.number, l.price, l.discount, l.shipped, diff)
	}
}

func (s *shop) record(values ...int64) {
	s.records++
	if s.out != nil {
		s.out.ints(values...)
	}
}
