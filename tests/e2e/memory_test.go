package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// hostileLimit is the --memory-limit of the server that hostile statements are sent to, and how far the process may pass it, in
// percent, for one of them as for thirty at once.
const (
	hostileLimit = 512 << 20
	hostileOver  = 20
)

// hostile are statements that want more than there is, or much of it. Each is answered, or refused for want of memory.
var hostile = []struct{ name, text string }{
	{"a large sort", "SELECT * FROM t ORDER BY s DESC, n"},
	{"a cross join", "SELECT a.n, b.n FROM t a, t b"},
	{"a long series", "SELECT * FROM generate_series(1, 1000000000000)"},
	{"array_agg of pairs", "SELECT array_agg(a.s || b.s) FROM t a, t b"},
	{"array_agg", "SELECT length(array_agg(s)::text) FROM t"},
	{"string_agg of wide texts", "SELECT string_agg(repeat('x', 10000), ',') FROM t"},
	{"distinct pairs", "SELECT count(DISTINCT a.n * 1000000 + b.n) FROM t a, t b"},
	{"wide rows", "SELECT repeat('x', 100000000) FROM generate_series(1, 10)"},
	{"a window", "SELECT sum(n) OVER (ORDER BY s) FROM t"},
	{"wide values", "SELECT " + strings.Repeat("repeat('x', 10000000),", 60) + " 1"},
	{"a recursion", "WITH RECURSIVE r AS (SELECT 1::bigint AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"},
	{"a large INSERT", "INSERT INTO w SELECT a.n, a.k, a.s FROM t a, generate_series(1, 100) AS g (n)"},
	{"a large UPDATE", "UPDATE t SET s = s || '!'"},
	{"a view of pairs", "CREATE MATERIALIZED VIEW v AS SELECT a.n, b.n AS m, a.s FROM t a, t b"},
	{"a DELETE of all", "DELETE FROM t"},
}

// TestHostileStatements sends statements to a server with little memory, one after the other and many at once. Its memory stays
// within its limit and a fifth, who asks for little is answered all the time, and what is refused says what it needed memory for.
func TestHostileStatements(t *testing.T) {
	need(t)
	s := serve(t, "--memory-limit", strconv.Itoa(hostileLimit), "--tick-interval", "100ms")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cl := s.connect(ctx, t)
	mustExec(ctx, t, cl, "CREATE TABLE t (n bigint, k int, s text)", "CREATE TABLE w (n bigint, k int, s text)")
	fillHostile(ctx, t, cl)
	still := s.keepAsking(ctx, t)
	for _, h := range hostile {
		s.checkHostile(ctx, t, cl, h.name, h.text)
	}
	for from := 0; from < hostileRows; from += hostileRows / 4 { // in parts that fit
		s.checkHostile(ctx, t, cl, "a DELETE", fmt.Sprintf("DELETE FROM t WHERE n > %d AND n <= %d", from, from+hostileRows/4))
	}
	prepareMany(ctx, t, s)
	s.checkPeak(t, "wide prepared statements", hostileOver)
	still.stop(t)
}

// crowd is how often each hostile statement is sent at once.
const crowd = 2

// TestHostileCrowd sends all hostile statements at once. They take no more memory than one of them, and who asks for little waits
// for none of them.
func TestHostileCrowd(t *testing.T) {
	need(t)
	s := serve(t, "--memory-limit", strconv.Itoa(hostileLimit), "--tick-interval", "100ms")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cl := s.connect(ctx, t)
	mustExec(ctx, t, cl, "CREATE TABLE t (n bigint, k int, s text)", "CREATE TABLE w (n bigint, k int, s text)")
	fillHostile(ctx, t, cl)
	still := s.keepAsking(ctx, t)
	s.resetPeak(t)
	var wg sync.WaitGroup
	for range crowd {
		for _, h := range hostile {
			one := s.connect(ctx, t)
			wg.Go(func() { checkRefused(t, h.name, run(ctx, one, h.text)) })
		}
	}
	wg.Wait()
	s.checkPeak(t, "all at once", hostileOver)
	still.stop(t)
}

// hostileRows is how many rows the table has that hostile statements read.
const hostileRows = 1_000_000

func fillHostile(ctx context.Context, t *testing.T, cl *pgx.Conn) {
	t.Helper()
	for from := 0; from < hostileRows; from += 100_000 {
		mustExec(ctx, t, cl, fmt.Sprintf("INSERT INTO t SELECT n, n %% 1000, 'a text of some length ' || n FROM generate_series(%d, %d) AS g (n)",
			from+1, from+100_000))
	}
}

// checkHostile runs a statement and holds the peak of the process meanwhile to what it may be.
func (s *server) checkHostile(ctx context.Context, t *testing.T, cl *pgx.Conn, name, text string) {
	t.Helper()
	s.resetPeak(t)
	checkRefused(t, name, run(ctx, cl, text))
	s.checkPeak(t, name, hostileOver)
}

// checkRefused holds the answer of a hostile statement, if it is an error, to what it should be.
func checkRefused(t *testing.T, name string, err error) {
	t.Helper()
	var e *pgconn.PgError
	switch {
	case err == nil:
		t.Logf("%s: done", name)
	case !errors.As(err, &e) || e.Code != "53200" || e.Hint == "" || e.Detail+e.Message == "":
		t.Errorf("%s: %v", name, err)
	default:
		t.Logf("%s: %s %s", name, e.Message, e.Detail)
	}
}

func (s *server) checkPeak(t *testing.T, name string, over int64) {
	t.Helper()
	peak := s.peak(t)
	t.Logf("%s: the peak is %d MiB", name, peak>>20)
	if peak > hostileLimit/100*(100+over) {
		t.Errorf("%s: the peak is %d MiB, more than %d %% over the limit", name, peak>>20, over)
	}
}

// prepareMany prepares statements as wide as may be until that is refused, on several connections.
func prepareMany(ctx context.Context, t *testing.T, s *server) {
	t.Helper()
	s.resetPeak(t)
	wide := "SELECT '" + strings.Repeat("x", 900_000) + "' || $1"
	var clients []*pgx.Conn
	for range 4 { // before there is no room for one
		clients = append(clients, s.connect(ctx, t))
	}
	for _, cl := range clients {
		for i := range 100 {
			if _, err := cl.PgConn().Prepare(ctx, fmt.Sprint("p", i), wide, nil); err != nil {
				checkRefused(t, "prepare", err)
				break
			}
		}
	}
}

// connect is a connection of pgx that the end of the test closes.
func (s *server) connect(ctx context.Context, t *testing.T) *pgx.Conn {
	t.Helper()
	cl, err := pgx.Connect(ctx, s.url())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cl.Close(context.Background()) }) // the server may have closed it
	return cl
}

func mustExec(ctx context.Context, t *testing.T, cl *pgx.Conn, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if _, err := cl.Exec(ctx, text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// run sends a statement and reads all rows of its answer, keeping none.
func run(ctx context.Context, cl *pgx.Conn, text string) error {
	return cl.PgConn().Exec(ctx, text).Close()
}

// peak is the most memory that the process has had since the peak was reset.
func (s *server) peak(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		t.Skip("the system does not tell the peak of a process")
	}
	n, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// resetPeak has the system begin anew to look for the peak.
func (s *server) resetPeak(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0); err != nil {
		t.Log(err)
	}
}

// asking is a client that asks for little again and again.
type asking struct {
	stopped atomic.Bool
	wg      sync.WaitGroup
	answers int
	slowest time.Duration
	err     error
}

func (s *server) keepAsking(ctx context.Context, t *testing.T) *asking {
	t.Helper()
	a, cl := &asking{}, s.connect(ctx, t)
	a.wg.Go(func() {
		for !a.stopped.Load() && a.err == nil {
			began := time.Now()
			var one int
			a.err = cl.QueryRow(ctx, "SELECT 1").Scan(&one)
			a.slowest = max(a.slowest, time.Since(began))
			a.answers++
			time.Sleep(20 * time.Millisecond)
		}
	})
	return a
}

func (a *asking) stop(t *testing.T) {
	t.Helper()
	a.stopped.Store(true)
	a.wg.Wait()
	if a.err != nil {
		t.Errorf("SELECT 1: %v", a.err)
	}
	t.Logf("%d answers, the slowest after %s", a.answers, a.slowest)
}

// deafGrowth is how much memory readers that do not read may take.
const deafGrowth = 200 << 20

// TestDeafReaders has clients subscribe and not read, while rows come without end. The memory of the server grows by no more than a
// bound beyond what the rows alone take. Those that must see every time end with an error that says why, another goes on with what the
// table holds by then, and one that reads gets every row.
func TestDeafReaders(t *testing.T) {
	need(t)
	s := serve(t, "--tick-interval", "50ms", "--retain-history", "100ms")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	writer := s.connect(ctx, t)
	mustExec(ctx, t, writer, "CREATE TABLE t (n bigint, s text)")
	const write = "INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 2000) AS g (n)"
	const rounds = 60
	for range 2 * rounds {
		mustExec(ctx, t, writer, write, "DELETE FROM t")
	}
	before := s.peak(t)
	subscribe := func(sql string) *pgconn.ResultReader {
		return s.connect(ctx, t).PgConn().ExecParams(ctx, sql, nil, nil, nil, nil)
	}
	var deaf []*pgconn.ResultReader
	for range 4 {
		deaf = append(deaf, subscribe(fmt.Sprintf("SUBSCRIBE t UP TO %d", time.Now().Add(time.Hour).UnixMilli())))
	}
	late := subscribe("SUBSCRIBE t WITH (PROGRESS)")
	reader := subscribe("SUBSCRIBE t WITH (SNAPSHOT = false)")
	for i := range rounds { // who reads is never far behind, however slow the machine is
		mustExec(ctx, t, writer, write, "DELETE FROM t")
		for n := range 4000 {
			if !reader.NextRow() {
				_, err := reader.Close()
				t.Fatalf("who reads got %d rows: %v", i*4000+n, err)
			}
		}
	}
	grown := s.peak(t) - before
	t.Logf("the peak has grown by %d MiB", grown>>20)
	if grown > deafGrowth {
		t.Errorf("the peak has grown by %d MiB", grown>>20)
	}
	for _, d := range deaf {
		for d.NextRow() {
		}
		var e *pgconn.PgError
		if _, err := d.Close(); !errors.As(err, &e) || e.Code != "53200" || e.Hint == "" {
			t.Errorf("who does not read ended with %v", err)
		}
	}
	mustExec(ctx, t, writer, "INSERT INTO t VALUES (0, 'the last')")
	if n := seenUpTo(t, late, "the last"); n != 0 {
		t.Errorf("what the late reader was given leaves %d rows beside the last", n)
	}
}

// seenUpTo reads a subscription with progress up to the end of the time that shows a text, and says how many rows there are beside
// that one then.
func seenUpTo(t *testing.T, r *pgconn.ResultReader, last string) int64 {
	t.Helper()
	rows, shown := int64(0), false
	for r.NextRow() {
		v := r.Values() // mz_timestamp, mz_progressed, mz_diff, n, s
		if string(v[1]) == "t" {
			if shown {
				return rows - 1
			}
			continue
		}
		diff, err := strconv.ParseInt(string(v[2]), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		rows += diff
		shown = shown || string(v[4]) == last
	}
	_, err := r.Close()
	t.Fatalf("the subscription ended: %v", err)
	return 0
}
