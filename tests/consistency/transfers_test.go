package consistency

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"millrace/coord"
	"millrace/pgwire"
)

// start runs a server in the process and gives its address.
func start(t *testing.T) string {
	t.Helper()
	co := coord.New(coord.Options{TickInterval: 50 * time.Millisecond, Workers: 2})
	srv := pgwire.NewServer(co, pgwire.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close(); co.Close() })
	return l.Addr().String()
}

func connect(ctx context.Context, t *testing.T, addr string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, "postgres://materialize@"+addr+"/materialize?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// schema is the bank: a table of transfers, and views over it and over one another.
var schema = []string{
	`CREATE TABLE transfers (id int8 NOT NULL, src int8 NOT NULL, dst int8 NOT NULL, amount int8 NOT NULL)`,
	`CREATE MATERIALIZED VIEW credits AS SELECT dst AS account, sum(amount)::int8 AS amount FROM transfers GROUP BY dst`,
	`CREATE MATERIALIZED VIEW debits AS SELECT src AS account, sum(amount)::int8 AS amount FROM transfers GROUP BY src`,
	`CREATE MATERIALIZED VIEW balance AS SELECT account, sum(amount)::int8 AS amount
	   FROM (SELECT account, amount FROM credits UNION ALL SELECT account, -amount FROM debits) GROUP BY account`,
	`CREATE MATERIALIZED VIEW direct AS SELECT account, sum(amount)::int8 AS amount
	   FROM (SELECT dst AS account, amount FROM transfers UNION ALL SELECT src, -amount FROM transfers) GROUP BY account`,
	`CREATE MATERIALIZED VIEW total AS SELECT coalesce(sum(amount), 0)::int8 AS amount FROM balance`,
	`CREATE TABLE marks (n int8 NOT NULL)`,
	`CREATE MATERIALIZED VIEW marked AS SELECT count(*) AS n FROM marks`,
}

// views are what is subscribed to.
var views = []string{"transfers", "credits", "debits", "balance", "direct", "total"}

// bank is one run of the test.
type bank struct {
	t       *testing.T
	addr    string
	stop    atomic.Bool // writers and readers end
	closed  atomic.Bool // everything is written: subscribers end
	nextID  atomic.Int64
	acked   atomic.Int64
	marks   atomic.Int64   // rows of the table marks that are acknowledged, or were seen
	checked atomic.Int64   // statements and read transactions that were compared
	wg      sync.WaitGroup // writers and readers
	subs    sync.WaitGroup
}

// duration is how long the bank is open.
func duration(t *testing.T) time.Duration {
	t.Helper()
	d := 4 * time.Second
	if s := os.Getenv("SOAK_TIME"); s != "" {
		var err error
		if d, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (b *bank) run(f func(ctx context.Context, conn *pgx.Conn) error) { b.runIn(&b.wg, f) }

func (b *bank) runIn(wg *sync.WaitGroup, f func(ctx context.Context, conn *pgx.Conn) error) {
	ctx := b.t.Context()
	conn := connect(ctx, b.t, b.addr)
	wg.Add(1)
	go func() {
		defer wg.Done()
		if err := f(ctx, conn); err != nil {
			b.t.Error(err)
			b.stop.Store(true)
			b.closed.Store(true)
		}
	}()
}

func TestTransfersFromTables(t *testing.T) {
	t.Parallel()
	b := &bank{t: t, addr: start(t)}
	setup := connect(t.Context(), t, b.addr)
	for _, s := range schema {
		if _, err := setup.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	subs := map[string]*history{}
	for _, v := range views {
		subs[v] = newHistory(v)
		b.subscribe(subs[v])
	}
	for seed := range uint64(4) {
		b.run(func(ctx context.Context, conn *pgx.Conn) error { return b.write(ctx, conn, seed) })
	}
	for range 2 {
		b.run(b.read)
	}
	b.run(b.readTransactions)
	b.run(b.probe)
	b.run(b.mark)
	for range 2 {
		b.run(b.watchMarks)
	}
	time.AfterFunc(duration(t), func() { b.stop.Store(true) })
	b.wg.Wait()
	b.closed.Store(true)
	late := newHistory("direct")
	b.subscribe(late)
	b.subs.Wait()
	times := compare(t, subs)
	if last := subs["direct"].final(); last != late.final() {
		t.Errorf("a late subscriber ends with %s, an early one with %s", late.final(), last)
	}
	t.Logf("%d writes, %d reads, %d times compared", b.acked.Load(), b.checked.Load(), times)
	if b.acked.Load() < 50 || b.checked.Load() < 50 || times < 50 {
		t.Error("too little happened for the test to mean anything")
	}
}

// retryable says whether a statement met a conflict, and may be sent again.
func retryable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "40001"
}

// write inserts, changes and deletes transfers, alone and in blocks.
func (b *bank) write(ctx context.Context, conn *pgx.Conn, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 11))
	var mine []int64
	for !b.stop.Load() {
		var err error
		switch n := rng.IntN(10); {
		case n < 6 || len(mine) == 0:
			id := b.nextID.Add(1)
			_, err = conn.Exec(ctx, `INSERT INTO transfers VALUES ($1, $2, $3, $4)`, id, rng.Int64N(20), rng.Int64N(20), rng.Int64N(1000))
			mine = append(mine, id)
		case n < 7:
			err = b.block(ctx, conn, rng, &mine)
		case n < 9:
			_, err = conn.Exec(ctx, `UPDATE transfers SET amount = amount + $2, dst = src WHERE id = $1`, mine[rng.IntN(len(mine))], rng.Int64N(9))
		default:
			_, err = conn.Exec(ctx, `DELETE FROM transfers WHERE id = $1`, mine[rng.IntN(len(mine))])
		}
		if err != nil && !retryable(err) {
			return fmt.Errorf("write: %w", err)
		}
		b.acked.Add(1)
	}
	return nil
}

// block moves money out and back again in one transaction, in two statements.
func (b *bank) block(ctx context.Context, conn *pgx.Conn, rng *rand.Rand, mine *[]int64) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	for range 2 {
		id := b.nextID.Add(1)
		*mine = append(*mine, id)
		if _, err := tx.Exec(ctx, `INSERT INTO transfers VALUES ($1, $2, $3, $4)`, id, rng.Int64N(20), rng.Int64N(20), rng.Int64N(1000)); err != nil {
			return err
		}
	}
	if rng.IntN(4) == 0 {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

// read holds the views together within single statements.
func (b *bank) read(ctx context.Context, conn *pgx.Conn) error {
	for !b.stop.Load() {
		var total, credits, debits, sum, wrong int64
		err := conn.QueryRow(ctx, `SELECT (SELECT amount FROM total), (SELECT coalesce(sum(amount), 0)::int8 FROM credits),
			(SELECT coalesce(sum(amount), 0)::int8 FROM debits), (SELECT coalesce(sum(amount), 0)::int8 FROM transfers),
			(SELECT count(*) FROM (SELECT * FROM balance EXCEPT SELECT * FROM direct) d)`).Scan(&total, &credits, &debits, &sum, &wrong)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if total != 0 || credits != debits || credits != sum || wrong != 0 {
			return fmt.Errorf("one statement saw total %d, credits %d, debits %d, transfers %d, %d accounts apart", total, credits, debits, sum, wrong)
		}
		b.checked.Add(1)
	}
	return nil
}

// readTransactions reads the same things one after the other: a block sees one moment.
func (b *bank) readTransactions(ctx context.Context, conn *pgx.Conn) error {
	for !b.stop.Load() {
		tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
		if err != nil {
			return err
		}
		var seen []int64
		for _, q := range []string{`SELECT coalesce(sum(amount), 0)::int8 FROM transfers`, `SELECT coalesce(sum(amount), 0)::int8 FROM credits`,
			`SELECT coalesce(sum(amount), 0)::int8 FROM debits`, `SELECT coalesce(sum(amount), 0)::int8 FROM transfers`} {
			var n int64
			if err := tx.QueryRow(ctx, q).Scan(&n); err != nil {
				return fmt.Errorf("read in a block: %w", err)
			}
			seen = append(seen, n)
		}
		if err := tx.Commit(ctx); err != nil {
			return err
		}
		for _, n := range seen {
			if n != seen[0] {
				return fmt.Errorf("one block saw %v", seen)
			}
		}
		b.checked.Add(1)
	}
	return nil
}

// raise makes a counter at least n.
func raise(counter *atomic.Int64, n int64) {
	for old := counter.Load(); n > old && !counter.CompareAndSwap(old, n); old = counter.Load() {
	}
}

// mark adds rows to marks, one by one.
func (b *bank) mark(ctx context.Context, conn *pgx.Conn) error {
	for n := int64(1); !b.stop.Load(); n++ {
		if _, err := conn.Exec(ctx, `INSERT INTO marks VALUES ($1)`, n); err != nil {
			return fmt.Errorf("mark: %w", err)
		}
		raise(&b.marks, n)
	}
	return nil
}

// watchMarks counts the marks, in the table and in a view over it: no count is below what was acknowledged, or seen by
// anyone, before it was asked for.
func (b *bank) watchMarks(ctx context.Context, conn *pgx.Conn) error {
	queries := []string{`SELECT count(*) FROM marks`, `SELECT n FROM marked`, `SELECT max(n) FROM marks`}
	for i := 0; !b.stop.Load(); i++ {
		least := b.marks.Load()
		if least == 0 {
			continue
		}
		var n int64
		if err := conn.QueryRow(ctx, queries[i%len(queries)]).Scan(&n); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		if n < least {
			return fmt.Errorf("%s shows %d; %d had been seen before", queries[i%len(queries)], n, least)
		}
		raise(&b.marks, n)
		b.checked.Add(1)
	}
	return nil
}

// probe writes, and looks for the write over another connection as soon as it is acknowledged.
func (b *bank) probe(ctx context.Context, conn *pgx.Conn) error {
	other := connect(ctx, b.t, b.addr)
	for !b.stop.Load() {
		id := b.nextID.Add(1)
		if _, err := conn.Exec(ctx, `INSERT INTO transfers VALUES ($1, 1, 2, 5)`, id); err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		var n int
		if err := other.QueryRow(ctx, `SELECT count(*) FROM transfers WHERE id = $1`, id).Scan(&n); err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		if n != 1 {
			return fmt.Errorf("transfer %d was acknowledged, and the next read does not see it", id)
		}
		b.checked.Add(1)
	}
	return nil
}
