package consistency

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/broker/brokertest"
)

// transfer is a row of the database that Debezium captures.
type transfer struct{ id, src, dst, amount int64 }

func (x *transfer) json() string {
	if x == nil {
		return "null"
	}
	return fmt.Sprintf(`{"id":%d,"src":%d,"dst":%d,"amount":%d}`, x.id, x.src, x.dst, x.amount)
}

// capture writes changes of transfers as Debezium does: keyed, so that the changes of a row stay in order, over the
// partitions of a topic, and now and then what was written a while ago once more.
type capture struct {
	cl   *kgo.Client
	rng  *rand.Rand
	rows map[int64]*transfer
	ids  []int64
	pos  int64
	sent []*kgo.Record
}

func (c *capture) change(ctx context.Context, op string, before, after *transfer) error {
	row := after
	if row == nil {
		row = before
	}
	c.pos++
	r := &kgo.Record{Topic: "transfers", Key: fmt.Appendf(nil, `{"id":%d}`, row.id), Value: fmt.Appendf(nil,
		`{"before":%s,"after":%s,"op":%q,"source":{"connector":"mysql","name":"shop","file":"binlog.000001","pos":%d,"row":0,"snapshot":"false"}}`,
		before.json(), after.json(), op, c.pos)}
	if err := c.cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return err
	}
	c.sent = append(c.sent, r)
	return nil
}

// step changes one transfer, or sends a window of changes again, as a connector does after a crash.
func (c *capture) step(ctx context.Context) error {
	n := c.rng.IntN(20)
	if n == 0 && len(c.sent) > 10 {
		for _, r := range c.sent[len(c.sent)-1-c.rng.IntN(10):] {
			again := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
			if err := c.cl.ProduceSync(ctx, again).FirstErr(); err != nil {
				return err
			}
		}
		return nil
	}
	if n < 12 || len(c.ids) == 0 {
		x := &transfer{c.pos, c.rng.Int64N(20), c.rng.Int64N(20), c.rng.Int64N(1000)}
		c.rows[x.id], c.ids = x, append(c.ids, x.id)
		return c.change(ctx, "c", nil, x)
	}
	i := c.rng.IntN(len(c.ids))
	old := c.rows[c.ids[i]]
	if n < 17 {
		x := *old
		x.amount, x.dst = c.rng.Int64N(1000), c.rng.Int64N(20)
		c.rows[x.id] = &x
		return c.change(ctx, "u", old, &x)
	}
	delete(c.rows, old.id)
	c.ids[i] = c.ids[len(c.ids)-1]
	c.ids = c.ids[:len(c.ids)-1]
	return c.change(ctx, "d", old, nil)
}

func TestTransfersFromDebezium(t *testing.T) {
	t.Parallel()
	fake := brokertest.New(t, kfake.SeedTopics(3, "transfers"))
	cl := brokertest.Client(t, fake.ListenAddrs()[0], kgo.ProducerLinger(0))
	b := &bank{t: t, addr: start(t)}
	setup := connect(t.Context(), t, b.addr)
	statements := append([]string{
		`CREATE SOURCE raw FROM KAFKA BROKER '` + fake.ListenAddrs()[0] + `' TOPIC 'transfers' FORMAT JSON ENVELOPE DEBEZIUM`,
		`CREATE VIEW transfers AS SELECT (data->>'id')::int8 AS id, (data->>'src')::int8 AS src, (data->>'dst')::int8 AS dst,
		   (data->>'amount')::int8 AS amount FROM raw`,
	}, schema[1:]...)
	for _, s := range statements {
		if _, err := setup.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	subs := map[string]*history{}
	for _, v := range views {
		subs[v] = newHistory(v)
		b.subscribe(subs[v])
	}
	c := &capture{cl: cl, rng: rand.New(rand.NewPCG(3, 3)), rows: map[int64]*transfer{}}
	b.run(func(ctx context.Context, _ *pgx.Conn) error {
		for !b.stop.Load() {
			if err := c.step(ctx); err != nil {
				return err
			}
			b.acked.Add(1)
		}
		return nil
	})
	b.run(b.read)
	b.run(b.readTransactions)
	time.AfterFunc(duration(t), func() { b.stop.Store(true) })
	b.wg.Wait()
	var sum int64
	for _, x := range c.rows {
		sum += x.amount
	}
	want := fmt.Sprint(len(c.rows), sum)
	got := ""
	for deadline := time.Now().Add(10 * time.Second); got != want && time.Now().Before(deadline); {
		var n, sum int64
		if err := setup.QueryRow(t.Context(), `SELECT count(*), coalesce(sum(amount), 0)::int8 FROM transfers`).Scan(&n, &sum); err != nil {
			t.Fatal(err)
		}
		got = fmt.Sprint(n, sum)
	}
	if got != want {
		t.Errorf("the view ends with %s (rows, sum), the database with %s", got, want)
	}
	b.closed.Store(true)
	b.subs.Wait()
	times := compare(t, subs)
	t.Logf("%d changes, %d reads, %d times compared", b.acked.Load(), b.checked.Load(), times)
	if b.acked.Load() < 50 || b.checked.Load() < 20 || times < 20 {
		t.Error("too little happened for the test to mean anything")
	}
}
