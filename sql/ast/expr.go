package ast

// ColumnRef names a column: 1 to 4 parts, [[database.]schema.]table.column.
type ColumnRef struct {
	At
	Parts []string
}

// Column is the unqualified name of the column.
func (c *ColumnRef) Column() string { return c.Parts[len(c.Parts)-1] }

// Star is * or t.*: all columns.
type Star struct {
	At
	Qualifier []string // nil for a bare *
}

// NumberLit is a number as it was typed: digits, point, exponent; never a sign.
type NumberLit struct {
	At
	Text string
}

// StringLit is a string constant of type unknown, its escapes resolved.
type StringLit struct {
	At
	Value string
}

// BitStringLit is B'0101', or X'1FF', both of type bit.
type BitStringLit struct {
	At
	Bits string // zeros and ones
}

// BoolLit is TRUE or FALSE.
type BoolLit struct {
	At
	Value bool
}

// NullLit is NULL.
type NullLit struct{ At }

// Default is DEFAULT as a value of INSERT or UPDATE.
type Default struct{ At }

// Param is $n.
type Param struct {
	At
	Number int // from 1
}

// Unary is a prefix operator: "-", "+", "~", "@", "|/", … but not NOT.
type Unary struct {
	At
	Op     string
	Schema string // of OPERATOR(schema.op); "" otherwise
	Arg    Expr
}

// Binary is an infix operator by its name in pg_operator: "+", "=", "<>", "||", "->>", "~", ….
// LIKE and its kin are Like, AND and OR are Logic. "!=" arrives as "<>".
type Binary struct {
	At            // the operator's
	Op     string // never "!="
	Schema string // of OPERATOR(schema.op); "" otherwise
	Left   Expr
	Right  Expr
}

// Logic is a chain of AND or of OR; it has two or more arguments, and none is a Logic of the same kind
// unless it was in parentheses.
type Logic struct {
	At
	Or   bool
	Args []Expr
}

// Not is NOT x.
type Not struct {
	At
	Arg Expr
}

// IsKind is what an IS test asks for.
type IsKind uint8

// The IS tests.
const (
	IsNull IsKind = iota
	IsTrue
	IsFalse
	IsUnknown
)

// Is is x IS [NOT] NULL, TRUE, FALSE or UNKNOWN.
type Is struct {
	At
	Not  bool
	Kind IsKind
	Arg  Expr
}

// IsDistinct is a IS [NOT] DISTINCT FROM b.
type IsDistinct struct {
	At
	Not   bool
	Left  Expr
	Right Expr
}

// Between is x [NOT] BETWEEN [SYMMETRIC] low AND high.
type Between struct {
	At
	Not       bool
	Symmetric bool
	Arg       Expr
	Low       Expr
	High      Expr
}

// In is x [NOT] IN (a, b, …) or x [NOT] IN (query); exactly one of List and Query is set.
type In struct {
	At
	Not   bool
	Arg   Expr
	List  []Expr
	Query *Query
}

// LikeKind is LIKE, ILIKE or SIMILAR TO.
type LikeKind uint8

// The kinds of pattern matches by keyword.
const (
	LikeMatch LikeKind = iota
	ILikeMatch
	SimilarMatch
)

// Like is x [NOT] LIKE pattern [ESCAPE e], and ILIKE and SIMILAR TO. Pattern may be a Quantified.
type Like struct {
	At
	Kind    LikeKind
	Not     bool
	Arg     Expr
	Pattern Expr
	Escape  Expr // nil without ESCAPE
}

// Quantified is the right side of op ANY (…) and op ALL (…); it stands only as Binary.Right or
// Like.Pattern. Exactly one of Array and Query is set. SOME arrives as ANY.
type Quantified struct {
	At
	All   bool
	Array Expr
	Query *Query
}

// Exists is EXISTS (query).
type Exists struct {
	At
	Query *Query
}

// ScalarSubquery is (query) as a value.
type ScalarSubquery struct {
	At
	Query *Query
}

// ArrayExpr is ARRAY[a, b, …]; an item may be an ArrayExpr for a further dimension.
type ArrayExpr struct {
	At
	Items []Expr
}

// ArraySubquery is ARRAY(query).
type ArraySubquery struct {
	At
	Query *Query
}

// Subscript is x[i] or x[low:high]. For a slice, Index is nil, and Low or High is nil where left out.
type Subscript struct {
	At
	Arg   Expr
	Index Expr
	Slice bool
	Low   Expr
	High  Expr
}

// Field is (x).name, or (x).* when Name is "".
type Field struct {
	At
	Arg  Expr
	Name string
}

// Row is ROW(a, b) or (a, b).
type Row struct {
	At
	Explicit bool // written with ROW; a row of one item always is
	Items    []Expr
}

// Case is CASE [arg] WHEN … THEN … [ELSE …] END.
type Case struct {
	At
	Arg   Expr // nil for the searched form
	Whens []When
	Else  Expr // nil without ELSE
}

// When is one branch of a Case.
type When struct {
	At
	Cond Expr
	Then Expr
}

// ConditionalKind tells the conditional forms that look like calls apart.
type ConditionalKind uint8

// The conditional forms.
const (
	Coalesce ConditionalKind = iota
	NullIf
	Greatest
	Least
)

// String is the name of the form in lower case, which is also the name of its output column.
func (k ConditionalKind) String() string {
	switch k {
	case Coalesce:
		return "coalesce"
	case NullIf:
		return "nullif"
	case Greatest:
		return "greatest"
	default:
		return "least"
	}
}

// Conditional is COALESCE, NULLIF, GREATEST or LEAST. NULLIF has exactly two arguments.
type Conditional struct {
	At
	Kind ConditionalKind
	Args []Expr
}

// Cast is CAST(x AS t), x::t, t 'literal', INTERVAL '…' YEAR TO MONTH, and try_cast(x AS t).
type Cast struct {
	At
	Arg     Expr
	Type    *TypeName
	Try     bool // try_cast: NULL instead of an error
	Literal bool // written t 'literal'; Arg is a *StringLit
}

// Collate is x COLLATE c.
type Collate struct {
	At
	Arg       Expr
	Collation Name
}

// FuncCall is a call of a function, aggregate or window function.
type FuncCall struct {
	At
	Name        Name
	Args        []Expr // NamedArg for name => x
	Star        bool   // f(*)
	Distinct    bool   // f(DISTINCT …)
	Variadic    bool   // the last argument is VARIADIC
	OrderBy     []OrderItem
	WithinGroup bool        // OrderBy came as WITHIN GROUP (ORDER BY …)
	Filter      Expr        // nil without FILTER (WHERE …)
	Over        *WindowSpec // nil without OVER
	Special     Special     // the special spelling that this call stands for
}

// Special is the spelling that a FuncCall had when it wasn't the plain one; Format writes it back.
type Special uint8

// The special spellings.
const (
	SpecialNone       Special = iota
	SpecialExtract            // EXTRACT(f FROM x): extract('f', x)
	SpecialAtTimeZone         // x AT TIME ZONE z: timezone(z, x)
	SpecialPosition           // POSITION(a IN b): position(b, a)
	SpecialSubstring          // SUBSTRING(x FROM a [FOR b]): substring(x, a[, b])
	SpecialOverlay            // OVERLAY(x PLACING y FROM a [FOR b]): overlay(x, y, a[, b])
	SpecialTrim               // TRIM([LEADING|TRAILING|BOTH] [a] FROM x): ltrim, rtrim, btrim(x[, a])
	SpecialOverlaps           // (a, b) OVERLAPS (c, d): overlaps(a, b, c, d)
)

// NamedArg is name => value in a call.
type NamedArg struct {
	At
	Name  string
	Value Expr
}

// KeywordFunc is a function that is called by a keyword alone: current_date, current_time,
// current_timestamp, localtime, localtimestamp, current_user, session_user, user, current_role,
// current_catalog, current_schema.
type KeywordFunc struct {
	At
	Name      string // lower case
	Precision int    // -1 when not given
}

// WindowSpec is OVER w, OVER ([w] [PARTITION BY …] [ORDER BY …] [frame]), or a definition in WINDOW.
type WindowSpec struct {
	At
	Name        string // OVER w, without parentheses; nothing else is set then
	Base        string // the window that this one extends; "" without one
	PartitionBy []Expr
	OrderBy     []OrderItem
	Frame       *Frame // nil without one
}

// FrameMode is ROWS, RANGE or GROUPS.
type FrameMode uint8

// The modes of a frame.
const (
	FrameRows FrameMode = iota
	FrameRange
	FrameGroups
)

// BoundKind is where an end of a frame lies.
type BoundKind uint8

// The ends of a frame.
const (
	UnboundedPreceding BoundKind = iota
	OffsetPreceding
	CurrentRow
	OffsetFollowing
	UnboundedFollowing
)

// Bound is one end of a frame.
type Bound struct {
	Kind   BoundKind
	Offset Expr // for OffsetPreceding and OffsetFollowing
}

// Frame is the frame clause of a window.
type Frame struct {
	At
	Mode    FrameMode
	Start   Bound
	End     *Bound // nil when only the start was given: the end is the current row
	Exclude string // "", "CURRENT ROW", "GROUP", "TIES" or "NO OTHERS"
}

// GroupingKind is ROLLUP, CUBE or GROUPING SETS.
type GroupingKind uint8

// The kinds of grouping sets.
const (
	Rollup GroupingKind = iota
	Cube
	Sets
)

// GroupingSets is ROLLUP (…), CUBE (…) or GROUPING SETS (…), only in GROUP BY. An item is an
// expression, a Row of expressions, or (in GROUPING SETS) another GroupingSets.
type GroupingSets struct {
	At
	Kind  GroupingKind
	Items []Expr
}

func (*ColumnRef) expr()      {}
func (*Star) expr()           {}
func (*NumberLit) expr()      {}
func (*StringLit) expr()      {}
func (*BitStringLit) expr()   {}
func (*BoolLit) expr()        {}
func (*NullLit) expr()        {}
func (*Default) expr()        {}
func (*Param) expr()          {}
func (*Unary) expr()          {}
func (*Binary) expr()         {}
func (*Logic) expr()          {}
func (*Not) expr()            {}
func (*Is) expr()             {}
func (*IsDistinct) expr()     {}
func (*Between) expr()        {}
func (*In) expr()             {}
func (*Like) expr()           {}
func (*Quantified) expr()     {}
func (*Exists) expr()         {}
func (*ScalarSubquery) expr() {}
func (*ArrayExpr) expr()      {}
func (*ArraySubquery) expr()  {}
func (*Subscript) expr()      {}
func (*Field) expr()          {}
func (*Row) expr()            {}
func (*Case) expr()           {}
func (*Conditional) expr()    {}
func (*Cast) expr()           {}
func (*Collate) expr()        {}
func (*FuncCall) expr()       {}
func (*NamedArg) expr()       {}
func (*KeywordFunc) expr()    {}
func (*GroupingSets) expr()   {}
