package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker"
	"millrace/internal/broker/brokertest"
	"millrace/internal/dial"
	"millrace/repr"
	"millrace/sources"
)

var _ sources.Connector = (*Source)(nil)

// cluster is a broker in the process, and a client that writes to it.
type cluster struct {
	fake *kfake.Cluster
	addr string
	cl   *kgo.Client
	adm  *kadm.Client
}

func newCluster(t *testing.T, partitions int32, topics ...string) *cluster {
	t.Helper()
	fake := brokertest.New(t, kfake.SeedTopics(partitions, topics...))
	addr := fake.ListenAddrs()[0]
	cl := brokertest.Client(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	return &cluster{fake: fake, addr: addr, cl: cl, adm: kadm.NewClient(cl)}
}

func (c *cluster) write(t *testing.T, topic string, partition int32, values ...string) {
	t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}
		if v == "" {
			r.Value = nil
		}
		if err := c.cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *cluster) config(topic string) Config {
	return Config{Broker: broker.Options{Brokers: []string{c.addr}}, Topic: topic, ValueFormat: FormatText}
}

// sink gathers what a source says.
type sink struct {
	mu      sync.Mutex
	rows    []string
	errors  []string
	next    map[int32]int64
	records int64
	states  []sources.State
	wake    chan struct{}
	hold    chan struct{} // when set, Push waits for it
	batches []int
	first   []sources.Progress // of the first batch

	errorUpdates []sources.Update
	state        map[string]repr.Diff
}

// kept is what the source wants back after a restart.
func (s *sink) kept() iter.Seq2[[]byte, repr.Diff] {
	return func(yield func([]byte, repr.Diff) bool) {
		for row, diff := range s.state {
			if diff != 0 && !yield([]byte(row), diff) {
				return
			}
		}
	}
}

func newSink() *sink { return &sink{next: map[int32]int64{}, wake: make(chan struct{}, 1)} }

func (s *sink) Push(ctx context.Context, b *sources.Batch) error {
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range b.Updates {
		var cells []string
		for _, d := range repr.DecodeRow(nil, u.Row) {
			switch {
			case d.IsNull():
				cells = append(cells, "NULL")
			case d.Kind() == repr.KindInt4 || d.Kind() == repr.KindInt8:
				cells = append(cells, fmt.Sprint(d.Int()))
			case d.Kind() == repr.KindTimestamp:
				cells = append(cells, "time")
			default:
				cells = append(cells, string(d.Bytes()))
			}
		}
		s.rows = append(s.rows, fmt.Sprintf("%s %+d", strings.Join(cells, "|"), u.Diff))
	}
	for _, u := range b.Errors {
		row := repr.DecodeRow(nil, u.Row)
		s.errors = append(s.errors, fmt.Sprintf("%s %s %s/%d/%d %q", row[2].Str(), row[1].Str(), row[3].Str(), row[4].Int(), row[5].Int(), row[8].Bytes()))
	}
	s.errorUpdates = append(s.errorUpdates, b.Errors...)
	for _, u := range b.State {
		if s.state == nil {
			s.state = map[string]repr.Diff{}
		}
		s.state[string(u.Row)] += u.Diff
	}
	for _, p := range b.Progress {
		if p.Next < s.next[p.Partition] {
			s.errors = append(s.errors, fmt.Sprintf("progress of %d went from %d back to %d", p.Partition, s.next[p.Partition], p.Next))
		}
		s.next[p.Partition] = p.Next
	}
	if s.first == nil {
		s.first = b.Progress
	}
	s.records += b.Records
	s.batches = append(s.batches, len(b.Updates))
	s.poke()
	return nil
}

func (s *sink) Report(st sources.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.states = append(s.states, st)
	s.poke()
}

func (s *sink) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// until waits for a condition that depends on what was pushed and reported.
func (s *sink) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		s.mu.Lock()
		done := ok()
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-s.wake:
		case <-timeout:
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("%s does not happen: rows %q, errors %q, states %+v, next %v", what, s.rows, s.errors, s.states, s.next)
		}
	}
}

func (s *sink) last() sources.State {
	if len(s.states) == 0 {
		return sources.State{}
	}
	return s.states[len(s.states)-1]
}

// start runs a source until the test ends, or stop is called; done gives what Run returned.
func start(t *testing.T, cfg Config, from map[int32]int64) (s *sink, stop func(), done chan error) {
	t.Helper()
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return startSource(t, src, from)
}

func startSource(t *testing.T, src *Source, from map[int32]int64) (s *sink, stop func(), done chan error) {
	t.Helper()
	s = newSink()
	ctx, cancel := context.WithCancel(context.Background())
	done = make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		done <- src.Run(ctx, from, s)
		close(ended)
	}()
	stop = func() { cancel(); <-ended }
	t.Cleanup(stop)
	return s, stop, done
}

func TestReadsAllPartitionsInOrder(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, "t")
	for i := range 60 {
		c.write(t, "t", int32(i%3), fmt.Sprint(i))
	}
	cfg := c.config("t")
	cfg.Include = []Include{{What: IncludePartition}, {What: IncludeOffset, As: "o"}, {What: IncludeTimestamp}}
	src, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cols, keys, err := src.Describe(context.Background())
	if err != nil || len(keys) != 0 {
		t.Fatal(keys, err)
	}
	var shape []string
	for _, col := range cols {
		shape = append(shape, col.Name+" "+col.Type.String())
	}
	if got := strings.Join(shape, ", "); got != "text text, partition integer, o bigint, timestamp timestamp without time zone" {
		t.Errorf("columns %s", got)
	}
	s, _, _ := startSource(t, src, map[int32]int64{1: 15})
	s.until(t, "reading 45 rows", func() bool { return len(s.rows) == 45 })
	at := map[string]int{"0": 0, "1": 15, "2": 0}
	for _, row := range s.rows {
		cells := strings.Split(row, "|")
		p, o := cells[1], at[cells[1]]
		if want := fmt.Sprintf("%d|%s|%d|time +1", o*3+int(p[0]-'0'), p, o); row != want {
			t.Errorf("got %s, want %s", row, want)
		}
		at[p]++
	}
	if s.next[0] != 20 || s.next[1] != 20 || s.next[2] != 20 || s.last().Status != "running" {
		t.Errorf("next %v, state %v", s.next, s.last())
	}
}

// TestAnnouncesAllPartitions: the first batch names every partition and where it ends, also those without a record, so
// that nobody takes one partition for the whole topic, or waits for an empty one.
func TestAnnouncesAllPartitions(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, "t", "empty")
	c.write(t, "t", 1, "a", "b")
	for topic, want := range map[string][]sources.Progress{
		"t":     {{Partition: 0}, {Partition: 1, High: 2}, {Partition: 2}},
		"empty": {{Partition: 0}, {Partition: 1}, {Partition: 2}},
	} {
		s, stop, _ := start(t, c.config(topic), nil)
		s.until(t, "the first batch", func() bool { return s.first != nil })
		stop()
		if !slices.Equal(s.first, want) {
			t.Errorf("%s: got %+v, want %+v", topic, s.first, want)
		}
	}
}

func TestNewPartitions(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.write(t, "t", 0, "a")
	s, _, _ := start(t, c.config("t"), nil)
	s.until(t, "reading a", func() bool { return len(s.rows) == 1 })
	if _, err := c.adm.CreatePartitions(context.Background(), 2, "t"); err != nil {
		t.Fatal(err)
	}
	w, err := kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 5 {
		if err := w.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Partition: int32(1 + i%2), Value: fmt.Appendf(nil, "new%d", i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c.write(t, "t", 0, "b")
	s.until(t, "reading the new partitions", func() bool { return len(s.rows) == 7 && s.next[1] == 3 && s.next[2] == 2 })
}

func TestOnlyCommittedTransactions(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	w, err := kgo.NewClient(kgo.SeedBrokers(c.addr), kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx := context.Background()
	for i, commit := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := w.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := w.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint("tx", i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := w.EndTransaction(ctx, commit); err != nil {
			t.Fatal(err)
		}
	}
	s, _, _ := start(t, c.config("t"), nil)
	s.until(t, "passing the last marker", func() bool { return s.next[0] == 6 })
	if got := strings.Join(s.rows, ","); got != "tx1 +1" {
		t.Errorf("got %s", got)
	}
}

func TestBadRecords(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	cfg := c.config("t")
	cfg.ValueFormat = FormatJSON
	big := `"` + strings.Repeat("x", maxKept)
	c.write(t, "t", 0, `{"a":1}`, `{"a":`, "", "\x00\xff", big, `[2]`)
	s, _, _ := start(t, cfg, nil)
	s.until(t, "reading past the bad records", func() bool { return s.next[0] == 6 })
	if got := strings.Join(s.rows, ","); got != `{"a": 1} +1,[2] +1` {
		t.Errorf("got %s", got)
	}
	if len(s.errors) != 3 || !strings.HasPrefix(s.errors[0], "22P02 invalid input syntax for type json") ||
		!strings.HasSuffix(s.errors[0], `t/0/1 "{\"a\":"`) || !strings.Contains(s.errors[1], `t/0/3 "\x00\xff"`) {
		t.Errorf("errors %.300q", s.errors)
	}
	if len(s.errors[2]) > maxKept+maxReason+300 || !strings.Contains(s.errors[2], "t/0/4") {
		t.Errorf("the row of errors of a large record has %d bytes", len(s.errors[2]))
	}
	if s.records != 6 {
		t.Errorf("%d records", s.records)
	}
}

func TestDescribeErrors(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "pageviews", "users", "trimmed")
	c.write(t, "trimmed", 0, "a", "b", "c", "d", "e", "f", "g")
	if err := c.fake.DeleteRecords("trimmed", 0, 6); err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	cases := []struct {
		name             string
		brokers          []string
		topic            string
		code, want, hint string
	}{
		{"nobody there", []string{"127.0.0.1:1"}, "t", "08001", "cannot reach Kafka broker 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused", "Check the address"},
		{"no such host", []string{"kafka.invalid"}, "t", "08001", "cannot reach Kafka broker kafka.invalid:9092", "Check the address"},
		{"no Kafka", []string{silent.Addr().String()}, "t", "08001", silent.Addr().String(), "TLS"},
		{"no topic", []string{c.addr}, "pageview", "42704", `topic "pageview" does not exist on Kafka broker ` + c.addr, `"pageviews"`},
		{"bad topic", []string{c.addr}, "a b", "42704", `"a b"`, ""},
		{"no such partition", []string{c.addr}, "users", "22023", `START OFFSET has an offset for partition 1, and the last of topic "users" is 0`, "one offset for each partition"},
		{"before the beginning", []string{c.addr}, "trimmed", "22023", `START OFFSET 5 of partition 0 of topic "trimmed" is not there any more: it has 6 to 7`, "START OFFSET 0"},
		{"behind the end", []string{c.addr}, "users", "22023", `START OFFSET 5 is behind the end of partition 0 of topic "users", 2`, "START OFFSET 2 begins"},
	}
	c.write(t, "users", 0, "a", "b")
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{Broker: broker.Options{Brokers: tc.brokers}, Topic: tc.topic, ValueFormat: FormatBytes, StartOffsets: map[int32]int64{0: 5}}
			if tc.name == "no such partition" {
				cfg.StartOffsets = map[int32]int64{0: 1, 1: 0}
			}
			src, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, _, err = src.Describe(context.Background())
			var e *repr.Error
			if !errors.As(err, &e) || e.Code != tc.code || !strings.Contains(e.Message, tc.want) || !strings.Contains(e.Hint, tc.hint) {
				t.Errorf("got %+v", e)
			}
			if took := time.Since(began); took > 3*broker.PatienceOnce { // twice that is for a busy machine
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	base := Config{Broker: broker.Options{Brokers: []string{"kafka"}}, Topic: "t", ValueFormat: FormatBytes}
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) {}, ""},
		{func(c *Config) { c.Topic = "" }, "22023 a Kafka source needs a TOPIC"},
		{func(c *Config) { c.Broker.Brokers = nil }, "22023 a Kafka source needs a BROKER"},
		{func(c *Config) { c.ValueFormat = "" }, "22023 a Kafka source needs a FORMAT"},
		{func(c *Config) { c.ValueFormat = FormatAvro }, "22023 FORMAT AVRO needs"},
		{func(c *Config) { c.Envelope = EnvelopeDebezium }, "0A000 ENVELOPE DEBEZIUM with FORMAT BYTES"},
		{func(c *Config) { c.Include = []Include{{What: IncludeKey}} }, "22023 INCLUDE KEY needs a KEY FORMAT"},
		{func(c *Config) { c.Include = []Include{{What: "MOOD"}} }, "0A000 INCLUDE MOOD is not supported"},
	} {
		cfg := base
		c.change(&cfg)
		_, err := New(cfg)
		got := ""
		var e *repr.Error
		if errors.As(err, &e) {
			got = e.Code + " " + e.Message
		}
		if !strings.HasPrefix(got, c.want) || c.want == "" && err != nil {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestRecordsThatAreGone(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "trimmed", "short")
	c.write(t, "trimmed", 0, "a", "b", "c")
	if err := c.fake.DeleteRecords("trimmed", 0, 2); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		topic string
		from  int64
		want  string
	}{
		{"trimmed", 1, `offset 1 of partition 0 of topic "trimmed" is not there: the broker has 2 to 3`},
		{"short", 7, `offset 7 of partition 0 of topic "short" is not there: the broker has 0 to 0`},
	} {
		s, _, done := start(t, c.config(tc.topic), map[int32]int64{0: tc.from})
		err := <-done
		if err == nil || !strings.Contains(err.Error(), tc.want) || s.last().Status != "failed" || s.last().Error != err.Error() || s.last().Hint == "" {
			t.Errorf("got %v, state %+v", err, s.last())
		}
	}
}

func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.write(t, "t", 0, "a", "b")
	s, _, done := start(t, c.config("t"), nil)
	s.until(t, "reading", func() bool { return len(s.rows) == 2 })
	if err := c.fake.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	s.until(t, "missing the topic", func() bool {
		return s.last().Status == "stalled" && strings.Contains(s.last().Error, `topic "t" does not exist`)
	})
	if err := c.fake.CreateTopic("t", 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), `topic "t" was deleted and made anew`) {
		t.Errorf("got %v", err)
	}
	if s.last().Status != "failed" {
		t.Errorf("state %+v", s.last())
	}
}

// wire is a connection to the broker that can be cut.
type wire struct {
	ln    net.Listener
	to    string
	mu    sync.Mutex
	conns []net.Conn
	cut   bool
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{ln: ln, to: to}
	t.Cleanup(func() { _ = ln.Close(); w.set(true) })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			w.join(conn)
		}
	}()
	return w
}

func (w *wire) join(a net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, err := net.Dial("tcp", w.to)
	if err != nil || w.cut {
		_ = a.Close()
		return
	}
	w.conns = append(w.conns, a, b)
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
			_ = pair[1].Close()
		}()
	}
}

func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.conns = nil
	}
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	w := newWire(t, c.addr)
	cfg := c.config("t")
	cfg.Broker = broker.Options{Brokers: []string{"kafka"}, Dialer: &dial.Dialer{Aliases: map[string]string{
		"kafka:9092": w.ln.Addr().String(), c.addr: w.ln.Addr().String()}}}
	s, _, _ := start(t, cfg, nil)
	c.write(t, "t", 0, "a")
	s.until(t, "reading a", func() bool { return len(s.rows) == 1 })
	for i := range 2 {
		w.set(true)
		c.write(t, "t", 0, fmt.Sprint("b", i))
		s.until(t, "stalling", func() bool { return s.last().Status == "stalled" && s.last().Error != "" })
		w.set(false)
		s.until(t, "running again", func() bool { return s.last().Status == "running" && len(s.rows) == 2+i })
	}
	if got := strings.Join(s.rows, ","); got != "a +1,b0 +1,b1 +1" {
		t.Errorf("got %s", got)
	}
}

func TestStartsBeforeTheBroker(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	c.write(t, "t", 0, "a")
	w := newWire(t, c.addr)
	w.set(true)
	cfg := c.config("t")
	cfg.Broker.Dialer = &dial.Dialer{Aliases: map[string]string{c.addr: w.ln.Addr().String()}}
	s, _, _ := start(t, cfg, nil)
	s.until(t, "stalling", func() bool { return s.last().Status == "stalled" && strings.Contains(s.last().Error, c.addr) })
	w.set(false)
	s.until(t, "reading", func() bool { return len(s.rows) == 1 && s.last().Status == "running" })
}

func TestBackpressure(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, "t")
	value := strings.Repeat("x", 1000)
	var records []*kgo.Record
	for range 5000 {
		records = append(records, &kgo.Record{Topic: "t", Value: []byte(value)})
	}
	if err := c.cl.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	src, err := New(c.config("t"))
	if err != nil {
		t.Fatal(err)
	}
	s := newSink()
	s.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, nil, s) }()
	for range 3 {
		s.hold <- struct{}{}
	}
	s.until(t, "three batches", func() bool { return len(s.batches) == 3 })
	for _, n := range s.batches {
		if n > batchBytes/1000+1 {
			t.Errorf("a batch of %d records of 1000 bytes", n)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
