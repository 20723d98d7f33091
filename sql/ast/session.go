package ast

// SetScope is SESSION (also when not given) or LOCAL.
type SetScope uint8

// The scopes of SET.
const (
	ScopeSession SetScope = iota
	ScopeLocal
)

// SetVar is SET [SESSION | LOCAL] name {= | TO} value, …. SET TIME ZONE z sets "timezone", SET NAMES
// "client_encoding", SET SCHEMA "search_path", SET ROLE "role".
type SetVar struct {
	At
	Scope   SetScope
	Name    string // lower case, dotted when qualified
	Default bool   // TO DEFAULT; Values is empty
	Values  []OptionValue
}

// ResetVar is RESET name and RESET ALL.
type ResetVar struct {
	At
	Name string // "" for ALL
}

// ShowVar is SHOW name and SHOW ALL. SHOW TIME ZONE, SHOW TRANSACTION ISOLATION LEVEL and the like
// arrive under the name of the setting: "timezone", "transaction_isolation".
type ShowVar struct {
	At
	Name string // "all" for ALL
}

// ShowObjects is SHOW TABLES and its kin.
type ShowObjects struct {
	At
	Kind    ShowKind
	Full    bool // SHOW FULL …
	Terse   bool
	Schema  Name   // FROM s (or IN s); zero otherwise. For ShowColumns and ShowIndexes the relation
	Cluster string // IN CLUSTER c; "" otherwise
	Like    string // LIKE 'pattern'
	HasLike bool
	Where   Expr // nil without WHERE
}

// ShowKind is what SHOW lists.
type ShowKind uint8

// What SHOW lists.
const (
	ShowTables ShowKind = iota
	ShowViews
	ShowMaterializedViews
	ShowSources
	ShowSinks
	ShowIndexes
	ShowColumns
	ShowConnections
	ShowSecrets
	ShowSchemas
	ShowDatabases
	ShowObjectsKind
	ShowClusters
	ShowRoles
	ShowTypes
	ShowSubscriptions
)

// showNames are the keywords of each ShowKind.
var showNames = [...]string{
	ShowTables: "TABLES", ShowViews: "VIEWS", ShowMaterializedViews: "MATERIALIZED VIEWS", ShowSources: "SOURCES",
	ShowSinks: "SINKS", ShowIndexes: "INDEXES", ShowColumns: "COLUMNS", ShowConnections: "CONNECTIONS",
	ShowSecrets: "SECRETS", ShowSchemas: "SCHEMAS", ShowDatabases: "DATABASES", ShowObjectsKind: "OBJECTS",
	ShowClusters: "CLUSTERS", ShowRoles: "ROLES", ShowTypes: "TYPES", ShowSubscriptions: "SUBSCRIPTIONS",
}

// String is the keyword or keywords of the kind.
func (k ShowKind) String() string { return showNames[k] }

// ShowCreate is SHOW CREATE kind name.
type ShowCreate struct {
	At
	Kind ObjectKind
	Name Name
}

// TransactionMode is one mode of BEGIN, SET TRANSACTION and the like.
type TransactionMode struct {
	At
	Name  string // "isolation level", "read only", "read write", "deferrable", "not deferrable"
	Value string // of the isolation level: "serializable", "repeatable read", "strict serializable", …
}

// Begin is BEGIN and START TRANSACTION.
type Begin struct {
	At
	Modes []TransactionMode
}

// SetTransaction is SET TRANSACTION and SET SESSION CHARACTERISTICS AS TRANSACTION.
type SetTransaction struct {
	At
	Session  bool // SESSION CHARACTERISTICS
	Modes    []TransactionMode
	Snapshot string // SET TRANSACTION SNAPSHOT 'id'; "" otherwise
}

// Commit is COMMIT and END.
type Commit struct {
	At
	Chain bool
}

// Rollback is ROLLBACK and ABORT.
type Rollback struct {
	At
	Chain bool
}

// Savepoint is SAVEPOINT s, RELEASE [SAVEPOINT] s and ROLLBACK TO [SAVEPOINT] s.
type Savepoint struct {
	At
	Verb SavepointVerb
	Name string
}

// SavepointVerb is what a Savepoint statement does.
type SavepointVerb uint8

// What a Savepoint statement does.
const (
	SavepointSet SavepointVerb = iota
	SavepointRelease
	SavepointRollback
)

// Prepare is PREPARE name [(types)] AS statement.
type Prepare struct {
	At
	Name      string
	Types     []*TypeName
	Statement Statement
	Text      string // the statement's own text
}

// Execute is EXECUTE name [(arguments)].
type Execute struct {
	At
	Name string
	Args []Expr
}

// Deallocate is DEALLOCATE [PREPARE] name and DEALLOCATE ALL.
type Deallocate struct {
	At
	Name string
	All  bool
}

// Discard is DISCARD ALL, PLANS, SEQUENCES or TEMP.
type Discard struct {
	At
	What string // "ALL", "PLANS", "SEQUENCES" or "TEMP"
}

func (*SetVar) statement()         {}
func (*ResetVar) statement()       {}
func (*ShowVar) statement()        {}
func (*ShowObjects) statement()    {}
func (*ShowCreate) statement()     {}
func (*Begin) statement()          {}
func (*SetTransaction) statement() {}
func (*Commit) statement()         {}
func (*Rollback) statement()       {}
func (*Savepoint) statement()      {}
func (*Prepare) statement()        {}
func (*Execute) statement()        {}
func (*Deallocate) statement()     {}
func (*Discard) statement()        {}
