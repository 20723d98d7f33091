package sqlgen

import (
	"fmt"
	"strconv"
	"strings"
)

// Query is a random query, whose columns are called c1, c2, ….
func (g *Generator) Query() *Node {
	g.budget, g.names, g.ctes = 10+g.R.IntN(60), 0, nil
	n, _ := g.query(nil, g.types(1+g.R.IntN(4)))
	return n
}

// types are n random types.
func (g *Generator) types(n int) []Type {
	out := make([]Type, n)
	for i := range out {
		out[i] = g.typ()
	}
	return out
}

// querySort is the sort of queries whose columns have these types.
func querySort(types []Type) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = string(t)
	}
	return "query(" + strings.Join(words, ", ") + ")"
}

// columnsOf are the columns of a query of these types.
func columnsOf(types []Type) []Column {
	out := make([]Column, len(types))
	for i, t := range types {
		out[i] = Column{Name: fmt.Sprintf("c%d", i+1), Type: t}
	}
	return out
}

// query is a query with columns of these types, and the list whose kids its columns are.
func (g *Generator) query(outer *scope, types []Type) (n, items *Node) {
	g.budget--
	ctes := len(g.ctes)
	defer func() { g.ctes = g.ctes[:ctes] }()
	roll := g.R.IntN(100)
	switch {
	case g.budget > 10 && roll < 10:
		return g.with(outer, types)
	case g.budget > 25 && roll < 14 && !g.Without[Recursion]:
		return g.recursive(outer, types)
	case g.budget > 8 && roll < 26:
		n, items = g.setOperation(outer, types)
	case roll < 29:
		n, items = g.values(types)
	default:
		n, items = g.selectQuery(outer, types)
	}
	n.Sort = querySort(types)
	return n, items
}

// limited gives a query, now and then, an order and a LIMIT.
func (g *Generator) limited(n, items *Node) *Node {
	if !g.chance(7) {
		return n
	}
	return form("", "$$", n, g.limit(items))
}

// limit is ORDER BY all columns with LIMIT, OFFSET or FETCH.
func (g *Generator) limit(items *Node) *Node {
	return optional(pick(g.R, []string{
		" ORDER BY $ LIMIT 1", " ORDER BY $ LIMIT 3", " ORDER BY $ LIMIT 2 OFFSET 1", " ORDER BY $ OFFSET 2",
		" ORDER BY $ FETCH FIRST 2 ROWS ONLY", " ORDER BY $ FETCH FIRST 2 ROWS WITH TIES", " ORDER BY $", " ORDER BY $ LIMIT 0",
		" ORDER BY $ LIMIT 10 OFFSET 3",
	}), g.positions(items))
}

// positions are all columns of a query, each in a direction.
func (g *Generator) positions(items *Node) *Node {
	n := &Node{Count: items}
	for range items.live() {
		n.Text = append(n.Text, pick(g.R, []string{"", "", " DESC", " NULLS FIRST", " DESC NULLS LAST", " ASC"}))
	}
	return n
}

// with is a query behind WITH.
func (g *Generator) with(outer *scope, types []Type) (n, items *Node) {
	ctes := list("WITH ", ", ", " ")
	for range 1 + g.R.IntN(2) {
		name, of := g.name("w"), g.types(1+g.R.IntN(3))
		q, _ := g.query(nil, of)
		how := pick(g.R, []string{"", "", "MATERIALIZED ", "NOT MATERIALIZED "})
		ctes.Kids = append(ctes.Kids, form("", name+" AS "+how+"($)", q))
		g.ctes = append(g.ctes, relation{name, columnsOf(of)})
	}
	body, items := g.query(outer, types)
	ctes.Optional = true
	return form(querySort(types), "$$", ctes, body), items
}

// recursive is a query over a small recursion: walks over numbers, cut by UNION and by a bound, or by CYCLE.
func (g *Generator) recursive(outer *scope, types []Type) (n, items *Node) {
	name := g.name("x")
	start, _ := g.query(nil, []Type{Int, Int})
	from, cols := g.table()
	sc := &scope{cols: append([]column{{name + ".c1", Int}, {name + ".c2", Int}}, cols...)}
	step, trail := name+".c1 + 1", ""
	given := columnsOf([]Type{Int, Int})
	if g.chance(2) {
		trail, given = g.trail(name)
		if strings.Contains(trail, "CYCLE c1 ") && g.chance(2) {
			step = "(" + name + ".c1 * 2 + 1) % 3" // without CYCLE it would go on for ever where rows differ in what SEARCH adds
		}
	}
	next := form("", "SELECT $ AS c1, $ AS c2 FROM "+name+", $ WHERE $ AND "+name+".c1 < 4 AND "+name+".c2 BETWEEN -4 AND 6",
		form("int", step), g.expr(sc, Int), from, g.expr(sc, Bool))
	union := "UNION"
	if trail == "" && g.chance(2) {
		next, union = g.ofRound(next)
	}
	cte := form("", "WITH RECURSIVE "+name+"(c1, c2) AS (SELECT least(c1, 3), c2 FROM ($) s0 "+union+" $)"+trail+" ", start, next)
	if trail != "" {
		seen := g.name("w")
		cte = form("", "$, "+seen+" AS (SELECT c1, c2"+texts(given[2:])+" FROM "+name+") ", cte)
		name = seen
	}
	g.ctes = append(g.ctes, relation{name, given})
	body, items := g.query(outer, types)
	return form(querySort(types), "$$", cte, body), items
}

// ofRound makes a recursive term of another whose rows depend on all rows of the last round together. Those that keep few of them may
// stand behind UNION ALL.
func (g *Generator) ofRound(next *Node) (term *Node, union string) {
	all := pick(g.R, []string{"UNION", "UNION ALL"})
	switch g.R.IntN(6) {
	case 0:
		return form("", "SELECT DISTINCT c1, c2 FROM ($) s1", next), all
	case 1:
		return form("", "SELECT c1, c2 FROM ($) s1 GROUP BY c1, c2", next), all
	case 2:
		return form("", "(SELECT c1, c2 FROM ($) s1 ORDER BY c1, c2 DESC LIMIT "+strconv.Itoa(1+g.R.IntN(4))+")", next), all
	case 3:
		return form("", "(SELECT DISTINCT ON (c1) c1, c2 FROM ($) s1 ORDER BY c1, c2)", next), all
	case 4:
		f := pick(g.R, []string{"rank()", "dense_rank()", "count(*)", "max(c2)"})
		return form("", "SELECT c1, ("+f+" OVER (PARTITION BY c1 ORDER BY c2))::int FROM ($) s1", next), "UNION"
	default:
		return form("", "(WITH v AS ($) SELECT a.c1, b.c2 FROM v a, v b WHERE a.c2 < b.c2)", next), "UNION"
	}
}

// trail is SEARCH, CYCLE or both, and the columns that the recursion has with them.
func (g *Generator) trail(name string) (string, []Column) {
	out, cols := "", columnsOf([]Type{Int, Int})
	by := func() string { return pick(g.R, []string{"c1", "c2", "c2, c1", "c1, c2"}) }
	roll := g.R.IntN(3)
	if roll != 0 {
		out += " SEARCH " + pick(g.R, []string{"DEPTH", "BREADTH"}) + " FIRST BY " + by() + " SET q"
		cols = append(cols, Column{Name: "q", Type: Text})
	}
	if roll != 1 {
		to := pick(g.R, []string{"", "", " TO true DEFAULT false", " TO false DEFAULT true", " TO true DEFAULT NULL"})
		out += " CYCLE " + by() + " SET m" + to + " USING p"
		cols = append(cols, Column{Name: "m", Type: Bool}, Column{Name: "p", Type: Text})
	}
	return out, cols
}

// texts are columns as text, of which generated expressions know more than of records.
func texts(cols []Column) string {
	out := ""
	for _, c := range cols {
		out += ", " + c.Name
		if c.Type == Text {
			out += "::text AS " + c.Name
		}
	}
	return out
}

// setOperation is UNION, INTERSECT or EXCEPT of two queries, or of three.
func (g *Generator) setOperation(outer *scope, types []Type) (n, items *Node) {
	left, items := g.query(outer, types)
	right, _ := g.query(outer, types)
	op := pick(g.R, []string{"UNION", "UNION ALL", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"})
	return g.limited(form("", "($) "+op+" ($)", left, right), items), items
}

// values is VALUES as a query.
func (g *Generator) values(types []Type) (n, items *Node) {
	names := list("SELECT ", ", ", "")
	for i := range types {
		names.Kids = append(names.Kids, text(fmt.Sprintf("c%d", i+1)))
	}
	rows := list("VALUES ", ", ", "")
	for range 1 + g.R.IntN(3) {
		rows.Kids = append(rows.Kids, text("("+strings.Join(g.constants(types), ", ")+")"))
	}
	alias := g.name("v")
	aliases := make([]string, len(types))
	for i := range types {
		aliases[i] = fmt.Sprintf("c%d", i+1)
	}
	return g.limited(form("", "$ FROM ($) AS "+alias+"("+strings.Join(aliases, ", ")+")", names, rows), names), names
}

func (g *Generator) constants(types []Type) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = literal(g.R, t)
	}
	return out
}

// selectQuery is SELECT … FROM … WHERE … GROUP BY … HAVING.
func (g *Generator) selectQuery(outer *scope, types []Type) (n, items *Node) {
	sc := &scope{outer: outer}
	from := g.from(sc)
	where := g.where(sc)
	var group, having *Node
	if g.chance(3) {
		group, sc = g.group(sc)
		if g.chance(3) {
			having = optional(" HAVING $", g.expr(sc, Bool))
		}
	}
	sc.windows = !sc.sets && len(sc.cols) > 0 && g.chance(6)
	items = list("", ", ", "")
	for i, t := range types {
		items.Kids = append(items.Kids, form("", fmt.Sprintf("$ AS c%d", i+1), g.expr(sc, t)))
	}
	distinct, order := g.distinct(sc, items)
	n = form("", "SELECT $$$$$$$", distinct, items, from, where, group, having, order)
	if order == nil {
		n = g.limited(n, items)
	}
	return n, items
}

// distinct is DISTINCT, or DISTINCT ON with the order that decides which row stays.
func (g *Generator) distinct(sc *scope, items *Node) (distinct, order *Node) {
	switch {
	case g.chance(6):
		distinct = text("DISTINCT ")
		distinct.Optional = true
	case !sc.windows && g.chance(15):
		distinct = text(pick(g.R, []string{"DISTINCT ON (1) ", "DISTINCT ON (1, c1) "}))
		order = form("", " ORDER BY $", g.positions(items))
	}
	return distinct, order
}

func (g *Generator) where(sc *scope) *Node {
	if g.chance(3) {
		return nil
	}
	return optional(" WHERE $", g.expr(sc, Bool))
}

// group is GROUP BY, and the scope of what stands behind it.
func (g *Generator) group(rows *scope) (*Node, *scope) {
	sc := &scope{outer: rows.outer, rows: rows}
	keys := list(" GROUP BY ", ", ", "")
	keys.Optional = true
	for range g.R.IntN(3) {
		if len(rows.cols) == 0 {
			break
		}
		c := pick(g.R, rows.cols)
		if g.chance(4) {
			c.ref = g.keyOf(rows, c)
		}
		keys.Kids = append(keys.Kids, text("("+c.ref+")"))
		sc.cols = append(sc.cols, column{"(" + c.ref + ")", c.typ})
	}
	if len(keys.Kids) > 0 && g.chance(4) && !g.Without[GroupingSets] {
		sc.cols = append(sc.cols, column{"grouping(" + keys.Kids[0].String() + ")", Int})
		g.groupingSets(keys)
		sc.sets = true
	}
	return keys, sc
}

// keyOf is an expression of few parts and without subqueries to group by, or the column when it comes out as a constant.
func (g *Generator) keyOf(rows *scope, c column) string {
	budget := g.budget
	g.budget = min(budget, 4)
	e := g.expr(&scope{cols: rows.cols}, c.typ)
	g.budget = budget
	key := e.String()
	for _, col := range rows.cols { // PostgreSQL 15 does not make constants NULL in grouping sets within other expressions
		if strings.Contains(key, col.ref) {
			return key
		}
	}
	return c.ref
}

// groupingSets makes keys into grouping sets.
func (g *Generator) groupingSets(keys *Node) {
	var all []string
	for _, k := range keys.Kids {
		all = append(all, k.String())
	}
	joined := strings.Join(all, ", ")
	keys.Kids = []*Node{text(pick(g.R, []string{
		"ROLLUP (" + joined + ")", "CUBE (" + joined + ")", "GROUPING SETS ((" + joined + "), ())",
		"GROUPING SETS ((" + all[0] + "), (" + joined + "))",
	}))}
}

// predicate is a condition with a subquery.
func (g *Generator) predicate(sc *scope) *Node {
	if g.budget < 5 {
		return g.apply(rules, sc, Bool)
	}
	inner := *sc
	inner.windows = false
	switch g.R.IntN(6) {
	case 0, 1:
		q, _ := g.query(&inner, g.types(1))
		return form("bool", pick(g.R, []string{"(EXISTS ($))", "(NOT EXISTS ($))"}), q)
	case 2, 3:
		t := g.typ()
		q, _ := g.query(&inner, []Type{t})
		return form("bool", pick(g.R, []string{"($ IN ($))", "($ NOT IN ($))"}), g.expr(&inner, t), q)
	case 4:
		t := g.typ()
		q, _ := g.query(&inner, []Type{t})
		op := pick(g.R, words["cmp"]) + " " + pick(g.R, words["of"])
		return form("bool", "($ "+op+" ($))", g.expr(&inner, t), q)
	default:
		t, u := g.typ(), g.typ()
		q, _ := g.query(&inner, []Type{t, u})
		in := pick(g.R, []string{"IN", "NOT IN"})
		return form("bool", "(($, $) "+in+" ($))", g.expr(&inner, t), g.expr(&inner, u), q)
	}
}

// scalar is a subquery as an expression.
func (g *Generator) scalar(sc *scope, t Type) *Node {
	inner := *sc
	inner.windows = false
	switch roll := g.R.IntN(10); {
	case roll < 6:
		return g.scalarAggregate(&inner, t)
	case roll < 7 && (t == Ints || t == Texts):
		of := Int
		if t == Texts {
			of = Text
		}
		q, items := g.query(&inner, []Type{of})
		return form(string(t), "ARRAY(SELECT c1 FROM ($) AS "+g.name("s")+" ORDER BY $)", q, g.positions(items))
	case roll < 8 && g.Fallible:
		q, _ := g.query(&inner, []Type{t})
		return form(string(t), "($)", q)
	default:
		q, items := g.query(&inner, []Type{t})
		return form(string(t), "(SELECT c1 FROM ($) AS "+g.name("s")+" ORDER BY $ LIMIT 1)", q, g.positions(items))
	}
}

// scalarAggregate is a subquery that aggregates all its rows.
func (g *Generator) scalarAggregate(outer *scope, t Type) *Node {
	rows := &scope{outer: outer}
	from := g.from(rows)
	where := g.where(rows)
	item := g.aggregate(&scope{outer: outer, rows: rows}, t)
	q := form(querySort([]Type{t}), "SELECT $ AS c1$$ HAVING true", item, from, where)
	return form(string(t), "($)", q)
}
