package ast

// CreateSource is CREATE [MATERIALIZED] SOURCE, in the dialect of 2021 and in today's.
type CreateSource struct {
	At
	Name         Name
	OrReplace    bool
	IfNotExists  bool
	Materialized bool // CREATE MATERIALIZED SOURCE
	Columns      []ColumnDef
	ColumnNames  []Ident // (a, b) without types
	Constraints  []TableConstraint
	Cluster      string // IN CLUSTER c; "" otherwise
	From         External
	Encoding     Encoding
	Includes     []Include
	Envelope     *Envelope // nil when not given
	// Tables is what the source exposes as relations of their own; nil when not given.
	Tables  *ForTables
	Check   *WebhookCheck // CHECK (…) of a webhook; nil when not given
	Options []Option      // the WITH list behind the envelope
}

// WebhookCheck is CHECK ([WITH (HEADERS, BODY, SECRET s)] e): the requests that a webhook takes are those for which e is true.
type WebhookCheck struct {
	At
	With []CheckInput
	Expr Expr
}

// CheckInput is something that a check can name.
type CheckInput struct {
	At
	Kind   CheckKind
	Secret Name   // of CheckSecret
	Alias  string // "" without AS
	Bytes  bool
}

// CheckKind is what a check can name.
type CheckKind uint8

// The things that a check can name.
const (
	CheckHeaders CheckKind = iota
	CheckBody
	CheckSecret
)

var checkNames = [...]string{CheckHeaders: "HEADERS", CheckBody: "BODY", CheckSecret: "SECRET"}

// String is the keyword of the kind.
func (k CheckKind) String() string { return checkNames[k] }

// ExternalKind is the kind of system that a source reads or a sink writes.
type ExternalKind uint8

// The kinds of external systems.
const (
	ExternalKafka ExternalKind = iota
	ExternalPostgres
	ExternalMySQL
	ExternalLoadGenerator
	ExternalWebhook
	ExternalFile
	ExternalS3
	ExternalKinesis
	ExternalPubNub
	ExternalOpenSearch // also Elasticsearch, which is spoken to alike
)

// externalNames are the keywords of each ExternalKind.
var externalNames = [...]string{
	ExternalKafka: "KAFKA", ExternalPostgres: "POSTGRES", ExternalMySQL: "MYSQL",
	ExternalLoadGenerator: "LOAD GENERATOR", ExternalWebhook: "WEBHOOK", ExternalFile: "FILE",
	ExternalS3: "S3", ExternalKinesis: "KINESIS", ExternalPubNub: "PUBNUB",
	ExternalOpenSearch: "OPENSEARCH",
}

// String is the keyword or keywords of the kind.
func (k ExternalKind) String() string { return externalNames[k] }

// External says where a source reads from or a sink writes to.
//
//	KAFKA BROKER 'host:9092' TOPIC 't' [WITH (…)]                  Broker, Topic, Options
//	KAFKA CONNECTION c (TOPIC 't', …)                              Connection, Options
//	POSTGRES CONNECTION 'host=…' PUBLICATION 'p' [NAMESPACE 'n']   Address, Publication
//	POSTGRES CONNECTION c (PUBLICATION 'p')                        Connection, Options
//	LOAD GENERATOR auction (TICK INTERVAL '1s')                    Generator, Options
//	WEBHOOK …                                                      Options
//	FILE 'path' [(…)] [WITH (…)]                                   Address, Options
//	OPENSEARCH | ELASTICSEARCH | S3 CONNECTION c (INDEX 'i', …)    Connection, Options
type External struct {
	At
	Kind        ExternalKind
	Connection  Name   // today's form; zero otherwise
	Broker      string // 2021's form
	Topic       string // 2021's form; today's is the option "topic"
	Address     string
	Publication string
	Generator   string
	Options     []Option
}

// TopicName is the topic in either form, and whether one was given.
func (e *External) TopicName() (string, bool) {
	if e.Broker != "" {
		return e.Topic, e.Topic != ""
	}
	o, ok := FindOption(e.Options, "topic")
	return o.Value.Text, ok && o.Value.Kind == OptionString
}

// ForTables is FOR ALL TABLES, FOR TABLES (a [AS b], …) or FOR SCHEMAS (s, …).
type ForTables struct {
	At
	All     bool
	Tables  []TableAlias
	Schemas []Ident
}

// TableAlias is an upstream table and the name it gets here.
type TableAlias struct {
	At
	Upstream Name
	Alias    Name // zero when the upstream name is kept
}

// Encoding is FORMAT f, or KEY FORMAT k VALUE FORMAT v. All are nil when no format was given.
type Encoding struct {
	Both  *MessageFormat // FORMAT f
	Key   *MessageFormat // KEY FORMAT f
	Value *MessageFormat // VALUE FORMAT f
}

// FormatKind is the kind of a message format.
type FormatKind uint8

// The message formats.
const (
	FormatBytes FormatKind = iota
	FormatText
	FormatJSON
	FormatCSV
	FormatRegex
	FormatAvroRegistry // AVRO USING CONFLUENT SCHEMA REGISTRY
	FormatAvroSchema   // AVRO USING SCHEMA 'json'
	FormatProtobuf
	FormatProtobufRegistry // PROTOBUF USING CONFLUENT SCHEMA REGISTRY
	FormatParquet
)

// MessageFormat is a message format with its parameters.
type MessageFormat struct {
	At
	Kind FormatKind

	RegistryURL        string // … SCHEMA REGISTRY 'url'
	RegistryConnection Name   // … SCHEMA REGISTRY CONNECTION c
	// Options are those in parentheses or WITH (…) behind the registry or schema; also
	// SEED KEY/VALUE SCHEMA as "seed key schema" and "seed value schema", and KEY/VALUE STRATEGY as
	// "key strategy" and "value strategy".
	Options []Option

	Schema     string // AVRO USING SCHEMA 'json', PROTOBUF … USING SCHEMA 'hex'
	SchemaFile string // … USING SCHEMA FILE 'path'
	Message    string // PROTOBUF MESSAGE 'name'

	Pattern string // REGEX 'pattern'

	CSVHeader    bool    // CSV WITH HEADER
	CSVNames     []Ident // CSV WITH HEADER (a, b)
	CSVColumns   int     // CSV WITH n COLUMNS
	CSVDelimiter string  // DELIMITED BY 'c'; "" for a comma

	JSONArray bool // JSON ARRAY; INFER is an option
}

// IncludeKind is a part of a message that INCLUDE turns into a column.
type IncludeKind uint8

// The parts of a message.
const (
	IncludeKey IncludeKind = iota
	IncludePartition
	IncludeOffset
	IncludeTimestamp
	IncludeTopic
	IncludeHeaders
	IncludeHeader // one header by name
	IncludeBody   // webhook
	IncludeFile   // of files, as the next
	IncludeLine
)

// includeNames are the keywords of each IncludeKind.
var includeNames = [...]string{
	IncludeKey: "KEY", IncludePartition: "PARTITION", IncludeOffset: "OFFSET", IncludeTimestamp: "TIMESTAMP",
	IncludeTopic: "TOPIC", IncludeHeaders: "HEADERS", IncludeHeader: "HEADER", IncludeBody: "BODY",
	IncludeFile: "FILE", IncludeLine: "LINE",
}

// String is the keyword of the kind.
func (k IncludeKind) String() string { return includeNames[k] }

// Include is one item of INCLUDE.
type Include struct {
	At
	Kind   IncludeKind
	Header string // of IncludeHeader
	Bytes  bool   // HEADER 'h' AS x BYTES
	// Filter is HEADERS ('a', …) or HEADERS (NOT 'a', …): which are taken or left out; empty for all.
	Filter []HeaderFilter
	Alias  string // "" without AS
}

// HeaderFilter names a header that is taken, or with Not one that is left out.
type HeaderFilter struct {
	At
	Not  bool
	Name string
}

// EnvelopeKind is how messages become updates, or updates messages.
type EnvelopeKind uint8

// The envelopes.
const (
	EnvelopeNone EnvelopeKind = iota
	EnvelopeUpsert
	EnvelopeDebezium
	EnvelopeDebeziumUpsert
	EnvelopeMaterialize
)

// envelopeNames are the keywords of each EnvelopeKind.
var envelopeNames = [...]string{
	EnvelopeNone: "NONE", EnvelopeUpsert: "UPSERT", EnvelopeDebezium: "DEBEZIUM",
	EnvelopeDebeziumUpsert: "DEBEZIUM UPSERT", EnvelopeMaterialize: "MATERIALIZE",
}

// String is the keyword or keywords of the envelope.
func (k EnvelopeKind) String() string { return envelopeNames[k] }

// Envelope is ENVELOPE kind [KEY (…)] [FORMAT f] [(options)].
type Envelope struct {
	At
	Kind      EnvelopeKind
	KeyFormat *MessageFormat // UPSERT FORMAT f, the form of 2021
	Key       []Ident        // UPSERT KEY (a, b), of SUBSCRIBE … ENVELOPE and of sinks that name the key here
	Options   []Option
}

// CreateViewsFromSource is CREATE [MATERIALIZED] VIEWS FROM SOURCE s [(t [AS v], …)].
type CreateViewsFromSource struct {
	At
	Materialized bool
	Temporary    bool
	IfNotExists  bool
	Source       Name
	Tables       []TableAlias // nil for all
}

// CreateConnection is CREATE CONNECTION c TO kind (…).
type CreateConnection struct {
	At
	Name        Name
	OrReplace   bool
	IfNotExists bool
	Kind        ConnectionKind
	Options     []Option // a broker list is the option "brokers" with a list, or "broker" with a string
	With        []Option // WITH (VALIDATE = false)
}

// ConnectionKind is what a connection leads to.
type ConnectionKind uint8

// The kinds of connections.
const (
	ConnectionKafka ConnectionKind = iota
	ConnectionRegistry
	ConnectionPostgres
	ConnectionMySQL
	ConnectionSSH
	ConnectionAWS
	ConnectionOpenSearch
)

// connectionNames are the keywords of each ConnectionKind.
var connectionNames = [...]string{
	ConnectionKafka: "KAFKA", ConnectionRegistry: "CONFLUENT SCHEMA REGISTRY", ConnectionPostgres: "POSTGRES",
	ConnectionMySQL: "MYSQL", ConnectionSSH: "SSH TUNNEL", ConnectionAWS: "AWS", ConnectionOpenSearch: "OPENSEARCH",
}

// String is the keyword or keywords of the kind.
func (k ConnectionKind) String() string { return connectionNames[k] }

// ValidateConnection is VALIDATE CONNECTION c.
type ValidateConnection struct {
	At
	Name Name
}

// CreateSecret is CREATE SECRET s AS value. Its text must never be logged.
type CreateSecret struct {
	At
	Name        Name
	IfNotExists bool
	Value       Expr
}

// CreateSink is CREATE SINK, in the dialect of 2021 and in today's.
type CreateSink struct {
	At
	Name        Name // zero when the server chooses
	OrReplace   bool
	IfNotExists bool
	Cluster     string
	From        Name
	Into        External
	Key         []Ident // KEY (a, b), wherever it was written; nil when not given
	NotEnforced bool    // KEY (…) NOT ENFORCED
	Headers     string  // HEADERS column; "" otherwise
	Encoding    Encoding
	Envelope    *Envelope // nil when not given
	Options     []Option  // WITH (…)
	Snapshot    *bool     // WITH SNAPSHOT / WITHOUT SNAPSHOT of 2021; nil when not given
	AsOf        *AsOf
}

func (*CreateSource) statement()          {}
func (*CreateViewsFromSource) statement() {}
func (*CreateConnection) statement()      {}
func (*ValidateConnection) statement()    {}
func (*CreateSecret) statement()          {}
func (*CreateSink) statement()            {}
