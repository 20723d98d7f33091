package coord

import (
	"slices"
	"strconv"
	"strings"

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
	registry *connectionSpec
	cfg      sinkkafka.Config // what the statement says of it
}

func (spec *kafkaSink) uniqueBy() []int {
	if spec.cfg.Envelope != sinkkafka.Upsert {
		return nil
	}
	return spec.cfg.Key
}

// sinkFormats are the formats of keys and values.
var sinkFormats = map[ast.FormatKind]sinkkafka.Format{
	ast.FormatAvroRegistry: sinkkafka.Avro, ast.FormatJSON: sinkkafka.JSON, ast.FormatText: sinkkafka.Text, ast.FormatBytes: sinkkafka.Bytes,
}

// sinkEnvelopes are the envelopes of a sink. None given means DEBEZIUM, as it did in 2021.
var sinkEnvelopes = map[ast.EnvelopeKind]sinkkafka.Envelope{
	ast.EnvelopeDebezium: sinkkafka.Debezium, ast.EnvelopeUpsert: sinkkafka.Upsert, ast.EnvelopeNone: sinkkafka.Append,
}

// kafkaSink reads a CREATE SINK … INTO KAFKA.
func (s *Session) kafkaSink(st *ast.CreateSink, from *catalog.Item) (sinkSpec, *repr.Error) {
	if st.AsOf != nil {
		return nil, unsupported("AS OF of a sink", st.Pos)
	}
	spec := &kafkaSink{cfg: sinkkafka.Config{Cols: from.Desc, Partitions: 1, Replication: 1, Snapshot: true}}
	var err *repr.Error
	if spec.broker, spec.topic, err = s.kafkaAddress(&st.Into, st.Options, &spec.depends); err != nil {
		return nil, err
	}
	spec.outside.at("Kafka "+spec.topic, st.Into.Broker, spec.broker)
	if st.Into.Broker != "" {
		rest := *st
		rest.Into.Options, rest.Options = dropOptions(st.Into.Options, isFormerLogin), dropOptions(st.Options, isFormerLogin)
		st = &rest
	}
	for _, read := range []func(*Session, *ast.CreateSink, *catalog.Item) *repr.Error{
		spec.readFormats, spec.readEnvelope, spec.readColumns, spec.readOptions,
	} {
		if err := read(s, st, from); err != nil {
			return nil, err
		}
	}
	if err := s.c.alone(spec, st); err != nil {
		return nil, err
	}
	return spec, s.c.noLoop(spec, st, from)
}

// progressPrefix begins the names of the topics in which sinks keep how far they are.
const progressPrefix = "millrace-progress-"

// alone refuses a topic that another sink writes, or keeps its progress in: when it goes on after a crash, a sink compares its topic
// with its view, and would take back what the other one has written.
func (c *Coordinator) alone(spec *kafkaSink, st *ast.CreateSink) *repr.Error {
	if strings.HasPrefix(spec.topic, progressPrefix) {
		return repr.NewError(repr.CodeInvalidParameter, "topic \""+spec.topic+"\" is where a sink keeps its progress").WithHint("name another topic").At(st.Into.Pos)
	}
	for _, it := range c.Catalog().Items() {
		other, ok := it.Def.(*kafkaSink)
		if !ok || it.Name == st.Name.Last() || other.topic != spec.topic || !spec.broker.meets(other.broker) {
			continue
		}
		return repr.NewError(codeInUse, "topic \""+spec.topic+"\" is written by sink \""+it.Name+"\" already").
			WithHint("name another topic, or drop that sink; a view with UNION ALL brings two into one topic").At(st.Into.Pos)
	}
	return nil
}

// meets says whether two connections name a broker in common.
func (spec *connectionSpec) meets(other *connectionSpec) bool {
	return slices.ContainsFunc(spec.brokers, func(b string) bool { return slices.Contains(other.brokers, b) })
}

// noLoop refuses a topic that a source reads from which the sink's rows come: what the sink writes would come back as rows, without end.
func (c *Coordinator) noLoop(spec *kafkaSink, st *ast.CreateSink, from *catalog.Item) *repr.Error {
	snap, seen := c.Catalog(), map[uint64]bool{}
	for todo := []uint64{from.ID}; len(todo) > 0; {
		id := todo[0]
		todo = todo[1:]
		it := snap.Item(id)
		if it == nil || seen[id] {
			continue
		}
		seen[id] = true
		todo = append(todo, it.Depends...)
		source, ok := it.Def.(*kafkaSource)
		if !ok || source.topic != spec.topic || !source.broker.meets(spec.broker) {
			continue
		}
		return repr.NewError(codeInUse, "topic \""+spec.topic+"\" is read by source \""+it.Name+"\", from which the rows of the sink come").
			WithDetail("Each record that the sink writes would come back as a row, and be written again.").WithHint("name another topic").At(st.Into.Pos)
	}
	return nil
}

// codeInUse is the error of what somebody else has.
const codeInUse = "55006"

// readFormats takes FORMAT, or KEY FORMAT and VALUE FORMAT.
func (spec *kafkaSink) readFormats(s *Session, st *ast.CreateSink, _ *catalog.Item) *repr.Error {
	value, key := st.Encoding.Value, st.Encoding.Key
	if st.Encoding.Both != nil {
		value = st.Encoding.Both
	}
	if value == nil {
		return repr.NewError(repr.CodeSyntax, "the sink has no FORMAT").
			WithHint("add FORMAT JSON, TEXT, BYTES, or AVRO USING CONFLUENT SCHEMA REGISTRY").At(st.Pos)
	}
	for _, f := range []*ast.MessageFormat{value, key} {
		if f == nil {
			continue
		}
		known, ok := sinkFormats[f.Kind]
		switch {
		case !ok:
			return unsupported("this format of a sink", f.Pos)
		case f == key:
			spec.cfg.KeyFormat = &known
		default:
			spec.cfg.Format = known
		}
		if known != sinkkafka.Avro {
			continue
		}
		if len(dropOptions(f.Options, func(name string) bool { return f.RegistryURL != "" && isFormerLogin(name) })) > 0 {
			return unsupported("the options of the schema registry of a sink", f.Pos)
		}
		var err *repr.Error
		if spec.registry, err = s.registryOf(f, &spec.depends); err != nil {
			return err
		}
	}
	return nil
}

// readEnvelope takes ENVELOPE, and whether rows that are taken back may be left out.
func (spec *kafkaSink) readEnvelope(_ *Session, st *ast.CreateSink, from *catalog.Item) *repr.Error {
	if st.Envelope == nil {
		return nil
	}
	known, ok := sinkEnvelopes[st.Envelope.Kind]
	if !ok {
		return unsupported("ENVELOPE "+st.Envelope.Kind.String()+" of a sink", st.Envelope.Pos)
	}
	spec.cfg.Envelope = known
	for _, o := range st.Envelope.Options {
		force, ok := optionBool(o)
		if o.Name != "force" || !ok || known != sinkkafka.Append {
			return unsupported("the option "+strings.ToUpper(o.Name)+" of ENVELOPE "+st.Envelope.Kind.String(), o.Pos)
		}
		spec.cfg.Force = force
	}
	return nil
}

// readColumns takes the key and the column of headers.
func (spec *kafkaSink) readColumns(_ *Session, st *ast.CreateSink, from *catalog.Item) (err *repr.Error) {
	if spec.cfg.Key, err = sinkKey(st, from); err != nil || st.Headers == "" {
		return err
	}
	i := from.Desc.Index(st.Headers)
	if i < 0 {
		return repr.NewError(repr.CodeUndefinedColumn, "column \""+st.Headers+"\" of \""+from.Name+"\" does not exist").At(st.Pos)
	}
	if k := from.Desc[i].Type.Kind; k != repr.KindJSONB && k != repr.KindJSON {
		return repr.NewError(repr.CodeDatatypeMismatch, "HEADERS wants a column of type jsonb, and \""+st.Headers+"\" is of type "+from.Desc[i].Type.String()).
			WithHint("jsonb_build_object makes one: its fields are the headers").At(st.Pos)
	}
	spec.cfg.Headers = &i
	return nil
}

// sinkOptions are the options of a topic, in the words of today and of 2021.
var sinkOptions = map[string]func(cfg *sinkkafka.Config, o *ast.Option) *repr.Error{
	"topic":                    func(*sinkkafka.Config, *ast.Option) *repr.Error { return nil }, // it was read
	"partition count":          takePartitions,
	"topic partition count":    takePartitions,
	"partition_count":          takePartitions,
	"replication factor":       takeReplication,
	"topic replication factor": takeReplication,
	"replication_factor":       takeReplication,
	"compression type": func(cfg *sinkkafka.Config, o *ast.Option) *repr.Error {
		cfg.Compression = strings.ToLower(o.Value.Text)
		return nil
	},
	"topic config": takeConfigs,
	"retention_ms": func(cfg *sinkkafka.Config, o *ast.Option) *repr.Error {
		return config(cfg, "retention.ms", o.Value.Text)
	},
	"retention_bytes": func(cfg *sinkkafka.Config, o *ast.Option) *repr.Error {
		return config(cfg, "retention.bytes", o.Value.Text)
	},
	optionCommitInterval: func(cfg *sinkkafka.Config, o *ast.Option) (err *repr.Error) {
		cfg.Interval, err = optionDuration(o)
		return err
	},
	"snapshot": func(cfg *sinkkafka.Config, o *ast.Option) *repr.Error {
		yes, ok := optionBool(*o)
		if !ok {
			return repr.NewError(repr.CodeInvalidParameter, "SNAPSHOT wants true or false").At(o.Pos)
		}
		cfg.Snapshot = yes
		return nil
	},
}

// readOptions takes the options of the topic and of WITH.
func (spec *kafkaSink) readOptions(_ *Session, st *ast.CreateSink, from *catalog.Item) *repr.Error {
	for _, list := range [][]ast.Option{st.Into.Options, st.Options} {
		for i := range list {
			if err := spec.takeOption(&list[i], from); err != nil {
				return err
			}
		}
	}
	if st.Snapshot != nil {
		spec.cfg.Snapshot = *st.Snapshot
	}
	return nil
}

const optionPartitionBy = "partition by"

func (spec *kafkaSink) takeOption(o *ast.Option, from *catalog.Item) (err *repr.Error) {
	if o.Name == optionPartitionBy {
		spec.cfg.PartitionBy, err = optionColumns(o, from)
		return err
	}
	take := sinkOptions[o.Name]
	if take == nil {
		return unknownOption(o, " of a Kafka sink", append(namesIn(sinkOptions), optionPartitionBy)...)
	}
	return take(&spec.cfg, o)
}

// count reads a number of at least one; -1 leaves it to the broker.
func count(o *ast.Option, most int) (int, *repr.Error) {
	n, err := strconv.Atoi(o.Value.Text)
	if err != nil || n < 1 && n != -1 || n > most {
		return 0, repr.NewError(repr.CodeInvalidParameter, strings.ToUpper(o.Name)+" wants a number from 1 to "+strconv.Itoa(most)+", or -1 for the broker's own").At(o.Pos)
	}
	return max(n, 0), nil
}

func takePartitions(cfg *sinkkafka.Config, o *ast.Option) *repr.Error {
	n, err := count(o, 10_000)
	cfg.Partitions = int32(n)
	return err
}

func takeReplication(cfg *sinkkafka.Config, o *ast.Option) *repr.Error {
	n, err := count(o, 100)
	cfg.Replication = int16(n)
	return err
}

// takeConfigs takes 'name=value,…', or MAP['name' => 'value', …], which is a list of such.
func takeConfigs(cfg *sinkkafka.Config, o *ast.Option) *repr.Error {
	parts := strings.Split(o.Value.Text, ",")
	if o.Value.Kind == ast.OptionList {
		parts = nil
		for _, v := range o.Value.List {
			parts = append(parts, v.Text)
		}
	}
	for _, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		if !ok || o.Value.Kind != ast.OptionString && o.Value.Kind != ast.OptionList {
			return repr.NewError(repr.CodeInvalidParameter, "TOPIC CONFIG wants 'name=value,…', or MAP['name' => 'value', …]").At(o.Pos)
		}
		if err := config(cfg, strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return nil
}

func config(cfg *sinkkafka.Config, name, value string) *repr.Error {
	if cfg.Configs == nil {
		cfg.Configs = map[string]string{}
	}
	cfg.Configs[name] = value
	return nil
}

// provenAppend refuses ENVELOPE NONE of a view that may take rows back.
func (spec *kafkaSink) provenAppend(st *ast.CreateSink, from *catalog.Item) *repr.Error {
	if spec.cfg.Envelope != sinkkafka.Append || spec.cfg.Force || from.Grows {
		return nil
	}
	return repr.NewError(repr.CodeWrongObjectType, "ENVELOPE NONE has no record for a row that is taken back, and \""+from.Name+"\" may take rows back").
		WithHint("ENVELOPE NONE (FORCE) leaves out what is taken back and counts it; ENVELOPE DEBEZIUM and UPSERT write it").At(st.Envelope.Pos)
}

func (spec *kafkaSink) connector(c *Coordinator, id uint64) (SinkConnector, *repr.Error) {
	if c.opts.Sink != nil {
		return c.opts.Sink(spec.topic, c.runOptions()), nil
	}
	secure, err := c.brokerOptions(spec.broker)
	if err != nil {
		return nil, err
	}
	cfg := spec.cfg
	cfg.Brokers, cfg.Secure, cfg.Topic = spec.broker.brokers, secure, spec.topic
	cfg.TransactionalID, cfg.ProgressTopic = c.sinkName(spec.topic, id), progressPrefix+spec.topic
	cfg.Dialer, cfg.Log, cfg.Clock = c.dialer(), c.opts.Log, c.opts.Clock
	if me := c.identity; me.data != "" {
		cfg.Writer, cfg.Restored = me.run, me.restored
		cfg.Known = func(writer string) bool { return me.runs[writer] }
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
