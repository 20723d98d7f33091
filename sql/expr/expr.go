package expr

import (
	"fmt"
	"time"

	"millrace/repr"
)

// Scalar is a typed expression over one row. The set of nodes is closed.
type Scalar interface {
	// Type is the type of the value.
	Type() repr.Type
	isScalar()
}

// Column is a column of the input row.
type Column struct {
	Index int
	Typ   repr.Type
	Name  string // for EXPLAIN
}

// Outer is a column of a row of an enclosing query: Level 1 is the one directly around. It exists only before
// decorrelation.
type Outer struct {
	Level int
	Index int
	Typ   repr.Type
	Name  string
}

// Const is a literal or a folded expression.
type Const struct {
	Val repr.Datum
	Typ repr.Type
}

// Param is a parameter of a prepared statement, counted from 1; it is replaced by a Const before lowering.
type Param struct {
	N   int
	Typ repr.Type
}

// Call is a function, operator or cast applied to operands of exactly its types.
type Call struct {
	Fn   *Func
	Args []Scalar
	Typ  repr.Type
	Pos  int // 1-based offset in the user's text, for errors
}

// And is true when all operands are; it stops at the first that is false.
type And struct{ Args []Scalar }

// Or is true when one operand is; it stops there.
type Or struct{ Args []Scalar }

// Not turns a boolean around; NULL stays NULL.
type Not struct{ Arg Scalar }

// IsNull asks whether the operand is NULL.
type IsNull struct{ Arg Scalar }

// When is one branch of a Case.
type When struct{ Cond, Then Scalar }

// Case is the first branch whose condition is true, else Else (nil: NULL).
type Case struct {
	Whens []When
	Else  Scalar
	Typ   repr.Type
}

// Coalesce is the first operand that is not NULL.
type Coalesce struct {
	Args []Scalar
	Typ  repr.Type
}

// SubqueryKind says what a subquery stands for.
type SubqueryKind uint8

// The kinds of subquery.
const (
	SubqueryScalar SubqueryKind = iota // its one value; 21000 when there are more rows
	SubqueryExists                     // whether it has a row
	SubqueryAny                        // left op any of its values
	SubqueryAll                        // left op all of its values
	SubqueryArray                      // ARRAY(…): its values in the query's order
)

// Relation is a relational plan inside an expression (rel.Rel implements it).
type Relation interface{ IsRelation() }

// Subquery is a query inside an expression; it exists only before decorrelation. For Any and All, Test is the
// comparison, in which the query's columns follow the columns of the outer row.
type Subquery struct {
	Kind  SubqueryKind
	Query Relation
	Left  []Scalar // Any, All: the operands on the left
	Ops   []*Func  // Any, All: the comparison of each with the query's column
	Typ   repr.Type
	Pos   int
}

// Volatility says when a function's value may change.
type Volatility uint8

// The volatilities, as in PostgreSQL.
const (
	Immutable Volatility = iota // depends on the arguments alone
	Stable                      // one value within a statement: now(), current_user, catalog look-ups
	Volatile                    // may change with every call: random()
)

// Func is an implementation of a function, operator or cast.
type Func struct {
	Name       string
	Args       []repr.Type // the types it takes; the last repeats when Variadic
	Ret        repr.Type
	Variadic   bool
	NullCalled bool // called with NULL operands too; else a NULL operand gives NULL without a call
	Volatility Volatility
	Eval       func(env *Env, args []repr.Datum) (repr.Datum, *repr.Error)
	// OfInt, when it is not nil, makes code for calls of which only operand number at varies, and is integer-like; the others
	// are known and not NULL. It depends on nothing else, and Eval gives the same.
	OfInt func(args []repr.Datum, at int) IntCode
}

// IntCode is code for a call with one integer-like operand, given by its payload. It says ok where it has the answer; Eval has
// it for the rest, errors among them. Either is nil where there is none. It may be called by several goroutines.
type IntCode struct {
	Int  func(n int64) (out int64, ok bool)              // the payload of an integer-like result
	Pack func(dst []byte, n int64) (out []byte, ok bool) // the result, appended as it prints and packed
}

// TableFunc is a function that gives rows.
type TableFunc struct {
	Name string
	Args []repr.Type
	Cols repr.RowDesc
	Eval func(env *Env, args []repr.Datum, emit func(row []repr.Datum) bool) *repr.Error
}

// Env is what a statement's evaluation can see besides its operands. In a maintained view all but TimeZone
// are the zero value, for only immutable functions stand there.
type Env struct {
	Now        time.Time // the start of the transaction
	LogicalNow repr.Time // mz_now()
	User       string
	Database   string
	SearchPath []string
	Setting    func(name string) (string, bool)
	Catalog    CatalogReader
	MostBytes  int64 // what one value, and one row, may take; 0: MaxBytes
}

// MaxBytes is the longest value that a function makes, and the longest row, where nothing less is said.
const MaxBytes = 1 << 28

// TooLong is the error of a value or a row of n bytes that is longer than it may be; nil when it is not.
func (e *Env) TooLong(n int64) *repr.Error {
	most := int64(MaxBytes)
	if e != nil && e.MostBytes > 0 {
		most = e.MostBytes
	}
	switch {
	case n <= most:
		return nil
	case n > MaxBytes:
		return repr.NewError(repr.CodeProgramLimit, "requested length too large")
	}
	return repr.NewError(repr.CodeOutOfMemory, fmt.Sprintf("out of memory: a value or row would take more than %.1f MiB", float64(most)/(1<<20))).
		WithHint("Make shorter values; the limit follows from --memory-limit.")
}

// CatalogReader answers the catalog functions (pg_get_viewdef, regclass output, has_table_privilege …).
type CatalogReader interface {
	// RelationName is schema and name of a relation by oid.
	RelationName(oid uint32) (schema, name string, ok bool)
	// RelationOID finds a relation along the search path; name may be qualified and quoted.
	RelationOID(name string) (uint32, bool)
	// ViewDef is the query text of a view or materialized view.
	ViewDef(oid uint32) (string, bool)
	// IndexDef is the CREATE INDEX text of an index; column > 0 asks for that key column alone.
	IndexDef(oid uint32, column int) (string, bool)
	// SchemaName is the name of a schema by oid.
	SchemaName(oid uint32) (string, bool)
	// SchemaOID finds a schema.
	SchemaOID(name string) (uint32, bool)
	// RoleName is the name of a role by oid.
	RoleName(oid uint32) (string, bool)
	// Comment is the comment on an object's column (0: the object itself).
	Comment(oid uint32, column int) (string, bool)
}

// Type is the type of the value.
func (e *Column) Type() repr.Type { return e.Typ }

// Type is the type of the value.
func (e *Outer) Type() repr.Type { return e.Typ }

// Type is the type of the value.
func (e *Const) Type() repr.Type { return e.Typ }

// Type is the type of the value.
func (e *Param) Type() repr.Type { return e.Typ }

// Type is the type of the value.
func (e *Call) Type() repr.Type { return e.Typ }

// Type is boolean.
func (*And) Type() repr.Type { return repr.TypeOf(repr.KindBool) }

// Type is boolean.
func (*Or) Type() repr.Type { return repr.TypeOf(repr.KindBool) }

// Type is boolean.
func (*Not) Type() repr.Type { return repr.TypeOf(repr.KindBool) }

// Type is boolean.
func (*IsNull) Type() repr.Type { return repr.TypeOf(repr.KindBool) }

// Type is the type of the value.
func (e *Case) Type() repr.Type { return e.Typ }

// Type is the type of the value.
func (e *Coalesce) Type() repr.Type { return e.Typ }

// Type is the type of the value.
func (e *Subquery) Type() repr.Type { return e.Typ }

func (*Column) isScalar()   {}
func (*Outer) isScalar()    {}
func (*Const) isScalar()    {}
func (*Param) isScalar()    {}
func (*Call) isScalar()     {}
func (*And) isScalar()      {}
func (*Or) isScalar()       {}
func (*Not) isScalar()      {}
func (*IsNull) isScalar()   {}
func (*Case) isScalar()     {}
func (*Coalesce) isScalar() {}
func (*Subquery) isScalar() {}
