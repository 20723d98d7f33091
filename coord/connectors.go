package coord

import (
	"context"
	"slices"
	"strings"

	"millrace/coord/catalog"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/sinks"
	sinkkafka "millrace/sinks/kafka"
	"millrace/sources"
	"millrace/sources/kafka"
	"millrace/sql/ast"
)

// sourceSpec is what the catalog keeps of a source: enough to open it again.
type sourceSpec struct {
	brokers  []string
	topic    string
	key      *ast.MessageFormat // nil: the key is not decoded
	value    *ast.MessageFormat
	registry *connectionSpec // nil without one
	envelope ast.EnvelopeKind

	valueSchema, keySchema string // what is read with; found when the source was made
	includes               []ast.Include
	depends                []uint64
}

// sourceSpec reads a CREATE SOURCE of either dialect.
func (s *Session) sourceSpec(st *ast.CreateSource) (*sourceSpec, *repr.Error) {
	if st.From.Kind != ast.ExternalKafka {
		return nil, unsupported("CREATE SOURCE … FROM "+st.From.Kind.String(), st.From.Pos)
	}
	if st.Tables != nil || len(st.Columns) > 0 || len(st.ColumnNames) > 0 || len(st.Constraints) > 0 {
		return nil, unsupported("a list of columns or tables of a Kafka source", st.Pos)
	}
	spec := &sourceSpec{envelope: ast.EnvelopeNone, includes: st.Includes}
	var err *repr.Error
	if spec.brokers, spec.topic, err = s.kafkaAddress(&st.From, &spec.depends); err != nil {
		return nil, err
	}
	if err := sourceOptions(st); err != nil {
		return nil, err
	}
	spec.key, spec.value = st.Encoding.Key, st.Encoding.Value
	if st.Encoding.Both != nil {
		spec.value = st.Encoding.Both
	}
	if spec.value == nil {
		return nil, repr.NewError(repr.CodeSyntax, "the source has no FORMAT").
			WithHint("add FORMAT BYTES, TEXT, JSON, or AVRO USING CONFLUENT SCHEMA REGISTRY").At(st.Pos)
	}
	if st.Envelope != nil {
		spec.envelope = st.Envelope.Kind
		if len(st.Envelope.Options) > 0 {
			return nil, unsupported("the options of ENVELOPE", st.Envelope.Pos)
		}
	}
	if spec.envelope != ast.EnvelopeNone && spec.envelope != ast.EnvelopeDebezium {
		return nil, unsupported("ENVELOPE "+spec.envelope.String()+" of a source", st.Envelope.Pos)
	}
	for _, f := range []*ast.MessageFormat{spec.key, spec.value} {
		if f == nil {
			continue
		}
		if _, ok := formats[f.Kind]; !ok {
			return nil, unsupported("this format of a source", f.Pos)
		}
		if f.Kind == ast.FormatAvroRegistry {
			if spec.registry, err = s.registryOf(f, &spec.depends); err != nil {
				return nil, err
			}
		}
	}
	return spec, nil
}

// sourceOptions refuses the options that nothing is done with.
func sourceOptions(st *ast.CreateSource) *repr.Error {
	options := slices.DeleteFunc(slices.Clone(st.Options), func(o ast.Option) bool { return o.Name == optionRetain })
	if st.From.Broker == "" {
		for _, o := range st.From.Options {
			if o.Name != "topic" {
				options = append(options, o)
			}
		}
	} else {
		options = append(options, st.From.Options...)
	}
	for _, o := range options {
		return unsupported("the source option "+strings.ToUpper(o.Name), o.Pos)
	}
	return nil
}

// formats are the formats of a source, in the words of the connector.
var formats = map[ast.FormatKind]kafka.Format{
	ast.FormatBytes: kafka.FormatBytes, ast.FormatText: kafka.FormatText, ast.FormatJSON: kafka.FormatJSON,
	ast.FormatAvroRegistry: kafka.FormatAvro,
}

// kafkaAddress is where a source or sink connects and which topic it means, in either dialect.
func (s *Session) kafkaAddress(from *ast.External, depends *[]uint64) (brokers []string, topic string, err *repr.Error) {
	topic, ok := from.TopicName()
	if !ok {
		return nil, "", repr.NewError(repr.CodeInvalidParameter, "no TOPIC is given").At(from.Pos)
	}
	if from.Broker != "" {
		return brokerList(from.Broker), topic, nil
	}
	kind := ast.ConnectionKafka
	spec, id, err := s.connection(from.Connection, &kind)
	if err != nil {
		return nil, "", err
	}
	*depends = append(*depends, id)
	return spec.brokers, topic, nil
}

// registryOf is the schema registry that a format names.
func (s *Session) registryOf(f *ast.MessageFormat, depends *[]uint64) (*connectionSpec, *repr.Error) {
	if len(f.Options) > 0 {
		return nil, unsupported("the options of the schema registry", f.Pos)
	}
	if f.RegistryURL != "" {
		return &connectionSpec{kind: ast.ConnectionRegistry, url: f.RegistryURL}, nil
	}
	kind := ast.ConnectionRegistry
	spec, id, err := s.connection(f.RegistryConnection, &kind)
	if err != nil {
		return nil, err
	}
	*depends = append(*depends, id)
	return spec, nil
}

// open makes the connector of a source: it reaches for the broker, the topic and the registry, and learns the columns.
func (spec *sourceSpec) open(ctx context.Context, c *Coordinator) (*openSource, *repr.Error) {
	src, err := spec.connector(c)
	if err != nil {
		return nil, err
	}
	desc, keys, e := src.Describe(ctx)
	if e != nil {
		return nil, asError(e)
	}
	spec.valueSchema, spec.keySchema = src.Schemas()
	return &openSource{connector: src, desc: desc, keys: keys, grows: src.Grows(), topic: spec.topic}, nil
}

// connector makes the connector of a source without reaching for anything.
func (spec *sourceSpec) connector(c *Coordinator) (sources.Described, *repr.Error) {
	if c.opts.Source != nil {
		return c.opts.Source(spec.topic), nil
	}
	cfg := kafka.Config{Broker: c.brokerOptions(spec.brokers), Topic: spec.topic, ValueFormat: formats[spec.value.Kind],
		Envelope: kafka.Envelope(spec.envelope.String()), Log: c.opts.Log, Clock: c.opts.Clock,
		ValueSchema: spec.valueSchema, KeySchema: spec.keySchema, KeepState: c.opts.Journal != nil,
		FetchBytes: c.fetchBytes()}
	if spec.key != nil {
		cfg.KeyFormat = formats[spec.key.Kind]
	}
	for _, in := range spec.includes {
		part, ok := includes[in.Kind]
		if !ok {
			return nil, unsupported("INCLUDE "+in.Kind.String(), in.Pos)
		}
		cfg.Include = append(cfg.Include, kafka.Include{What: part, As: in.Alias})
	}
	var err *repr.Error
	if cfg.Registry, err = c.registryFor(spec.registry); err != nil {
		return nil, err
	}
	src, e := kafka.New(cfg)
	if e != nil {
		return nil, asError(e)
	}
	return src, nil
}

// includes are the parts of a message that can be columns.
var includes = map[ast.IncludeKind]kafka.Metadata{
	ast.IncludeKey: kafka.IncludeKey, ast.IncludePartition: kafka.IncludePartition, ast.IncludeOffset: kafka.IncludeOffset,
	ast.IncludeTimestamp: kafka.IncludeTimestamp, ast.IncludeHeaders: kafka.IncludeHeaders,
}

func (c *Coordinator) registryFor(spec *connectionSpec) (*registry.Client, *repr.Error) {
	if spec == nil {
		return nil, nil
	}
	return c.registryClient(spec)
}

// sinkSpec is what the catalog keeps of a sink.
type sinkSpec struct {
	brokers  []string
	topic    string
	json     bool
	registry *connectionSpec
	desc     repr.RowDesc
	key      []int
	depends  []uint64
}

// sinkSpec reads a CREATE SINK of either dialect. No envelope means DEBEZIUM, as it did in 2021.
func (s *Session) sinkSpec(st *ast.CreateSink, from *catalog.Item) (*sinkSpec, *repr.Error) {
	if st.Into.Kind != ast.ExternalKafka {
		return nil, unsupported("CREATE SINK … INTO "+st.Into.Kind.String(), st.Into.Pos)
	}
	if st.Envelope != nil && st.Envelope.Kind != ast.EnvelopeDebezium {
		return nil, unsupported("ENVELOPE "+st.Envelope.Kind.String()+" of a sink", st.Envelope.Pos)
	}
	if st.Encoding.Key != nil || st.Encoding.Value != nil {
		return nil, unsupported("KEY FORMAT … VALUE FORMAT … of a sink", st.Pos)
	}
	if st.Headers != "" || st.AsOf != nil || st.Snapshot != nil && !*st.Snapshot || len(st.Options) > 0 {
		return nil, unsupported("WITH, HEADERS, AS OF and WITHOUT SNAPSHOT of a sink", st.Pos)
	}
	spec := &sinkSpec{desc: from.Desc}
	var err *repr.Error
	if spec.brokers, spec.topic, err = s.kafkaAddress(&st.Into, &spec.depends); err != nil {
		return nil, err
	}
	switch f := st.Encoding.Both; {
	case f == nil:
		return nil, repr.NewError(repr.CodeSyntax, "the sink has no FORMAT").
			WithHint("add FORMAT JSON, or FORMAT AVRO USING CONFLUENT SCHEMA REGISTRY").At(st.Pos)
	case f.Kind == ast.FormatJSON:
		spec.json = true
	case f.Kind == ast.FormatAvroRegistry:
		if spec.registry, err = s.registryOf(f, &spec.depends); err != nil {
			return nil, err
		}
	default:
		return nil, unsupported("this format of a sink", f.Pos)
	}
	for _, k := range st.Key {
		i := from.Desc.Index(k.Name)
		if i < 0 {
			return nil, repr.NewError(repr.CodeUndefinedColumn, "column \""+k.Name+"\" of \""+from.Name+"\" does not exist").At(k.Pos)
		}
		spec.key = append(spec.key, i)
	}
	return spec, nil
}

// SinkConnector is a sink that can be tried before it runs.
type SinkConnector interface {
	sinks.Sink
	// Check finds out whether what the sink needs is there.
	Check(ctx context.Context) *repr.Error
}

// open makes the connector of a sink and tries what it needs.
func (spec *sinkSpec) open(ctx context.Context, c *Coordinator, id uint64) (SinkConnector, *repr.Error) {
	sink, err := spec.connector(c, id)
	if err != nil {
		return nil, err
	}
	return sink, sink.Check(ctx)
}

// connector makes the connector of a sink without reaching for anything.
func (spec *sinkSpec) connector(c *Coordinator, id uint64) (SinkConnector, *repr.Error) {
	if c.opts.Sink != nil {
		return c.opts.Sink(spec.topic), nil
	}
	cfg := sinkkafka.Config{Brokers: spec.brokers, Topic: spec.topic, Format: sinkkafka.Avro, Cols: spec.desc, Key: spec.key,
		TransactionalID: c.sinkName(spec.topic, id), ProgressTopic: "millrace-progress-" + spec.topic, Partitions: 1, Replication: 1,
		Dialer: c.dialer(), Log: c.opts.Log, Clock: c.opts.Clock}
	if me := c.identity; me.data != "" {
		cfg.Writer, cfg.Restored = me.run, me.restored
		cfg.Known = func(writer string) bool { return me.runs[writer] }
	}
	if spec.json {
		cfg.Format = sinkkafka.JSON
	}
	var err *repr.Error
	if cfg.Registry, err = c.registryFor(spec.registry); err != nil {
		return nil, err
	}
	sink, e := sinkkafka.New(cfg)
	if e != nil {
		return nil, asError(e)
	}
	return sink, nil
}
