package ast

// Query is a whole query expression, and the statement that runs it.
type Query struct {
	At
	With    *With // nil without WITH
	Body    QueryBody
	OrderBy []OrderItem
	Limit   Expr // nil without LIMIT, and for LIMIT ALL
	Ties    bool // FETCH FIRST Limit ROWS WITH TIES
	Offset  Expr // nil without OFFSET
	Locking []Locking
	AsOf    *AsOf // nil without AS OF; only at the end of a whole statement
}

// With is a WITH clause.
type With struct {
	At
	Recursive bool
	Mutually  bool // WITH MUTUALLY RECURSIVE; Recursive is set too
	Options   []Option
	CTEs      []CTE
}

// CTE is one named query of a WITH clause.
type CTE struct {
	At
	Name         string
	Columns      []Ident
	ColumnTypes  []*TypeName // one per column in WITH MUTUALLY RECURSIVE, nil otherwise
	Materialized Materialization
	Query        *Query
	Search       *Search // nil without SEARCH
	Cycle        *Cycle  // nil without CYCLE
}

// Search is SEARCH DEPTH FIRST BY a, b SET seq behind a recursive query: a column by which rows stand in that order.
type Search struct {
	At
	Breadth bool
	By      []Ident
	Set     Ident
}

// Cycle is CYCLE a, b SET mark TO x DEFAULT y USING path behind a recursive query: columns that say which row closes a
// cycle, and how it was reached.
type Cycle struct {
	At
	By      []Ident
	Set     Ident
	To      Expr // nil without TO and DEFAULT: true and false
	Default Expr
	Using   Ident
}

// Materialization is the hint of a CTE: AS [NOT] MATERIALIZED.
type Materialization uint8

// The hints a CTE can have.
const (
	MaterializedDefault Materialization = iota
	MaterializedYes
	MaterializedNo
)

// Locking is a clause like FOR UPDATE OF t NOWAIT.
type Locking struct {
	At
	Strength string // "UPDATE", "NO KEY UPDATE", "SHARE" or "KEY SHARE"
	Of       []Name
	Wait     string // "", "NOWAIT" or "SKIP LOCKED"
}

// AsOf is the clause AS OF [AT LEAST] expr.
type AsOf struct {
	At
	AtLeast bool
	Time    Expr
}

// Select is a single SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW ….
type Select struct {
	At
	Distinct   bool
	DistinctOn []Expr // set only with Distinct
	Targets    []Target
	From       []TableExpr
	Where      Expr // nil without WHERE
	// GroupBy is nil without GROUP BY. Its items are expressions, ordinals (NumberLit), the empty Row
	// for (), and GroupingSets.
	GroupBy []Expr
	Having  Expr // nil without HAVING
	Windows []WindowDef
}

// Target is an item of a SELECT list or of RETURNING.
type Target struct {
	At
	Expr  Expr
	Alias string // "" without an alias
}

// WindowDef is an item of the WINDOW clause.
type WindowDef struct {
	At
	Name string
	Spec *WindowSpec
}

// SetOpKind is UNION, INTERSECT or EXCEPT.
type SetOpKind uint8

// The set operations.
const (
	Union SetOpKind = iota
	Intersect
	Except
)

// String is the keyword.
func (k SetOpKind) String() string {
	switch k {
	case Union:
		return "UNION"
	case Intersect:
		return "INTERSECT"
	default:
		return "EXCEPT"
	}
}

// SetOp joins two queries by UNION, INTERSECT or EXCEPT.
type SetOp struct {
	At
	Kind  SetOpKind
	All   bool
	Left  QueryBody
	Right QueryBody
}

// Values is VALUES (…), (…).
type Values struct {
	At
	Rows [][]Expr // an item of a row may be *Default, in an INSERT only
}

// TableQuery is TABLE t: every column of t.
type TableQuery struct {
	At
	Table Name
}

// OrderItem is an item of ORDER BY.
type OrderItem struct {
	At
	Expr  Expr // a NumberLit may be an ordinal
	Desc  bool
	Nulls NullsOrder
	Using string // the operator of ORDER BY x USING op; "" otherwise
}

// NullsOrder says where NULL sorts.
type NullsOrder uint8

// Where NULL sorts: by default last when ascending, first when descending.
const (
	NullsDefault NullsOrder = iota
	NullsFirst
	NullsLast
)

// NullsAreFirst resolves the default of the item.
func (o OrderItem) NullsAreFirst() bool {
	if o.Nulls == NullsDefault {
		return o.Desc
	}
	return o.Nulls == NullsFirst
}

func (*Query) statement() {}

func (*Query) queryBody()      {}
func (*Select) queryBody()     {}
func (*SetOp) queryBody()      {}
func (*Values) queryBody()     {}
func (*TableQuery) queryBody() {}
