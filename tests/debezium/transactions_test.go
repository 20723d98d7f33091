package debezium

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/coord"
	"millrace/internal/journal"
	"millrace/sources/envelope/samples"
)

// TestTransactionsReplayed reads the captured tables with their topics of transactions: they end as they do without, though
// MariaDB's changes of schemas begin transactions that have no end.
func TestTransactionsReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	r := rand.New(rand.NewPCG(9, 9))
	var list []capture
	left := map[string][]samples.Record{}
	for _, c := range captures(w.topics) {
		if c.mode == "main" {
			c.transactions = true
			list = append(list, c)
			left[c.topic] = w.topics[c.topic]
			about, _, _ := strings.Cut(c.topic, ".")
			left[about+".transaction"] = w.topics[about+".transaction"]
		}
	}
	w.create(list, true)
	for len(left) > 0 {
		topics := slices.Collect(func(yield func(string) bool) {
			for topic := range left {
				if !yield(topic) {
					return
				}
			}
		})
		slices.Sort(topics)
		topic := topics[r.IntN(len(topics))]
		n := min(1+r.IntN(8), len(left[topic]))
		w.write(left[topic][:n]...)
		if left[topic] = left[topic][n:]; len(left[topic]) == 0 {
			delete(left, topic)
		}
	}
	w.check(list)
}

// moneyBefore is what every account has in the beginning.
const moneyBefore = 100

// ledger writes transactions that move money between accounts of two tables, each table in a topic of its own.
type ledger struct {
	w     *world
	lsn   int
	txn   int
	money [2]map[int]int
}

func (l *ledger) change(table, id, to, order int) *kgo.Record {
	l.lsn++
	l.money[table][id] = to
	name := string(rune('a' + table))
	return &kgo.Record{Topic: "bank.public." + name, Key: fmt.Appendf(nil, `{"id":%d}`, id), Value: fmt.Appendf(nil,
		`{"before":null,"after":{"id":%d,"money":%d},"op":"u","source":{"connector":"postgresql","lsn":%d,"ts_ms":%d},"transaction":{"id":"%d:%d","total_order":%d,"data_collection_order":%d}}`,
		id, to, l.lsn, l.lsn, l.txn, l.lsn, order, order)}
}

func (l *ledger) mark(status string, counts string) *kgo.Record {
	l.lsn++
	return &kgo.Record{Topic: "bank.transaction", Value: fmt.Appendf(nil, `{"status":%q,"id":"%d:%d","event_count":null,"data_collections":%s,"ts_ms":%d}`,
		status, l.txn, l.lsn, counts, time.Now().UnixMilli())}
}

// transfer moves money from one table to the other, in several changes; the records of each topic in order.
func (l *ledger) transfer(r *rand.Rand) (topics [3][]*kgo.Record) {
	l.txn++
	n := 1 + r.IntN(3)
	topics[2] = append(topics[2], l.mark("BEGIN", "null"))
	for i := range n {
		amount, from, to := r.IntN(50), r.IntN(5), r.IntN(5)
		topics[0] = append(topics[0], l.change(0, from, l.money[0][from]-amount, i+1))
		topics[1] = append(topics[1], l.change(1, to, l.money[1][to]+amount, i+1))
	}
	topics[2] = append(topics[2], l.mark("END", fmt.Sprintf(`[{"data_collection":"public.a","event_count":%d},{"data_collection":"public.b","event_count":%d}]`, n, n)))
	return topics
}

func (l *ledger) send(records ...*kgo.Record) {
	l.w.t.Helper()
	if err := l.w.kafka.ProduceSync(l.w.t.Context(), records...).FirstErr(); err != nil {
		l.w.t.Fatal(err)
	}
}

// sendMixed sends the records of several topics in any order that keeps that of each, in pieces, with looks at the total in between.
func (l *ledger) sendMixed(r *rand.Rand, topics [3][]*kgo.Record, look func()) {
	for len(topics[0])+len(topics[1])+len(topics[2]) > 0 {
		i := r.IntN(3)
		n := min(1+r.IntN(3), len(topics[i]))
		l.send(topics[i][:n]...)
		topics[i] = topics[i][n:]
		look()
	}
}

// TestTransactionsAreWhole: the total over two tables is the same at all times, whatever the order in which the topics come, and
// also when the server is stopped between two records of a transaction and starts again.
func TestTransactionsAreWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1, "bank.public.a", "bank.public.b", "bank.transaction")
	dir, j := t.TempDir(), (*journal.Journal)(nil)
	stop := func() {}
	restart := func() {
		stop()
		var err error
		if j, err = journal.Open(journal.Options{Dir: dir}); err != nil {
			t.Fatal(err)
		}
		down := w.serve(coord.Options{Journal: j})
		stop = func() {
			down()
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	restart()
	defer func() { stop() }()
	l := &ledger{w: w, money: [2]map[int]int{{}, {}}}
	for id := range 5 {
		for table := range 2 {
			c := l.change(table, id, moneyBefore, 0)
			c.Value = []byte(strings.Replace(string(c.Value), `"transaction":{`, `"nothing":{`, 1))
			l.send(c)
		}
	}
	early := w.ask(`CREATE SOURCE a (id int, money int) FROM KAFKA BROKER '` + w.broker + `' TOPIC 'bank.public.a' FORMAT JSON ENVELOPE DEBEZIUM (TRANSACTION METADATA (TOPIC 'bank.later'))`)
	if early.Err == nil || early.Err.Code != "42704" || !strings.Contains(early.Err.Hint, "with the first transaction") {
		t.Errorf("a topic that is not there yet: %+v", early.Err)
	}
	for _, table := range []string{"a", "b"} {
		w.do(`CREATE SOURCE ` + table + ` (id int, money int) FROM KAFKA BROKER '` + w.broker + `' TOPIC 'bank.public.` + table +
			`' FORMAT JSON ENVELOPE DEBEZIUM (TRANSACTION METADATA (TOPIC 'bank.transaction', COLLECTION 'public.` + table + `'))`)
	}
	w.do(`CREATE MATERIALIZED VIEW total AS SELECT sum(money) AS money, count(*) AS n FROM (SELECT * FROM a UNION ALL SELECT * FROM b) x`)
	looks := 0
	look := func() {
		looks++
		a := w.ask(`SELECT money, n FROM total`)
		if a.Err != nil || !slices.Equal(a.Rows[0], []string{fmt.Sprint(10 * moneyBefore), "10"}) {
			t.Fatalf("a total that no transaction left: %v %v", a.Rows, a.Err)
		}
		if looks%50 == 0 {
			restart()
		}
	}
	r := rand.New(rand.NewPCG(3, 1))
	for range 30 {
		var topics [3][]*kgo.Record
		for range 1 + r.IntN(3) {
			for i, records := range l.transfer(r) {
				topics[i] = append(topics[i], records...)
			}
		}
		l.sendMixed(r, topics, look)
	}
	want := 0
	for _, money := range l.money[0] {
		want += money
	}
	got := ""
	for end := time.Now().Add(patience); got != fmt.Sprint(want) && time.Now().Before(end); {
		look()
		got = w.ask(`SELECT sum(money) FROM a`).Rows[0][0]
	}
	if got != fmt.Sprint(want) {
		t.Errorf("table a ends with %s, want %d", got, want)
	}
	if looks < 100 {
		t.Errorf("only %d looks", looks)
	}
}

// TestTransactionErrors: what is said of transactions that cannot be.
func TestTransactionErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	create := func(envelope string) string {
		a := w.ask(`CREATE SOURCE s FROM KAFKA BROKER '` + w.broker + `' TOPIC 'pg_json.public.users' FORMAT JSON ENVELOPE ` + envelope)
		if a.Err == nil {
			return "no error"
		}
		return a.Err.Error()
	}
	for envelope, want := range map[string]string{
		`DEBEZIUM (TRANSACTION METADATA (TOPIC 'nosuch'))`:                   `42704: topic "nosuch" does not exist`,
		`DEBEZIUM (TRANSACTION METADATA (COLLECTION 'public.users'))`:        `42601: TRANSACTION METADATA has no TOPIC`,
		`DEBEZIUM (TRANSACTION METADATA (TOPIC 7))`:                          `22023: TRANSACTION METADATA TOPIC must be a name in quotes`,
		`DEBEZIUM (TRANSACTION METADATA (SOURCE 'x'))`:                       `0A000: the option TRANSACTION METADATA SOURCE of ENVELOPE DEBEZIUM is not supported yet`,
		`DEBEZIUM (DECIMAL HANDLING MODE = 'exact')`:                         `22023: invalid value for DECIMAL HANDLING MODE: "exact"`,
		`DEBEZIUM (TIME PRECISION MODE = 'connect', BINARY HANDLING MODE=1)`: `22023: invalid value for BINARY HANDLING MODE: "1"`,
	} {
		if got := create(envelope); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", envelope, got, want)
		}
	}
	if got := create(`DEBEZIUM (TRANSACTION METADATA (TOPIC 'pg_json.public.items'))`); got != "no error" {
		t.Fatalf("a topic that may still become the right one: %s", got)
	}
	w.write(w.topics["pg_json.public.items"]...)
	const hint = `topic "pg_json.public.items" of TRANSACTION METADATA has `
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		a := w.ask(`SELECT status, hint FROM mz_internal.mz_source_statuses WHERE name = 's'`)
		if a.Err == nil && a.Rows[0][0] == "running" && strings.HasPrefix(a.Rows[0][1], hint) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it is not said that the topic holds other records: %v %v", a.Rows, a.Err)
		}
	}
}
