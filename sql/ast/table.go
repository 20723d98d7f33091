package ast

// Alias is [AS] name [(column, …)] of an item of FROM.
type Alias struct {
	At
	Name    string
	Columns []Ident // may be fewer than the item has columns
}

// TableRef names a relation or a CTE.
type TableRef struct {
	At
	Name  Name
	Alias *Alias // nil without one
}

// Subquery is a query in FROM. PostgreSQL wants an alias; we don't.
type Subquery struct {
	At
	Lateral bool
	Query   *Query
	Alias   *Alias // nil without one
}

// TableFunc is a function in FROM, or several side by side in ROWS FROM (…).
type TableFunc struct {
	At
	Lateral    bool
	RowsFrom   bool // written as ROWS FROM (…)
	Funcs      []Expr
	Ordinality bool // WITH ORDINALITY
	Alias      *Alias
	// ColumnTypes is set when the alias is a column definition list: AS t (a int, b text); it has one
	// type per column of Alias.
	ColumnTypes []*TypeName
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of joins.
const (
	InnerJoin JoinKind = iota
	LeftJoin
	RightJoin
	FullJoin
	CrossJoin
)

// String is the keyword, without JOIN.
func (k JoinKind) String() string {
	switch k {
	case InnerJoin:
		return "INNER"
	case LeftJoin:
		return "LEFT"
	case RightJoin:
		return "RIGHT"
	case FullJoin:
		return "FULL"
	default:
		return "CROSS"
	}
}

// Join joins two items of FROM. Of On, Using and Natural at most one is set; none for CROSS JOIN.
type Join struct {
	At
	Kind    JoinKind
	Left    TableExpr
	Right   TableExpr
	Natural bool
	On      Expr
	Using   []Ident
	Alias   *Alias // (a JOIN b …) AS x; nil without one
}

func (*TableRef) tableExpr()  {}
func (*Subquery) tableExpr()  {}
func (*TableFunc) tableExpr() {}
func (*Join) tableExpr()      {}
