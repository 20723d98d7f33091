package ast

// CreateView is CREATE [OR REPLACE] [TEMP] VIEW.
type CreateView struct {
	At
	Name        Name
	OrReplace   bool
	Temporary   bool
	IfNotExists bool
	Columns     []Ident
	Options     []Option
	Query       *Query
}

// CreateMaterializedView is CREATE [OR REPLACE] MATERIALIZED VIEW.
type CreateMaterializedView struct {
	At
	Name        Name
	OrReplace   bool
	IfNotExists bool
	Columns     []Ident
	Cluster     string // IN CLUSTER c; "" otherwise
	Options     []Option
	Query       *Query
	NoData      bool // WITH NO DATA behind the query
}

// CreateTable is CREATE [TEMP] TABLE t (…), and CREATE TABLE t AS query.
type CreateTable struct {
	At
	Name        Name
	Temporary   bool
	IfNotExists bool
	Columns     []ColumnDef
	Constraints []TableConstraint
	Options     []Option
	As          *Query // CREATE TABLE … AS; nil otherwise
	AsColumns   []Ident
	NoData      bool // CREATE TABLE … AS … WITH NO DATA
}

// ColumnDef is a column of CREATE TABLE or of a source.
type ColumnDef struct {
	At
	Name        string
	Type        *TypeName
	Collation   Name
	Constraints []ColumnConstraint
}

// ConstraintKind is the kind of a constraint.
type ConstraintKind uint8

// The kinds of constraints, of columns and of tables.
const (
	ConstraintNotNull ConstraintKind = iota
	ConstraintNull
	ConstraintDefault
	ConstraintPrimaryKey
	ConstraintUnique
	ConstraintCheck
	ConstraintForeignKey
	ConstraintGenerated // GENERATED ALWAYS AS (…) STORED
	ConstraintIdentity  // GENERATED … AS IDENTITY
)

// ColumnConstraint is a constraint written behind a column.
type ColumnConstraint struct {
	At
	Name       string // CONSTRAINT name; "" otherwise
	Kind       ConstraintKind
	Expr       Expr    // of DEFAULT, CHECK and GENERATED
	RefTable   Name    // of REFERENCES
	RefColumns []Ident // of REFERENCES
}

// TableConstraint is a constraint among the columns of a table.
type TableConstraint struct {
	At
	Name        string
	Kind        ConstraintKind
	Columns     []Ident
	Expr        Expr
	RefTable    Name
	RefColumns  []Ident
	NotEnforced bool
}

// CreateTableFromSource is CREATE TABLE t [(columns)] FROM SOURCE s (REFERENCE r) [FORMAT …] [ENVELOPE …].
type CreateTableFromSource struct {
	At
	Name        Name
	IfNotExists bool
	Columns     []ColumnDef
	Source      Name
	Reference   Name // zero when not given
	Encoding    Encoding
	Includes    []Include
	Envelope    *Envelope
	Options     []Option
}

// CreateIndex is CREATE [UNIQUE] [DEFAULT] INDEX.
type CreateIndex struct {
	At
	Name        string // "" when the server chooses
	Default     bool   // CREATE DEFAULT INDEX
	Unique      bool
	IfNotExists bool
	Cluster     string
	On          Name
	Method      string // USING method; "" otherwise
	Keys        []OrderItem
	Where       Expr
	Options     []Option
}

// CreateSchema is CREATE SCHEMA.
type CreateSchema struct {
	At
	Name        Name
	IfNotExists bool
}

// CreateDatabase is CREATE DATABASE.
type CreateDatabase struct {
	At
	Name        string
	IfNotExists bool
}

// ObjectKind is a kind of object as DROP, ALTER, SHOW CREATE and COMMENT ON name it.
type ObjectKind uint8

// The kinds of objects.
const (
	KindTable ObjectKind = iota
	KindView
	KindMaterializedView
	KindSource
	KindSink
	KindIndex
	KindConnection
	KindSecret
	KindSchema
	KindDatabase
	KindCluster
	KindRole
	KindType
	KindFunction
	KindColumn
	KindSystem
	KindSubscription
)

// objectKindNames are the keywords of each ObjectKind.
var objectKindNames = [...]string{
	KindTable: "TABLE", KindView: "VIEW", KindMaterializedView: "MATERIALIZED VIEW", KindSource: "SOURCE",
	KindSink: "SINK", KindIndex: "INDEX", KindConnection: "CONNECTION", KindSecret: "SECRET",
	KindSchema: "SCHEMA", KindDatabase: "DATABASE", KindCluster: "CLUSTER", KindRole: "ROLE",
	KindType: "TYPE", KindFunction: "FUNCTION", KindColumn: "COLUMN", KindSystem: "SYSTEM", KindSubscription: "SUBSCRIPTION",
}

// String is the keyword or keywords of the kind.
func (k ObjectKind) String() string { return objectKindNames[k] }

// Drop is DROP kind [IF EXISTS] name, … [CASCADE | RESTRICT].
type Drop struct {
	At
	Kind     ObjectKind
	IfExists bool
	Names    []Name
	Cascade  bool
	Restrict bool // written out
}

// AlterRename is ALTER kind name RENAME TO new.
type AlterRename struct {
	At
	Kind     ObjectKind
	IfExists bool
	Name     Name
	Column   string // RENAME COLUMN column TO new; "" otherwise
	NewName  string
}

// AlterOptions is ALTER kind name SET (…) or RESET (…), and SET name = value.
type AlterOptions struct {
	At
	Kind     ObjectKind
	IfExists bool
	Name     Name
	Reset    bool
	Options  []Option
	With     []Option // WITH (VALIDATE = false) of a connection
}

// AlterSinkFrom is ALTER SINK name SET FROM relation: from then on the sink writes that one.
type AlterSinkFrom struct {
	At
	IfExists bool
	Name     Name
	From     Name
}

// AlterAddMissing is ALTER SOURCE name ADD MISSING COLUMNS: fields of its records that no column has become columns.
type AlterAddMissing struct {
	At
	IfExists bool
	Name     Name
}

// AlterResnapshot is ALTER SOURCE name RESNAPSHOT: its tables are read anew.
type AlterResnapshot struct {
	At
	IfExists bool
	Name     Name
}

// AlterSecret is ALTER SECRET name AS value.
type AlterSecret struct {
	At
	IfExists bool
	Name     Name
	Value    Expr
}

// AlterOwner is ALTER kind name OWNER TO role.
type AlterOwner struct {
	At
	Kind     ObjectKind
	IfExists bool
	Name     Name
	Owner    string
}

// AlterSetSchema is ALTER kind name SET SCHEMA schema.
type AlterSetSchema struct {
	At
	Kind     ObjectKind
	IfExists bool
	Name     Name
	Schema   string
}

// Comment is COMMENT ON kind name IS 'text' or NULL.
type Comment struct {
	At
	Kind    ObjectKind
	Name    Name // with KindColumn the last part is the column
	Text    string
	Removed bool // IS NULL
}

// Unsupported is a statement that is recognised by name only, so that it can be refused by name:
// GRANT, CREATE ROLE, VACUUM, LISTEN, LOCK, ….
type Unsupported struct {
	At
	Verb string // upper case: "GRANT", "CREATE ROLE", …
	Text string // the whole statement as it was typed
}

func (*CreateView) statement()             {}
func (*CreateMaterializedView) statement() {}
func (*CreateTable) statement()            {}
func (*CreateTableFromSource) statement()  {}
func (*CreateIndex) statement()            {}
func (*CreateSchema) statement()           {}
func (*CreateDatabase) statement()         {}
func (*Drop) statement()                   {}
func (*AlterRename) statement()            {}
func (*AlterSinkFrom) statement()          {}
func (*AlterAddMissing) statement()        {}
func (*AlterOptions) statement()           {}
func (*AlterResnapshot) statement()        {}
func (*AlterSecret) statement()            {}
func (*AlterOwner) statement()             {}
func (*AlterSetSchema) statement()         {}
func (*Comment) statement()                {}
func (*Unsupported) statement()            {}
