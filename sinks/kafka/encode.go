package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/sinks"
)

// encoder turns changes into keys and values. A row is encoded first, then put into an envelope: the form of a row
// in the topic is that row's identity when the topic is read back.
type encoder struct {
	format Format
	cols   repr.RowDesc
	key    []int
	by     []int  // columns that choose the partition
	value  *codec // in Avro with the schema of the envelope, if there is one
	keys   *codec // nil without a key

	registered bool // the schemas are

	datums []repr.Datum
}

func newEncoder(cfg *Config) (*encoder, error) {
	e := &encoder{format: cfg.Format, cols: cfg.Cols, key: cfg.Key, by: cfg.PartitionBy}
	var err error
	if e.value, err = newCodec(cfg.Format, "row", cfg.Cols, cfg.valueColumns()); err != nil {
		return nil, err
	}
	if cfg.Envelope == Debezium && cfg.Format == Avro {
		e.value.schema = e.value.avro.EnvelopeSchema("envelope")
	}
	if len(cfg.Key) > 0 {
		e.keys, err = newCodec(cfg.keyFormat(), "key", cfg.Cols, cfg.Key)
	}
	return e, err
}

// valueColumns are the columns of a value; nil: all of them. One of texts or bytes has those that are not in the key.
func (c *Config) valueColumns() []int {
	single := (c.Format == Text || c.Format == Bytes) && len(c.Cols) > 1
	if c.Headers == nil && !single {
		return nil
	}
	out := []int{}
	for i := range c.Cols {
		if (c.Headers == nil || i != *c.Headers) && !(single && slices.Contains(c.Key, i)) {
			out = append(out, i)
		}
	}
	return out
}

// keyColumns packs the key of a row in canonical form, so that equal keys have equal bytes.
func (e *encoder) keyColumns(dst, row []byte) []byte {
	e.datums = repr.DecodeRow(e.datums[:0], row)
	for _, k := range e.key {
		dst = repr.AppendKey(dst, e.datums[k])
	}
	return dst
}

// What stands around the rows of an envelope.
const (
	jsonBefore = `{"before":`
	jsonAfter  = `,"after":`

	branchNull = 0 // the first branch of a union
	branchRow  = 1 // the second
)

// envelope is the value of a message; nil stands for no row.
func (e *encoder) envelope(before, after []byte) []byte {
	dst := make([]byte, 0, len(before)+len(after)+32)
	if e.format == JSON {
		dst = appendOrNull(append(dst, jsonBefore...), before)
		dst = appendOrNull(append(dst, jsonAfter...), after)
		return append(dst, '}')
	}
	dst = avro.AppendFrame(dst, e.value.id)
	for _, row := range [2][]byte{before, after} {
		if row == nil {
			dst = append(dst, branchNull<<1)
			continue
		}
		dst = append(append(dst, branchRow<<1), row...)
	}
	return dst
}

func appendOrNull(dst, row []byte) []byte {
	if row == nil {
		return append(dst, "null"...)
	}
	return append(dst, row...)
}

// changes are what one tick does to the topic.
type changes struct {
	counts []int64  // of copies; negative for deletions
	keys   [][]byte // equal for equal keys; nil when there is nothing to pair
	load   func(i int) (key, row []byte, err error)
	place  func(c *connection, i int) int32 // the partition; nil when key and row choose it
}

// changesOf are the changes of a tick. Rows are encoded only when they are loaded.
func (e *encoder) changesOf(t sinks.Tick) *changes {
	c := &changes{counts: make([]int64, len(t.Changes))}
	var deletes, inserts bool
	for i := range t.Changes {
		c.counts[i] = t.Changes[i].Diff
		deletes = deletes || c.counts[i] < 0
		inserts = inserts || c.counts[i] > 0
	}
	if len(e.key) > 0 && deletes && inserts {
		c.keys = make([][]byte, len(t.Changes))
		for i := range t.Changes {
			c.keys[i] = e.keyColumns(nil, t.Changes[i].Row)
		}
	}
	if e.by != nil {
		c.place = func(to *connection, i int) int32 {
			e.datums = repr.DecodeRow(e.datums[:0], t.Changes[i].Row)
			return to.spreadTo(e.spread())
		}
	}
	c.load = func(i int) (key, row []byte, err error) {
		packed := t.Changes[i].Row
		e.datums = repr.DecodeRow(e.datums[:0], packed)
		if e.keys != nil {
			if key, err = e.keys.append(nil, packed, e.datums, true); err != nil {
				return nil, nil, err
			}
		}
		// Never nil, though a row without columns has no bytes in Avro: nil stands for no row.
		row, err = e.value.append([]byte{}, packed, e.datums, false)
		return key, row, err
	}
	return c
}

// step is one message, n times.
type step struct {
	before, after int // indexes of changes, or none
	n             int64
}

const none = -1

// plan orders the messages of one tick: deletions, updates, insertions, each in the order of the changes. A deletion
// and an insertion of one key are an update.
func (c *changes) plan() []step {
	left := slices.Clone(c.counts)
	updates := c.updates(left)
	steps := make([]step, 0, len(left))
	for i, n := range left {
		if n < 0 {
			steps = append(steps, step{i, none, -n})
		}
	}
	steps = append(steps, updates...)
	for i, n := range left {
		if n > 0 {
			steps = append(steps, step{none, i, n})
		}
	}
	return steps
}

// updates takes the pairs off what is left.
func (c *changes) updates(left []int64) []step {
	order := make([]int, len(c.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return bytes.Compare(c.keys[a], c.keys[b]) })
	var steps []step
	for from, to := 0, 0; from < len(order); from = to {
		for to = from + 1; to < len(order) && bytes.Equal(c.keys[order[from]], c.keys[order[to]]); {
			to++
		}
		steps = pair(steps, order[from:to], left)
	}
	slices.SortStableFunc(steps, func(a, b step) int { return a.before - b.before })
	return steps
}

// pair turns deletions and insertions of one key into updates.
func pair(dst []step, group []int, left []int64) []step {
	del, ins := 0, 0
	for {
		for del < len(group) && left[group[del]] >= 0 {
			del++
		}
		for ins < len(group) && left[group[ins]] <= 0 {
			ins++
		}
		if del == len(group) || ins == len(group) {
			return dst
		}
		b, a := group[del], group[ins]
		n := min(-left[b], left[a])
		left[b] += n
		left[a] -= n
		dst = append(dst, step{b, a, n})
	}
}

// goesOn is what has a sink go on that has ended at a row of its view.
const goesOn = "; then ALTER SINK … SET or RESET (COMMIT INTERVAL) has the sink go on."

func cannotWrite(topic string, err error) *repr.Error {
	e, ok := errors.AsType[*repr.Error](err)
	if !ok {
		e = repr.NewError(repr.CodeInternal, err.Error())
	}
	c := *e
	c.Message = fmt.Sprintf("cannot write a row to topic %q: %s", topic, e.Message)
	if c.Hint == "" {
		c.Hint = "Leave such values out of the sink's view" + goesOn
	}
	return &c
}
