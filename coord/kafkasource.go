package coord

import (
	"slices"
	"strings"

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
	brokers  []string
	topic    string
	key      *ast.MessageFormat // nil: the key is not decoded
	value    *ast.MessageFormat
	registry *connectionSpec // nil without one
	envelope ast.EnvelopeKind
	includes []ast.Include
	debezium kafka.Debezium
}

// kafkaSource reads a CREATE SOURCE … FROM KAFKA.
func (s *Session) kafkaSource(st *ast.CreateSource) (sourceSpec, *repr.Error) {
	isDebezium := st.Envelope != nil && (st.Envelope.Kind == ast.EnvelopeDebezium || st.Envelope.Kind == ast.EnvelopeDebeziumUpsert)
	if st.Tables != nil || !isDebezium && (len(st.Columns) > 0 || len(st.ColumnNames) > 0 || len(st.Constraints) > 0) {
		return nil, unsupported("a list of columns or tables of a Kafka source", st.Pos)
	}
	spec := &kafkaSource{envelope: ast.EnvelopeNone, includes: st.Includes}
	var err *repr.Error
	if spec.brokers, spec.topic, err = s.kafkaAddress(&st.From, &spec.depends); err != nil {
		return nil, err
	}
	spec.outside.at("Kafka "+spec.topic, spec.brokers)
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
		if isDebezium {
			if err := debezium(st, spec); err != nil {
				return nil, err
			}
		} else if len(st.Envelope.Options) > 0 {
			return nil, unsupported("the options of ENVELOPE", st.Envelope.Pos)
		}
	}
	if spec.envelope != ast.EnvelopeNone && !isDebezium {
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

func (spec *kafkaSource) connector(c *Coordinator) (sources.Described, *repr.Error) {
	if c.opts.Source != nil {
		return c.opts.Source(spec.topic), nil
	}
	cfg := kafka.Config{Broker: c.brokerOptions(spec.brokers), Topic: spec.topic, ValueFormat: formats[spec.value.Kind],
		Envelope: kafka.Envelope(spec.envelope.String()), Log: c.opts.Log, Clock: c.opts.Clock,
		ValueSchema: spec.foundSchemas.value, KeySchema: spec.foundSchemas.key, KeepState: c.opts.Journal != nil,
		FetchBytes: c.fetchBytes(), Debezium: spec.debezium}
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
