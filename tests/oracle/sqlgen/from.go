package sqlgen

import (
	"fmt"
	"strings"
)

// from is the FROM of a select with at least one item; it adds what can be named to the scope.
func (g *Generator) from(sc *scope) *Node {
	items := list(" FROM ", ", ", "")
	if g.chance(12) {
		item, cols := g.using()
		sc.cols = cols
		items.Kids = []*Node{item}
		return items
	}
	for i := 0; i == 0 || i < 3 && g.chance(4); i++ {
		item, cols := g.item(sc, 0)
		items.Kids = append(items.Kids, item)
		sc.cols = append(sc.cols, cols...)
	}
	return items
}

// item is one item of FROM, a join or a plain one.
func (g *Generator) item(left *scope, depth int) (*Node, []column) {
	g.budget--
	if depth < 3 && g.budget > 4 && g.chance(3) {
		return g.join(left, depth)
	}
	roll := g.R.IntN(20)
	switch {
	case g.budget > 5 && roll < 3:
		return g.derived(left.outer, "")
	case g.budget > 5 && roll < 5:
		return g.derived(left, "LATERAL ")
	case roll < 7:
		return g.tableFunction(left)
	default:
		return g.table()
	}
}

// sub is what the right side of a join sees: the columns to its left, and those outside.
func sub(left *scope, cols []column) *scope {
	return &scope{outer: left.outer, cols: append(append([]column(nil), left.cols...), cols...)}
}

// join is a join of two items.
func (g *Generator) join(left *scope, depth int) (*Node, []column) {
	a, colsA := g.item(left, depth+1)
	kind := pick(g.R, []string{"JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"})
	seen := left
	if kind == "JOIN" || kind == "LEFT JOIN" || kind == "CROSS JOIN" {
		seen = sub(left, colsA)
	}
	b, colsB := g.rightItem(left, seen, depth)
	both := append(append([]column(nil), colsA...), colsB...)
	if kind == "CROSS JOIN" {
		return form("from", "$ CROSS JOIN $", a, b), both
	}
	on := &scope{outer: left.outer, cols: both}
	return form("from", "$ "+kind+" $ ON $", a, b, g.on(on, colsA, colsB, kind == "FULL JOIN")), both
}

// rightItem is the right side of a join. LATERAL may look at seen.
func (g *Generator) rightItem(left, seen *scope, depth int) (*Node, []column) {
	if seen != left && g.budget > 6 && g.chance(5) {
		return g.derived(seen, "LATERAL ")
	}
	n, cols := g.item(&scope{outer: left.outer}, depth+1)
	return form("from", "$", n), cols
}

// on is the condition of a join: mostly an equality between the sides, and more.
func (g *Generator) on(sc *scope, a, b []column, must bool) *Node {
	eq := g.equality(a, b)
	switch {
	case eq == nil && must:
		return text("true")
	case eq == nil:
		return g.expr(sc, Bool)
	case must && g.chance(2), g.chance(2):
		return eq
	case must:
		return form("bool", "($ AND $)", eq, g.expr(&scope{outer: sc.outer, cols: sc.cols}, Bool))
	default:
		return form("bool", pick(g.R, []string{"($ AND $)", "($ AND $)", "($ OR $)"}), eq, g.expr(sc, Bool))
	}
}

// equality compares columns of two sides, of one type or of two kinds of whole numbers.
func (g *Generator) equality(a, b []column) *Node {
	var fit [][2]column
	for _, x := range a {
		for _, y := range b {
			if x.typ == y.typ || x.typ == Int && y.typ == Bigint || x.typ == Bigint && y.typ == Int {
				fit = append(fit, [2]column{x, y})
			}
		}
	}
	if len(fit) == 0 {
		return nil
	}
	p := pick(g.R, fit)
	return &Node{Sort: "bool", Text: []string{p[0].ref + " = " + p[1].ref}}
}

// table is a table or a common table expression under a name.
func (g *Generator) table() (*Node, []column) {
	rel := g.relation()
	alias := g.name("t")
	return &Node{Sort: "from", Text: []string{rel.name + " AS " + alias}}, qualified(alias, rel.cols)
}

func (g *Generator) relation() relation {
	if len(g.ctes) > 0 && g.chance(2) {
		return pick(g.R, g.ctes)
	}
	t := pick(g.R, g.Tables)
	return relation{t.Name, t.Columns}
}

func qualified(alias string, cols []Column) []column {
	var out []column
	for _, c := range cols {
		out = append(out, column{alias + "." + c.Name, c.Type})
	}
	return out
}

// derived is a subquery in FROM.
func (g *Generator) derived(outer *scope, how string) (*Node, []column) {
	types := g.types(1 + g.R.IntN(3))
	q, _ := g.query(outer, types)
	alias := g.name("s")
	return form("from", how+"($) AS "+alias, q), qualified(alias, columnsOf(types))
}

// tableFunctions are functions that give rows, the columns they give, and whether those may be counted.
var tableFunctions = []struct {
	form string
	cols []Type
}{
	{"generate_series(1, $int % 5)", []Type{Int}},
	{"generate_series($int % 4, 3, 2)", []Type{Int}},
	{"unnest($int[])", []Type{Int}},
	{"unnest($text[])", []Type{Text}},
	{"jsonb_array_elements(jsonb_build_array(1) || $jsonb)", []Type{Jsonb}},
	{"jsonb_each(jsonb_build_object('k', $jsonb))", []Type{Text, Jsonb}},
	{"regexp_split_to_table($text, 'a')", []Type{Text}},
	{"string_to_table($text, ',')", []Type{Text}},
	{"unnest($int[], '{a,b}'::text[])", []Type{Int, Text}},
	{"ROWS FROM (generate_series(1, 2), unnest($text[]))", []Type{Int, Text}},
	{"jsonb_object_keys(jsonb_build_object('k', $jsonb, 'l', 1))", []Type{Text}},
	{"jsonb_array_elements_text(jsonb_build_array($text, 'z'))", []Type{Text}},
	{"generate_series(timestamp '2024-01-01', '2024-01-03', make_interval(0, 0, 0, 1, abs($int) % 5))", []Type{Timestamp}},
	{"generate_subscripts($text[], 1)", []Type{Int}},
}

// tableFunction is a function in FROM, over the columns to its left.
func (g *Generator) tableFunction(left *scope) (*Node, []column) {
	f := pick(g.R, tableFunctions)
	n := &Node{Sort: "from", Text: []string{""}}
	rest := f.form
	for _, t := range []Type{Ints, Texts, Int, Text, Jsonb} {
		if before, after, found := strings.Cut(rest, "$"+string(t)); found {
			n.Text, n.Holes, n.Kids = []string{before, ""}, []int{0}, []*Node{g.expr(left, t)}
			rest = after
			break
		}
	}
	cols, names := append([]Type(nil), f.cols...), ""
	if g.chance(3) {
		rest += " WITH ORDINALITY"
		cols = append(cols, Bigint)
	}
	alias := g.name("f")
	for i := range cols {
		if i > 0 {
			names += ", "
		}
		names += fmt.Sprintf("c%d", i+1)
	}
	n.Text[1] = rest + " AS " + alias + "(" + names + ")"
	return n, qualified(alias, columnsOf(cols))
}

// using is a join with USING or NATURAL, whose common columns stand once and without a table's name.
func (g *Generator) using() (*Node, []column) {
	a, b := pick(g.R, g.Tables), pick(g.R, g.Tables)
	aliasA, aliasB := g.name("t"), g.name("t")
	var merged []column
	var names []string
	for _, c := range a.Columns {
		for _, d := range b.Columns {
			if c.Name == d.Name {
				names = append(names, c.Name)
				merged = append(merged, column{c.Name, widest(c.Type, d.Type)})
			}
		}
	}
	kind := pick(g.R, []string{"JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"})
	if len(names) == 0 || g.chance(3) {
		return &Node{Text: []string{a.Name + " AS " + aliasA + " NATURAL " + kind + " " + b.Name + " AS " + aliasB}},
			append(merged, append(g.others(a, merged, aliasA), g.others(b, merged, aliasB)...)...)
	}
	i := g.R.IntN(len(names))
	merged = merged[i : i+1]
	n := &Node{Text: []string{a.Name + " AS " + aliasA + " " + kind + " " + b.Name + " AS " + aliasB + " USING (" + names[i] + ")"}}
	return n, append(merged, append(g.others(a, merged, aliasA), g.others(b, merged, aliasB)...)...)
}

// others are the columns of a table that a join did not merge.
func (g *Generator) others(t *Table, merged []column, alias string) []column {
	var out []column
	for _, c := range t.Columns {
		taken := false
		for _, m := range merged {
			taken = taken || m.ref == c.Name
		}
		if !taken {
			out = append(out, column{alias + "." + c.Name, c.Type})
		}
	}
	return out
}

func widest(a, b Type) Type {
	if a == Bigint || b == Bigint {
		return Bigint
	}
	return a
}
