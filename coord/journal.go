package coord

import "millrace/repr"

// Record is everything that a tick binds to its time: one atomic, durable commit.
type Record struct {
	Time    repr.Time
	Updates []CollectionUpdates
	Offsets []SourceOffset
}

// CollectionUpdates are the updates of one collection that enter with a tick.
type CollectionUpdates struct {
	Collection uint64
	Rows       int
	Bytes      int64
}

// SourceOffset binds how far a source partition was read.
type SourceOffset struct {
	Source    uint64
	Partition int32
	Next      int64
}

// Journal is the log of ticks. Append returns once the record would survive a crash; nothing of the tick is shown
// before. An error means that nothing more may be acknowledged.
type Journal interface {
	Append(r *Record) error
}

// MemoryJournal keeps nothing: what a server without a durable log promises is consistency, not durability.
type MemoryJournal struct{ Ticks int64 }

// Append counts the tick.
func (j *MemoryJournal) Append(*Record) error {
	j.Ticks++
	return nil
}
