package coord

import (
	"millrace/coord/catalog"
	"millrace/repr"
	sinkkafka "millrace/sinks/kafka"
	"millrace/sql/ast"
)

// kafkaSink is a sink into a topic.
type kafkaSink struct {
	outside
	broker   *connectionSpec
	topic    string
	json     bool
	registry *connectionSpec
	desc     repr.RowDesc
	key      []int
}

// kafkaSink reads a CREATE SINK … INTO KAFKA. No envelope means DEBEZIUM, as it did in 2021.
func (s *Session) kafkaSink(st *ast.CreateSink, from *catalog.Item) (sinkSpec, *repr.Error) {
	if st.Envelope != nil && st.Envelope.Kind != ast.EnvelopeDebezium {
		return nil, unsupported("ENVELOPE "+st.Envelope.Kind.String()+" of a sink", st.Envelope.Pos)
	}
	if st.Encoding.Key != nil || st.Encoding.Value != nil {
		return nil, unsupported("KEY FORMAT … VALUE FORMAT … of a sink", st.Pos)
	}
	if st.Headers != "" || st.AsOf != nil || st.Snapshot != nil && !*st.Snapshot || len(st.Options) > 0 {
		return nil, unsupported("WITH, HEADERS, AS OF and WITHOUT SNAPSHOT of a sink", st.Pos)
	}
	spec := &kafkaSink{desc: from.Desc}
	var err *repr.Error
	if spec.broker, spec.topic, err = s.kafkaAddress(&st.Into, &spec.depends); err != nil {
		return nil, err
	}
	spec.outside.at("Kafka "+spec.topic, spec.broker.brokers)
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
	spec.key, err = sinkKey(st, from)
	return spec, err
}

func (spec *kafkaSink) connector(c *Coordinator, id uint64) (SinkConnector, *repr.Error) {
	if c.opts.Sink != nil {
		return c.opts.Sink(spec.topic), nil
	}
	secure, err := c.brokerOptions(spec.broker)
	if err != nil {
		return nil, err
	}
	cfg := sinkkafka.Config{Brokers: spec.broker.brokers, Secure: secure, Topic: spec.topic, Format: sinkkafka.Avro, Cols: spec.desc, Key: spec.key,
		TransactionalID: c.sinkName(spec.topic, id), ProgressTopic: "millrace-progress-" + spec.topic, Partitions: 1, Replication: 1,
		Dialer: c.dialer(), Log: c.opts.Log, Clock: c.opts.Clock}
	if me := c.identity; me.data != "" {
		cfg.Writer, cfg.Restored = me.run, me.restored
		cfg.Known = func(writer string) bool { return me.runs[writer] }
	}
	if spec.json {
		cfg.Format = sinkkafka.JSON
	}
	if cfg.Registry, err = c.registryFor(spec.registry); err != nil {
		return nil, err
	}
	sink, e := sinkkafka.New(cfg)
	if e != nil {
		return nil, asError(e)
	}
	return sink, nil
}
