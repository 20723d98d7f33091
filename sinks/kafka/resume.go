package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/repr/format/avro"
	"millrace/sinks"
)

// copies is how often a row stands in the topic, less how often it should.
type copies struct {
	key, row []byte // as encoded
	n        int64
	at       int32 // the partition
}

// content is what the records of a topic add up to, by key and row.
type content map[string]*copies

func (c content) add(key, row []byte, n int64, at int32) {
	if row == nil {
		return
	}
	id := string(row)
	if key != nil {
		id = string(binary.AppendUvarint(nil, uint64(len(key)))) + string(key) + id
	}
	e := c[id]
	if e == nil {
		e = &copies{key: key, row: row, at: at}
		c[id] = e
	}
	if e.n += n; e.n == 0 {
		delete(c, id)
	}
}

// difference is what leads from the content of the topic to a snapshot.
func (s *Sink) difference(ctx context.Context, snapshot sinks.Tick) (*changes, error) {
	found := content{}
	for p := range s.conn.partitions {
		if err := s.addUp(ctx, found, p); err != nil {
			return nil, err
		}
	}
	for _, e := range found {
		if e.n < 0 {
			return nil, s.cannotResume("its records delete rows that they never inserted")
		}
	}
	want := s.enc.changesOf(snapshot)
	for i, n := range want.counts {
		key, row, err := want.load(i)
		if err != nil {
			return nil, cannotWrite(s.cfg.Topic, err)
		}
		at := int32(0)
		if want.place != nil {
			at = want.place(s.conn, i)
		}
		found.add(key, row, -n, at)
	}
	s.cfg.Log.Info("sink resumes", "topic", s.cfg.Topic, "after", s.progress.Time, "changes", len(found))
	out := found.changes()
	if want.place == nil {
		out.place = nil
	}
	return out, nil
}

// changes are what takes the content away.
func (c content) changes() *changes {
	rest := make([]*copies, 0, len(c))
	for _, e := range c {
		rest = append(rest, e)
	}
	slices.SortFunc(rest, func(a, b *copies) int {
		if d := bytes.Compare(a.row, b.row); d != 0 {
			return d
		}
		return bytes.Compare(a.key, b.key)
	})
	out := &changes{counts: make([]int64, len(rest))}
	for i, e := range rest {
		out.counts[i] = -e.n
		if e.key != nil {
			out.keys = append(out.keys, e.key)
		}
	}
	out.place = func(_ *connection, i int) int32 { return rest[i].at }
	out.load = func(i int) (key, row []byte, err error) { return rest[i].key, rest[i].row, nil }
	return out
}

// addUp adds what this sink has written to a partition.
func (s *Sink) addUp(ctx context.Context, to content, partition int32) error {
	r, err := broker.NewCommitted(ctx, s.conn.client, s.cfg.Topic, partition)
	if err != nil {
		return err
	}
	from := s.progress.Since[partition]
	if r.Start > from {
		return s.cannotResume(fmt.Sprintf("the broker has deleted its records before offset %d of partition %d", r.Start, partition))
	}
	var bad error
	err = r.Each(ctx, from, func(rec *kgo.Record) {
		before, after, err := s.enc.split(rec.Value)
		if err != nil {
			bad = errors.Join(bad, s.cannotResume(fmt.Sprintf("the record at offset %d of partition %d %s", rec.Offset, partition, err)))
			return
		}
		to.add(rec.Key, before, -1, partition)
		to.add(rec.Key, after, 1, partition)
	})
	if bad != nil {
		var first *repr.Error
		errors.As(bad, &first)
		return first
	}
	return err
}

func (s *Sink) cannotResume(why string) *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("cannot continue topic %q after a restart: %s", s.cfg.Topic, why)).
		WithHint("Drop the sink and create it anew with another topic.")
}

// split takes an envelope apart into its rows as encoded; nil for none.
func (e *encoder) split(value []byte) (before, after []byte, err error) {
	if e.format == JSON {
		return splitJSON(value)
	}
	id, body, err := avro.Unframe(value)
	if err != nil || id != e.value.id {
		return nil, nil, errors.New("is not of this sink's schema")
	}
	w := walker{rest: body}
	before, after = e.rowFrom(&w), e.rowFrom(&w)
	if w.bad || len(w.rest) > 0 {
		return nil, nil, errors.New("is damaged")
	}
	return before, after, nil
}

func splitJSON(value []byte) (before, after []byte, err error) {
	var parts map[string]json.RawMessage
	if json.Unmarshal(value, &parts) != nil || len(parts) != 2 || parts["before"] == nil || parts["after"] == nil {
		return nil, nil, errors.New("is no envelope of before and after")
	}
	rows := [2][]byte{parts["before"], parts["after"]}
	for i := range rows {
		if string(rows[i]) == "null" {
			rows[i] = nil
		}
	}
	return rows[0], rows[1], nil
}

// walker steps over values in Avro as they are encoded for columns.
type walker struct {
	rest []byte
	bad  bool
}

// rowFrom takes a union of null and a row.
func (e *encoder) rowFrom(w *walker) []byte {
	if w.long() == branchNull {
		return nil
	}
	from := w.rest
	for i := range e.cols {
		w.value(e.cols[i].Type, !e.cols[i].NotNull)
	}
	n := len(from) - len(w.rest)
	return from[:n:n]
}

func (w *walker) value(t repr.Type, nullable bool) {
	if nullable && w.long() == branchNull {
		return
	}
	switch t.Kind {
	case repr.KindBool:
		w.skip(1)
	case repr.KindInt2, repr.KindInt4, repr.KindInt8, repr.KindOID, repr.KindDate, repr.KindTime,
		repr.KindTimestamp, repr.KindTimestampTZ:
		w.long()
	case repr.KindFloat4:
		w.skip(4)
	case repr.KindFloat8:
		w.skip(8)
	case repr.KindArray:
		for n := w.long(); n > 0 && !w.bad; n = w.long() {
			for ; n > 0 && !w.bad; n-- {
				w.value(repr.TypeOf(t.Elem), true)
			}
		}
	default: // bytes and strings
		w.skip(w.long())
	}
}

func (w *walker) long() int64 {
	v, n := binary.Varint(w.rest)
	if n <= 0 {
		w.bad = true
		return 0
	}
	w.rest = w.rest[n:]
	return v
}

func (w *walker) skip(n int64) {
	if n < 0 || n > int64(len(w.rest)) {
		w.bad = true
		return
	}
	w.rest = w.rest[n:]
}
