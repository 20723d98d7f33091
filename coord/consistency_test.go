package coord

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"millrace/repr"
)

// TestIncrementers has many sessions add one to the same row: every conflict is tried again, and none is lost.
func TestIncrementers(t *testing.T) {
	t.Parallel()
	c := start(t, quiet())
	connect(t, c).must("CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)")
	const writers, each = 8, 20
	var wg sync.WaitGroup
	for range writers {
		cl := connect(t, c)
		wg.Go(func() {
			for range each {
				if _, err := cl.run(context.Background(), "UPDATE counter SET n = n + 1"); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := connect(t, c).one("SELECT n FROM counter"); got != strconv.Itoa(writers*each) {
		t.Errorf("the counter is at %s after %d increments", got, writers*each)
	}
}

// TestWriteSkew has two transactions that each read, through a view, what the other writes: at most one may commit,
// whichever tick they meet in.
func TestWriteSkew(t *testing.T) {
	t.Parallel()
	c := start(t, quiet())
	a, b := connect(t, c), connect(t, c)
	a.must("CREATE TABLE x (n int); CREATE TABLE y (n int)")
	a.must("CREATE MATERIALIZED VIEW vx AS SELECT count(*) AS n FROM x; CREATE MATERIALIZED VIEW vy AS SELECT count(*) AS n FROM y")
	for range 30 {
		a.must("TRUNCATE x, y")
		a.must("BEGIN; INSERT INTO x SELECT n FROM vy")
		b.must("BEGIN; INSERT INTO y SELECT n FROM vx")
		var wg sync.WaitGroup
		var committed atomic.Int32
		for _, cl := range []*client{a, b} {
			wg.Go(func() {
				if _, err := cl.run(context.Background(), "COMMIT"); err == nil {
					committed.Add(1)
				} else if err.Code != repr.CodeSerializationFailure {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if committed.Load() != 1 {
			t.Fatalf("%d of two transactions that exclude each other have committed", committed.Load())
		}
	}
}

// bank is a table of accounts between which writers move money: the total is always 0.
type bank struct {
	t    *testing.T
	c    *Coordinator
	stop func()
	done chan struct{}
	wg   sync.WaitGroup
	n    atomic.Int64 // transfers
}

const accounts = 10

// openBank makes the tables and views: a total as view, as view over a view, and the transfers one by one.
func openBank(t *testing.T, opts Options) *bank {
	b := &bank{t: t, c: start(t, opts), done: make(chan struct{})}
	b.stop = sync.OnceFunc(func() { close(b.done) })
	cl := connect(t, b.c)
	cl.must("CREATE TABLE account (id int, amount int); CREATE TABLE moved (id int, source int, target int, amount int)")
	cl.must("INSERT INTO account SELECT g, 0 FROM generate_series(1, " + strconv.Itoa(accounts) + ") AS g")
	cl.must("CREATE MATERIALIZED VIEW balance AS SELECT id, sum(amount) AS amount FROM account GROUP BY id")
	cl.must("CREATE MATERIALIZED VIEW total AS SELECT sum(amount) AS amount FROM balance")
	cl.must("CREATE MATERIALIZED VIEW volume AS SELECT count(*) AS n, sum(amount) AS amount FROM moved")
	return b
}

// run starts writers that move money until finish is called.
func (b *bank) run(writers int) {
	for w := range writers {
		cl := connect(b.t, b.c)
		r := rand.New(rand.NewPCG(7, uint64(w)))
		b.wg.Go(func() {
			for {
				select {
				case <-b.done:
					return
				default:
				}
				if err := b.transfer(cl, r); err != nil {
					b.t.Error(err)
					return
				}
			}
		})
	}
	b.t.Cleanup(b.finish)
}

func (b *bank) transfer(cl *client, r *rand.Rand) *repr.Error {
	from, to, amount := 1+r.IntN(accounts), 1+r.IntN(accounts), 1+r.IntN(100)
	_, err := cl.run(context.Background(), fmt.Sprintf("BEGIN; INSERT INTO account VALUES (%d, %d), (%d, %d); INSERT INTO moved VALUES (%d, %d, %d, %d); COMMIT",
		from, -amount, to, amount, b.n.Add(1), from, to, amount))
	return err
}

func (b *bank) finish() {
	b.stop()
	b.wg.Wait()
}

// TestReadsAreOneMoment reads tables and views while money moves: within a statement, and within a transaction, all
// of them agree.
func TestReadsAreOneMoment(t *testing.T) {
	t.Parallel()
	b := openBank(t, quiet())
	b.run(3)
	cl := connect(t, b.c)
	for range 60 {
		if got := cl.one("SELECT (SELECT sum(amount) FROM account) || ' ' || (SELECT amount FROM total) || ' ' || (SELECT sum(amount) FROM balance) || ' ' || ((SELECT n FROM volume) - (SELECT count(*) FROM moved))"); got != "0 0 0 0" {
			t.Fatalf("one SELECT sees %s", got)
		}
		cl.must("BEGIN")
		n := cl.one("SELECT count(*) FROM moved")
		volume := cl.one("SELECT n FROM volume")
		rows := cl.one("SELECT (count(*) - 10) / 2 FROM account")
		total := cl.one("SELECT amount FROM total")
		cl.must("COMMIT")
		if n != volume || n != rows || total != "0" {
			t.Fatalf("one transaction sees %s transfers, %s in the view, %s in the accounts, the total %s", n, volume, rows, total)
		}
	}
	b.finish()
}

// TestWritesAreSeen checks strict serializability: what is acknowledged is in the next read of anyone, through a view
// too, and no read goes back.
func TestWritesAreSeen(t *testing.T) {
	t.Parallel()
	b := openBank(t, quiet())
	b.run(2)
	writer, reader := connect(t, b.c), connect(t, b.c)
	writer.must("CREATE TABLE probe (n int)")
	writer.must("CREATE MATERIALIZED VIEW last AS SELECT max(n) AS n FROM probe")
	for i := range 60 {
		want := strconv.Itoa(i)
		writer.must("INSERT INTO probe VALUES (" + want + ")")
		for _, cl := range []*client{reader, writer} {
			if got := cl.one("SELECT n FROM last"); got != want {
				t.Fatalf("%s was acknowledged, the view has %s", want, got)
			}
		}
	}
	b.finish()
}

// history folds the stream of a subscription: the state after each time at which something changed.
type history struct {
	times  []string
	states []map[string]int64
}

// fold reads a stream without progress messages that ends by itself.
func fold(t *testing.T, rows []string) *history {
	t.Helper()
	h := &history{}
	state := map[string]int64{}
	for _, row := range rows {
		f := strings.SplitN(row, "|", 3)
		if n := len(h.times); n == 0 || h.times[n-1] != f[0] {
			if n > 0 && len(h.times[n-1]) >= len(f[0]) && h.times[n-1] > f[0] {
				t.Fatalf("time goes back from %s to %s", h.times[n-1], f[0])
			}
			h.times = append(h.times, f[0])
			h.states = append(h.states, nil)
		}
		d, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if state[f[2]] += d; state[f[2]] == 0 {
			delete(state, f[2])
		}
		copied := map[string]int64{}
		for k, v := range state {
			copied[k] = v
		}
		h.states[len(h.states)-1] = copied
	}
	return h
}

func (h *history) last() map[string]int64 { return h.states[len(h.states)-1] }

// TestSubscribersSeeOneMoment follows the balances and the accounts while money moves: at every time that is shown the
// total is 0, each transfer lands at one time, both streams end in the same state, and so does one that started late.
func TestSubscribersSeeOneMoment(t *testing.T) {
	t.Parallel()
	b := openBank(t, quiet())
	end := b.c.opts.Clock.Now().UnixMilli() + 400
	upTo := " UP TO " + strconv.FormatInt(end, 10)
	streams := map[string][]string{}
	var mu sync.Mutex
	var followers sync.WaitGroup
	follow := func(name, text string) {
		cl := connect(t, b.c)
		followers.Go(func() {
			rows, err := cl.run(context.Background(), text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			mu.Lock()
			defer mu.Unlock()
			streams[name] = rows
		})
	}
	follow("balance", "SUBSCRIBE balance"+upTo)
	follow("account", "SUBSCRIBE (SELECT id, sum(amount) AS amount FROM account GROUP BY id)"+upTo)
	follow("total", "SUBSCRIBE total"+upTo)
	b.run(3)
	probe := connect(t, b.c)
	for b.n.Load() < 40 {
		probe.must("SELECT 1")
	}
	follow("late", "SUBSCRIBE balance"+upTo)
	for b.c.opts.Clock.Now().UnixMilli() <= end {
		probe.must("SELECT count(*) FROM moved")
	}
	b.finish()
	probe.must("INSERT INTO moved VALUES (0, 0, 0, 0)") // a tick at or after the end, so that all streams end
	followers.Wait()
	if n := len(streams["total"]); n != 1 || !strings.HasSuffix(streams["total"][0], "|1|0") {
		t.Errorf("the total is shown as %v", streams["total"])
	}
	balance := fold(t, streams["balance"])
	for i, state := range balance.states {
		if sum := total(t, state); sum != 0 {
			t.Fatalf("at %s the total is %d", balance.times[i], sum)
		}
	}
	if len(balance.states) < 20 {
		t.Errorf("only %d times were shown", len(balance.states))
	}
	for _, other := range []string{"account", "late"} {
		if other == "late" && len(streams[other]) == 0 {
			continue // on a slow machine it began when all was over
		}
		if got := fold(t, streams[other]).last(); fmt.Sprint(got) != fmt.Sprint(balance.last()) {
			t.Errorf("the stream %s ends in %v, balance in %v", other, got, balance.last())
		}
	}
}

func total(t *testing.T, state map[string]int64) int64 {
	t.Helper()
	var sum int64
	for row, n := range state {
		_, amount, _ := strings.Cut(row, "|")
		v, err := strconv.ParseInt(amount, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v * n
	}
	return sum
}

// TestViewsMadeWhileWriting makes views while money moves: each is equal to the one that was there before.
func TestViewsMadeWhileWriting(t *testing.T) {
	t.Parallel()
	b := openBank(t, quiet())
	b.run(3)
	cl := connect(t, b.c)
	for i := range 12 {
		for b.n.Load() < int64(15*i) {
			cl.must("SELECT count(*) FROM account")
		}
		v := "late" + strconv.Itoa(i)
		cl.must("CREATE MATERIALIZED VIEW " + v + " AS SELECT id, sum(amount) AS amount FROM account GROUP BY id")
		if got := cl.must("(SELECT * FROM " + v + " EXCEPT ALL SELECT * FROM balance) UNION ALL (SELECT * FROM balance EXCEPT ALL SELECT * FROM " + v + ")"); len(got) > 0 {
			t.Fatalf("%s differs from balance by %v", v, got)
		}
		if i%2 == 0 {
			cl.must("DROP MATERIALIZED VIEW " + v)
		}
	}
	b.finish()
	for i := 1; i < 12; i += 2 {
		if got := cl.one("SELECT count(*) FROM (SELECT * FROM late" + strconv.Itoa(i) + " EXCEPT ALL SELECT * FROM balance) AS d"); got != "0" {
			t.Errorf("late%d differs from balance in %s rows at the end", i, got)
		}
	}
}

// TestTruncateIsOneMoment empties two tables at once while others look.
func TestTruncateIsOneMoment(t *testing.T) {
	t.Parallel()
	c := start(t, quiet())
	cl := connect(t, c)
	cl.must("CREATE TABLE a (n int); CREATE TABLE b (n int)")
	cl.must("CREATE MATERIALIZED VIEW d AS SELECT (SELECT count(*) FROM a) - (SELECT count(*) FROM b) AS n")
	cl.must("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE d")
	writer := connect(t, c)
	for range 10 {
		writer.must("BEGIN; INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (3), (4); COMMIT")
		writer.must("TRUNCATE a, b")
	}
	rows := cl.must("FETCH ALL c WITH (timeout = '0s')")
	if len(rows) != 1 || !strings.HasSuffix(rows[0], "|1|0") {
		t.Errorf("the difference of the tables is shown as %v", rows)
	}
}
