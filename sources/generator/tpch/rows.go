package tpch

import (
	"fmt"
	"strings"

	"millrace/internal/check"
	"millrace/repr"
	"millrace/repr/pgfmt"
	"millrace/sources/generator"
)

// Frequencies and limits of what is drawn. Days are counted as repr.Date counts them.
const (
	offers         = 4   // suppliers of a part
	rareSupplier   = 200 // one supplier in so many is complained about, as many are recommended
	bestseller     = 20  // one part in so many is what Q17 and Q19 look for
	bulkOrder      = 200 // one order in so many has seven large lines
	orderDays      = 2406
	deliveredUntil = 1263 // days after the first: 1995-06-17, the specification's today
)

var firstDay = pgfmt.DaysFromCivil(1992, 1, 1)

// current is a row as it is now.
func (g *Generator) current(r row) []repr.Datum {
	c := generator.ChanceOf(g.seed, int64(r.table), r.key, r.nth, g.versions[r])
	return fit(r.table, g.drawn(c, r))
}

func (g *Generator) drawn(c *generator.Chance, r row) []repr.Datum {
	switch r.table {
	case Region:
		return []repr.Datum{repr.Int4(int32(r.key)), repr.Text(regions[r.key]), comment(c, 31, 115)}
	case Nation:
		n := nations[r.key]
		return []repr.Datum{repr.Int4(int32(r.key)), repr.Text(n.name), repr.Int4(n.region), comment(c, 31, 114)}
	case Supplier:
		return g.supplier(c, r.key)
	case Part:
		return g.part(c, r.key)
	case PartSupp:
		return []repr.Datum{repr.Int4(int32(r.key)), repr.Int4(int32(g.supplierOf(r.key, r.nth))),
			repr.Int4(int32(c.Between(1, 9999))), repr.Numeric(c.Between(100, 100000), 2), comment(c, 49, 198)}
	case Customer:
		return g.customer(c, r.key)
	default:
		check.Never("a row of table %d is not drawn alone", r.table)
		return nil
	}
}

func (g *Generator) supplier(c *generator.Chance, key int64) []repr.Datum {
	nation := c.Below(int64(len(nations)))
	text := comment(c, 25, 60)
	switch c.Below(rareSupplier) {
	case 0:
		text = repr.Text("Customer " + text.Str() + " Complaints")
	case 1:
		text = repr.Text("Customer " + text.Str() + " Recommends")
	}
	return []repr.Datum{repr.Int4(int32(key)), named("Supplier", key), address(c), repr.Int4(int32(nation)), phone(c, nation),
		balance(c), text}
}

func (g *Generator) part(c *generator.Chance, key int64) []repr.Datum {
	maker, brand := c.Between(1, 5), c.Between(1, 5)
	label := fmt.Sprintf("Brand#%d%d", maker, brand)
	kind := c.Pick(finishes) + " " + c.Pick(coatings) + " " + c.Pick(metals)
	size, container := c.Between(1, 50), c.Pick(sizes)+" "+c.Pick(vessels)
	if c.OneIn(bestseller) {
		b := bestsellers[c.Below(int64(len(bestsellers)))]
		label, container, size = b.brand, b.container, c.Between(1, 15)
		maker = int64(label[len("Brand#")] - '0')
	}
	return []repr.Datum{repr.Int4(int32(key)), repr.Text(strings.Join(someColors(c), " ")),
		repr.Text(fmt.Sprintf("Manufacturer#%d", maker)), repr.Text(label), repr.Text(kind), repr.Int4(int32(size)),
		repr.Text(container), repr.Numeric(retailCents(key), 2), comment(c, 5, 22)}
}

func (g *Generator) customer(c *generator.Chance, key int64) []repr.Datum {
	nation := c.Below(int64(len(nations)))
	return []repr.Datum{repr.Int4(int32(key)), named("Customer", key), address(c), repr.Int4(int32(nation)), phone(c, nation),
		balance(c), repr.Text(c.Pick(segments)), comment(c, 29, 116)}
}

// supplierOf is one of the four suppliers of a part. They lie a quarter of all apart, so that they differ at any scale.
func (g *Generator) supplierOf(part, nth int64) int64 {
	s := g.suppliers
	return (part+(part-1)/s+nth*(s/offers))%s + 1
}

// retailCents is the price of a part; lines are charged by it.
func retailCents(part int64) int64 { return 90000 + part/10%20001 + 100*(part%1000) }

// order is the n-th order and behind it its lines.
func (g *Generator) order(n int64) [][]repr.Datum {
	c := generator.ChanceOf(g.seed, Orders, n)
	key := orderKey(n)
	day := c.Below(orderDays)
	bulk := c.OneIn(bulkOrder)
	count := c.Between(1, 7)
	if bulk {
		count = 7
	}
	lines := make([]line, count)
	var total, open int64
	rows := make([][]repr.Datum, 1, count+1)
	for i := range lines {
		l := g.line(c, day, bulk)
		total += roundDiv(l.cents*(100+l.tax)*(100-l.discount), 10000)
		if l.shipped > deliveredUntil {
			open++
		}
		rows = append(rows, fit(LineItem, l.row(c, key, int32(i+1))))
	}
	status := "P"
	switch open {
	case 0:
		status = "F"
	case count:
		status = "O"
	}
	rows[0] = fit(Orders, []repr.Datum{repr.Int8(key), repr.Int4(int32(g.buyer(c))), repr.Text(status), repr.Numeric(total, 2), date(day),
		repr.Text(c.Pick(priorities)), named("Clerk", c.Between(1, g.clerks)), repr.Int4(0), comment(c, 19, 78)})
	return rows
}

// orderKey leaves gaps: eight keys of thirty-two are used.
func orderKey(n int64) int64 { return n/8*32 + n%8 + 1 }

// buyer draws a customer; every third never orders.
func (g *Generator) buyer(c *generator.Chance) int64 {
	key := c.Between(1, g.customers)
	if key%3 == 0 {
		key = max(key-1, 1)
	}
	return key
}

// line is a line of an order, with days counted from the first.
type line struct {
	part, supplier, quantity, cents, discount, tax, shipped, committed, received int64
}

func (g *Generator) line(c *generator.Chance, ordered int64, bulk bool) line {
	l := line{part: c.Between(1, g.parts), quantity: c.Between(1, 50), discount: c.Below(11), tax: c.Below(9)}
	if bulk {
		l.quantity = c.Between(40, 50)
	}
	l.supplier = g.supplierOf(l.part, c.Below(offers))
	l.cents = l.quantity * retailCents(l.part)
	l.shipped = ordered + c.Between(1, 121)
	l.committed = ordered + c.Between(30, 90)
	l.received = l.shipped + c.Between(1, 30)
	return l
}

func (l *line) row(c *generator.Chance, order int64, number int32) []repr.Datum {
	flag, status := "N", "F"
	if l.received <= deliveredUntil {
		flag = c.Pick([]string{"R", "A"})
	}
	if l.shipped > deliveredUntil {
		status = "O"
	}
	return []repr.Datum{repr.Int8(order), repr.Int4(int32(l.part)), repr.Int4(int32(l.supplier)), repr.Int4(number),
		repr.Numeric(l.quantity*100, 2), repr.Numeric(l.cents, 2), repr.Numeric(l.discount, 2), repr.Numeric(l.tax, 2),
		repr.Text(flag), repr.Text(status), date(l.shipped), date(l.committed), date(l.received),
		repr.Text(c.Pick(instructions)), repr.Text(c.Pick(modes)), comment(c, 10, 43)}
}

// fit gives each value the type of its column: padded, cut, rounded.
func fit(table int, values []repr.Datum) []repr.Datum {
	for i, col := range Tables[table].Columns {
		if !col.Type.HasMod() {
			continue
		}
		if col.Type.Kind != repr.KindNumeric {
			values[i] = values[i].As(col.Type.Kind)
		}
		d, err := pgfmt.Coerce(col.Type, values[i], false)
		check.That(err == nil, "a generated value fits its column")
		values[i] = d
	}
	return values
}

func date(day int64) repr.Datum { return repr.Date(int32(firstDay + day)) }

func named(what string, key int64) repr.Datum { return repr.Text(fmt.Sprintf("%s#%09d", what, key)) }

func balance(c *generator.Chance) repr.Datum { return repr.Numeric(c.Between(-99999, 999999), 2) }

func address(c *generator.Chance) repr.Datum { return repr.Text(c.Letters(int(c.Between(10, 40)))) }

func phone(c *generator.Chance, nation int64) repr.Datum {
	a, b, d := c.Between(100, 999), c.Between(100, 999), c.Between(1000, 9999)
	return repr.Text(fmt.Sprintf("%d-%d-%d-%d", nation+10, a, b, d))
}

// someColors draws five different colors.
func someColors(c *generator.Chance) []string {
	var out []string
	taken := map[string]bool{}
	for len(out) < 5 {
		if w := c.Pick(colors); !taken[w] {
			taken[w] = true
			out = append(out, w)
		}
	}
	return out
}

// comment draws words until the text is as long as was drawn.
func comment(c *generator.Chance, shortest, longest int64) repr.Datum {
	size := int(c.Between(shortest, longest))
	b := make([]byte, 0, size+16)
	for len(b) < size {
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, c.Pick(words)...)
	}
	return repr.TextBytes([]byte(strings.TrimRight(string(b[:size]), " ")))
}

// roundDiv divides and rounds half up.
func roundDiv(a, b int64) int64 { return (a + b/2) / b }
