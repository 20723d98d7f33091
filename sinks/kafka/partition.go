package kafka

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/repr"
	"millrace/repr/pgfmt"
)

// Which partition a record goes to depends on its key, as Kafka's own producers have it, or on its row when it has no key, so that what
// is written of a key stays in order. With PARTITION BY it is where a record goes whose key is the text of the column, or a list in JSON
// of those of several. Such columns have to be of the key, unless records only come: a row of a key must not move.

// checkPartitionBy refuses columns by which the changes of a row would go to several partitions.
func (c *Config) checkPartitionBy() *repr.Error {
	for i, k := range c.PartitionBy {
		switch {
		case slices.Contains(c.PartitionBy[:i], k):
			return repr.NewError(repr.CodeDuplicateColumn, fmt.Sprintf("column %q appears twice in PARTITION BY", c.Cols[k].Name))
		case c.Envelope != Append && len(c.Key) > 0 && !slices.Contains(c.Key, k):
			return repr.NewError(repr.CodeInvalidColumnReference, fmt.Sprintf("PARTITION BY wants columns of the key, and %q is none", c.Cols[k].Name)).
				WithHint("The changes of a key must stay in one partition, in order. Add the column to KEY (…), or choose ENVELOPE NONE.")
		}
	}
	return nil
}

// spread is what the partition of a row depends on, which is decoded.
func (e *encoder) spread() []byte {
	texts := make([]*string, len(e.by))
	for i, k := range e.by {
		if d := e.datums[k].Canonical(); !d.IsNull() {
			text := string(pgfmt.AppendText(nil, e.cols[k].Type, d, nil))
			texts[i] = &text
		}
	}
	if len(texts) == 1 && texts[0] != nil {
		return []byte(*texts[0])
	}
	list, err := json.Marshal(texts)
	if err != nil { // texts are always written
		return nil
	}
	return list
}

// spreadTo is the partition of what PARTITION BY gives.
func (c *connection) spreadTo(by []byte) int32 {
	return int32(c.byKey.Partition(&kgo.Record{Key: by}, int(c.partitions)))
}

// partition depends on the key alone or, without one, on the row alone; no update lacks a key.
func (c *connection) partition(key []byte, rows [2][]byte) int32 {
	if c.partitions <= 1 {
		return 0
	}
	if key != nil {
		return int32(c.byKey.Partition(&kgo.Record{Key: key}, int(c.partitions)))
	}
	h := fnv.New32a()
	for _, row := range rows {
		_, _ = h.Write(row) // a hash takes all
	}
	return int32(h.Sum32() % uint32(c.partitions))
}

// partitionOf is where a message in an envelope goes.
func (s *Sink) partitionOf(batch *changes, st step, key []byte, rows [2][]byte) int32 {
	if batch.place == nil {
		return s.conn.partition(key, rows)
	}
	return batch.place(s.conn, max(st.before, st.after)) // both are of one key
}
