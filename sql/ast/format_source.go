package ast

import (
	"strconv"
	"strings"
)

// external writes the statements about sources, sinks and connections.
func (p *printer) external(s Statement) bool {
	switch s := s.(type) {
	case *CreateSource:
		p.createSource(s)
	case *CreateTableFromSource:
		p.put("CREATE ")
		p.head("TABLE ", s.IfNotExists, s.Name)
		if len(s.Columns) > 0 {
			p.put(" ")
			p.tableElements(s.Columns, nil)
		}
		p.put(" FROM SOURCE ")
		p.name(s.Source)
		if !s.Reference.IsZero() {
			p.put(" (REFERENCE ")
			p.name(s.Reference)
			p.put(")")
		}
		p.encoding(s.Encoding)
		p.includes(s.Includes)
		p.envelope(s.Envelope)
		p.with(s.Options)
	case *CreateViewsFromSource:
		p.put("CREATE ")
		p.when(s.Temporary, "TEMPORARY ")
		p.when(s.Materialized, "MATERIALIZED ")
		p.put("VIEWS ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.put("FROM SOURCE ")
		p.name(s.Source)
		p.tableAliases(s.Tables)
	case *CreateConnection:
		p.put("CREATE ")
		p.when(s.OrReplace, "OR REPLACE ")
		p.head("CONNECTION ", s.IfNotExists, s.Name)
		p.put(" TO ", s.Kind.String(), " ")
		p.options(s.Options)
		p.with(s.With)
	case *ValidateConnection:
		p.put("VALIDATE CONNECTION ")
		p.name(s.Name)
	case *CreateSecret:
		p.put("CREATE ")
		p.head("SECRET ", s.IfNotExists, s.Name)
		p.put(" AS ")
		p.expr(s.Value, 0)
	case *CreateSink:
		p.createSink(s)
	default:
		return false
	}
	return true
}

func (p *printer) createSource(s *CreateSource) {
	p.put("CREATE ")
	p.when(s.OrReplace, "OR REPLACE ")
	p.when(s.Materialized, "MATERIALIZED ")
	p.head("SOURCE ", s.IfNotExists, s.Name)
	p.idents(s.ColumnNames)
	if len(s.Columns)+len(s.Constraints) > 0 {
		p.put(" ")
		p.tableElements(s.Columns, s.Constraints)
	}
	p.inCluster(s.Cluster)
	p.put(" FROM ")
	p.connector(&s.From)
	p.encoding(s.Encoding)
	p.includes(s.Includes)
	p.envelope(s.Envelope)
	p.check(s.Check)
	p.forTables(s.Tables)
	p.with(s.Options)
}

// check writes what the requests of a webhook have to fulfil.
func (p *printer) check(c *WebhookCheck) {
	if c == nil {
		return
	}
	p.put(" CHECK (")
	for i, in := range c.With {
		p.when(i == 0, "WITH (")
		p.when(i > 0, ", ")
		p.put(in.Kind.String())
		if in.Kind == CheckSecret {
			p.put(" ")
			p.name(in.Secret)
		}
		if in.Alias != "" {
			p.put(" AS ")
			p.ident(in.Alias)
		}
		p.when(in.Bytes, " BYTES")
		p.when(i == len(c.With)-1, ") ")
	}
	p.expr(c.Expr, 0)
	p.put(")")
}

// connector writes what a source reads or a sink writes.
func (p *printer) connector(x *External) {
	p.put(x.Kind.String())
	switch {
	case !x.Connection.IsZero():
		p.put(" CONNECTION ")
		p.name(x.Connection)
		if len(x.Options) > 0 {
			p.put(" ")
			p.options(x.Options)
		}
	case x.Kind == ExternalKafka:
		p.put(" BROKER ")
		p.literal(x.Broker)
		p.put(" TOPIC ")
		p.literal(x.Topic)
		p.with(x.Options)
	case x.Kind == ExternalPostgres, x.Kind == ExternalMySQL:
		p.put(" CONNECTION ")
		p.literal(x.Address)
		p.put(" PUBLICATION ")
		p.literal(x.Publication)
		for _, o := range x.Options {
			p.put(" ", strings.ToUpper(o.Name), " ")
			p.literal(o.Value.Text)
		}
	default:
		p.otherConnector(x)
	}
}

func (p *printer) otherConnector(x *External) {
	switch x.Kind {
	case ExternalLoadGenerator:
		p.put(" ", strings.ToUpper(x.Generator))
		if len(x.Options) > 0 {
			p.put(" ")
			p.options(x.Options)
		}
	case ExternalWebhook:
		for _, o := range x.Options {
			p.put(" ", strings.ToUpper(o.Name), " ", strings.ToUpper(o.Value.Text))
		}
	default:
		p.put(" ")
		p.literal(x.Address)
		p.with(x.Options)
	}
}

func (p *printer) forTables(t *ForTables) {
	switch {
	case t == nil:
	case t.All:
		p.put(" FOR ALL TABLES")
	case t.Tables != nil:
		p.put(" FOR TABLES")
		p.tableAliases(t.Tables)
	default:
		p.put(" FOR SCHEMAS")
		p.idents(t.Schemas)
	}
}

func (p *printer) tableAliases(list []TableAlias) {
	if len(list) == 0 {
		return
	}
	p.put(" (")
	for i, t := range list {
		p.when(i > 0, ", ")
		p.name(t.Upstream)
		if !t.Alias.IsZero() {
			p.put(" AS ")
			p.name(t.Alias)
		}
	}
	p.put(")")
}

func (p *printer) encoding(e Encoding) {
	if e.Both != nil {
		p.put(" FORMAT ")
		p.format(e.Both)
	}
	if e.Key != nil {
		p.put(" KEY FORMAT ")
		p.format(e.Key)
	}
	if e.Value != nil {
		p.put(" VALUE FORMAT ")
		p.format(e.Value)
	}
}

func (p *printer) format(f *MessageFormat) {
	switch f.Kind {
	case FormatBytes:
		p.put("BYTES")
	case FormatText:
		p.put("TEXT")
	case FormatParquet:
		p.put("PARQUET")
	case FormatJSON:
		p.put("JSON")
		p.when(f.JSONArray, " ARRAY")
		if len(f.Options) > 0 {
			p.put(" ")
			p.options(f.Options)
		}
	case FormatCSV:
		p.csv(f)
	case FormatRegex:
		p.put("REGEX ")
		p.literal(f.Pattern)
	case FormatAvroRegistry, FormatProtobufRegistry:
		p.put(map[FormatKind]string{FormatAvroRegistry: "AVRO", FormatProtobufRegistry: "PROTOBUF"}[f.Kind])
		p.message(f)
		p.registry(f)
	case FormatAvroSchema, FormatProtobuf:
		p.put(map[FormatKind]string{FormatAvroSchema: "AVRO", FormatProtobuf: "PROTOBUF"}[f.Kind])
		p.message(f)
		p.schema(f)
	}
}

func (p *printer) message(f *MessageFormat) {
	if f.Message != "" {
		p.put(" MESSAGE ")
		p.literal(f.Message)
	}
}

func (p *printer) csv(f *MessageFormat) {
	p.put("CSV WITH ")
	if f.CSVHeader {
		p.put("HEADER")
		p.idents(f.CSVNames)
	} else {
		p.put(strconv.Itoa(f.CSVColumns), " COLUMNS")
	}
	if f.CSVDelimiter != "" {
		p.put(" DELIMITED BY ")
		p.literal(f.CSVDelimiter)
	}
}

// registry writes USING CONFLUENT SCHEMA REGISTRY; the options that have a spelling of their own, seeds
// and strategies, come behind the others.
func (p *printer) registry(f *MessageFormat) {
	p.put(" USING CONFLUENT SCHEMA REGISTRY ")
	if f.RegistryConnection.IsZero() {
		p.literal(f.RegistryURL)
	} else {
		p.put("CONNECTION ")
		p.name(f.RegistryConnection)
	}
	var plain []Option
	tail := &printer{}
	for _, o := range f.Options {
		switch {
		case strings.HasPrefix(o.Name, "seed ") && strings.HasSuffix(o.Name, " schema"):
			p.seed(tail, o)
		case o.Name == "key strategy" || o.Name == "value strategy":
			tail.put(" ", strings.ToUpper(o.Name), " ")
			tail.when(o.Value.Kind == OptionString, "INLINE ")
			tail.when(o.Value.Kind == OptionNumber, "ID ")
			tail.optionValue(o.Value)
		default:
			plain = append(plain, o)
		}
	}
	if len(plain) > 0 {
		p.put(" ")
		p.options(plain)
	}
	p.put(tail.b.String())
}

func (p *printer) seed(tail *printer, o Option) {
	which := strings.TrimPrefix(o.Name, "seed ")
	tail.when(!strings.Contains(tail.b.String(), " SEED") || which == "key schema", " SEED")
	tail.put(" ", strings.ToUpper(which), " ")
	tail.literal(o.Value.Text)
}

func (p *printer) schema(f *MessageFormat) {
	p.put(" USING SCHEMA ")
	if f.SchemaFile != "" {
		p.put("FILE ")
		p.literal(f.SchemaFile)
	} else {
		p.literal(f.Schema)
	}
	if len(f.Options) > 0 {
		p.put(" ")
		p.options(f.Options)
	}
}

func (p *printer) includes(list []Include) {
	for i, inc := range list {
		if i == 0 {
			p.put(" INCLUDE ")
		} else {
			p.put(", ")
		}
		p.put(inc.Kind.String())
		if inc.Kind == IncludeHeader {
			p.put(" ")
			p.literal(inc.Header)
		}
		for i, f := range inc.Filter {
			p.when(i == 0, " (")
			p.when(i > 0, ", ")
			p.when(f.Not, "NOT ")
			p.literal(f.Name)
			p.when(i == len(inc.Filter)-1, ")")
		}
		if inc.Alias != "" {
			p.put(" AS ")
			p.ident(inc.Alias)
		}
		p.when(inc.Bytes, " BYTES")
	}
}

func (p *printer) envelope(e *Envelope) {
	if e == nil {
		return
	}
	p.put(" ENVELOPE ", e.Kind.String())
	if e.KeyFormat != nil {
		p.put(" FORMAT ")
		p.format(e.KeyFormat)
	}
	if len(e.Key) > 0 {
		p.put(" (KEY")
		p.idents(e.Key)
		p.put(")")
	}
	if len(e.Options) > 0 {
		p.put(" ")
		p.options(e.Options)
	}
}

func (p *printer) createSink(s *CreateSink) {
	p.put("CREATE ")
	p.when(s.OrReplace, "OR REPLACE ")
	p.put("SINK ")
	p.when(s.IfNotExists, "IF NOT EXISTS ")
	p.name(s.Name)
	p.inCluster(s.Cluster)
	p.when(!s.Name.IsZero() || s.Cluster != "", " ")
	p.put("FROM ")
	p.name(s.From)
	p.put(" INTO ")
	p.connector(&s.Into)
	if len(s.Key) > 0 {
		p.put(" KEY")
		p.idents(s.Key)
		p.when(s.NotEnforced, " NOT ENFORCED")
	}
	if s.Headers != "" {
		p.put(" HEADERS ")
		p.ident(s.Headers)
	}
	p.encoding(s.Encoding)
	p.envelope(s.Envelope)
	if s.Snapshot != nil {
		p.put(map[bool]string{true: " WITH SNAPSHOT", false: " WITHOUT SNAPSHOT"}[*s.Snapshot])
	}
	p.with(s.Options)
	if s.AsOf != nil {
		p.asOf(s.AsOf)
	}
}
