package envelope

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"millrace/repr"
	"millrace/repr/jsonb"
)

// A database is a table of few keys that changes at random, and the messages that a connector would write of it: to a
// partition by key, with a log position, and with a "before" that may be anything.
type database struct {
	r         *rand.Rand
	mysql     bool
	rows      map[int]map[string]any
	parts     [][]*Message
	file, pos int64
	millis    int64
}

const placeholder = "__debezium_unavailable_value"

func (d *database) next() {
	d.pos += int64(1 + d.r.IntN(100))
	d.millis += int64(d.r.IntN(3))
	if d.mysql && d.r.IntN(20) == 0 {
		d.file, d.pos = d.file+1, 4 // the log is rotated
	}
}

func (d *database) source(snapshot string) map[string]any {
	s := map[string]any{"ts_ms": d.millis, "snapshot": snapshot}
	if d.mysql {
		s["file"], s["pos"], s["row"] = fmt.Sprintf("binlog.%06d", d.file), d.pos, 0
	} else {
		s["lsn"], s["txId"] = d.pos, 700
	}
	return s
}

func (d *database) emit(key int, op string, after any) *Message {
	var before any
	if d.r.IntN(2) == 0 {
		before = map[string]any{"id": key, "v": d.r.IntN(1000)}
	}
	value, _ := json.Marshal(map[string]any{"op": op, "before": before, "after": after, "source": d.source("false")})
	m := &Message{Value: value}
	part := key % len(d.parts)
	if op == "t" {
		part = 0
	} else {
		m.Key = fmt.Appendf(nil, `{"id":%d}`, key)
	}
	m.Partition = int32(part)
	d.parts[part] = append(d.parts[part], m)
	return m
}

// tombstone follows a delete, most of the time.
func (d *database) tombstone(key int) {
	if d.r.IntN(4) > 0 {
		part := key % len(d.parts)
		d.parts[part] = append(d.parts[part], &Message{Partition: int32(part), Key: fmt.Appendf(nil, `{"id":%d}`, key)})
	}
}

// step changes the table once.
func (d *database) step() {
	d.next()
	key := d.r.IntN(8)
	old := d.rows[key]
	switch n := d.r.IntN(20); {
	case n == 0:
		clear(d.rows)
		d.emit(0, "t", nil)
	case old == nil:
		d.rows[key] = d.fresh(key)
		d.emit(key, "c", d.rows[key])
	case n < 6:
		delete(d.rows, key)
		d.emit(key, "d", nil)
		d.tombstone(key)
	case n < 9 && len(d.parts) == 1 && d.rows[key^1] == nil:
		d.rename(key, key^1)
	default:
		row := d.fresh(key)
		sent := row
		if d.r.IntN(2) == 0 {
			row["big"] = old["big"]
			sent = map[string]any{"id": key, "v": row["v"], "big": placeholder}
		}
		d.rows[key] = row
		d.emit(key, "u", sent)
	}
}

func (d *database) fresh(key int) map[string]any {
	return map[string]any{"id": key, "v": d.r.IntN(3), "big": fmt.Sprint("big", d.r.IntN(1000))}
}

// rename changes a key: a delete that names the new key, and an insert that names the old one.
func (d *database) rename(from, to int) {
	row := map[string]any{"id": to, "v": d.rows[from]["v"], "big": d.rows[from]["big"]}
	delete(d.rows, from)
	d.rows[to] = row
	d.emit(from, "d", nil).KeyChanges = true
	d.tombstone(from)
	d.emit(to, "c", map[string]any{"id": to, "v": row["v"], "big": placeholder}).OldKey = fmt.Appendf(nil, `{"id": %d}`, from)
}

// reread is a snapshot by a connector that was set up anew; the changes just before it went unseen.
func (d *database) reread() {
	for range d.r.IntN(5) {
		lost := *d
		lost.parts = make([][]*Message, len(d.parts))
		lost.step()
		d.file, d.pos, d.millis = lost.file, lost.pos, lost.millis
	}
	if len(d.rows) == 0 {
		d.next()
		d.emit(0, "t", nil) // a snapshot of nothing says nothing, so the test does
		return
	}
	d.millis++
	d.pos += 10
	left := len(d.rows)
	for key, row := range d.rows {
		left--
		marker := "true"
		if left == 0 {
			marker = "last_in_data_collection"
		}
		value, _ := json.Marshal(map[string]any{"op": "r", "before": nil, "after": row, "source": d.source(marker)})
		part := key % len(d.parts)
		d.parts[part] = append(d.parts[part], &Message{Partition: int32(part), Key: fmt.Appendf(nil, `{"id":%d}`, key), Value: value})
	}
	d.millis++
}

func (d *database) content() table {
	c := table{}
	for _, row := range d.rows {
		text, _ := json.Marshal(row)
		norm, _ := jsonb.Normalize(nil, text)
		c[string(repr.Append(nil, repr.JSONB(norm)))] = 1
	}
	return c
}

func runDatabase(t *testing.T, d *database, steps int, reread bool) {
	t.Helper()
	e := NewDebeziumJSON()
	got := table{}
	for range steps {
		d.step()
		if reread && d.r.IntN(30) == 0 {
			d.reread()
		}
	}
	for i := range d.parts {
		d.parts[i] = window(d.r, d.parts[i])
	}
	for live := true; live; {
		live = false
		for _, p := range d.r.Perm(len(d.parts)) {
			n := min(len(d.parts[p]), 1+d.r.IntN(10))
			for _, m := range d.parts[p][:n] {
				updates, err := e.Apply(context.Background(), nil, m)
				if err != nil {
					t.Fatalf("%s: %v", m.Value, err)
				}
				got.fold(t, updates)
			}
			d.parts[p] = d.parts[p][n:]
			live = live || len(d.parts[p]) > 0
		}
	}
	want := d.content()
	for row := range want {
		if got[row] != 1 {
			t.Errorf("lacks %s", bytes.TrimLeft([]byte(row), "0\x0f"))
		}
	}
	if len(got) != len(want) || e.Rows() != len(want) {
		t.Errorf("%d rows, %d held, want %d", len(got), e.Rows(), len(want))
	}
}

// TestRandomTables holds the envelope to a table that changes at random, with repetitions.
func TestRandomTables(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		for _, mysql := range []bool{false, true} {
			d := &database{r: rand.New(rand.NewPCG(seed, 3)), mysql: mysql, rows: map[int]map[string]any{},
				parts: make([][]*Message, 1), pos: 4, millis: 1e12}
			runDatabase(t, d, 120, true)
			if t.Failed() {
				t.Fatalf("seed %d, mysql %v", seed, mysql)
			}
		}
	}
}

// TestRandomPartitions has the keys in several partitions, which are read at different speeds. Keys do not
// change there: what a new key takes from the row under the old one may not have been read yet.
func TestRandomPartitions(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		d := &database{r: rand.New(rand.NewPCG(seed, 4)), mysql: seed%2 == 0, rows: map[int]map[string]any{},
			parts: make([][]*Message, 3), pos: 4, millis: 1e12}
		runDatabase(t, d, 120, false)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
