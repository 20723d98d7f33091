package kafka

import (
	"bytes"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/internal/clock"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/repr/format"
	"millrace/repr/format/json"
	"millrace/sources"
	"millrace/sources/envelope"
)

// Format is how the bytes of a key or a value are to be read.
type Format string

// The formats.
const (
	FormatNone  Format = ""
	FormatBytes Format = "BYTES"
	FormatText  Format = "TEXT"
	FormatJSON  Format = "JSON"
	FormatCSV   Format = "CSV"

	// With the schema registry, and with a schema that is given.
	FormatAvro           Format = "AVRO"
	FormatAvroSchema     Format = "AVRO USING SCHEMA"
	FormatProtobuf       Format = "PROTOBUF"
	FormatProtobufSchema Format = "PROTOBUF USING SCHEMA"
)

// Envelope is what a record means.
type Envelope string

// The envelopes.
const (
	EnvelopeNone           Envelope = "NONE"
	EnvelopeUpsert         Envelope = "UPSERT"
	EnvelopeDebezium       Envelope = "DEBEZIUM"
	EnvelopeDebeziumUpsert Envelope = "DEBEZIUM UPSERT"
)

// Metadata is something of a record beside its value that can be a column.
type Metadata string

// What INCLUDE knows.
const (
	IncludeKey       Metadata = "KEY"
	IncludePartition Metadata = "PARTITION"
	IncludeOffset    Metadata = "OFFSET"
	IncludeTimestamp Metadata = "TIMESTAMP"
	IncludeHeaders   Metadata = "HEADERS"
	IncludeHeader    Metadata = "HEADER" // the last of one name
	IncludeTopic     Metadata = "TOPIC"
)

// Include asks for a column of metadata. Columns of the key come after those of the value, then the others as listed.
type Include struct {
	What   Metadata
	As     string // the column's name; its own name in lower case when empty
	Header string // of IncludeHeader: its name
	Bytes  bool   // of IncludeHeader: bytea, not text
}

// Config says what to read and how.
type Config struct {
	Broker      broker.Options
	Topic       string
	KeyFormat   Format // for DEBEZIUM and FormatNone: the value's format
	KeyShape    Shape
	ValueFormat Format
	ValueShape  Shape
	Envelope    Envelope // NONE when empty
	Include     []Include
	Debezium    Debezium
	// Names, when given, are the names of all columns.
	Names []string
	// Keys are sets of columns of which the user says that rows are unique by them.
	Keys [][]string
	// InlineErrors: under UPSERT a value that cannot be decoded is a row whose column of this name says why.
	InlineErrors string

	// StartOffsets are where partitions begin that Run is given no offset for; a partition not named begins at its
	// beginning, wherever that is by now, and so does one with 0. StartMillis, when above 0, begins those at the first record
	// that is not older; below 0 it is a time before the first Run, and partitions that come behind that are read from their beginning.
	StartOffsets map[int32]int64
	StartMillis  int64

	Registry *registry.Client // for FormatAvro and FormatProtobuf
	// ValueSchema and KeySchema are the schemas to read with; when empty, the newest of <topic>-value and <topic>-key,
	// or what the first messages have. A caller that keeps what Schemas says reads the same columns after a restart.
	ValueSchema string
	KeySchema   string
	// KeepState: batches tell what the envelope remembers, for Restore and Recall.
	KeepState bool
	// FetchBytes is how much is fetched at once; 0: 16 MiB.
	FetchBytes int64

	Log   *slog.Logger // none when nil
	Clock clock.Clock  // the machine's when nil
}

// Source is a topic to be read. It keeps the state of its envelope from one Run to the next.
type Source struct {
	cfg  Config
	seen *described // nil before Describe
	// begun: Describe does not ask whether the source can begin where it should.
	begun bool
	kept  []keptRow // given to Restore, for an envelope that is not there yet
	// content was given to Recall, for the same.
	content iter.Seq2[[]byte, repr.Diff]

	rest *json.Columns // the decoder of values, where it keeps what no column has; nil otherwise

	remembered atomic.Int64 // bytes of the envelope
	client     atomic.Pointer[kgo.Client]

	to      atomic.Pointer[broker.Options] // how to connect from now on; nil: as before
	changed chan struct{}                  // to was set

	widenedMu sync.Mutex   // guards widened
	widened   repr.RowDesc // columns that came since the reader looked last

	policy  atomic.Pointer[sources.ErrorPolicy] // of bad records; nil: they are rows of errors
	altered chan struct{}                       // policy was set
	lenient format.Lenient                      // the decoder of values, when it can make NULL of a field
	met     int64                               // when the last bad record was met, in milliseconds; of the goroutine of Run
}

// Held gives the bytes of what the envelope remembers, and of what was fetched and not handed over.
func (s *Source) Held() (remembered, fetched int64) {
	if cl := s.client.Load(); cl != nil {
		fetched = cl.BufferedFetchBytes()
	}
	return s.remembered.Load(), fetched
}

// Widen has members that no column had be columns from now on: a message in which one does not fit is bad. Any goroutine may call it.
func (s *Source) Widen(cols repr.RowDesc) {
	s.widenedMu.Lock()
	defer s.widenedMu.Unlock()
	s.widened = append(s.widened, cols...)
}

// takeWidened gives what Widen has added since it was asked last.
func (s *Source) takeWidened() repr.RowDesc {
	s.widenedMu.Lock()
	defer s.widenedMu.Unlock()
	cols := s.widened
	s.widened = nil
	return cols
}

// keptRow is a row of what an envelope remembers.
type keptRow struct {
	row  []byte
	diff repr.Diff
}

// Restore takes what the envelope remembered, as the State of its batches told.
func (s *Source) Restore(rows iter.Seq2[[]byte, repr.Diff]) error {
	for row, diff := range rows {
		s.kept = append(s.kept, keptRow{row: bytes.Clone(row), diff: diff})
	}
	return nil
}

// Recall takes what the source holds.
func (s *Source) Recall(content iter.Seq2[[]byte, repr.Diff]) { s.content = content }

// remember gives the envelope back what it remembered.
func (s *Source) remember(env envelope.Envelope) error {
	e, ok := env.(envelope.Remembering)
	if !ok || !s.cfg.KeepState {
		return nil
	}
	err := e.Restore(func(yield func([]byte, repr.Diff) bool) {
		for _, k := range s.kept {
			if !yield(k.row, k.diff) {
				return
			}
		}
	}, s.content)
	s.kept, s.content = nil, nil
	e.Remember()
	return err
}

// New checks a configuration.
func New(cfg Config) (*Source, error) {
	if cfg.Topic == "" {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Kafka source needs a TOPIC")
	}
	if len(cfg.Broker.Seeds()) == 0 {
		return nil, repr.NewError(repr.CodeInvalidParameter, "a Kafka source needs a BROKER")
	}
	if cfg.Envelope == "" {
		cfg.Envelope = EnvelopeNone
	}
	if cfg.FetchBytes == 0 {
		cfg.FetchBytes = fetchBytes
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = clock.System{}
	}
	if err := cfg.checkFormats(); err != nil {
		return nil, err
	}
	return &Source{cfg: cfg, changed: make(chan struct{}, 1), altered: make(chan struct{}, 1)}, cfg.checkInclude()
}

func (c *Config) checkFormats() error {
	for _, f := range []Format{c.ValueFormat, c.KeyFormat} {
		if _, ok := formats[f]; !ok && f != FormatNone {
			return notSupported("FORMAT " + string(f))
		}
		if (f == FormatAvro || f == FormatProtobuf) && c.Registry == nil {
			return repr.NewError(repr.CodeInvalidParameter, "FORMAT "+string(f)+" needs a CONFLUENT SCHEMA REGISTRY")
		}
	}
	switch c.Envelope {
	case EnvelopeNone:
		if c.ValueFormat == FormatNone {
			return repr.NewError(repr.CodeInvalidParameter, "a Kafka source needs a FORMAT")
		}
	case EnvelopeUpsert:
		if c.ValueFormat == FormatNone || c.KeyFormat == FormatNone {
			return repr.NewError(repr.CodeInvalidParameter, "ENVELOPE UPSERT needs a KEY FORMAT and a VALUE FORMAT")
		}
	case EnvelopeDebezium, EnvelopeDebeziumUpsert:
		if c.ValueFormat != FormatAvro && c.ValueFormat != FormatJSON {
			return notSupported(fmt.Sprintf("ENVELOPE %s with FORMAT %s", c.Envelope, c.ValueFormat))
		}
	default:
		return notSupported("ENVELOPE " + string(c.Envelope))
	}
	return nil
}

func (c *Config) checkInclude() error {
	for _, i := range c.Include {
		switch i.What {
		case IncludeKey:
			if c.Envelope.isDebezium() {
				return notSupported("INCLUDE KEY with ENVELOPE DEBEZIUM")
			}
			if c.KeyFormat == FormatNone {
				return repr.NewError(repr.CodeInvalidParameter, "INCLUDE KEY needs a KEY FORMAT").WithHint("Write KEY FORMAT … VALUE FORMAT … in place of FORMAT ….")
			}
		case IncludePartition, IncludeOffset, IncludeTimestamp, IncludeHeaders, IncludeHeader, IncludeTopic:
		default:
			return notSupported("INCLUDE " + string(i.What))
		}
	}
	return nil
}

func notSupported(what string) *repr.Error {
	return repr.NewError(repr.CodeFeatureNotSupported, what+" is not supported for Kafka sources")
}
