package coord

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"millrace/arrangement"
	"millrace/internal/clock"
	"millrace/repr"
)

// stream is a subscription as a test follows it.
type stream struct {
	cl   *client
	cols repr.RowDesc
	rows Rows
}

// open starts a subscription that goes on.
func (cl *client) open(text string) *stream {
	cl.t.Helper()
	var out *stream
	err := cl.each(context.Background(), text, func(res *Result) *repr.Error {
		out = &stream{cl: cl, cols: res.Cols, rows: res.Rows}
		return nil
	})
	if err != nil {
		cl.t.Fatalf("%s: %v", text, err)
	}
	cl.t.Cleanup(out.rows.Close)
	return out
}

// there gives the rows that are there, without waiting for more.
func (s *stream) there() ([]string, *repr.Error) {
	var out []string
	for {
		row, more, err := s.rows.(Live).Poll()
		if row == nil || err != nil || !more {
			return out, err
		}
		out = append(out, s.cl.text(s.cols, row))
	}
}

// bubble runs a test in which time passes when everyone waits, and not otherwise.
func bubble(t *testing.T, opts Options, f func(t *testing.T, c *Coordinator)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(t, start(t, opts)) })
}

// meanwhile runs f beside the test, which waits for its end before it closes the sessions that it has opened.
func meanwhile(t *testing.T, f func()) {
	var wg sync.WaitGroup
	wg.Go(f)
	t.Cleanup(wg.Wait)
}

// timeOf is the time in the first column of a row.
func timeOf(t *testing.T, row string) int64 {
	t.Helper()
	text, _, _ := strings.Cut(row, "|")
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestSubscribeAsOfPast starts subscriptions as of every time of a history: each has the content of then, and the
// changes since.
func TestSubscribeAsOfPast(t *testing.T) {
	bubble(t, Options{TickInterval: 5 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("CREATE MATERIALIZED VIEW m AS SELECT sum(a) AS s FROM t")
		var times []int64
		follow := connect(t, c).open("SUBSCRIBE t WITH (SNAPSHOT = false)")
		for i := range 5 {
			time.Sleep(10 * time.Millisecond)
			cl.must(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
			rows, err := follow.there()
			if err != nil || len(rows) != 1 {
				t.Fatalf("%v, %v", rows, err)
			}
			times = append(times, timeOf(t, rows[0]))
		}
		for i, at := range times {
			var want, after []string
			for j := range times {
				if j <= i {
					want = append(want, fmt.Sprintf("%d|1|%d", at, j))
				} else {
					after = append(after, fmt.Sprintf("%d|1|%d", times[j], j))
				}
			}
			rows, err := connect(t, c).open(fmt.Sprintf("SUBSCRIBE t AS OF %d", at)).there()
			if err != nil {
				t.Fatal(err)
			}
			same(t, "as of a tick", rows, append(want, after...)...)
			rows, _ = connect(t, c).open(fmt.Sprintf("SUBSCRIBE t WITH (SNAPSHOT = false) AS OF %d", at+3)).there()
			same(t, "changes after a time between ticks", rows, after...)
			same(t, "SELECT as of", cl.must(fmt.Sprintf("SELECT s FROM m AS OF %d", at)), strconv.Itoa(i*(i+1)/2))
		}
		time.Sleep(20 * time.Second) // past what retain_history keeps
		cl.must("INSERT INTO t VALUES (9)")
		_ = cl.fails("22023", fmt.Sprintf("SUBSCRIBE t AS OF %d", times[0]))
		_ = cl.fails("22023", fmt.Sprintf("SELECT * FROM t AS OF %d", times[4]))
	})
}

// TestErrorsSinceAreShown subscribes as of a time before an error that has healed: the stream stops at the error.
func TestErrorsSinceAreShown(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("CREATE MATERIALIZED VIEW m AS SELECT 10 / a AS n FROM t")
		follow := connect(t, c).open("SUBSCRIBE m")
		cl.must("INSERT INTO t VALUES (5)")
		rows, _ := follow.there()
		at := timeOf(t, rows[0])
		cl.must("INSERT INTO t VALUES (0)")
		if _, err := follow.there(); err == nil || err.Code != repr.CodeDivisionByZero {
			t.Errorf("the stream goes on after an error: %v", err)
		}
		cl.must("DELETE FROM t WHERE a = 0")
		rows, err := connect(t, c).open(fmt.Sprintf("SUBSCRIBE m AS OF %d", at)).there()
		if err == nil || err.Code != repr.CodeDivisionByZero || len(rows) != 1 {
			t.Errorf("as of before the error: %v, %v", rows, err)
		}
		rows, err = connect(t, c).open("SUBSCRIBE m").there()
		if err != nil || len(rows) != 1 {
			t.Errorf("after it has healed: %v, %v", rows, err)
		}
	})
}

// TestSubscribeAsOfFuture waits for the time, and says so every second.
func TestSubscribeAsOfFuture(t *testing.T) {
	bubble(t, Options{TickInterval: 100 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl, writer := connect(t, c), connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		at := time.Now().UnixMilli() + 3500
		meanwhile(t, func() {
			time.Sleep(2 * time.Second)
			writer.must("INSERT INTO t VALUES (1)")
		})
		rows, err := cl.open(fmt.Sprintf("SUBSCRIBE t AS OF %d", at)).there()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "as of the future", rows, fmt.Sprintf("%d|1|1", at))
		if n := len(cl.notices); n < 3 || n > 5 || !strings.HasPrefix(cl.notices[0].Message, "waiting for the time "+strconv.FormatInt(at, 10)) {
			t.Errorf("notices: %v", cl.notices)
		}
	})
}

// TestSubscribeUpTo ends by itself: everything before the time is shown, nothing at or after it.
func TestSubscribeUpTo(t *testing.T) {
	bubble(t, Options{TickInterval: 100 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl, writer := connect(t, c), connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		base := time.Now().UnixMilli()
		meanwhile(t, func() {
			for i := range 10 {
				time.Sleep(300 * time.Millisecond)
				writer.must(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
			}
		})
		for i, what := range []string{"t", "(SELECT a FROM t)"} {
			end := base + 1000*int64(i+1)
			rows := cl.must(fmt.Sprintf("SUBSCRIBE %s UP TO %d", what, end))
			if want := 3 * (i + 1); len(rows) != want || timeOf(t, rows[len(rows)-1]) >= end {
				t.Errorf("%s up to %d: %v", what, end, rows)
			}
		}
		if rows := cl.must(fmt.Sprintf("SUBSCRIBE t UP TO %d", base)); len(rows) != 0 {
			t.Errorf("up to the past: %v", rows)
		}
		time.Sleep(5 * time.Second)
	})
}

// TestProgressIsFinal follows a stream with progress: no row ever bears a time before the newest progress message,
// which comes for ticks without changes too.
func TestProgressIsFinal(t *testing.T) {
	bubble(t, Options{TickInterval: 50 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl, writer := connect(t, c), connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		meanwhile(t, func() {
			for i := range 40 {
				time.Sleep(37 * time.Millisecond)
				writer.must(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
			}
		})
		end := time.Now().UnixMilli() + 2000
		rows := cl.must(fmt.Sprintf("SUBSCRIBE t WITH (PROGRESS) UP TO %d", end))
		var final, messages, changes int64
		for _, row := range rows {
			at := timeOf(t, row)
			if at < final {
				t.Fatalf("%s comes after the progress message %d", row, final)
			}
			if strings.HasPrefix(row, strconv.FormatInt(at, 10)+"|t|") {
				final, messages = at, messages+1
			} else {
				changes++
			}
		}
		if changes != 40 || messages < 40 {
			t.Errorf("%d changes and %d progress messages", changes, messages)
		}
	})
}

// TestFetchTimeout has FETCH wait for as many rows as it may, and no longer than it may.
func TestFetchTimeout(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl, writer := connect(t, c), connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE t")
		began := time.Now()
		same(t, "nothing comes", cl.must("FETCH ALL c WITH (timeout = '1s')"))
		if d := time.Since(began); d != time.Second {
			t.Errorf("waited for %v", d)
		}
		meanwhile(t, func() {
			for i := range 4 {
				time.Sleep(time.Second)
				writer.must(fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
			}
		})
		began = time.Now()
		if rows := cl.must("FETCH 2 c WITH (timeout = '1min')"); len(rows) != 2 || time.Since(began) > 2100*time.Millisecond {
			t.Errorf("%v after %v", rows, time.Since(began))
		}
		// Without a timeout the first row is waited for, and no more than that.
		if rows := cl.must("FETCH ALL c"); len(rows) != 1 || time.Since(began) > 3100*time.Millisecond {
			t.Errorf("%v after %v", rows, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if rows, err := cl.run(ctx, "FETCH 5 c WITH (timeout = '1h')"); err == nil || err.Code != repr.CodeQueryCanceled {
			t.Errorf("a FETCH that is canceled gives %v, %v", rows, err)
		}
		cl.must("ROLLBACK")
	})
}

// TestDeafSubscriber cuts off who does not read, and for whom the difference would be too much as well; others go on, and what was
// held is given back.
func TestDeafSubscriber(t *testing.T) {
	opts := quiet()
	opts.SubscriberBytes = 1 << 20
	bubble(t, opts, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int, b text)")
		cl.must("INSERT INTO t SELECT -g, repeat('y', 100) FROM generate_series(1, 10000) AS g")
		deaf := connect(t, c).open("SUBSCRIBE t WITH (SNAPSHOT = false)")
		other := connect(t, c).open("SUBSCRIBE t WITH (SNAPSHOT = false)")
		seen := 0
		for i := range 40 {
			cl.must(fmt.Sprintf("INSERT INTO t SELECT %d + g, repeat('x', 100) FROM generate_series(1, 500) AS g", 500*i))
			rows, err := other.there()
			if err != nil {
				t.Fatal(err)
			}
			seen += len(rows)
			held, convErr := strconv.Atoi(cl.one("SELECT coalesce(max(held_bytes), 0) FROM mz_internal.mz_subscriptions"))
			if convErr != nil || int64(held) > opts.SubscriberBytes {
				t.Fatalf("a subscription holds %d bytes", held)
			}
		}
		rows, err := deaf.there()
		if err == nil || err.Code != repr.CodeOutOfMemory || len(rows) > 0 {
			t.Errorf("the deaf reader gets %d rows and %v", len(rows), err)
		}
		if seen != 40*500 {
			t.Errorf("the other reader has seen %d changes", seen)
		}
		same(t, "subscriptions that hold something", cl.must("SELECT held_bytes FROM mz_internal.mz_subscriptions WHERE held_bytes > 0"))
	})
}

// foldStream adds up a stream, by row, and says how often a time began.
func foldStream(t *testing.T, rows []string, into map[string]int64) (times int) {
	t.Helper()
	last := int64(0)
	for _, row := range rows {
		if at := timeOf(t, row); at != last {
			if at < last {
				t.Fatalf("%s comes after %d", row, last)
			}
			times, last = times+1, at
		}
		f := strings.SplitN(row, "|", 3)
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if into[f[2]] += n; into[f[2]] == 0 {
			delete(into, f[2])
		}
	}
	return times
}

// TestSlowSubscriber gives who falls behind the difference of two contents in place of the changes between them, again and again;
// whatever it is shown adds up to the table, at times that only grow, and what is held for it is bounded.
func TestSlowSubscriber(t *testing.T) {
	opts := quiet()
	opts.SubscriberBytes = 64 << 10
	for _, text := range []string{"SUBSCRIBE t", "SUBSCRIBE t WITHIN TIMESTAMP ORDER BY b DESC"} {
		bubbled := func(t *testing.T) {
			bubble(t, opts, func(t *testing.T, c *Coordinator) { slowSubscriber(t, c, opts.SubscriberBytes, text) })
		}
		t.Run(text, bubbled)
	}
}

func slowSubscriber(t *testing.T, c *Coordinator, limit int64, text string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	cl := connect(t, c)
	cl.must("CREATE TABLE t (a int, b int)")
	slow, prompt := connect(t, c).open(text), connect(t, c).open("SUBSCRIBE t")
	held, exact := map[string]int64{}, map[string]int64{}
	shown, ticks := 0, 0
	for i := range 1000 {
		cl.must(fmt.Sprintf("DELETE FROM t WHERE a = %d; INSERT INTO t SELECT %d, g + %d FROM generate_series(1, 8) AS g", i%20, i%20, rng.IntN(3)))
		rows, err := prompt.there()
		if err != nil {
			t.Fatal(err)
		}
		ticks += foldStream(t, rows, exact)
		if rng.IntN(150) > 0 && i < 999 {
			continue
		}
		if rng.IntN(2) == 0 {
			_, _, _ = slow.rows.(Live).Poll() // it stops in the middle, and loses a row of which the test knows
			slow.rows.Close()
			slow, held = connect(t, c).open(text), map[string]int64{}
		}
		if n := slow.rows.(*subscribeRows).s.sub.heldBytes(); n > limit {
			t.Fatalf("%d bytes wait", n)
		}
		if rows, err = slow.there(); err != nil {
			t.Fatal(err)
		}
		shown += foldStream(t, rows, held)
		if !maps.Equal(held, exact) {
			t.Fatalf("after %d ticks the slow reader has\n%v\nnot\n%v", ticks, held, exact)
		}
	}
	if ticks < 400 || shown > ticks/2 || shown < 10 {
		t.Errorf("the slow reader was shown %d times of %d", shown, ticks)
	}
}

// TestEndedReadersHoldNoChanges ends readers of whom nobody takes anything, as of a client that does not read: what the collection does
// after that is not kept for them, and what came before is still told.
func TestEndedReadersHoldNoChanges(t *testing.T) {
	ends := map[string]func(s *subscription){
		"cut off": func(s *subscription) { s.limit, s.exact = 0, true },
		"failed":  func(s *subscription) { s.fail(repr.NewError(repr.CodeUndefinedObject, "gone")) },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			rows := arrangement.NewBuilder()
			rows.Add(repr.Append(nil, repr.Int8(7)), 1)
			col := &collection{readers: map[*subscription]struct{}{}}
			col.last = &link{change: &change{}}
			col.delta.OK = rows.Seal()
			sub := newSubscription(1, col.last, 1<<20)
			col.readers[sub] = struct{}{}
			col.publish(1)
			end(sub)
			for at := range repr.Time(5) {
				col.publish(2 + at)
			}
			if sub.at.next != nil || sub.end.next != nil {
				t.Error("what comes after the end is kept")
			}
			if n := sub.heldBytes(); name == "cut off" && n > 0 {
				t.Errorf("%d bytes wait", n)
			}
			changes, _, err := sub.take()
			if want := map[string]int{"failed": 1}[name]; len(changes) != want || err == nil {
				t.Errorf("it is given %d changes and the error %v, not %d and an error", len(changes), err, want)
			}
		})
	}
}

// TestSubscriptionsLeaveNothing opens and closes subscriptions of all sorts: no reader, view or hold stays.
func TestSubscriptionsLeaveNothing(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		cl.must("CREATE VIEW v AS SELECT a FROM t")
		before := left(t, c)
		for _, what := range []string{"t", "v", "(SELECT count(*) FROM t)"} {
			other := connect(t, c)
			other.must("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE " + what + "; FETCH ALL c WITH (timeout = '0s')")
			other.must("CLOSE c; DECLARE d CURSOR FOR SUBSCRIBE " + what)
			other.must("ROLLBACK")
			other.must("BEGIN; DECLARE c CURSOR FOR SUBSCRIBE " + what)
			other.s.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			if _, err := cl.run(ctx, "SUBSCRIBE "+what); err == nil || err.Code != repr.CodeQueryCanceled {
				t.Errorf("SUBSCRIBE ends with %v", err)
			}
			cancel()
		}
		if after := left(t, c); after != before {
			t.Errorf("before %+v, after %+v", before, after)
		}
	})
}

// remains is what the loop keeps for sessions.
type remains struct{ collections, bases, views, holds, readers, items, shared int }

func left(t *testing.T, c *Coordinator) remains {
	t.Helper()
	var r remains
	err := c.do(context.Background(), func() {
		r = remains{collections: len(c.collections), bases: len(c.order), views: len(c.views), holds: len(c.holds),
			items: len(c.Catalog().Items()), shared: len(c.sharing.byName)}
		for _, col := range c.collections {
			r.readers += len(col.readers)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// shiftClock is the clock of the machine, set forward or back.
type shiftClock struct {
	clock.System
	shift atomic.Int64
}

func (c *shiftClock) Now() time.Time { return c.System.Now().Add(time.Duration(c.shift.Load())) }

// TestClockSteps sets the clock back and forth by an hour: times only grow, writes and reads go on.
func TestClockSteps(t *testing.T) {
	clk := &shiftClock{}
	bubble(t, Options{Clock: clk, TickInterval: 100 * time.Millisecond}, func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		follow := connect(t, c).open("SUBSCRIBE t WITH (PROGRESS)")
		var last int64
		changes := 0
		for i, step := range []time.Duration{0, -time.Hour, 0, time.Hour, -2 * time.Hour, 3 * time.Hour, 0} {
			clk.shift.Add(int64(step))
			for range 5 {
				time.Sleep(70 * time.Millisecond)
				cl.must("INSERT INTO t VALUES (1)")
				rows, err := follow.there()
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					if at := timeOf(t, row); at < last {
						t.Fatalf("step %d: %s comes after %d", i, row, last)
					} else {
						last = at
					}
					if strings.Contains(row, "|f|") {
						changes++
					}
				}
			}
			if got := cl.one("SELECT count(*) FROM t"); got != strconv.Itoa(5*(i+1)) {
				t.Fatalf("step %d: %s rows", i, got)
			}
		}
		if changes != 35 {
			t.Errorf("%d changes were shown", changes)
		}
	})
}

// TestOneEncodingForAll gives all who read a view the same bytes, and makes them once.
func TestOneEncodingForAll(t *testing.T) {
	bubble(t, quiet(), func(t *testing.T, c *Coordinator) {
		cl := connect(t, c)
		cl.must("CREATE TABLE t (a int)")
		made := 0
		enc := &Encoding{Key: "k", Tick: func(dst []byte, _ repr.Time, rows [][]byte) []byte {
			made++
			for _, row := range rows {
				dst = append(dst, cl.text(plainShape(repr.RowDesc{{Name: "a", Type: repr.TypeOf(repr.KindInt4)}}).cols, repr.SkipN(row, 1))+"\n"...)
			}
			return dst
		}}
		var streams []*stream
		for _, text := range []string{"t", "t", "t WITH (SNAPSHOT = false)", "t WITHIN TIMESTAMP ORDER BY a DESC"} {
			streams = append(streams, connect(t, c).open("SUBSCRIBE "+text))
		}
		cl.must("INSERT INTO t VALUES (1), (2)")
		for _, s := range streams {
			_, _, _ = s.rows.(Live).Poll() // a row of the first time
			if chunk, n := s.rows.(Encoded).PollEncoded(enc); n > 0 {
				t.Errorf("a time of which a row was given comes again: %q", chunk)
			}
			_, _ = s.there()
		}
		cl.must("INSERT INTO t VALUES (3), (4)")
		for i, want := range []string{"1|3\n1|4\n", "1|3\n1|4\n", "1|3\n1|4\n", "1|4\n1|3\n"} {
			chunk, n := streams[i].rows.(Encoded).PollEncoded(enc)
			if n != 2 || string(chunk) != want {
				t.Errorf("%d rows: %q", n, chunk)
			}
			if rows, err := streams[i].there(); len(rows) > 0 || err != nil {
				t.Errorf("behind it there are %v, %v", rows, err)
			}
		}
		if made != 2 {
			t.Errorf("it was encoded %d times for two shapes", made)
		}
	})
}
