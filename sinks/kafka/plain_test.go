package kafka

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/repr"
	"millrace/sinks"
)

// plain reads the committed records of the topic as key, value and headers in words.
func (w *world) plain() []string {
	w.t.Helper()
	var out []string
	for _, r := range w.records("out", kgo.ReadCommitted()) {
		value := "gone"
		if r.Value != nil {
			value = string(r.Value)
		}
		line := fmt.Sprintf("%s=%s", r.Key, value)
		for _, h := range r.Headers {
			line += fmt.Sprintf(" %s:%s", h.Key, h.Value)
		}
		out = append(out, line)
	}
	return out
}

// TestPlainMessages looks at each record of the envelopes without a row before.
func TestPlainMessages(t *testing.T) {
	t.Parallel()
	text, bytes, avro, meta := Text, Bytes, Avro, 1
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"upsert", func(c *Config) { c.Envelope, c.Key = Upsert, []int{0} }, []string{
			`{"id":1}={"id":1,"name":"a","qty":10}`, `{"id":2}={"id":2,"name":null,"qty":20}`,
			`{"id":1}={"id":1,"name":"b","qty":11}`, `{"id":2}=gone`, `{"id":3}={"id":3,"name":"c","qty":30}`}},
		{"upsert, key as text", func(c *Config) { c.Envelope, c.Key, c.KeyFormat = Upsert, []int{0}, &text }, []string{
			`1={"id":1,"name":"a","qty":10}`, `2={"id":2,"name":null,"qty":20}`, `1={"id":1,"name":"b","qty":11}`, `2=gone`, `3={"id":3,"name":"c","qty":30}`}},
		{"rows", func(c *Config) { c.Envelope, c.Force = Append, true }, []string{
			`={"id":1,"name":"a","qty":10}`, `={"id":2,"name":null,"qty":20}`, `={"id":1,"name":"b","qty":11}`, `={"id":3,"name":"c","qty":30}`}},
		{"rows, without the snapshot", func(c *Config) { c.Envelope, c.Force, c.Snapshot = Append, true, false }, []string{
			`={"id":1,"name":"b","qty":11}`, `={"id":3,"name":"c","qty":30}`}},
		{"one column as text", func(c *Config) {
			c.Envelope, c.Key, c.Cols = Upsert, []int{0}, columns[:2]
			c.Format, c.KeyFormat = text, &text
		}, []string{`1=a`, `2=z`, `1=b`, `2=gone`, `3=c`}},
		{"one column as bytes", func(c *Config) {
			c.Envelope, c.Force, c.Key, c.Cols, c.Format, c.KeyFormat = Append, true, []int{0}, columns[:2], bytes, &text
		},
			[]string{`1=a`, `2=z`, `1=b`, `3=c`}},
		{"headers", func(c *Config) {
			c.Envelope, c.Key, c.Headers, c.KeyFormat = Upsert, []int{0}, &meta, &text
			c.Cols = slices.Clone(columns)
			c.Cols[1].Type = repr.TypeOf(repr.KindJSONB)
		}, []string{`1={"id":1,"qty":10} h:a n:1`, `2={"id":2,"qty":20}`, `1={"id":1,"qty":11} h:b n:1`, `2=gone`, `3={"id":3,"qty":30} h:c n:1`}},
		{"key in Avro", func(c *Config) { c.Envelope, c.Key, c.KeyFormat = Upsert, []int{0}, &avro }, []string{
			"\x00\x00\x00\x00\x01\x02" + `={"id":1,"name":"a","qty":10}`, "\x00\x00\x00\x00\x01\x04" + `={"id":2,"name":null,"qty":20}`,
			"\x00\x00\x00\x00\x01\x02" + `={"id":1,"name":"b","qty":11}`, "\x00\x00\x00\x00\x01\x04" + `=gone`, "\x00\x00\x00\x00\x01\x06" + `={"id":3,"name":"c","qty":30}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cfg := w.config(JSON, nil)
			c.change(&cfg)
			pack := func(id int, name string, qty int) string {
				d := []repr.Datum{repr.Int4(int32(id)), repr.Null, repr.Int8(int64(qty))}
				switch {
				case name != "" && cfg.Headers != nil:
					d[1] = repr.JSONB([]byte(`{"h": "` + name + `", "n": 1}`))
				case name != "":
					d[1] = repr.Text(name)
				case len(cfg.Cols) == 2:
					d[1] = repr.Text("z")
				}
				return string(repr.AppendRow(nil, d[:len(cfg.Cols)]))
			}
			add := func(at repr.Time, diffs map[string]int64) sinks.Tick {
				tick := sinks.Tick{Time: at}
				for _, r := range slices.Sorted(maps.Keys(diffs)) {
					tick.Changes = append(tick.Changes, sinks.Change{Row: []byte(r), Diff: diffs[r]})
				}
				return tick
			}
			r := w.run(cfg)
			r.send(add(5, map[string]int64{pack(1, "a", 10): 1, pack(2, "", 20): 1}))
			r.send(add(6, map[string]int64{pack(1, "a", 10): -1, pack(1, "b", 11): 1, pack(2, "", 20): -1, pack(3, "c", 30): 1}))
			r.finish()
			if got := w.plain(); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if s := r.written(6); cfg.Force && s.Dropped != 2 || !cfg.Force && s.Dropped != 0 {
				t.Errorf("%d changes are said to be left out", s.Dropped)
			}
		})
	}
}

// TestPlainRefuses: what does not go together, and rows that have no record.
func TestPlainRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := Text
	for want, change := range map[string]func(*Config){
		"ENVELOPE UPSERT needs a key":                     func(c *Config) { c.Envelope = Upsert },
		"ENVELOPE DEBEZIUM cannot be written as TEXT":     func(c *Config) { c.Format = Text },
		"TEXT of a sink is one column, and the row has 3": func(c *Config) { c.Envelope, c.Format = Append, Text },
		"TEXT of a sink is one column, and the key has 2": func(c *Config) { c.Key, c.KeyFormat = []int{0, 1}, &text },
		`column "id" of type integer as BYTES`:            func(c *Config) { c.Envelope, c.Format, c.Cols = Append, Bytes, columns[:1] },
		`unknown compression "best"`:                      func(c *Config) { c.Compression = "best" },
		"DEBEZIUM without the snapshot":                   func(c *Config) { c.Snapshot = false },
	} {
		cfg := w.config(JSON, nil)
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for want, c := range map[string]struct {
		change func(*Config)
		row    []byte
		diff   int64
	}{
		"a row was taken back": {func(c *Config) { c.Envelope = Append }, row(1, "a", 1), -1},
		"its key is NULL":      {func(c *Config) { c.Envelope, c.Key, c.KeyFormat = Upsert, []int{1}, &text }, row(1, "", 1), 1},
		"which would delete":   {func(c *Config) { c.Envelope, c.Key, c.Cols, c.Format = Upsert, []int{0}, columns[:2], Text }, row(1, "", 1), 1},
		"are no JSON object":   {func(c *Config) { c.Envelope, c.Headers = Append, new(int) }, repr.AppendRow(nil, []repr.Datum{repr.Text("x"), repr.Null, repr.Int8(1)}), 1},
	} {
		cfg := w.config(JSON, nil)
		c.change(&cfg)
		cfg.TransactionalID += want
		r := w.run(cfg)
		r.send(sinks.Tick{Time: 1, Changes: []sinks.Change{{Row: c.row, Diff: c.diff}}})
		if err := r.end(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestPlainHistories: over random ticks, failures and restarts the last record of each key, or all rows, are the view.
func TestPlainHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w, h := newWorld(t), newHistory(seed, true)
			cfg := w.config(JSON, []int{0})
			cfg.Envelope, cfg.Partitions = Upsert, int32(1+seed%2*2)
			content := func() view {
				last := map[string]string{}
				for _, r := range w.records("out", kgo.ReadCommitted()) {
					if last[string(r.Key)] = string(r.Value); r.Value == nil {
						delete(last, string(r.Key))
					}
				}
				v := view{}
				for _, value := range last {
					var parts map[string]any
					if err := json.Unmarshal([]byte(value), &parts); err != nil {
						t.Fatal(err)
					}
					v.add(image(parts), 1)
				}
				return v
			}
			for range 3 {
				r := w.run(cfg)
				r.send(h.snapshot())
				for range 1 + h.r.IntN(12) {
					w.trouble(h.r)
					r.send(h.next())
				}
				r.stop()
				_ = r.end() // its end in the middle of a transaction is the point
				w.calm()
				if got := content(); !slices.ContainsFunc(h.past, func(v view) bool { return maps.Equal(v, got) }) {
					t.Fatalf("the topic is %v, which the view never was", got)
				}
				for range h.r.IntN(3) {
					h.next() // what nobody kept for the sink
				}
			}
			r := w.run(cfg)
			r.send(h.snapshot())
			r.finish()
			if got := content(); !maps.Equal(got, h.view) {
				t.Fatalf("the topic is %v, want %v", got, h.view)
			}
		})
	}
}

// TestRowsResume: rows that came while nobody kept them are written, those that are there are not written again.
func TestRowsResume(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	cfg := w.config(JSON, nil)
	cfg.Envelope = Append
	r := w.run(cfg)
	all := map[string]int64{string(row(1, "a", 1)): 2, string(row(2, "", 2)): 1}
	r.send(tick(1, v, all))
	r.finish()
	all[string(row(1, "a", 1))], all[string(row(3, "c", 3))] = 3, 1
	r = w.run(cfg)
	r.send(tick(9, view{}, all))
	r.finish()
	got := map[string]int{}
	for _, line := range w.plain() {
		got[line]++
	}
	want := map[string]int{`={"id":1,"name":"a","qty":1}`: 3, `={"id":2,"name":null,"qty":2}`: 1, `={"id":3,"name":"c","qty":3}`: 1}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
