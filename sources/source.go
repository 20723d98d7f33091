package sources

import (
	"context"
	"iter"

	"millrace/internal/broker"
	"millrace/repr"
)

// Update is one change of a source's collection: a packed row and its count.
type Update struct {
	Row  []byte
	Diff repr.Diff
}

// Progress says how far a partition was read: every record before Next has been handed over.
type Progress struct {
	Partition int32
	Next      int64 // the offset of the next record to come
	High      int64 // the high watermark when last seen; -1 when unknown
}

// Batch is what a connector hands over at once; it lands in one tick.
type Batch struct {
	Updates  []Update   // rows of the source's collection
	Parts    []Part     // of a source that feeds several tables: what changes in each
	Errors   []Update   // rows of <source>_errors, shaped as ErrorColumns
	State    []Update   // changes of what a Stateful connector remembers
	Progress []Progress // for the partitions that moved
	Records  int64      // records read, good and bad
	Bad      int64      // records that went to Errors
	Letters  int64      // bad records that were written to the topic of dead letters before this was handed over
	// Bury writes these, and counts them. Push calls it, if it is there, when the policy has taken the batch and before anybody sees it.
	Bury  func(ctx context.Context) error
	Bytes int64 // of keys and values read
	// Transaction is that of the database which all records are of, and Orders their places among its changes of the table; when the
	// connector was asked for them.
	Transaction string
	Orders      []int64
	NewestMS    int64 // the newest record timestamp in it, milliseconds since 1970; 0 when unknown

	Rows Arena // where rows of it may lie
	home *Pool // nil: it goes nowhere
}

// Part is what a batch changes in one table of a source that feeds several. All parts of a batch land in one tick, so what belongs
// to one transaction of the other side goes into one batch, whatever tables it is about.
type Part struct {
	Table   uint64   // as Feed was given it
	Replace bool     // Updates are the whole content from this tick on: what was there before goes, also what waits for a tick
	Updates []Update // in no order
	Joined  bool     // its first content is complete, and as of the same moment as that of the source's other tables
	Total   int64    // while the first content comes: about how many rows it has; 0 when that is not known
}

// State is what a connector is doing, in words for people.
type State struct {
	Status string // starting, running, stalled or failed
	Error  string // why, when stalled or failed: names the thing and the address
	Hint   string
}

// Events takes what a connector has to say. Push blocks while the coordinator is busy: that is the backpressure.
type Events interface {
	Push(ctx context.Context, b *Batch) error
	Report(s State)
}

// Gatherer are Events that take a batch piece by piece, so that a large one is in memory once and packed. Its methods are for the
// goroutine of Run.
type Gatherer interface {
	Events
	// Gather takes a piece of the batch that the next Push hands over; what says what that is: "a transaction of …". Its Updates may be
	// used again. It waits a little for room, and fails when there is none for the whole.
	Gather(ctx context.Context, what string, parts []Part) error
	// Abandon forgets what was gathered since the last Push.
	Abandon()
	// Content gives what a table holds by all that was pushed, when that has come to its tick.
	Content(ctx context.Context, table uint64) (iter.Seq2[[]byte, repr.Diff], error)
}

// Settler are Events that say when what was pushed is kept. Its methods are for the goroutine of Run.
type Settler interface {
	Events
	// Settle waits until all that was pushed is durable, where anything ever is.
	Settle(ctx context.Context) error
}

// Connector is one running source.
type Connector interface {
	// Run reads from the given offsets (a partition not named starts at its beginning) until ctx ends, and returns
	// only on that or on an error that no retry can mend. What can be retried is retried and reported.
	Run(ctx context.Context, from map[int32]int64, out Events) error
}

// Described is a connector that knows what it gives.
type Described interface {
	Connector
	// Describe reaches for what it reads, and gives the columns and the sets of columns by which rows are unique.
	Describe(ctx context.Context) (cols repr.RowDesc, keys [][]int, err error)
	// Grows says whether it never takes back a row that it gave, nor an error.
	Grows() bool
	// Schemas are what its values and keys are read with, as found by Describe; empty where there are none.
	Schemas() (value, key string)
}

// Offer is a table that a source can feed.
type Offer struct {
	Schema, Name string
	Columns      repr.RowDesc
	Keys         [][]int // sets of columns by which its rows are unique
	Upstream     string  // what the connector has to know of it; it is kept with the table
	Err          error   // why it cannot be fed, though it is there
}

// Table is a table that a source feeds.
type Table struct {
	ID       uint64
	Columns  repr.RowDesc
	Upstream string                       // of its offer
	Rows     iter.Seq2[[]byte, repr.Diff] // after a restart: what it holds; nil of a new one
}

// Several is a connector that feeds several tables. They come and go while it runs; a new one begins with a content of its own
// that is joined to what the others are changed by.
type Several interface {
	Described
	// Offers reaches for what is read, and gives the tables there are.
	Offers(ctx context.Context) ([]Offer, error)
	// Feed adds a table, after Restore; Starve takes one away. Any goroutine may call them.
	Feed(t Table) error
	Starve(table uint64)
}

// Durable is a connector that has to know how far what it gave is safe, so that the other side may forget it.
type Durable interface {
	// Durable is told, when the tick that bound it is durable, what comes next of a partition. It must not block.
	Durable(partition int32, next int64)
}

// Renewer is a connector that can read all of its tables anew, when what it would have gone on with is lost.
type Renewer interface {
	// Renew has the next Run put the content that there is then in the place of what was read, in one batch.
	Renew()
}

// OnError is what a source does about a record that cannot be decoded.
type OnError uint8

// What there is to be done.
const (
	Quarantine OnError = iota // it becomes a row of <source>_errors, and the next one is read
	NullField                 // the same, but a field of it that cannot be is NULL, and the rest of the record is a row
	Fail                      // nothing behind it is read until it can be decoded, or is to be passed over
)

// ErrorPolicy is what is to become of records that cannot be decoded.
type ErrorPolicy struct {
	OnError     OnError
	DeadLetters string // the topic that they are written to besides; empty: none
	Writer      string // the name of the source to those who keep what is written, for ever
	Source      string // the name of the source to people

	Broker *broker.Options // where that topic is; nil: where the source reads
}

// Buries says whether dead letters may have to be written: a source that stops at a bad record may be told to while it stands there.
func (p ErrorPolicy) Buries() bool { return p.DeadLetters != "" || p.OnError == Fail }

// Follower is a connector that is told the policy: it writes the dead letters.
type Follower interface {
	// Follow holds from the next record on. Any goroutine may call it, also before Run.
	Follow(p ErrorPolicy)
}

// Halting is a Follower that may see to Fail itself: it hands over what came before a bad record, and waits in front of it. Of others
// the batch with the bad record waits.
type Halting interface {
	Follower
	Halts() bool
}

// Leaver is a connector that has something of its own on the other side, which goes when the source is dropped.
type Leaver interface {
	// Leave takes it away, after the end of Run. The error says what is left and how to take it away.
	Leave(ctx context.Context) error
}

// Stateful is a connector that remembers more than offsets: what its batches do to its State is kept with their ticks, and is
// given back, each row once with its count, before it runs again.
type Stateful interface {
	Restore(rows iter.Seq2[[]byte, repr.Diff]) error
}

// Recalling is a connector whose State leaves out what is in the rows that it gave, so that after a restart it needs both.
type Recalling interface {
	Stateful
	// Recall is told, before Restore and Run, what the source holds, as of the same tick as what Restore is given. The rows may be
	// gone through until the first batch is pushed.
	Recall(content iter.Seq2[[]byte, repr.Diff])
}

// Holder is a connector that knows what it holds in memory. Any goroutine may ask.
type Holder interface {
	// Held gives the bytes of what it remembers, and of what it has fetched and not handed over.
	Held() (remembered, fetched int64)
}

// Position is how far a connector has read a log of the other side; places in it are bytes from its beginning.
type Position struct {
	Slot      string // by which the other side keeps the log for it
	Read      int64
	Durable   int64 // what is safe here; 0: nothing is known to be
	Confirmed int64 // what the other side knows to be safe here, when it was asked last; 0: it was not asked
	Kept      int64 // from where on it kept the log then
	End       int64 // where the log ended; 0: that is not known
	AskedMS   int64 // when it was asked, in milliseconds since 1970
	BehindMS  int64 // since when the log is not read to its end; 0: it is

	Open         int64 // transactions that are open there and have sent changes
	OpenBytes    int64 // these, packed, in memory
	SpilledBytes int64 // and on the disk
}

// Positioned is a connector that reads a log, and knows where that ends. Any goroutine may ask.
type Positioned interface {
	Position() Position
}

// ErrorColumns is the shape of <source>_errors.
var ErrorColumns = repr.RowDesc{
	{Name: "mz_timestamp", Type: repr.TypeOf(repr.KindTimestampTZ)},
	{Name: "error", Type: repr.TypeOf(repr.KindText), NotNull: true},
	{Name: "error_code", Type: repr.TypeOf(repr.KindText), NotNull: true},
	{Name: "topic", Type: repr.TypeOf(repr.KindText)},
	{Name: "partition", Type: repr.TypeOf(repr.KindInt4)},
	{Name: "offset", Type: repr.TypeOf(repr.KindInt8)},
	{Name: "timestamp", Type: repr.TypeOf(repr.KindTimestampTZ)},
	{Name: "key", Type: repr.TypeOf(repr.KindBytea)},
	{Name: "value", Type: repr.TypeOf(repr.KindBytea)},
}
