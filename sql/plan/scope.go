package plan

import (
	"slices"
	"strconv"

	"millrace/repr"
	"millrace/sql/ast"
	"millrace/sql/expr"
)

// column is what a name in a scope stands for: an expression over the row of the scope, mostly a plain column.
type column struct {
	name   string
	value  expr.Scalar
	table  *table       // nil for a column that USING merged of two
	fields repr.RowDesc // of a record whose fields have names
	// unstarred says that * does not stand for it, as it is with what SEARCH and CYCLE add.
	unstarred bool
}

// table is a named item of FROM.
type table struct {
	alias  string
	schema string // "" unless the item is a relation of the catalog without an alias
	item   *Item  // nil unless the item is a relation of the catalog
	cte    string // the name of the query of a WITH clause that the item is, if it is one
	cols   []column
	// scalar says that the item is a function that gives plain values, so that its name alone means the value.
	scalar bool
	// recursive says that the item is a query that is being defined.
	recursive bool
	// nullable says that an outer join may put NULLs in the place of its rows.
	nullable bool
}

// scope is a row and the names of its columns. Scopes are chained outwards, one row per link.
type scope struct {
	parent *scope
	tables []*table
	names  []column // what * stands for, and what a name without qualifier can mean
	// lateral says that the row is the left side of a join, which only LATERAL items on the right may see; owner
	// is the query whose FROM it stands in, and joinable whether the kind of join allows such a reference.
	lateral  bool
	joinable bool
	owner    int
	hides    []int // owners of lateral rows further out that cannot be seen from here
	// aggs are the aggregates of the query whose row this is, in a clause where they may stand; clause is that clause.
	aggs   *aggregates
	clause string
	// inAgg says that an operand of an aggregate of that query is bound.
	inAgg bool
}

// frame is where a query or an item of FROM stands: what is around it.
type frame struct {
	outer *scope
	hides []int // owners of lateral rows in outer that cannot be seen
	ctes  *cte
	path  []string
	sees  uint64 // which columns it sees of what has got more: see Env
	owner int    // the query itself
	level int    // how many queries there are around it; those of a set operation stand within it
	// inside are the places around, the nearest last, in which a query must not name itself.
	inside []string
}

// within is the frame in such a place.
func (fr frame) within(place string) frame {
	fr.inside = append(fr.inside[:len(fr.inside):len(fr.inside)], place)
	return fr
}

// match is a column that was found: level 0 is the row at hand.
type match struct {
	column
	level int
}

// value is the expression for a match at the place of the look-up.
func (m match) value() expr.Scalar {
	if m.level == 0 {
		return m.column.value
	}
	return expr.Transform(m.column.value, func(s expr.Scalar) expr.Scalar {
		if c, ok := s.(*expr.Column); ok {
			return &expr.Outer{Level: m.level, Index: c.Index, Typ: c.Typ, Name: c.Name}
		}
		return s
	})
}

// visit calls f for each scope that can be seen, from the inside out, until f is done.
func (s *scope) visit(f func(s *scope, level int) (done bool)) {
	var hidden []int
	for level := 0; s != nil; s, level = s.parent, level+1 {
		if !s.lateral || !slices.Contains(hidden, s.owner) {
			if f(s, level) {
				return
			}
		}
		hidden = append(hidden, s.hides...)
	}
}

// lookup finds the column that a reference names. The error bears PostgreSQL's wording and the position.
func (s *scope) lookup(ref *ast.ColumnRef) (match, *repr.Error) {
	if len(ref.Parts) == 1 {
		return s.lookupName(ref)
	}
	t, level, err := s.lookupTable(ref.Parts[:len(ref.Parts)-1], ref.Pos)
	if err != nil {
		return match{}, err
	}
	var found []column
	for _, c := range t.cols {
		if c.name == ref.Column() {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return match{}, s.undefined(ref)
	case 1:
		return match{found[0], level}, nil
	default:
		return match{}, ambiguous(ref)
	}
}

func (s *scope) lookupName(ref *ast.ColumnRef) (found match, err *repr.Error) {
	name, ok := ref.Column(), false
	s.visit(func(s *scope, level int) bool {
		for _, c := range s.names {
			if c.name != name {
				continue
			}
			if ok {
				err = ambiguous(ref)
				return true
			}
			found, ok = match{c, level}, true
			if !s.joinableFor(level) {
				err = notJoinable(c.table, ref.Pos)
			}
		}
		return ok
	})
	if !ok {
		return match{}, s.undefined(ref)
	}
	return found, err
}

// joinableFor says whether a reference from level rows further in is allowed by the kind of join.
func (s *scope) joinableFor(level int) bool { return !s.lateral || level == 0 || s.joinable }

// lookupTable finds the item of FROM that a qualifier names.
func (s *scope) lookupTable(qualifier []string, pos int) (found *table, at int, err *repr.Error) {
	s.visit(func(s *scope, level int) bool {
		for _, t := range s.tables {
			if !t.named(qualifier) {
				continue
			}
			if found != nil {
				err = errAt(repr.CodeDuplicateAlias, "table reference \""+qualifier[len(qualifier)-1]+"\" is ambiguous", pos)
				return true
			}
			found, at = t, level
			if !s.joinableFor(level) {
				err = notJoinable(t, pos)
			}
		}
		return found != nil
	})
	if found == nil {
		return nil, 0, s.missingTable(qualifier, pos)
	}
	return found, at, err
}

// named says whether a qualifier, [[database.]schema.]table, means the table.
func (t *table) named(qualifier []string) bool {
	n := len(qualifier)
	if qualifier[n-1] != t.alias {
		return false
	}
	return n == 1 || (t.schema != "" && qualifier[n-2] == t.schema)
}

// origin is the name that the item has without its alias, if it has one.
func (t *table) origin() string {
	if t.item != nil {
		return t.item.Name
	}
	return t.cte
}

// missingTable is the error for a qualifier that means nothing here, with what may have been meant.
func (s *scope) missingTable(qualifier []string, pos int) *repr.Error {
	name := qualifier[len(qualifier)-1]
	for o := s; o != nil; o = o.parent {
		for _, t := range o.tables {
			if t.named(qualifier) {
				return errAt(repr.CodeUndefinedTable, "invalid reference to FROM-clause entry for table "+quote(name), pos).
					WithHint("There is an entry for table " + quote(name) + ", but it cannot be referenced from this part of the query.")
			}
			if t.origin() == name && t.alias != name {
				return errAt(repr.CodeUndefinedTable, "invalid reference to FROM-clause entry for table "+quote(name), pos).
					WithHint("Perhaps you meant to reference the table alias " + quote(t.alias) + ".")
			}
		}
	}
	return errAt(repr.CodeUndefinedTable, "missing FROM-clause entry for table "+quote(name), pos)
}

// undefined is the error for a column that is not there, with the nearest that is.
func (s *scope) undefined(ref *ast.ColumnRef) *repr.Error {
	name, qualifier := ref.Column(), ref.Parts[:len(ref.Parts)-1]
	shown := quote(name)
	if len(qualifier) > 0 {
		shown = qualifier[len(qualifier)-1] + "." + name
	}
	err := errAt(repr.CodeUndefinedColumn, "column "+shown+" does not exist", ref.Pos)
	var best []string
	limit := min(len(name)/2, maxNameDistance)
	for o := s; o != nil; o = o.parent {
		for _, t := range o.tables {
			if len(qualifier) > 0 && !t.named(qualifier) {
				continue
			}
			best, limit = nearestColumns(t, name, best, limit)
		}
	}
	switch len(best) {
	case 1:
		return err.WithHint("Perhaps you meant to reference the column " + best[0] + ".")
	case 2:
		return err.WithHint("Perhaps you meant to reference the column " + best[0] + " or the column " + best[1] + ".")
	default:
		return err
	}
}

// maxNameDistance is how many letters a name may be off to be suggested.
const maxNameDistance = 3

func nearestColumns(t *table, name string, best []string, limit int) ([]string, int) {
	for _, c := range t.cols {
		d := distance(name, c.name, limit)
		if d > limit {
			continue
		}
		if d < limit {
			best, limit = nil, d
		}
		best = append(best, quote(t.alias+"."+c.name))
	}
	return best, limit
}

// distance is the edit distance of two names, or something above limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	prev := make([]int, len(b)+1)
	next := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(prev[j]+cost, prev[j+1]+1, next[j]+1)
		}
		prev, next = next, prev
	}
	return prev[len(b)]
}

func ambiguous(ref *ast.ColumnRef) *repr.Error {
	return errAt(repr.CodeAmbiguousColumn, "column reference "+quote(ref.Column())+" is ambiguous", ref.Pos)
}

func notJoinable(t *table, pos int) *repr.Error {
	name := "unnamed_join"
	if t != nil {
		name = t.alias
	}
	return errAt(repr.CodeInvalidColumnReference, "invalid reference to FROM-clause entry for table "+quote(name), pos).
		WithDetail("The combining JOIN type must be INNER or LEFT for a LATERAL reference.")
}

// errAt makes an error with a position.
func errAt(code, message string, pos int) *repr.Error {
	return &repr.Error{Code: code, Message: message, Position: pos}
}

// unsupported refuses a construct by name.
func unsupported(what string, pos int) *repr.Error {
	return errAt(repr.CodeFeatureNotSupported, what+" is not supported", pos)
}

func quote(name string) string { return "\"" + name + "\"" }

func itoa(n int) string { return strconv.Itoa(n) }
