package ast

// Subscribe is SUBSCRIBE or TAIL: of a relation or of a query. Exactly one of Name and Query is set.
//
// Options holds the WITH list: "snapshot", "progress" and whatever else was given.
type Subscribe struct {
	At
	Tail     bool // written TAIL
	Name     Name
	Query    *Query
	Envelope *Envelope   // ENVELOPE UPSERT (KEY (…)) and DEBEZIUM (KEY (…)); nil otherwise
	Within   []OrderItem // WITHIN TIMESTAMP ORDER BY …
	Options  []Option
	AsOf     *AsOf
	UpTo     Expr // nil without UP TO
}

// CreateSubscription is CREATE SUBSCRIPTION s ON relation: a reader that the server remembers.
type CreateSubscription struct {
	At
	Name        Name
	IfNotExists bool
	On          Name
	Options     []Option // WITH (RETAIN FOR '1 hour', SNAPSHOT = false)
}

// Acknowledge is ACKNOWLEDGE s AT time: all up to that time has been taken in.
type Acknowledge struct {
	At
	Name Name
	Time Expr
}

// Declare is DECLARE c CURSOR FOR …. Exactly one of Query and Subscribe is set.
type Declare struct {
	At
	Name      string
	Binary    bool
	Scroll    *bool // SCROLL, NO SCROLL; nil when not given
	Hold      bool  // WITH HOLD
	Query     *Query
	Subscribe *Subscribe
}

// FetchDirection is where a FETCH or MOVE goes.
type FetchDirection uint8

// The directions of FETCH.
const (
	FetchForward FetchDirection = iota
	FetchBackward
	FetchAbsolute
	FetchRelative
	FetchFirst
	FetchLast
)

// Fetch is FETCH and MOVE.
type Fetch struct {
	At
	Move      bool
	Direction FetchDirection
	All       bool
	Count     int64 // 1 when not given
	Cursor    string
	Options   []Option // WITH (timeout = '1s')
}

// Close is CLOSE c and CLOSE ALL.
type Close struct {
	At
	Name string
	All  bool
}

// ExplainStage is what EXPLAIN shows.
type ExplainStage uint8

// The stages of EXPLAIN.
const (
	ExplainDefault ExplainStage = iota // EXPLAIN query, as PostgreSQL has it
	ExplainRaw
	ExplainDecorrelated
	ExplainOptimized
	ExplainPhysical
	ExplainDataflow
	ExplainTimestamp
	ExplainParsed
)

// explainNames are the keywords of each ExplainStage.
var explainNames = [...]string{
	ExplainDefault: "", ExplainRaw: "RAW", ExplainDecorrelated: "DECORRELATED", ExplainOptimized: "OPTIMIZED",
	ExplainPhysical: "PHYSICAL", ExplainDataflow: "DATAFLOW", ExplainTimestamp: "TIMESTAMP", ExplainParsed: "PARSED",
}

// String is the keyword of the stage, "" for the default.
func (s ExplainStage) String() string { return explainNames[s] }

// Explain is EXPLAIN. Either Statement is set, or Name with Kind KindView or KindMaterializedView
// (or KindIndex).
type Explain struct {
	At
	Stage     ExplainStage
	Analyze   bool
	Verbose   bool
	Options   []Option // EXPLAIN (…) …, and WITH (…) behind the stage
	Statement Statement
	Kind      ObjectKind
	Name      Name
}

func (*Subscribe) statement()          {}
func (*CreateSubscription) statement() {}
func (*Acknowledge) statement()        {}
func (*Declare) statement()            {}
func (*Fetch) statement()              {}
func (*Close) statement()              {}
func (*Explain) statement()            {}
