package coord

import (
	"context"
	"strings"
	"testing"
	"time"

	"millrace/repr"
)

// TestTurns has somebody else have the turn: who needs little runs beside it, who needs much waits and says so, and runs when
// it is its turn, or ends when it is canceled.
func TestTurns(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	cl := connect(t, c)
	cl.must("CREATE TABLE m (n bigint)")
	cl.must("INSERT INTO m SELECT generate_series(1, 4000)")
	for _, text := range []string{
		"SELECT count(*) FROM generate_series(1, 100000)",
		"EXPLAIN ANALYZE SELECT count(*) FROM generate_series(1, 100000)",
		"INSERT INTO m SELECT generate_series(1, 20000)",
		"DELETE FROM m WHERE n > (SELECT count(*) - 90000 FROM generate_series(1, 100000))",
		"CREATE MATERIALIZED VIEW v AS SELECT a.n, count(*) FROM m a, generate_series(1, 20) AS g (n) GROUP BY a.n",
	} {
		other := c.memory.turns.join()
		if got := cl.must("SELECT min(n) + 1 FROM m WHERE n < 3"); got[0] != "2" {
			t.Errorf("who needs little: %v", got)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		_, err := cl.run(ctx, text)
		cancel()
		if err == nil || err.Code != repr.CodeQueryCanceled {
			t.Errorf("%s, canceled while it waits: %v", text, err)
		}
		if n := c.memory.statements.Held(); n != 0 {
			t.Errorf("%s: %d bytes are held after it", text, n)
		}
		said := make(chan string, 100)
		cl.s.opts.OnNotice = func(n Notice) { said <- n.Message }
		done := make(chan *repr.Error, 1)
		go func() {
			_, err := cl.run(context.Background(), text)
			done <- err
		}()
		eventually(t, text+" waits", func() bool { return c.memory.turns.waiting() == 1 })
		if !strings.HasPrefix(text, "CREATE") && !strings.HasPrefix(<-said, "waiting for other statements") {
			t.Errorf("%s says something else", text)
		}
		c.memory.turns.leave(other)
		if err := <-done; err != nil {
			t.Errorf("%s, when it is its turn: %v", text, err)
		}
	}
	if got := cl.must("SELECT count(*) > 0 FROM v"); got[0] != "t" {
		t.Errorf("the view: %v", got)
	}
}

// waiting is how many wait.
func (q *turns) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.queue)
}

func TestTurnsPassInOrder(t *testing.T) {
	t.Parallel()
	var q turns
	first, second, third, fourth := q.join(), q.join(), q.join(), q.join()
	<-first
	q.leave(third) // gives up waiting
	for _, next := range []chan struct{}{second, fourth} {
		select {
		case <-next:
			t.Error("two have the turn")
		default:
		}
		q.leave(first)
		<-next
		first = next
	}
	q.leave(fourth)
	if q.taken || len(q.queue) > 0 {
		t.Error("nobody is left, and the turn is taken")
	}
}

func TestATurnThatDoesNotCome(t *testing.T) {
	t.Parallel()
	c := start(t, limited(64<<20))
	cl := connect(t, c)
	c.memory.turns.join()
	waits := cl.s.turn(context.Background())
	waits.most = noticeEvery
	b := c.memory.statements.Part("a test", 0, 0)
	waits.of(b)
	if b.Take(leastLittle); b.Excess() != nil {
		t.Errorf("with little: %+v", b.Excess())
	}
	b.Take(32 << 20)
	if e := b.Excess(); e == nil || e.Why != turnsInReason {
		t.Errorf("with much: %+v", e)
	}
	waits.end()
	b.Close()
	if err := waits.takeTurn(); err == nil || err.Code != repr.CodeOutOfMemory || err.Hint == "" {
		t.Errorf("before the loop: %v", err)
	}
}
