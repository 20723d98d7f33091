package kafka

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/repr"
	"millrace/sinks"
)

// manner is how ticks become records.
type manner struct {
	// write writes a tick.
	write func(*Sink, context.Context, sinks.Tick) (int64, error)
	// resume writes what leads from the content of the topic to a snapshot.
	resume func(*Sink, context.Context, sinks.Tick) (int64, error)
}

var manners = map[Envelope]manner{
	Debezium: {write: (*Sink).writeChanges, resume: (*Sink).resumeChanges},
	Upsert:   {write: (*Sink).writeUpserts, resume: (*Sink).resumeUpserts},
	Append:   {write: (*Sink).writeRows, resume: (*Sink).resumeRows},
}

// record encodes the record of a row; gone says that the row has gone, so that there is no value.
func (s *Sink) record(row []byte, gone bool) (*kgo.Record, error) {
	e := s.enc
	e.datums = repr.DecodeRow(e.datums[:0], row)
	rec := &kgo.Record{Topic: s.cfg.Topic}
	if e.by != nil {
		rec.Partition = s.conn.spreadTo(e.spread())
	}
	var err error
	if e.keys != nil {
		if rec.Key, err = e.keys.append(nil, row, e.datums, true); err != nil {
			return nil, cannotWrite(s.cfg.Topic, err)
		}
		if rec.Key == nil && s.cfg.Envelope == Upsert {
			return nil, repr.NewError(repr.CodeNullNotAllowed, fmt.Sprintf("cannot write a row to topic %q: its key is NULL", s.cfg.Topic)).
				WithHint("Leave such rows out of the sink's view" + goesOn + " Keys in JSON may be NULL.")
		}
	}
	if gone {
		return rec, nil
	}
	if rec.Value, err = e.value.append(make([]byte, 0, 2*len(row)+16), row, e.datums, true); err != nil {
		return nil, cannotWrite(s.cfg.Topic, err)
	}
	if s.cfg.Headers != nil {
		rec.Headers, err = headersOf(e.datums[*s.cfg.Headers])
	}
	return rec, err
}

// place chooses the partition and hands the record to the client.
func (s *Sink) place(ctx context.Context, rec *kgo.Record) error {
	if s.enc.by == nil {
		rec.Partition = s.conn.partition(rec.Key, [2][]byte{rec.Value})
	}
	return s.send(ctx, rec)
}

// writeUpserts writes what becomes of each key of a tick: its row, or none.
func (s *Sink) writeUpserts(ctx context.Context, t sinks.Tick) (int64, error) {
	folded := sinks.Fold([]sinks.Tick{t}, s.cfg.Key)
	for i := range folded {
		row, gone := folded[i].Row, folded[i].Row == nil
		if gone {
			row = folded[i].Was
		}
		rec, err := s.record(row, gone)
		if err == nil && !gone && rec.Value == nil {
			err = s.noValue()
		}
		if err == nil {
			err = s.place(ctx, rec)
		}
		if err != nil {
			return 0, err
		}
	}
	return int64(len(folded)), nil
}

// noValue refuses a row whose only column is NULL: its record would delete the key.
func (s *Sink) noValue() *repr.Error {
	return repr.NewError(repr.CodeNullNotAllowed, fmt.Sprintf("cannot write a row to topic %q: its value is NULL, which would delete its key", s.cfg.Topic)).
		WithHint("Leave such rows out of the sink's view" + goesOn + " Values in JSON may be NULL.")
}

// resumeUpserts compares the last record of each key with a snapshot. What a broker has deleted or compacted does not matter: a key
// whose record is missing is written again.
func (s *Sink) resumeUpserts(ctx context.Context, t sinks.Tick) (int64, error) {
	found := map[string]*kgo.Record{}
	err := s.eachRecord(ctx, true, func(rec *kgo.Record) error {
		if found[string(rec.Key)] = rec; rec.Value == nil {
			delete(found, string(rec.Key))
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	want := map[string]*kgo.Record{}
	for _, f := range sinks.Fold([]sinks.Tick{t}, s.cfg.Key) {
		rec, err := s.record(f.Row, false)
		if err == nil && rec.Value == nil {
			err = s.noValue()
		}
		if err != nil {
			return 0, err
		}
		if was, ok := found[string(rec.Key)]; !ok || !bytes.Equal(was.Value, rec.Value) || !sameHeaders(was.Headers, rec.Headers) {
			want[string(rec.Key)] = rec
		}
		delete(found, string(rec.Key))
	}
	for key, was := range found {
		want[key] = &kgo.Record{Topic: s.cfg.Topic, Key: []byte(key), Partition: was.Partition}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if err := s.place(ctx, want[key]); err != nil {
			return 0, err
		}
	}
	return int64(len(want)), nil
}

func sameHeaders(a, b []kgo.RecordHeader) bool {
	return slices.EqualFunc(a, b, func(a, b kgo.RecordHeader) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) })
}

// writeRows writes the rows that a tick brings. Rows that it takes away are counted and left out when the sink is told so.
func (s *Sink) writeRows(ctx context.Context, t sinks.Tick) (int64, error) {
	var n int64
	for i := range t.Changes {
		c := &t.Changes[i]
		if c.Diff < 0 {
			if !s.cfg.Force {
				return 0, s.takenBack()
			}
			s.dropping -= c.Diff
			continue
		}
		rec, err := s.record(c.Row, false)
		if err != nil {
			return 0, err
		}
		for range c.Diff {
			again := *rec
			if err := s.place(ctx, &again); err != nil {
				return 0, err
			}
		}
		n += c.Diff
	}
	return n, nil
}

func (s *Sink) takenBack() *repr.Error {
	return repr.NewError(repr.CodeObjectNotReady, fmt.Sprintf("cannot write to topic %q: a row was taken back, and ENVELOPE NONE has no record for that", s.cfg.Topic)).
		WithHint("ENVELOPE NONE (FORCE) leaves out what is taken back and counts it; ENVELOPE DEBEZIUM and UPSERT write it.")
}

// resumeRows compares the number of records of each key and value with a snapshot.
func (s *Sink) resumeRows(ctx context.Context, t sinks.Tick) (int64, error) {
	if !s.cfg.Snapshot {
		return 0, s.cannotResume("it was made without a snapshot, and the changes since its last record are not kept")
	}
	counts := map[string]int64{}
	err := s.eachRecord(ctx, false, func(rec *kgo.Record) error {
		counts[pairOf(rec)]++
		return nil
	})
	if err != nil {
		return 0, err
	}
	var written int64
	for i := range t.Changes {
		rec, err := s.record(t.Changes[i].Row, false)
		if err != nil {
			return 0, err
		}
		id := pairOf(rec)
		n := t.Changes[i].Diff
		there := min(n, counts[id])
		counts[id] -= there
		for range n - there {
			again := *rec
			if err := s.place(ctx, &again); err != nil {
				return 0, err
			}
		}
		written += n - there
	}
	for _, n := range counts {
		if n > 0 && !s.cfg.Force {
			return 0, s.takenBack()
		}
	}
	return written, nil
}

// pairOf is key and value as one string.
func pairOf(rec *kgo.Record) string {
	return fmt.Sprintf("%d,%t,%t,%s%s", len(rec.Key), rec.Key == nil, rec.Value == nil, rec.Key, rec.Value)
}

// eachRecord gives what this sink has written to all partitions. With gaps, records that the broker has deleted do not matter.
func (s *Sink) eachRecord(ctx context.Context, gaps bool, fn func(*kgo.Record) error) error {
	for p := range s.conn.partitions {
		r, err := broker.NewCommitted(ctx, s.conn.client, s.cfg.Topic, p)
		if err != nil {
			return err
		}
		from := s.progress.Since[p]
		if r.Start > from && !gaps {
			return s.cannotResume(fmt.Sprintf("the broker has deleted its records before offset %d of partition %d", r.Start, p))
		}
		var bad error
		err = r.Each(ctx, max(from, r.Start), func(rec *kgo.Record) {
			if bad == nil {
				bad = fn(rec)
			}
		})
		if err == nil {
			err = bad
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// headersOf are the headers that an object in JSON names: texts as they are, other values as JSON, null as no value.
func headersOf(d repr.Datum) ([]kgo.RecordHeader, error) {
	if d.IsNull() {
		return nil, nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(d.Bytes(), &object) != nil {
		return nil, repr.NewError(repr.CodeInvalidParameter, "the headers of a record are no JSON object").
			WithHint("jsonb_build_object makes one.")
	}
	out := make([]kgo.RecordHeader, 0, len(object))
	for _, name := range slices.Sorted(maps.Keys(object)) {
		h := kgo.RecordHeader{Key: name, Value: object[name]}
		var text *string
		if json.Unmarshal(object[name], &text) == nil {
			if h.Value = nil; text != nil {
				h.Value = []byte(*text)
			}
		}
		out = append(out, h)
	}
	return out, nil
}
