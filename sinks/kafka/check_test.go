package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/registry"
	"millrace/repr"
	"millrace/sinks"
)

// deaf is the address of a server that accepts connections and never says anything.
func deaf(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return ln.Addr().String()
}

func registryAt(t *testing.T, url string) *registry.Client {
	t.Helper()
	r, err := registry.New(registry.Options{URL: url, Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	silent := deaf(t)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"error_code":409,"message":"incompatible schema"}`, http.StatusConflict)
	}))
	t.Cleanup(refuses.Close)
	denies := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }))
	t.Cleanup(denies.Close)
	for _, c := range []struct {
		name, code, want string
		change           func(*Config)
	}{
		{"no broker", "08001", "cannot reach Kafka broker 127.0.0.1:1: ", func(c *Config) { c.Brokers, c.Dialer = []string{"127.0.0.1:1"}, nil }},
		{"deaf broker", "08001", silent, func(c *Config) { c.Brokers, c.Dialer = []string{silent}, nil }},
		{"replication", repr.CodeInvalidParameter, "INVALID_REPLICATION_FACTOR", func(c *Config) { c.Replication = 9 }},
		{"no registry", "08001", "http://127.0.0.1:1", func(c *Config) { c.Registry = registryAt(t, "http://127.0.0.1:1") }},
		{"deaf registry", "08001", "http://" + silent, func(c *Config) { c.Registry = registryAt(t, "http://"+silent) }},
		{"incompatible", repr.CodeInvalidParameter, `"fine-value"`, func(c *Config) { c.Registry = registryAt(t, refuses.URL) }},
		{"denied", "28000", refuses.URL[:7], func(c *Config) { c.Registry = registryAt(t, denies.URL) }},
		{"fine", "", "", func(*Config) {}},
		{"fine in JSON without a registry", "", "", func(c *Config) { c.Format, c.Registry = JSON, nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := w.config(Avro, []int{0})
			cfg.Topic = "fine"
			c.change(&cfg)
			s, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			e := s.Check(context.Background())
			if took := time.Since(began); took > 3*checkTimeout { // twice that is for a busy machine
				t.Errorf("it took %s", took)
			}
			if c.want == "" && e == nil {
				return
			}
			if e == nil || e.Code != c.code || !strings.Contains(e.Message, c.want) || e.Hint == "" {
				t.Errorf("got %+v, want %s %s", e, c.code, c.want)
			}
		})
	}
	if w.cluster.TopicInfo("fine") != nil {
		t.Error("Check creates the topic")
	}
}

func TestCheckRegisters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, err := New(w.config(Avro, []int{0}))
	if err != nil {
		t.Fatal(err)
	}
	if e := s.Check(context.Background()); e != nil {
		t.Fatal(e)
	}
	for subject, want := range map[string]string{
		"out-key": `{"fields":[{"name":"id","type":"int"}],"name":"key","type":"record"}`,
		"out-value": `{"fields":[{"default":null,"name":"before","type":["null",{"fields":[{"name":"id","type":"int"},` +
			`{"default":null,"name":"name","type":["null","string"]},{"name":"qty","type":"long"}],"name":"row","type":"record"}]},` +
			`{"default":null,"name":"after","type":["null","row"]}],"name":"envelope","type":"record"}`,
	} {
		if got, err := w.reg.Latest(context.Background(), subject); err != nil || got.Text != want {
			t.Errorf("%s: %v\n got %s\nwant %s", subject, err, got.Text, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(*Config){
		"no broker":      func(c *Config) { c.Brokers = nil },
		"no topic":       func(c *Config) { c.Topic = "" },
		"no id":          func(c *Config) { c.TransactionalID = "" },
		"topic's name":   func(c *Config) { c.Topic = "bad name" },
		"one topic":      func(c *Config) { c.ProgressTopic = c.Topic },
		"no registry":    func(c *Config) { c.Registry = nil },
		"key column":     func(c *Config) { c.Key = []int{3} },
		"type of column": func(c *Config) { c.Cols = repr.RowDesc{{Name: "x", Type: repr.TypeOf(repr.KindRecord)}} },
	} {
		cfg := w.config(Avro, nil)
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: New takes it", name)
		}
	}
}

// TestStopWhileUnreachable: a server can end when its broker does not.
func TestStopWhileUnreachable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.run(w.config(JSON, nil))
	r.send(tick(1, view{}, map[string]int64{string(row(1, "a", 1)): 1}))
	r.written(1)
	w.line.cut()
	r.send(tick(2, view{}, map[string]int64{string(row(2, "a", 1)): 1}))
	r.await("stalled", func(s sinks.State) bool { return s.Status == "stalled" })
	began := time.Now()
	r.stop()
	if err := r.end(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestRowThatHasNoForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config(Avro, nil)
	cfg.Cols = repr.RowDesc{{Name: "n", Type: repr.TypeOf(repr.KindNumeric)}}
	r := w.run(cfg)
	r.send(sinks.Tick{Time: 1, Changes: []sinks.Change{{Row: repr.Append(nil, repr.NumericNaN), Diff: 1}}})
	e, ok := r.end().(*repr.Error)
	if !ok || e.Code != repr.CodeNumericOutOfRange || !strings.Contains(e.Message, `cannot write a row to topic "out": field "n"`) || !strings.Contains(e.Hint, "has the sink go on") {
		t.Errorf("got %v", e)
	}
}

// TestProgressBehindOthers finds the progress of a sink in a topic where other sinks have written much since, and
// after compaction.
func TestProgressBehindOthers(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	cfg := w.config(JSON, nil)
	r := w.run(cfg)
	r.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	r.finish()
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var others []*kgo.Record
	for i := range 3 * tail {
		others = append(others, &kgo.Record{Topic: cfg.ProgressTopic, Key: fmt.Appendf(nil, "other-%d", i), Value: []byte(`{"time":99}`)})
	}
	if err := cl.ProduceSync(context.Background(), others...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for at := repr.Time(2); at < 4; at++ {
		r = w.run(cfg)
		r.send(tick(at, view{}, map[string]int64{string(row(1, "a", 1)): 1}))
		if s := r.written(at - 1); s.Records != 1 {
			t.Errorf("%d records were written, it says", s.Records)
		}
		r.finish()
		w.cluster.Compact()
	}
	w.expect(JSON, v)
}

// TestManyRecords writes more than fits the client's buffer at once.
func TestManyRecords(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	r := w.run(w.config(Avro, nil))
	big := map[string]int64{string(row(0, "same", 0)): 3 * flushRecords}
	for i := range 1000 {
		big[string(row(i+1, "x", i))] = 1
	}
	r.send(tick(1, v, big))
	r.finish()
	w.expect(Avro, v)
}

var splitTypes = []repr.Type{
	repr.TypeOf(repr.KindBool), repr.TypeOf(repr.KindInt2), repr.TypeOf(repr.KindInt8), repr.TypeOf(repr.KindFloat4),
	repr.TypeOf(repr.KindFloat8), repr.TypeOf(repr.KindNumeric), repr.TypeOf(repr.KindText), repr.TypeOf(repr.KindBytea),
	repr.TypeOf(repr.KindJSONB), repr.TypeOf(repr.KindDate), repr.TypeOf(repr.KindTime), repr.TypeOf(repr.KindTimestampTZ),
	repr.TypeOf(repr.KindInterval), repr.TypeOf(repr.KindUUID), repr.ArrayOf(repr.KindInt4), repr.ArrayOf(repr.KindText),
	repr.TypeOf(repr.KindOID), repr.TypeOf(repr.KindBpchar),
}

func randomDatum(r *rand.Rand, t repr.Type, nullable bool) repr.Datum {
	n := int64(r.Uint64() >> (1 + r.IntN(62)))
	if nullable && n%4 == 0 {
		return repr.Null
	}
	text := fmt.Sprintf("{\"before\": %d}", n)
	switch t.Kind {
	case repr.KindBool:
		return repr.Bool(n%2 == 0)
	case repr.KindInt2:
		return repr.Int2(int16(n))
	case repr.KindFloat4:
		return repr.Float4(float32(n) / 3)
	case repr.KindFloat8:
		return repr.Float8(float64(n) / 3)
	case repr.KindNumeric:
		return repr.Numeric(n, int32(r.IntN(9)))
	case repr.KindText, repr.KindBpchar, repr.KindJSONB, repr.KindBytea:
		return repr.StringOf(t.Kind, []byte(text))
	case repr.KindDate:
		return repr.Date(int32(n % 100000))
	case repr.KindTime:
		return repr.TimeOfDay(n % 86400e6)
	case repr.KindTimestampTZ:
		return repr.TimestampTZ(n % 1e15)
	case repr.KindInterval:
		return repr.Interval(int32(n%100), int32(n%30), n%1e9)
	case repr.KindUUID:
		return repr.UUID([16]byte{byte(n), 2, 15: byte(n >> 8)})
	case repr.KindOID:
		return repr.OID(uint32(n))
	case repr.KindArray:
		elems := make([]repr.Datum, r.IntN(3))
		for i := range elems {
			elems[i] = randomDatum(r, repr.TypeOf(t.Elem), true)
		}
		return repr.Array(elems)
	case repr.KindInt4:
		return repr.Int4(int32(n))
	}
	return repr.Int8(n)
}

// TestSplit takes envelopes of every type apart again, and damaged ones without a panic.
func TestSplit(t *testing.T) {
	t.Parallel()
	var cols repr.RowDesc
	for i, typ := range splitTypes {
		cols = append(cols, repr.Column{Name: fmt.Sprint("c", i), Type: typ, NotNull: i%3 == 0})
	}
	r := rand.New(rand.NewPCG(3, 3))
	for _, format := range []Format{Avro, JSON} {
		e, err := newEncoder(&Config{Format: format, Cols: cols})
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			var rows [2][]byte
			for i := range rows {
				if r.IntN(3) == 0 {
					continue
				}
				var d []repr.Datum
				for _, c := range cols {
					d = append(d, randomDatum(r, c.Type, !c.NotNull))
				}
				if rows[i], err = e.value.enc.Append([]byte{}, repr.AppendRow(nil, d)); err != nil {
					t.Fatal(err)
				}
			}
			value := e.envelope(rows[0], rows[1])
			before, after, err := e.split(value)
			if err != nil || !bytes.Equal(before, rows[0]) || !bytes.Equal(after, rows[1]) {
				t.Fatalf("%q is taken apart into %q, %q: %v", value, before, after, err)
			}
			if _, _, err := e.split(value[:r.IntN(len(value))]); err == nil {
				t.Fatalf("a part of %q is taken", value)
			}
		}
	}
}

// TestPlan holds the plan of random changes to what it must do: add up to the changes, pair whatever can be, and
// put the deletions first and the insertions last.
func TestPlan(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	for range 2000 {
		c := &changes{}
		for range r.IntN(7) {
			c.counts = append(c.counts, []int64{-2, -1, 1, 3}[r.IntN(4)])
			c.keys = append(c.keys, []byte{byte(r.IntN(3))})
		}
		sums := make([]int64, len(c.counts))
		open := map[byte][2]bool{}
		phase := func(s step) int {
			return map[bool]int{true: 1}[s.before != none && s.after != none] + map[bool]int{true: 2}[s.before == none]
		}
		steps := c.plan()
		if !slices.IsSortedFunc(steps, func(a, b step) int { return phase(a) - phase(b) }) {
			t.Fatalf("%v: %v", c.counts, steps)
		}
		for _, s := range steps {
			if s.before != none {
				sums[s.before] -= s.n
			}
			if s.after != none {
				sums[s.after] += s.n
			}
			switch phase(s) {
			case 0:
				o := open[c.keys[s.before][0]]
				open[c.keys[s.before][0]] = [2]bool{true, o[1]}
			case 1:
				if !bytes.Equal(c.keys[s.before], c.keys[s.after]) {
					t.Fatalf("%v pairs two keys", s)
				}
			case 2:
				o := open[c.keys[s.after][0]]
				open[c.keys[s.after][0]] = [2]bool{o[0], true}
			}
		}
		if !slices.Equal(sums, c.counts) {
			t.Fatalf("%v is planned as %v", c.counts, steps)
		}
		for key, o := range open {
			if o[0] && o[1] {
				t.Fatalf("key %d is both deleted and inserted: %v", key, steps)
			}
		}
	}
}
