package debezium

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/coord"
	"millrace/internal/broker/brokertest"
	"millrace/internal/journal"
	"millrace/sources/envelope/samples"
	"millrace/tests/inside"
)

// patience is how long a table may take to become what it must.
const patience = 30 * time.Second

// world is a server, a broker and a registry.
type world struct {
	t        *testing.T
	broker   string
	registry string
	kafka    *kgo.Client
	sql      *inside.Conn
	topics   map[string][]samples.Record
}

// newWorld has the captured topics, and those named besides.
func newWorld(t *testing.T, workers int, more ...string) *world {
	t.Helper()
	w := &world{t: t, registry: newRegistry(t), topics: samples.Topics(t)}
	seeds := []kfake.Opt{kfake.SeedTopics(1, append(more, "_more")...)}
	for topic, records := range w.topics {
		partitions := int32(1)
		for _, r := range records {
			partitions = max(partitions, r.Partition+1)
		}
		seeds = append(seeds, kfake.SeedTopics(partitions, topic))
	}
	w.broker = brokertest.New(t, seeds...).ListenAddrs()[0]
	w.kafka = brokertest.Client(t, w.broker, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	w.serve(coord.Options{Workers: workers})
	return w
}

// serve starts the server, in the place of the one that ran before.
func (w *world) serve(opts coord.Options) (stop func()) {
	w.t.Helper()
	srv, err := inside.Serve(opts)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.sql, err = srv.Connect(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	conn := w.sql
	stop = sync.OnceFunc(func() {
		_ = conn.Close() // the server closes its end as well
		if err := srv.Close(); err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

func (w *world) ask(sql string) *inside.Answer {
	w.t.Helper()
	a, err := w.sql.Ask(w.t.Context(), sql)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return a
}

func (w *world) do(sql string) {
	w.t.Helper()
	if a := w.ask(sql); a.Err != nil {
		w.t.Fatalf("%s: %v", sql, a.Err)
	}
}

// write sends records in the order they come in.
func (w *world) write(records ...samples.Record) {
	w.t.Helper()
	out := make([]*kgo.Record, len(records))
	for i, r := range records {
		out[i] = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	if err := w.kafka.ProduceSync(context.Background(), out...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// window repeats runs of records, as a connector does.
func window(r *rand.Rand, records []samples.Record) []samples.Record {
	return samples.Window(r, records, func(rec samples.Record) int32 { return rec.Partition })
}

// read is the content of a relation, with the columns of the table upstream.
func (w *world) read(relation string, cols []string) ([][]string, *inside.Error) {
	a := w.ask(`SELECT ` + strings.Join(cols, ", ") + ` FROM ` + relation)
	for _, row := range a.Rows {
		for i := range row {
			if row[i] == inside.Null {
				row[i] = samples.Null
			}
		}
	}
	return a.Rows, a.Err
}

// keyOf is what tells rows of a table apart, or about.
func keyOf(cols, row []string) string {
	var key []string
	for i, c := range cols {
		if c == "id" || c == "region" || c == "sku" || c == "who" || c == "what" {
			key = append(key, row[i])
		}
	}
	return strings.Join(key, ",")
}

// differences are what a relation has otherwise than it must.
func (w *world) differences(c *capture, relation string) []string {
	cols, want := samples.Table(w.t, c.table)
	got, failed := w.read(relation, cols)
	if failed != nil {
		return []string{failed.Error()}
	}
	if len(got) != len(want) {
		return []string{fmt.Sprintf("%d rows, want %d", len(got), len(want))}
	}
	for _, rows := range [][][]string{got, want} {
		sort.Slice(rows, func(i, j int) bool { return keyOf(cols, rows[i]) < keyOf(cols, rows[j]) })
	}
	var out []string
	for i := range want {
		key := keyOf(cols, want[i])
		for j, value := range want[i] {
			if l := c.lossAt(key, cols[j]); l != nil {
				value = l.value
			}
			if !c.same(cols[j], got[i][j], value) {
				out = append(out, fmt.Sprintf("row %s column %s: got %.60q, want %.60q", key, cols[j], got[i][j], value))
			}
		}
	}
	return out
}

// hold waits until a relation is as it must be.
func (w *world) hold(c *capture, relation string) {
	w.t.Helper()
	var found []string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if found = w.differences(c, relation); len(found) == 0 {
			return
		}
	}
	w.t.Errorf("%s: %s", relation, strings.Join(found, "\n  "))
}

// create makes the sources, and a view over each.
func (w *world) create(list []capture, declare bool) {
	w.t.Helper()
	for i := range list {
		c := &list[i]
		w.do(c.statement(w.broker, w.registry, declare))
		w.do(`CREATE MATERIALIZED VIEW v_` + c.name() + ` AS SELECT * FROM ` + c.name())
	}
}

// check holds sources and views to the tables, and says that no record was bad.
func (w *world) check(list []capture) {
	w.t.Helper()
	for i := range list {
		c := &list[i]
		w.hold(c, c.name())
		w.hold(c, "v_"+c.name())
		if a := w.ask(`SELECT "offset", error FROM ` + c.name() + `_errors`); len(a.Rows) > 0 || a.Err != nil {
			w.t.Errorf("%s: errors %v %v", c.topic, a.Rows, a.Err)
		}
	}
	// What came again at the very end has been read by now, and changed nothing.
	for i := range list {
		if found := w.differences(&list[i], list[i].name()); len(found) > 0 {
			w.t.Errorf("%s, later: %s", list[i].topic, strings.Join(found, "\n  "))
		}
	}
}

// TestReplay reads topics that are full, the columns of JSON with schemas found in the messages.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	for _, records := range w.topics {
		w.write(records...)
	}
	list := captures(w.topics)
	w.create(list, false)
	w.check(list)
}

// TestReplayInPieces reads topics while they are written, in pieces of any size and so in any ticks, with windows of records that
// come again; with several workers.
func TestReplayInPieces(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, workers)
			list := captures(w.topics)
			w.create(list, true)
			r := rand.New(rand.NewPCG(uint64(workers), 5))
			left := map[string][]samples.Record{}
			for i := range list {
				left[list[i].topic] = window(r, w.topics[list[i].topic])
			}
			for len(left) > 0 {
				for i := range list {
					topic := list[i].topic
					n := min(r.IntN(12), len(left[topic]))
					w.write(left[topic][:n]...)
					if left[topic] = left[topic][n:]; len(left[topic]) == 0 {
						delete(left, topic)
					}
				}
			}
			w.check(list)
		})
	}
}

// TestOtherTopics: what is no change of a table is passed over, or read as plain records.
func TestOtherTopics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	var plain []string
	for topic, records := range w.topics {
		prefix, table, _ := strings.Cut(topic, ".")
		isAvro := !strings.Contains(topic, "json")
		switch {
		case table == "message":
			w.write(records...)
			format := "JSON"
			if isAvro {
				continue // the schema has no rows, so the source is refused: it is another test
			}
			w.do(fmt.Sprintf(`CREATE SOURCE m_%s FROM KAFKA BROKER '%s' TOPIC '%s' FORMAT %s ENVELOPE DEBEZIUM`, prefix, w.broker, topic, format))
			w.do(`CREATE MATERIALIZED VIEW v_` + prefix + ` AS SELECT * FROM m_` + prefix)
			if a := w.ask(`SELECT count(*), (SELECT count(*) FROM m_` + prefix + `_errors) FROM v_` + prefix); a.Err != nil || !slices.Equal(a.Rows[0], []string{"0", "0"}) {
				t.Errorf("%s: rows and errors %v %v", topic, a.Rows, a.Err)
			}
		case table == "transaction" || strings.HasPrefix(topic, "__") || table == "":
			w.write(records...)
			plain = append(plain, topic)
		}
	}
	for i, topic := range plain {
		format := "JSON"
		if !strings.Contains(topic, "json") {
			format = "AVRO USING CONFLUENT SCHEMA REGISTRY '" + w.registry + "'"
		}
		w.do(fmt.Sprintf(`CREATE SOURCE p%d FROM KAFKA BROKER '%s' TOPIC '%s' FORMAT %s`, i, w.broker, topic, format))
		w.do(fmt.Sprintf(`CREATE MATERIALIZED VIEW n%d AS SELECT count(*) FROM p%d`, i, i))
		a := w.ask(fmt.Sprintf(`SELECT count, (SELECT count(*) FROM p%d_errors) FROM n%d`, i, i))
		if want := []string{fmt.Sprint(len(w.topics[topic])), "0"}; a.Err != nil || !slices.Equal(a.Rows[0], want) {
			t.Errorf("%s: rows and errors %v %v, want %v", topic, a.Rows, a.Err, want)
		}
	}
}

// TestRestart stops the server in the middle of the topics, and has it go on from its data directory: with the columns it found at
// first, behind what it read, and with what the envelopes remember, so that what comes again changes nothing.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	var list []capture
	for _, c := range captures(w.topics) {
		if c.mode == "main" && !strings.HasSuffix(c.topic, "audit") {
			list = append(list, c)
		}
	}
	dir := t.TempDir()
	life := func(f func()) {
		j, err := journal.Open(journal.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		stop := w.serve(coord.Options{Journal: j})
		f()
		stop()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
	r := rand.New(rand.NewPCG(7, 7))
	life(func() {
		for i := range list {
			w.write(w.topics[list[i].topic][:w.middle(&list[i])]...)
		}
		w.create(list, false)
		for i := range list { // some of it has been read at least
			w.ask(`SELECT count(*) FROM v_` + list[i].name())
		}
	})
	life(func() {
		for i := range list {
			from := r.IntN(w.middle(&list[i]) + 1)
			w.write(window(r, w.topics[list[i].topic][from:])...)
		}
		w.check(list)
	})
	life(func() { w.check(list) })
}

// middle is how many records are written before the restart: all of those that say what the columns are.
func (w *world) middle(c *capture) int {
	if c.format == "jsonschema" {
		return len(w.topics[c.topic])
	}
	return len(w.topics[c.topic]) / 2
}
