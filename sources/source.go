package sources

import (
	"context"
	"iter"

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
	Errors   []Update   // rows of <source>_errors, shaped as ErrorColumns
	State    []Update   // changes of what a Stateful connector remembers
	Progress []Progress // for the partitions that moved
	Records  int64      // records read, good and bad
	Bad      int64      // records that went to Errors
	Bytes    int64      // of keys and values read
	NewestMS int64      // the newest record timestamp in it, milliseconds since 1970; 0 when unknown
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

// Stateful is a connector that remembers more than offsets: what its batches do to its State is kept with their ticks, and is
// given back, each row once with its count, before it runs again.
type Stateful interface {
	Restore(rows iter.Seq2[[]byte, repr.Diff]) error
}

// Holder is a connector that knows what it holds in memory. Any goroutine may ask.
type Holder interface {
	// Held gives the bytes of what it remembers, and of what it has fetched and not handed over.
	Held() (remembered, fetched int64)
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
