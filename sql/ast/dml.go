package ast

// Insert is INSERT INTO t [(columns)] query | DEFAULT VALUES [RETURNING …].
type Insert struct {
	At
	With       *With
	Table      Name
	Alias      string
	Columns    []Ident
	Query      *Query     // nil for DEFAULT VALUES, and with Constants
	Constants  *Constants // rows of constants alone, and nothing behind them; nil otherwise
	OnConflict bool       // ON CONFLICT …, of which nothing else is kept
	Returning  []Target
}

// Update is UPDATE t SET … [FROM …] [WHERE …] [RETURNING …].
type Update struct {
	At
	With      *With
	Table     Name
	Alias     *Alias
	Set       []Assignment
	From      []TableExpr
	Where     Expr
	Returning []Target
}

// Assignment is column = value, or (a, b) = (row or query).
type Assignment struct {
	At
	Columns []Ident // one, unless Multiple
	// Multiple is the form with columns in parentheses; Value is then a Row or a ScalarSubquery.
	Multiple bool
	Value    Expr // may be *Default
}

// Delete is DELETE FROM t [USING …] [WHERE …] [RETURNING …].
type Delete struct {
	At
	With      *With
	Table     Name
	Alias     *Alias
	Using     []TableExpr
	Where     Expr
	Returning []Target
}

// Truncate is TRUNCATE [TABLE] t, ….
type Truncate struct {
	At
	Tables  []Name
	Cascade bool
}

// Copy is COPY … TO STDOUT and COPY … FROM STDIN. Exactly one of Table, Query and Subscribe is set.
type Copy struct {
	At
	Table     Name
	Columns   []Ident
	Query     *Query
	Subscribe *Subscribe
	From      bool     // FROM rather than TO
	Target    string   // "" for STDIN and STDOUT, otherwise the file name or "PROGRAM …"
	Options   []Option // "format" and the rest, also when written in the old style
}

func (*Insert) statement()   {}
func (*Update) statement()   {}
func (*Delete) statement()   {}
func (*Truncate) statement() {}
func (*Copy) statement()     {}
