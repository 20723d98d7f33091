package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"millrace/internal/broker"
	"millrace/internal/clock"
	"millrace/internal/dial"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/sinks"
)

// Format is how keys and values are written.
type Format int

// The formats.
const (
	Avro Format = iota // in the framing of the schema registry
	JSON
	Text  // the text of one column
	Bytes // one column as it is
)

// String is the keyword of the format.
func (f Format) String() string {
	return [...]string{Avro: "AVRO", JSON: "JSON", Text: "TEXT", Bytes: "BYTES"}[f]
}

// Envelope is what a record says of a change.
type Envelope int

// The envelopes.
const (
	Debezium Envelope = iota // the row before and the row after
	Upsert                   // the row of a key, or that there is none
	Append                   // a row that has come
)

// Config says what to write, and where.
type Config struct {
	Brokers []string       // host or host:port
	Secure  broker.Options // TLS and SASL; the rest of it is not read
	Topic   string         // created when missing
	Format  Format         // of values
	Cols    repr.RowDesc
	Key     []int // columns of the key; none when nil

	KeyFormat *Format // that of values when nil
	Envelope  Envelope
	Force     bool // with Append: rows that are taken back are left out and counted; else they end the sink
	Snapshot  bool // with Append and Upsert: what there is at first is written, too
	// PartitionBy are the columns that choose the partition of a record; its key does, or its row, when there are none.
	PartitionBy []int
	Headers     *int // with Append and Upsert: the column, an object in JSON, with the headers of a record; it is not in the value

	Registry *registry.Client // where Avro schemas are registered

	TransactionalID string // names this sink for ever; no two sinks share one
	ProgressTopic   string // created when missing; may be shared by sinks

	// Writer names this run of the server, in each progress; Known tells the names of this run and of those before it on the
	// same data. What somebody else has written under the transactional id is refused. Nothing is checked when Writer is empty.
	Writer   string
	Known    func(writer string) bool
	Restored repr.Time // what the server's data held when this run began; more that another run wrote is refused; 0: not checked

	Partitions  int32             // of a topic that is created; the broker's default when 0
	Replication int16             // of topics that are created; the broker's default when 0
	Configs     map[string]string // of a topic that is created
	Compression string            // none, gzip, snappy, lz4 or zstd; the client's choice, snappy, when empty

	Interval time.Duration // between the starts of two transactions at least; 100 ms when 0
	Dialer   *dial.Dialer
	Log      *slog.Logger // none when nil
	Clock    clock.Clock  // the machine's when nil
}

// patience is how long a broker may be silent until the sink says that it is stalled.
const patience = 4 * time.Second

// Sink writes one view to one topic.
type Sink struct {
	cfg      Config
	enc      *encoder
	patience time.Duration

	// What follows belongs to the goroutine of Run.
	conn     *connection // nil when there is none
	loop     sinks.Loop
	progress progress  // what is committed
	looked   time.Time // when the topic was last seen to be the same
	fresh    bool      // the next tick is the first of this Run, the snapshot
	overdue  int       // transactions that the broker ended because they were open for too long
	sent     attempt   // the transaction whose outcome is open
	dropping int64     // changes that the transaction that runs leaves out
}

// attempt is what a transaction would commit.
type attempt struct {
	upTo    repr.Time
	records int64
	dropped int64
}

// New makes a sink; it does not connect yet.
func New(cfg Config) (*Sink, error) {
	switch {
	case len(cfg.Brokers) == 0:
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Kafka sink needs a broker")
	case cfg.Topic == "":
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Kafka sink needs a topic")
	case cfg.TransactionalID == "" || cfg.ProgressTopic == "":
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Kafka sink needs a transactional id and a progress topic")
	case cfg.ProgressTopic == cfg.Topic:
		return nil, repr.NewError(repr.CodeInvalidParameter, "the topic of a Kafka sink cannot be its progress topic")
	case (cfg.Format == Avro || cfg.keyFormat() == Avro && len(cfg.Key) > 0) && cfg.Registry == nil:
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Kafka sink in Avro needs a schema registry")
	}
	for _, topic := range []string{cfg.Topic, cfg.ProgressTopic} {
		if !isTopicName(topic) {
			return nil, repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("invalid Kafka topic name: %q", topic)).WithHint(nameHint)
		}
	}
	if err := cfg.checkEnvelope(); err != nil {
		return nil, err
	}
	if err := cfg.checkPartitionBy(); err != nil {
		return nil, err
	}
	for _, k := range cfg.Key {
		if k < 0 || k >= len(cfg.Cols) {
			return nil, fmt.Errorf("key column %d of a sink of %d columns", k, len(cfg.Cols))
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	enc, err := newEncoder(&cfg)
	if err != nil {
		return nil, err
	}
	loop := sinks.Loop{Place: fmt.Sprintf("topic %q", cfg.Topic), Interval: cfg.Interval, Log: cfg.Log, Clock: cfg.Clock}
	return &Sink{cfg: cfg, enc: enc, patience: patience, loop: loop}, nil
}

// keyFormat is how keys are written.
func (c *Config) keyFormat() Format {
	if c.KeyFormat != nil {
		return *c.KeyFormat
	}
	return c.Format
}

// checkEnvelope refuses what does not go together.
func (c *Config) checkEnvelope() *repr.Error {
	switch {
	case c.Envelope == Upsert && len(c.Key) == 0:
		return repr.NewError(repr.CodeInvalidParameter, "ENVELOPE UPSERT needs a key").WithHint("Add KEY (…) with the columns by which a record replaces another.")
	case c.Envelope == Debezium && (c.Format == Text || c.Format == Bytes):
		return repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("ENVELOPE DEBEZIUM cannot be written as %s", c.Format)).
			WithHint("Choose FORMAT JSON or AVRO, or ENVELOPE UPSERT or NONE.")
	case c.Envelope == Debezium && c.Headers != nil:
		return repr.NewError(repr.CodeFeatureNotSupported, "HEADERS with ENVELOPE DEBEZIUM is not supported").WithHint("Choose ENVELOPE UPSERT or NONE.")
	case c.Envelope == Debezium && !c.Snapshot:
		return repr.NewError(repr.CodeFeatureNotSupported, "ENVELOPE DEBEZIUM without the snapshot is not supported").WithHint("Choose ENVELOPE UPSERT or NONE.")
	}
	if _, known := codecs[c.Compression]; !known {
		return repr.NewError(repr.CodeInvalidParameter, fmt.Sprintf("unknown compression %q", c.Compression)).WithHint("There are none, gzip, snappy, lz4 and zstd.")
	}
	return nil
}

func isTopicName(s string) bool {
	foreign := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}
	return len(s) <= 249 && s != "." && s != ".." && !strings.ContainsFunc(s, foreign)
}

// Run writes the ticks that come until ctx ends or the channel is closed. A Sink is run once.
func (s *Sink) Run(ctx context.Context, ticks <-chan sinks.Tick, report func(sinks.State)) error {
	s.fresh = true
	return s.loop.Run(ctx, sinks.Steps{Connect: s.connect, Commit: s.write, Explain: s.explain, Disconnect: s.disconnect}, ticks, report)
}

// write commits ticks, leaving out those that are committed already.
func (s *Sink) write(ctx context.Context, group []sinks.Tick) error {
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	rest := group
	if s.progress.known {
		rest = sinks.TicksAfter(group, s.progress.Time)
	}
	s.fresh = s.fresh && len(rest) == len(group) // the whole content is the first tick
	if len(rest) == 0 {
		return nil
	}
	last := rest[len(rest)-1].Time
	if sinks.CountChanges(rest) == 0 && s.progress.known && !s.fresh && last < s.loop.State.Recorded+sinks.IdleProgress {
		s.reached(attempt{upTo: last})
		return nil
	}
	s.loop.Began = s.cfg.Clock.Now()
	if err := s.transact(ctx, rest); err != nil {
		return err
	}
	s.committed(s.sent)
	return nil
}

func (s *Sink) committed(a attempt) {
	s.loop.State.Recorded = a.upTo
	s.reached(a)
}

// reached notes that the topic has all up to a time.
func (s *Sink) reached(a attempt) {
	s.fresh = false
	s.progress.known, s.progress.Time = true, a.upTo
	s.loop.State.Written = a.upTo
	s.loop.State.Records += a.records
	s.loop.State.Dropped += a.dropped
	s.sent = attempt{}
}
