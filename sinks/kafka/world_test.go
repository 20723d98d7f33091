package kafka

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/broker/brokertest"
	"millrace/internal/clock"
	demo "millrace/internal/demo/registry"
	"millrace/internal/dial"
	"millrace/internal/registry"
	"millrace/repr"
	"millrace/sinks"
)

// world is a broker behind a line that can be cut, and a schema registry.
type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	line    *line
	reg     *registry.Client
	faults  []*kfake.FaultHandle
	hits    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cluster := brokertest.New(t)
	web := httptest.NewServer(demo.New())
	t.Cleanup(web.Close)
	reg, err := registry.New(registry.Options{URL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	return &world{t: t, cluster: cluster, line: newLine(t, cluster.ListenAddrs()[0]), reg: reg}
}

// hasty is a clock that does not wait long between two tries.
type hasty struct{ clock.System }

func (hasty) Sleep(ctx context.Context, _ time.Duration) error {
	return clock.System{}.Sleep(ctx, time.Millisecond)
}

var columns = repr.RowDesc{
	{Name: "id", Type: repr.TypeOf(repr.KindInt4), NotNull: true},
	{Name: "name", Type: repr.TypeOf(repr.KindText)},
	{Name: "qty", Type: repr.TypeOf(repr.KindInt8), NotNull: true},
}

func (w *world) config(f Format, key []int) Config {
	addr := w.cluster.ListenAddrs()[0]
	return Config{Brokers: []string{addr}, Topic: "out", Format: f, Cols: columns, Key: key, Registry: w.reg,
		TransactionalID: "millrace-sink-1", ProgressTopic: "millrace-progress", Partitions: 1, Replication: 1,
		Interval: time.Millisecond, Snapshot: true, Clock: hasty{}, Dialer: &dial.Dialer{Aliases: map[string]string{addr: w.line.addr}}}
}

// running is a sink that runs.
type running struct {
	t      *testing.T
	ticks  chan sinks.Tick
	stop   context.CancelFunc
	done   chan error
	mu     sync.Mutex // guards states
	states []sinks.State
	moved  chan struct{}
}

func (w *world) run(cfg Config) *running {
	w.t.Helper()
	s, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	s.patience = 500 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: w.t, ticks: make(chan sinks.Tick), stop: cancel, done: make(chan error, 1), moved: make(chan struct{}, 1)}
	go func() { r.done <- s.Run(ctx, r.ticks, r.report) }()
	w.t.Cleanup(cancel)
	return r
}

func (r *running) report(s sinks.State) {
	r.mu.Lock()
	r.states = append(r.states, s)
	r.mu.Unlock()
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

// await returns the first state since the start that ok takes.
func (r *running) await(what string, ok func(sinks.State) bool) sinks.State {
	r.t.Helper()
	late := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		i := slices.IndexFunc(r.states, ok)
		states := slices.Clone(r.states)
		r.mu.Unlock()
		if i >= 0 {
			return states[i]
		}
		select {
		case <-r.moved:
		case err := <-r.done:
			r.t.Fatalf("waiting for %s: the sink has ended: %v", what, err)
		case <-late:
			r.t.Fatalf("waiting for %s: states are %+v", what, states)
		}
	}
}

func (r *running) written(at repr.Time) sinks.State {
	r.t.Helper()
	return r.await(fmt.Sprint("time ", at), func(s sinks.State) bool { return s.Status == "running" && s.Written >= at })
}

func (r *running) send(t sinks.Tick) {
	r.t.Helper()
	select {
	case r.ticks <- t:
	case err := <-r.done:
		r.t.Fatalf("the sink has ended: %v", err)
	case <-time.After(20 * time.Second):
		r.t.Fatal("the sink takes no tick")
	}
}

// finish closes the channel and waits for the end.
func (r *running) finish() {
	r.t.Helper()
	close(r.ticks)
	if err := r.end(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) end() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(20 * time.Second):
		r.t.Fatal("the sink does not end")
		return nil
	}
}

// row packs a row of columns; an empty name is NULL.
func row(id int, name string, qty int) []byte {
	d := []repr.Datum{repr.Int4(int32(id)), repr.Null, repr.Int8(int64(qty))}
	if name != "" {
		d[1] = repr.Text(name)
	}
	return repr.AppendRow(nil, d)
}

// show is a packed row as the readers below show it.
func show(packed []byte) string {
	d := repr.DecodeRow(nil, packed)
	return shown(d[0].Int(), d[1].Str(), d[2].Int())
}

func shown(id int64, name string, qty int64) string { return fmt.Sprintf("%d %s %d", id, name, qty) }

// view is a multiset of rows.
type view map[string]int64

func (v view) add(row string, n int64) {
	if v[row] += n; v[row] == 0 {
		delete(v, row)
	}
}

// tick makes a tick of changes by row, and keeps the view.
func tick(at repr.Time, v view, diffs map[string]int64) sinks.Tick {
	t := sinks.Tick{Time: at}
	for r, n := range diffs {
		if n != 0 {
			t.Changes = append(t.Changes, sinks.Change{Row: []byte(r), Diff: n})
			v.add(show([]byte(r)), n)
		}
	}
	slices.SortFunc(t.Changes, func(a, b sinks.Change) int { return cmp.Compare(string(a.Row), string(b.Row)) })
	return t
}

// message is a record as an independent reader sees it.
type message struct {
	key           string
	before, after string // empty: null
	partition     int32
}

// read reads the topic up to its end at this moment.
func (w *world) read(f Format, topic string, level kgo.IsolationLevel) []message {
	w.t.Helper()
	var out []message
	for _, r := range w.records(topic, level) {
		out = append(out, w.message(f, r))
	}
	return out
}

// records are those of the topic up to its end at this moment.
func (w *world) records(topic string, level kgo.IsolationLevel) []*kgo.Record {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err != nil || ends.Error() != nil {
		w.t.Fatal(err, ends.Error())
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	var out []*kgo.Record
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatalf("read %s: %v, offsets to come %v", topic, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if end, open := left[r.Partition]; !open || r.Offset >= end {
				return
			}
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset == left[r.Partition]-1 {
				delete(left, r.Partition)
			}
		})
	}
	return out
}

func (w *world) message(f Format, r *kgo.Record) message {
	w.t.Helper()
	m := message{key: string(r.Key), partition: r.Partition}
	parts := map[string]any{}
	if f == JSON {
		if err := json.Unmarshal(r.Value, &parts); err != nil {
			w.t.Fatalf("%s: %v", r.Value, err)
		}
	} else {
		parts = w.native(r.Value)
		if r.Key != nil {
			m.key = fmt.Sprint(w.native(r.Key))
		}
	}
	if len(parts) != 2 {
		w.t.Fatalf("an envelope is %v", parts)
	}
	m.before, m.after = image(parts["before"]), image(parts["after"])
	return m
}

// native decodes a framed message with goavro, by the schema that the registry has for its id.
func (w *world) native(b []byte) map[string]any {
	w.t.Helper()
	if len(b) < 5 || b[0] != 0 {
		w.t.Fatalf("no frame: %x", b)
	}
	s, err := w.reg.ByID(context.Background(), int(binary.BigEndian.Uint32(b[1:])))
	if err != nil {
		w.t.Fatal(err)
	}
	codec, err := goavro.NewCodec(s.Text)
	if err != nil {
		w.t.Fatal(err)
	}
	v, rest, err := codec.NativeFromBinary(b[5:])
	if err != nil || len(rest) > 0 {
		w.t.Fatalf("%x: %v, %d bytes left", b, err, len(rest))
	}
	return v.(map[string]any)
}

// image shows a row out of JSON or out of goavro.
func image(v any) string {
	if v == nil {
		return ""
	}
	m := v.(map[string]any)
	if inner, ok := m["row"]; ok {
		m = inner.(map[string]any)
	}
	name := m["name"]
	if u, ok := name.(map[string]any); ok {
		name = u["string"]
	}
	text, _ := name.(string)
	return shown(whole(m["id"]), text, whole(m["qty"]))
}

func whole(v any) int64 {
	switch v := v.(type) {
	case float64:
		return int64(v)
	case int32:
		return int64(v)
	case int64:
		return v
	}
	panic(fmt.Sprintf("%T is no number", v))
}

func fold(messages []message) view {
	v := view{}
	for _, m := range messages {
		if m.before != "" {
			v.add(m.before, -1)
		}
		if m.after != "" {
			v.add(m.after, 1)
		}
	}
	return v
}

func (w *world) expect(f Format, want view) {
	w.t.Helper()
	if got := fold(w.read(f, "out", kgo.ReadCommitted())); !maps.Equal(got, want) {
		w.t.Fatalf("the topic adds up to %v, want %v", got, want)
	}
}

// line carries bytes between clients and the broker, until it is told not to.
type line struct {
	addr   string
	target string
	down   atomic.Bool
	// losing is how many commits the broker gets whose answers the client does not.
	losing atomic.Int32
	lost   atomic.Int32
	mu     sync.Mutex // guards open
	open   map[net.Conn]bool
}

func newLine(t *testing.T, target string) *line {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{addr: ln.Addr().String(), target: target, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = ln.Close(); l.cut() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
	return l
}

// cut ends all connections and refuses new ones.
func (l *line) cut() {
	l.down.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
}

func (l *line) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	broker, err := net.Dial("tcp", l.target)
	if err != nil {
		return
	}
	defer func() { _ = broker.Close() }()
	l.mu.Lock()
	l.open[client] = true
	l.mu.Unlock()
	if l.down.Load() {
		return
	}
	var mute atomic.Bool // the answer that comes next is lost
	go func() {
		defer func() { _ = client.Close() }()
		l.answers(client, broker, &mute)
	}()
	for {
		frame, err := readFrame(client)
		if err != nil {
			return
		}
		if binary.BigEndian.Uint16(frame[4:]) == uint16(kmsg.EndTxn) && l.losing.Add(-1) >= 0 {
			mute.Store(true)
		}
		if _, err := broker.Write(frame); err != nil {
			return
		}
	}
}

func (l *line) answers(client, broker net.Conn, mute *atomic.Bool) {
	for {
		frame, err := readFrame(broker)
		if err != nil {
			return
		}
		if mute.Load() {
			l.lost.Add(1)
			return
		}
		if _, err := client.Write(frame); err != nil {
			return
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	frame := append(head, make([]byte, binary.BigEndian.Uint32(head))...)
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}
