package sqlgen

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// History is a schema and what happens to its tables: batches of statements. Both are trees, so that a fault can be
// shown by less of them.
type History struct {
	// Schema is a list of CREATE TABLE and CREATE INDEX.
	Schema *Node
	// Batches is a list of lists of statements.
	Batches *Node
}

// columnNames are what columns of a type are called, so that tables share names with USING and NATURAL.
var columnNames = map[Type][]string{
	Int: {"i", "j", "k"}, Bigint: {"k", "l"}, Numeric: {"n"}, Text: {"s", "u"}, Bool: {"b"}, Date: {"d"},
	Timestamp: {"ts"}, Float: {"f"}, Jsonb: {"js"}, Ints: {"a"}, Texts: {"w"},
}

// Schema makes the tables of a generator, and a history over them.
func (g *Generator) Schema(batches int) *History {
	h := &History{Schema: list("", ";\n", ";\n"), Batches: list("", "", "")}
	for i := range 2 + g.R.IntN(3) {
		t := g.newTable(fmt.Sprintf("r%d", i))
		g.Tables = append(g.Tables, t)
		h.Schema.Kids = append(h.Schema.Kids, create(t))
	}
	for range g.R.IntN(3) {
		t := pick(g.R, g.Tables)
		h.Schema.Kids = append(h.Schema.Kids, text("CREATE INDEX ON "+t.Name+" ("+pick(g.R, t.Columns).Name+")"))
	}
	h.Schema.Min, h.Batches.Sep, h.Batches.Min = 0, "\n", 0
	for i := range batches {
		h.Batches.Kids = append(h.Batches.Kids, g.batch(i))
	}
	return h
}

// newTable is a table of random columns.
func (g *Generator) newTable(name string) *Table {
	t := &Table{Name: name}
	taken := map[string]bool{}
	for len(t.Columns) < 2+g.R.IntN(4) {
		typ := g.typ()
		c := pick(g.R, columnNames[typ])
		if taken[c] {
			continue
		}
		taken[c] = true
		t.Columns = append(t.Columns, Column{Name: c, Type: typ, NotNull: g.chance(6)})
	}
	return t
}

func create(t *Table) *Node {
	cols := list("(", ", ", ")")
	for _, c := range t.Columns {
		decl := c.Name + " " + declaration(c.Type)
		if c.NotNull {
			decl += " NOT NULL"
		}
		cols.Kids = append(cols.Kids, text(decl))
	}
	return form("", "CREATE TABLE "+t.Name+" $", cols)
}

// batch is the statements of one batch. The first fills the tables, or all but one of them.
func (g *Generator) batch(number int) *Node {
	b := list("", ";\n", ";\n")
	b.Min = 0
	if number == 0 {
		for _, t := range g.Tables {
			if !g.chance(6) {
				b.Kids = append(b.Kids, g.insert(t, 3+g.R.IntN(6)))
			}
		}
		return b
	}
	for range 1 + g.R.IntN(4) {
		b.Kids = append(b.Kids, g.change(pick(g.R, g.Tables)))
	}
	return b
}

// change is an INSERT, UPDATE or DELETE.
func (g *Generator) change(t *Table) *Node {
	fallible := g.Fallible
	g.Fallible = false // a change that fails on one side only would end the comparison
	defer func() { g.Fallible = fallible }()
	switch g.R.IntN(8) {
	case 6:
		return g.copied(t)
	case 7:
		return g.paired(t)
	case 0, 1:
		return g.insert(t, 1+g.R.IntN(4))
	case 2, 3:
		return g.update(t)
	default:
		return form("", "DELETE FROM "+t.Name+" WHERE $", g.condition(t))
	}
}

// copied is INSERT of rows of another table, or of the same, with NULLs and constants for what they lack.
func (g *Generator) copied(t *Table) *Node {
	from := pick(g.R, g.Tables)
	var items []string
	for _, c := range t.Columns {
		item := cell(g.R, c)
		if item == "NULL" {
			item += "::" + string(c.Type)
		}
		for _, have := range from.Columns {
			if have.Type == c.Type && (have.NotNull || !c.NotNull) {
				item = have.Name
			}
		}
		items = append(items, item)
	}
	// At most a few: a table that is copied into itself doubles.
	return form("", "INSERT INTO "+t.Name+" SELECT "+strings.Join(items, ", ")+" FROM "+from.Name+" WHERE $ AND (SELECT count(*) FROM "+
		t.Name+") < 40", g.condition(from))
}

// paired is UPDATE … FROM or DELETE … USING another table. What an UPDATE sets is of its own row, since it may meet several
// of the other.
func (g *Generator) paired(t *Table) *Node {
	other := pick(g.R, g.Tables)
	var fit []string
	for _, a := range t.Columns {
		for _, b := range other.Columns {
			if a.Type == b.Type && a.Type != Jsonb {
				fit = append(fit, t.Name+"."+a.Name+" = o."+b.Name)
			}
		}
	}
	on := "true"
	if len(fit) > 0 {
		on = pick(g.R, fit)
	}
	if g.chance(2) {
		return text("DELETE FROM " + t.Name + " USING " + other.Name + " AS o WHERE " + on + " AND " + t.Name + "." + pick(g.R, t.Columns).Name + " IS NOT NULL AND " +
			"(SELECT count(*) FROM " + other.Name + ") > 2")
	}
	c := pick(g.R, t.Columns)
	return text("UPDATE " + t.Name + " SET " + c.Name + " = " + cell(g.R, c) + " FROM " + other.Name + " AS o WHERE " + on)
}

func (g *Generator) insert(t *Table, rows int) *Node {
	n := list("INSERT INTO "+t.Name+" VALUES ", ", ", "")
	for range rows {
		cells := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			cells[i] = cell(g.R, c)
		}
		row := "(" + strings.Join(cells, ", ") + ")"
		n.Kids = append(n.Kids, text(row))
		if g.chance(8) {
			n.Kids = append(n.Kids, text(row))
		}
	}
	return n
}

// cell is a value for a column.
func cell(r *rand.Rand, c Column) string {
	for {
		if v := value(r, c.Type); v != "NULL" || !c.NotNull {
			return v
		}
	}
}

func (g *Generator) update(t *Table) *Node {
	c := pick(g.R, t.Columns)
	var to *Node
	if c.NotNull || g.chance(2) {
		to = text(cell(g.R, c))
	} else {
		to = g.Expression(t, c.Type)
	}
	return form("", "UPDATE "+t.Name+" SET "+c.Name+" = $ WHERE $", to, g.condition(t))
}

// condition is one of a change: mostly a column against a constant, so that some rows are met and others not.
func (g *Generator) condition(t *Table) *Node {
	if g.chance(4) {
		return g.Expression(t, Bool)
	}
	c := pick(g.R, t.Columns)
	op := pick(g.R, []string{"=", "=", "<", ">", "<>"})
	return &Node{Sort: "bool", Text: []string{c.Name + " " + op + " " + literal(g.R, c.Type)}}
}
