package kafka

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/clock"
	"millrace/repr"
	"millrace/sinks"
)

// TestMessages looks at each message: what is paired, what is repeated, and in which order.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		format Format
		key    []int
		want   []message
	}{
		{"avro without key", Avro, nil, []message{
			{after: "1 a 10"}, {after: "2  20"}, {after: "2  20"},
			{before: "1 a 10"}, {before: "2  20"}, {after: "1 b 11"}, {after: "3 c 30"}}},
		{"avro with key", Avro, []int{0}, []message{
			{key: "map[id:1]", after: "1 a 10"}, {key: "map[id:2]", after: "2  20"}, {key: "map[id:2]", after: "2  20"},
			{key: "map[id:2]", before: "2  20"}, {key: "map[id:1]", before: "1 a 10", after: "1 b 11"}, {key: "map[id:3]", after: "3 c 30"}}},
		{"json with key", JSON, []int{2, 0}, []message{
			{key: `{"qty":10,"id":1}`, after: "1 a 10"}, {key: `{"qty":20,"id":2}`, after: "2  20"}, {key: `{"qty":20,"id":2}`, after: "2  20"},
			{key: `{"qty":10,"id":1}`, before: "1 a 10"}, {key: `{"qty":20,"id":2}`, before: "2  20"},
			{key: `{"qty":11,"id":1}`, after: "1 b 11"}, {key: `{"qty":30,"id":3}`, after: "3 c 30"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t), view{}
			r := w.run(w.config(c.format, c.key))
			r.send(tick(5, v, map[string]int64{string(row(1, "a", 10)): 1, string(row(2, "", 20)): 2}))
			r.send(tick(6, v, map[string]int64{string(row(1, "a", 10)): -1, string(row(1, "b", 11)): 1,
				string(row(2, "", 20)): -1, string(row(3, "c", 30)): 1}))
			r.finish()
			if got := w.read(c.format, "out", kgo.ReadCommitted()); !slices.Equal(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
			if s := r.written(6); s.Records != int64(len(c.want)) {
				t.Errorf("%d records are reported, want %d", s.Records, len(c.want))
			}
		})
	}
}

// history makes random ticks; with unique, an id has at most one row.
type history struct {
	r      *rand.Rand
	unique bool
	rows   map[string]int64 // packed
	view   view
	at     repr.Time
	past   []view
}

func newHistory(seed uint64, unique bool) *history {
	return &history{r: rand.New(rand.NewPCG(seed, 1)), unique: unique, rows: map[string]int64{}, view: view{}, past: []view{{}}}
}

func (h *history) next() sinks.Tick {
	diffs := map[string]int64{}
	for range h.r.IntN(8) {
		id := h.r.IntN(6)
		fresh := string(row(id, []string{"", "x", "y"}[h.r.IntN(3)], h.r.IntN(4)))
		n := int64(1)
		if h.unique {
			for old, count := range h.rows {
				if strings.HasPrefix(show([]byte(old)), show([]byte(fresh))[:2]) {
					h.change(diffs, old, -count)
				}
			}
			n = int64(h.r.IntN(2))
		} else if h.r.IntN(2) == 0 {
			n = int64(h.r.IntN(3)) - h.rows[fresh]
		}
		h.change(diffs, fresh, n)
	}
	h.at += repr.Time(1 + h.r.IntN(50))
	t := tick(h.at, h.view, diffs)
	h.past = append(h.past, maps.Clone(h.view))
	return t
}

func (h *history) change(diffs map[string]int64, row string, n int64) {
	diffs[row] += n
	if h.rows[row] += n; h.rows[row] == 0 {
		delete(h.rows, row)
	}
}

func (h *history) snapshot() sinks.Tick { return tick(h.at, view{}, h.rows) }

// troubles are what may happen between two ticks.
func (w *world) trouble(r *rand.Rand) {
	errs := []*kerr.Error{kerr.NotLeaderForPartition, kerr.CoordinatorNotAvailable, kerr.UnknownServerError, kerr.NotEnoughReplicas}
	keys := []kmsg.Key{kmsg.Produce, kmsg.EndTxn, kmsg.AddPartitionsToTxn, kmsg.InitProducerID, kmsg.Metadata, kmsg.Fetch}
	switch r.IntN(8) {
	case 0:
		w.line.losing.Store(1)
	case 1:
		w.line.cut()
		w.line.down.Store(false)
	case 2, 3:
		w.faults = append(w.faults, w.cluster.Fault(kfake.Fault{Keys: keys[r.IntN(len(keys)):][:1], Err: errs[r.IntN(len(errs))]}))
	}
}

// calm takes back the troubles that did not come, so that they do not hit the reader of a test.
func (w *world) calm() {
	w.line.losing.Store(0)
	for _, f := range w.faults {
		w.hits += f.Hits()
		f.Remove()
	}
	w.faults = nil
}

// TestHistories holds the folded topic against the view, over random ticks, failures and restarts. The view is
// also read in the middle: whatever is committed is the view at some tick.
func TestHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		format := []Format{Avro, JSON}[seed%2]
		key := [][]int{nil, {0}}[seed/2%2]
		t.Run([]string{"avro", "json"}[seed%2], func(t *testing.T) {
			t.Parallel()
			w, h := newWorld(t), newHistory(seed, key != nil)
			cfg := w.config(format, key)
			if seed >= 4 {
				cfg.Partitions = 3
			}
			for range 4 {
				r := w.run(cfg)
				r.send(h.snapshot())
				for range 1 + h.r.IntN(12) {
					w.trouble(h.r)
					r.send(h.next())
				}
				if h.r.IntN(2) == 0 {
					r.written(h.at)
					w.calm()
					w.expect(format, h.view)
				}
				r.stop()
				_ = r.end() // its end in the middle of a transaction is the point
				w.calm()
				if got := fold(w.read(format, "out", kgo.ReadCommitted())); !slices.ContainsFunc(h.past, func(v view) bool { return maps.Equal(v, got) }) {
					t.Fatalf("the topic adds up to %v, which the view never was", got)
				}
			}
			r := w.run(cfg)
			r.send(h.snapshot())
			r.finish()
			w.expect(format, h.view)
			t.Logf("seed %d: %d faults, %d lost answers", seed, w.hits, w.line.lost.Load())
		})
	}
}

func TestLostAnswerToACommit(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	r := w.run(w.config(JSON, nil))
	r.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	r.written(1)
	for at := repr.Time(2); at < 6; at++ {
		w.line.losing.Store(1)
		r.send(tick(at, v, map[string]int64{string(row(int(at), "b", 2)): 1}))
		r.written(at)
	}
	if w.line.lost.Load() < 4 {
		t.Errorf("%d answers were lost, want 4: nothing is tested", w.line.lost.Load())
	}
	r.finish()
	w.expect(JSON, v)
	if s := r.written(5); s.Records != 5 {
		t.Errorf("%d records are reported, want 5", s.Records)
	}
}

func TestStalledAndBack(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	cfg := w.config(Avro, nil)
	r := w.run(cfg)
	r.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	r.written(1)
	w.line.cut()
	r.send(tick(2, v, map[string]int64{string(row(2, "b", 2)): 1}))
	s := r.await("stalled", func(s sinks.State) bool { return s.Status == "stalled" && s.Written == 1 })
	if !strings.Contains(s.Error, cfg.Brokers[0]) || s.Hint == "" {
		t.Errorf("stalled says %q, hint %q", s.Error, s.Hint)
	}
	w.line.down.Store(false)
	r.written(2)
	r.finish()
	w.expect(Avro, v)
}

func TestAbortedIsInvisible(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg := w.config(JSON, nil)
	w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: cfg.ProgressTopic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	r := w.run(cfg)
	r.send(tick(1, view{}, map[string]int64{string(row(1, "a", 1)): 1}))
	err := r.end()
	e, ok := err.(*repr.Error)
	if !ok || e.Code != repr.CodeInsufficientPrivilege || e.Hint == "" {
		t.Errorf("got %v, want %s", err, repr.CodeInsufficientPrivilege)
	}
	if got := w.read(JSON, "out", kgo.ReadUncommitted()); len(got) != 1 {
		t.Errorf("%d records were written, want 1: nothing is tested", len(got))
	}
	if got := w.read(JSON, "out", kgo.ReadCommitted()); len(got) != 0 {
		t.Errorf("a reader sees %v", got)
	}
}

func TestFenced(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	cfg := w.config(JSON, nil)
	first := w.run(cfg)
	first.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	first.written(1)
	second := w.run(cfg)
	second.send(tick(1, view{}, map[string]int64{string(row(1, "a", 1)): 1}))
	second.send(tick(3, v, map[string]int64{string(row(2, "b", 2)): 1}))
	second.written(3)
	first.send(tick(2, view{}, map[string]int64{string(row(9, "z", 9)): 1}))
	if err := first.end(); err == nil || !strings.Contains(err.Error(), "another server has taken over topic") {
		t.Errorf("got %v", err)
	}
	second.send(tick(4, v, map[string]int64{string(row(3, "c", 3)): 1}))
	second.finish()
	w.expect(JSON, v)
}

// TestTicksAreGathered counts transactions: ticks that come within the interval share one.
func TestTicksAreGathered(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	cfg := w.config(JSON, nil)
	clk := clock.NewFake(time.Unix(1000, 0))
	cfg.Interval, cfg.Clock = 100*time.Millisecond, clk
	commits := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true, Count: -1, Observe: true})
	for _, topic := range []string{cfg.Topic, cfg.ProgressTopic} { // or the sink would wait, by its clock, for topics it makes
		if err := w.cluster.CreateTopic(topic, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	r := w.run(cfg)
	r.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	r.written(1)
	for at := repr.Time(2); at < 6; at++ {
		r.send(tick(at, v, map[string]int64{string(row(int(at), "a", 1)): 1}))
	}
	clk.Advance(100 * time.Millisecond)
	r.written(5)
	if commits.Hits() != 2 {
		t.Errorf("%d transactions, want 2", commits.Hits())
	}
	r.send(sinks.Tick{Time: 6}) // nothing has changed: no transaction
	clk.Advance(time.Second)
	r.written(6)
	if commits.Hits() != 2 {
		t.Errorf("an empty tick takes a transaction")
	}
	r.finish()
	w.expect(JSON, v)
}

func TestResumeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		spoil      func(*world) error
	}{
		{"topic is gone", `topic "out" is gone`, func(w *world) error { return w.cluster.DeleteTopic("out") }},
		{"records are deleted", "the broker has deleted its records before offset 1", func(w *world) error { return w.cluster.DeleteRecords("out", 0, 1) }},
		{"foreign records", "is no envelope of before and after", func(w *world) error {
			cl, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...))
			if err != nil {
				return err
			}
			defer cl.Close()
			return cl.ProduceSync(context.Background(), &kgo.Record{Topic: "out", Value: []byte("hello")}).FirstErr()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t), view{}
			r := w.run(w.config(JSON, nil))
			r.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
			r.finish()
			if err := c.spoil(w); err != nil {
				t.Fatal(err)
			}
			again := w.run(w.config(JSON, nil))
			select {
			case again.ticks <- tick(2, v, map[string]int64{string(row(2, "b", 2)): 1}):
			case err := <-again.done:
				again.done <- err
			}
			if err := again.end(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// TestOlderRecordsAreLeftAlone: what others wrote before the sink began is not its own.
func TestOlderRecordsAreLeftAlone(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t), view{}
	if err := w.cluster.CreateTopic("out", 1, nil); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	old := []byte(`{"before":null,"after":{"id":7,"name":"old","qty":7}}`)
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "out", Value: old}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r := w.run(w.config(JSON, nil))
	r.send(tick(1, v, map[string]int64{string(row(1, "a", 1)): 1}))
	r.finish()
	again := w.run(w.config(JSON, nil))
	again.send(tick(2, view{}, map[string]int64{string(row(1, "a", 1)): 1}))
	again.finish()
	v["7 old 7"] = 1
	w.expect(JSON, v)
}
