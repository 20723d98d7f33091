package coord

import (
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/sources"
	"millrace/sources/kafka"
	"millrace/sql/ast"
)

// kafkaSource is a source that reads a topic.
type kafkaSource struct {
	outside
	foundSchemas
	declared
	broker   *connectionSpec
	topic    string
	key      *ast.MessageFormat // nil: the key is not decoded
	value    *ast.MessageFormat
	registry *connectionSpec // nil without one
	envelope ast.EnvelopeKind
	inline   string // the column of errors under UPSERT; empty: they are in the relation of errors
	includes []ast.Include
	debezium kafka.Debezium
	txn      transactionTopic

	startOffsets map[int32]int64
	startMillis  int64 // below 0: before the source was made
}

// kafkaSource reads a CREATE SOURCE … FROM KAFKA.
func (s *Session) kafkaSource(st *ast.CreateSource) (sourceSpec, *repr.Error) {
	if st.Tables != nil {
		return nil, unsupported("FOR TABLES of a Kafka source", st.Pos)
	}
	spec := &kafkaSource{envelope: ast.EnvelopeNone, includes: st.Includes}
	var err *repr.Error
	if spec.broker, spec.topic, err = s.kafkaAddress(&st.From, st.Options, &spec.depends); err != nil {
		return nil, err
	}
	spec.outside.at("Kafka "+spec.topic, st.From.Broker, spec.broker)
	if st.From.Broker != "" {
		rest := *st
		rest.From.Options, rest.Options = dropOptions(st.From.Options, isFormerLogin), dropOptions(st.Options, isFormerLogin)
		st = &rest
	}
	if err := spec.takeOptions(st); err != nil {
		return nil, err
	}
	spec.key, spec.value = st.Encoding.Key, st.Encoding.Value
	if err := spec.takeEnvelope(st); err != nil {
		return nil, err
	}
	if both := st.Encoding.Both; both != nil {
		spec.value = both
		if spec.key == nil && (spec.envelope == ast.EnvelopeUpsert || spec.envelope == ast.EnvelopeNone && usesRegistry(both)) {
			spec.key = both
		}
	}
	if spec.value == nil {
		return nil, repr.NewError(repr.CodeSyntax, "the source has no FORMAT").
			WithHint("add FORMAT BYTES, TEXT, JSON, CSV, or AVRO or PROTOBUF USING CONFLUENT SCHEMA REGISTRY").At(st.Pos)
	}
	if spec.isDebezium() {
		err = debezium(st, spec)
	} else {
		spec.declared, err = declaredColumns(st)
	}
	if err != nil {
		return nil, err
	}
	if spec.envelope == ast.EnvelopeUpsert && spec.key == nil {
		return nil, repr.NewError(repr.CodeSyntax, "ENVELOPE UPSERT needs to know the format of the key").
			WithHint("write KEY FORMAT … VALUE FORMAT …").At(st.Envelope.Pos)
	}
	for _, f := range []*ast.MessageFormat{spec.key, spec.value} {
		if f == nil || !usesRegistry(f) {
			continue
		}
		if spec.registry, err = s.registryOf(f, &spec.depends); err != nil {
			return nil, err
		}
	}
	_, err = spec.config()
	return spec, err
}

// infers says whether the columns are found out by reading.
func (spec *kafkaSource) infers() bool {
	_, shape, err := shapeOf(spec.value, spec.columns)
	return err == nil && shape.Infer
}

func (spec *kafkaSource) isDebezium() bool {
	return spec.envelope == ast.EnvelopeDebezium || spec.envelope == ast.EnvelopeDebeziumUpsert
}

// config is what the connector is told, except where it connects to.
func (spec *kafkaSource) config() (cfg kafka.Config, err *repr.Error) {
	cfg = kafka.Config{Topic: spec.topic, Envelope: envelopes[spec.envelope], Names: spec.names, Keys: spec.keys, InlineErrors: spec.inline, Debezium: spec.debezium,
		ValueSchema: spec.foundSchemas.value, KeySchema: spec.foundSchemas.key, StartOffsets: spec.startOffsets, StartMillis: spec.startMillis}
	if cfg.ValueFormat, cfg.ValueShape, err = shapeOf(spec.value, spec.columns); err != nil {
		return cfg, err
	}
	if cfg.KeyFormat, cfg.KeyShape, err = shapeOf(spec.key, nil); err != nil {
		return cfg, err
	}
	for _, in := range spec.includes {
		part, ok := includes[in.Kind]
		if len(in.Filter) > 0 {
			return cfg, unsupported("a list of names behind INCLUDE HEADERS of a Kafka source", in.Pos).WithHint("INCLUDE HEADER 'name' AS column takes one of them")
		}
		if !ok {
			return cfg, unsupported("INCLUDE "+in.Kind.String(), in.Pos)
		}
		cfg.Include = append(cfg.Include, kafka.Include{What: part, As: in.Alias, Header: in.Header, Bytes: in.Bytes})
	}
	return cfg, nil
}

// kafkaAddress is where a source or sink connects and which topic it means, in either dialect.
func (s *Session) kafkaAddress(from *ast.External, more []ast.Option, depends *[]uint64) (to *connectionSpec, topic string, err *repr.Error) {
	topic, ok := from.TopicName()
	if !ok {
		return nil, "", repr.NewError(repr.CodeInvalidParameter, "no TOPIC is given").
			WithHint("write it in quotes: KAFKA CONNECTION c (TOPIC 'name'), or KAFKA BROKER 'host:port' TOPIC 'name'").At(from.Pos)
	}
	if from.Broker != "" {
		to, err = s.formerBroker(from, more, depends)
		return to, topic, err
	}
	kind := ast.ConnectionKafka
	spec, id, err := s.connection(from.Connection, &kind)
	if err != nil {
		return nil, "", err
	}
	*depends = append(*depends, id)
	return spec, topic, nil
}

// registryOf is the schema registry that a format names.
func (s *Session) registryOf(f *ast.MessageFormat, depends *[]uint64) (*connectionSpec, *repr.Error) {
	if f.RegistryURL != "" {
		spec := &connectionSpec{kind: ast.ConnectionRegistry, url: f.RegistryURL}
		return spec, s.loginIn(f.Options, spec, depends)
	}
	kind := ast.ConnectionRegistry
	spec, id, err := s.connection(f.RegistryConnection, &kind)
	if err != nil {
		return nil, err
	}
	*depends = append(*depends, id)
	return spec, nil
}

func (spec *kafkaSource) connector(c *Coordinator) (sources.Described, *repr.Error) {
	if c.opts.Source != nil {
		return c.opts.Source(spec.topic), nil
	}
	cfg, err := spec.config()
	if err != nil {
		return nil, err
	}
	cfg.Log, cfg.Clock = c.opts.Log, c.opts.Clock
	if cfg.Broker, err = c.brokerOptions(spec.broker); err != nil {
		return nil, err
	}
	cfg.KeepState, cfg.FetchBytes = c.opts.Journal != nil, c.fetchBytes()
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
	ast.IncludeHeader: kafka.IncludeHeader, ast.IncludeTopic: kafka.IncludeTopic,
}

func (c *Coordinator) registryFor(spec *connectionSpec) (*registry.Client, *repr.Error) {
	if spec == nil {
		return nil, nil
	}
	return c.registryClient(spec)
}
