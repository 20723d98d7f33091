package rel

import (
	"millrace/repr"
	"millrace/sql/expr"
)

// Rel is a relational expression. The set of nodes is closed.
type Rel interface {
	expr.Relation
	// Columns are the output columns. Names are for people; the planner refers to positions.
	Columns() repr.RowDesc
	isRel()
}

// Get is a collection of the catalog: a table, a source, a materialized view, a system table.
type Get struct {
	ID   uint64
	Name string
	Cols repr.RowDesc
	Keys [][]int // sets of columns known to be unique, NULLs counted as equal to each other
	// Grows: rows are only added, none is ever taken back.
	Grows bool
}

// Values is a constant collection, each row given by constant expressions.
type Values struct {
	Rows [][]expr.Scalar
	Cols repr.RowDesc
}

// Filter keeps the rows for which all predicates are true.
type Filter struct {
	Input Rel
	Preds []expr.Scalar
}

// Map appends computed columns to each row.
type Map struct {
	Input Rel
	Exprs []expr.Scalar
	Names []string
}

// Project picks columns by position.
type Project struct {
	Input Rel
	Cols  []int
	Names []string // nil: the names of the input
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The kinds of join. Semi and Anti give the columns of the left input alone.
const (
	JoinInner JoinKind = iota
	JoinLeft
	JoinRight
	JoinFull
	JoinSemi
	JoinAnti
)

// Join pairs rows for which all predicates of On are true; On sees the columns of Left, then of Right.
type Join struct {
	Kind  JoinKind
	Left  Rel
	Right Rel
	On    []expr.Scalar
}

// Apply joins each row of Left with the result of Right for that row: in Right, an expr.Outer of level 1 is a
// column of Left. Kind is JoinInner, JoinLeft, JoinSemi or JoinAnti. It exists only before decorrelation.
type Apply struct {
	Kind  JoinKind
	Left  Rel
	Right Rel
	On    []expr.Scalar
}

// Agg is one aggregate of a Reduce.
type Agg struct {
	Fn       *repr.Aggregate
	Args     []expr.Scalar
	Filter   expr.Scalar // nil: none
	Distinct bool
	Order    []Order // columns of the order are expressions over the input
	Typ      repr.Type
	Name     string
}

// Order is one item of an ORDER BY over an expression.
type Order struct {
	Expr       expr.Scalar
	Desc       bool
	NullsFirst bool
}

// Reduce groups by the values of Keys; the output is the keys, then the aggregates. With no keys there is always
// exactly one row.
type Reduce struct {
	Input Rel
	Keys  []expr.Scalar
	Aggs  []Agg
	Names []string // of the output columns
}

// Distinct keeps each row once.
type Distinct struct{ Input Rel }

// TopK keeps, for each group of equal columns Group, the rows Offset to Offset+Limit in the order.
// Limit and Offset are constants (nil: none). Rows equal in the order stand in the order of their bytes.
type TopK struct {
	Input  Rel
	Group  []int
	Order  []ColOrder
	Limit  expr.Scalar
	Offset expr.Scalar
}

// ColOrder is one item of an order over columns.
type ColOrder struct {
	Col        int
	Desc       bool
	NullsFirst bool
}

// Union is the sum of its inputs (UNION ALL).
type Union struct{ Inputs []Rel }

// Negate turns each count around.
type Negate struct{ Input Rel }

// Threshold keeps rows with a positive count, with that count.
type Threshold struct{ Input Rel }

// FlatMap appends, for each row, the columns of each row that a table function gives for it.
type FlatMap struct {
	Input      Rel
	Fn         *expr.TableFunc
	Args       []expr.Scalar
	Ordinality bool // one more column: the number of the row, from 1
	Names      []string
}

// Let names a plan that is used more than once in Body (by Ref with the same ID).
type Let struct {
	ID    int
	Value Rel
	Body  Rel
}

// Ref is the value of an enclosing Let.
type Ref struct {
	ID   int
	Cols repr.RowDesc
}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Get) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Values) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Filter) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Map) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Project) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Join) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Apply) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Reduce) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Distinct) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*TopK) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Union) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Negate) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Threshold) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*FlatMap) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Let) IsRelation() {}

// IsRelation marks the node as a plan that may stand in an expression.
func (*Ref) IsRelation() {}

func (*Get) isRel()       {}
func (*Values) isRel()    {}
func (*Filter) isRel()    {}
func (*Map) isRel()       {}
func (*Project) isRel()   {}
func (*Join) isRel()      {}
func (*Apply) isRel()     {}
func (*Reduce) isRel()    {}
func (*Distinct) isRel()  {}
func (*TopK) isRel()      {}
func (*Union) isRel()     {}
func (*Negate) isRel()    {}
func (*Threshold) isRel() {}
func (*FlatMap) isRel()   {}
func (*Let) isRel()       {}
func (*Ref) isRel()       {}
