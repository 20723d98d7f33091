package sqlgen

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Generator makes SQL. The same source of chance makes the same text.
type Generator struct {
	R      *rand.Rand
	Tables []*Table
	// Fallible lets expressions be made that fail on some rows.
	Fallible bool
	// Without are the features that are not to be made, for what is not there yet: see Features.
	Without map[Feature]bool

	budget int // nodes that may still be made
	names  int // aliases given
	ctes   []relation
}

// Feature is a part of the grammar that can be left out.
type Feature string

// The features.
const (
	GroupingSets Feature = "grouping sets"
	Windows      Feature = "windows"
	Recursion    Feature = "recursion"
	OrderedSets  Feature = "ordered-set aggregates"
)

// Table is a table of a random schema.
type Table struct {
	Name    string
	Columns []Column
}

// Column is a column of a table or of a relation in FROM.
type Column struct {
	Name    string
	Type    Type
	NotNull bool
}

// relation is what FROM can name, with its columns.
type relation struct {
	name string
	cols []Column
}

// column is what an expression can name.
type column struct {
	ref string
	typ Type
}

// scope is what can be named at a place.
type scope struct {
	outer *scope
	cols  []column
	// rows is the scope of the rows of a grouped query, where the arguments of aggregates live; nil elsewhere.
	rows *scope
	// sets says that rows are made by grouping sets, so that no order of the keys is total.
	sets bool
	// windows says that window functions may be made here.
	windows bool
}

// chance is true once in n times.
func (g *Generator) chance(n int) bool { return g.R.IntN(n) == 0 }

func (g *Generator) name(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

func (g *Generator) typ() Type { return pick(g.R, weighted) }

// Expression is an expression of a type over the columns of one table, as WHERE and SET of a change have it.
func (g *Generator) Expression(t *Table, typ Type) *Node {
	g.budget = 6
	sc := &scope{}
	for _, c := range t.Columns {
		sc.cols = append(sc.cols, column{c.Name, c.Type})
	}
	return g.expr(sc, typ)
}

// expr is an expression of a type.
func (g *Generator) expr(sc *scope, t Type) *Node {
	g.budget--
	roll := g.R.IntN(100)
	switch {
	case g.budget <= 0 || roll < 35:
		return g.leaf(sc, t)
	case sc.windows && roll < 45 && !g.Without[Windows]:
		return g.apply(windows, sc, t)
	case sc.rows != nil && roll < 70:
		return g.aggregate(sc, t)
	case t == Bool && roll < 55:
		return g.predicate(sc)
	case roll < 45 && g.budget > 8:
		return g.scalar(sc, t)
	default:
		return g.apply(rules, sc, t)
	}
}

// leaf is a column or a constant.
func (g *Generator) leaf(sc *scope, t Type) *Node {
	for s := sc; s != nil; s = s.outer {
		refs := s.of(t)
		if len(refs) > 0 && g.R.IntN(10) < 7 {
			return &Node{Sort: string(t), Text: []string{pick(g.R, refs)}}
		}
	}
	if sc.rows != nil && g.budget > 0 && g.chance(2) {
		return g.aggregate(sc, t)
	}
	if refs := sc.of(t); len(refs) > 0 && g.chance(2) {
		return &Node{Sort: string(t), Text: []string{pick(g.R, refs)}}
	}
	return &Node{Sort: string(t), Text: []string{literal(g.R, t)}}
}

// of are the columns of a type.
func (s *scope) of(t Type) []string {
	var refs []string
	for _, c := range s.cols {
		if c.typ == t {
			refs = append(refs, c.ref)
		}
	}
	return refs
}

// aggregate is an aggregate of a type, or an expression over aggregates.
func (g *Generator) aggregate(sc *scope, t Type) *Node {
	inner := *sc.rows
	if !g.chance(20) {
		inner.outer = nil // an aggregate of nothing but outer columns belongs to the outer query
	}
	n := g.apply(aggregates, &inner, t)
	if n == nil {
		return &Node{Sort: string(t), Text: []string{literal(g.R, t)}}
	}
	if g.chance(5) {
		g.filter(n, &inner)
	}
	return n
}

// apply is an expression made by a rule of a table. It is nil if none gives the type.
func (g *Generator) apply(table []rule, sc *scope, t Type) *Node {
	var fit []rule
	for _, r := range table {
		if g.fits(r, t) {
			fit = append(fit, r)
		}
		if r.fails && g.fits(r, t) { // there are few, and they are to be met
			fit = append(fit, r, r, r, r)
		}
	}
	if len(fit) == 0 {
		if sc.windows {
			return g.leaf(sc, t)
		}
		return nil
	}
	r := pick(g.R, fit)
	T := t
	if r.gives != "" {
		if r.of == nil {
			T = g.typ()
		} else {
			T = pick(g.R, r.of)
		}
	}
	n := g.fill(r.form, sc, T)
	n.Sort = string(t)
	return n
}

func (g *Generator) fits(r rule, t Type) bool {
	switch {
	case r.fails && !g.Fallible:
		return false
	case g.Without[OrderedSets] && strings.Contains(r.form, "WITHIN GROUP"):
		return false
	case r.gives != "":
		return r.gives == t
	case r.of == nil:
		return true
	}
	for _, o := range r.of {
		if o == t {
			return true
		}
	}
	return false
}

// filter gives a bare aggregate a FILTER.
func (g *Generator) filter(n *Node, sc *scope) {
	last := n.Text[len(n.Text)-1]
	if !strings.HasSuffix(last, ")") || strings.HasPrefix(n.Text[0], "(") {
		return
	}
	f := optional(" FILTER (WHERE $)", g.expr(sc, Bool))
	n.Holes = append(n.Holes, len(n.Kids))
	n.Kids = append(n.Kids, f)
	n.Text = append(n.Text, "")
}

// fill makes the expressions of a form.
func (g *Generator) fill(pattern string, sc *scope, t Type) *Node {
	inner := *sc
	inner.windows = false
	n := &Node{Text: []string{""}}
	named := map[string]int{}
	for pattern != "" {
		before, rest, found := strings.Cut(pattern, "{")
		n.Text[len(n.Text)-1] += before
		if !found {
			break
		}
		hole, after, _ := strings.Cut(rest, "}")
		pattern = after
		if hole == "a,b" { // the path of a JSON operator, not a hole
			n.Text[len(n.Text)-1] += "{a,b}"
			continue
		}
		if w := words[hole]; w != nil {
			n.Text[len(n.Text)-1] += pick(g.R, w)
			continue
		}
		n.Holes = append(n.Holes, g.hole(hole, n, named, func(typ string) *Node { return g.holeExpr(typ, &inner, t) }))
		n.Text = append(n.Text, "")
	}
	return n
}

// hole is the number of the kid for a hole: made, or the one that another hole of that name has.
func (g *Generator) hole(hole string, n *Node, named map[string]int, make func(string) *Node) int {
	name, typ, isNamed := strings.Cut(hole, ":")
	if i, ok := named[name]; ok {
		return i
	}
	if !isNamed {
		typ = name
	}
	n.Kids = append(n.Kids, make(typ))
	if isNamed {
		named[name] = len(n.Kids) - 1
	}
	return len(n.Kids) - 1
}

func (g *Generator) holeExpr(typ string, sc *scope, t Type) *Node {
	switch typ {
	case "T":
		return g.expr(sc, t)
	case "show":
		return g.expr(sc, pick(g.R, shown))
	case "exact": // a float8 that sums up without rounding
		if refs := sc.of(Float); len(refs) > 0 {
			return text(pick(g.R, refs))
		}
		return form("", "$::float8", g.expr(sc, Int))
	case "over", "peers", "rows", "frame":
		return g.window(typ, sc)
	case "near":
		return g.near(sc)
	default:
		return g.expr(sc, Type(typ))
	}
}

// window is the window of a function, by the kind of its hole.
func (g *Generator) window(kind string, sc *scope) *Node {
	order := list(" ORDER BY ", ", ", "")
	add := func(c column) {
		order.Kids = append(order.Kids, text(c.ref+pick(g.R, []string{"", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"})))
	}
	total := kind == "over" || kind == "rows"
	first := g.R.IntN(max(1, len(sc.cols)))
	for i := range sc.cols {
		add(sc.cols[(first+i)%len(sc.cols)])
		if !total {
			break
		}
	}
	order.Min = len(order.Kids) // without one of them the order is no longer total
	order.Optional = !total
	var by *Node
	if len(sc.cols) > 0 && g.chance(2) {
		by = optional("PARTITION BY $", g.leafOf(sc))
	}
	frame := ""
	excluded := pick(g.R, []string{"", "", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"})
	switch kind {
	case "rows":
		frame = pick(g.R, []string{"", " ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", " ROWS UNBOUNDED PRECEDING",
			" ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
			" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING", " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING"})
	case "frame":
		frame = pick(g.R, []string{"", "", " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
			" GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW", " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
			" GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 FOLLOWING", " GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
			" ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"})
		order.Optional = !strings.Contains(frame, "GROUPS")
	}
	if frame == "" || strings.HasSuffix(excluded, "TIES") && strings.HasSuffix(frame, "AND 1 PRECEDING") {
		excluded = "" // of such a frame PostgreSQL 15 takes the current row for the last one, though it is not in it
	}
	return form("", "($$"+frame+excluded+")", by, order)
}

// near is a window with a RANGE frame with offsets, over an expression of a type that has a distance.
func (g *Generator) near(sc *scope) *Node {
	typ := pick(g.R, []Type{Int, Int, Bigint, Numeric, Float, Date, Timestamp})
	offset := func() string { return pick(g.R, []string{"0", "1", "2", "100"}) }
	if typ == Date || typ == Timestamp {
		offset = func() string { return pick(g.R, []string{"'1 day'", "'1 month'", "'0'", "'36 hours'"}) }
	}
	frame := pick(g.R, []string{"# PRECEDING", "BETWEEN # PRECEDING AND # FOLLOWING", "BETWEEN # FOLLOWING AND # FOLLOWING",
		"BETWEEN UNBOUNDED PRECEDING AND # PRECEDING", "BETWEEN # FOLLOWING AND UNBOUNDED FOLLOWING",
		"BETWEEN CURRENT ROW AND # FOLLOWING"})
	for strings.Contains(frame, "#") {
		frame = strings.Replace(frame, "#", offset(), 1)
	}
	frame += pick(g.R, []string{"", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"})
	var by *Node
	if len(sc.cols) > 0 && g.chance(2) {
		by = optional("PARTITION BY $", g.leafOf(sc))
	}
	direction := pick(g.R, []string{"", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"})
	return form("", "($ ORDER BY $"+direction+" RANGE "+frame+")", by, g.expr(sc, typ))
}

// leafOf is any column of the scope.
func (g *Generator) leafOf(sc *scope) *Node { return text(pick(g.R, sc.cols).ref) }
