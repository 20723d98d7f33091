package coord

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"millrace/arrangement"
	"millrace/internal/journal"
	"millrace/repr"
)

// BenchmarkRestart starts a server again on a table of a million rows: what is told is the time until base collections are there,
// and until a view that counts, one that joins, or four views are filled, these one after the other or side by side; after a kill,
// and after a stop in order, which settles the log.
func BenchmarkRestart(b *testing.B) {
	for _, view := range []struct{ name, query string }{
		{"none", ""},
		{"count", "SELECT k, count(*) AS n, sum(v) AS total FROM t GROUP BY k"},
		{"join", "SELECT t.id, u.name FROM t, u WHERE t.k = u.k"},
	} {
		views := []string{view.query}
		if view.query == "" {
			views = nil
		}
		b.Run(view.name, func(b *testing.B) { benchmarkRestart(b, views, 0, false) })
		b.Run(view.name+"/settled", func(b *testing.B) { benchmarkRestart(b, views, 0, true) })
	}
	var four []string
	for i := range 4 {
		four = append(four, fmt.Sprintf("SELECT k + %d AS k, count(*) AS n, sum(v) AS total FROM t GROUP BY 1", i))
	}
	b.Run("four/in turn", func(b *testing.B) { benchmarkRestart(b, four, 1, true) })
	b.Run("four/side by side", func(b *testing.B) { benchmarkRestart(b, four, 0, true) })
}

// restartRows is how many rows the table has: a million, or what MILLRACE_RESTART_ROWS says.
func restartRows(b *testing.B) int {
	text := os.Getenv("MILLRACE_RESTART_ROWS")
	if text == "" {
		return 1_000_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

func benchmarkRestart(b *testing.B, views []string, atOnce int, settled bool) {
	dir := b.TempDir()
	open := func() (*Coordinator, *journal.Journal) {
		j, err := journal.Open(journal.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		c, err := Open(Options{Journal: j, RetainHistory: time.Millisecond, AtOnce: atOnce})
		if err != nil {
			b.Fatal(err)
		}
		return c, j
	}
	closeAll := func(c *Coordinator, j *journal.Journal) {
		c.Close()
		if settled {
			if err := j.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
	c, j := open()
	cl := connect(b, c)
	cl.must("CREATE TABLE t (id bigint NOT NULL, k bigint NOT NULL, v bigint NOT NULL, pad text NOT NULL)")
	cl.must("CREATE TABLE u (k bigint NOT NULL, name text NOT NULL)")
	cl.must("INSERT INTO u SELECT i, 'name ' || i FROM generate_series(0, 9999) i")
	for i, query := range views {
		cl.must(fmt.Sprintf("CREATE MATERIALIZED VIEW v%d AS %s", i, query))
	}
	const part = 10_000
	for at := 0; at < restartRows(b); at += part {
		cl.must(fmt.Sprintf("INSERT INTO t SELECT i, (i::bigint * 7919) %% 10000, i, 'some text of no use' FROM generate_series(%d, %d) i", at+1, at+part))
	}
	closeAll(c, j)
	var base, ready, used time.Duration
	b.ResetTimer()
	for range b.N {
		before := cpu(b)
		began := time.Now()
		c, j = open()
		base += time.Since(began)
		cl := connect(b, c)
		for i := range views {
			cl.must(fmt.Sprintf("SELECT count(*) FROM v%d", i))
		}
		ready += time.Since(began)
		used += cpu(b) - before
		b.StopTimer()
		closeAll(c, j)
		b.StartTimer()
	}
	rows := float64(b.N) * float64(restartRows(b))
	b.ReportMetric(base.Seconds()*1e9/rows, "base-ns/row")
	b.ReportMetric(ready.Seconds()*1e9/rows, "ready-ns/row")
	b.ReportMetric(used.Seconds()*1e9/rows, "cpu-ns/row")
	b.ReportMetric(rows/used.Seconds()/1e6, "Mrows/cpu-s")
}

// cpu is the processor time that the process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRestartHistory starts a server again on a table that keeps the history of 200,000 ticks of a row each, alone and with a
// view that keeps it too: what is told is the time a tick.
func BenchmarkRestartHistory(b *testing.B) {
	for _, view := range []string{"", "CREATE MATERIALIZED VIEW v WITH (RETAIN HISTORY FOR '10 days') AS SELECT k, count(*) AS n FROM t GROUP BY k"} {
		b.Run(map[bool]string{true: "table", false: "view"}[view == ""], func(b *testing.B) { benchmarkHistory(b, view) })
	}
}

func benchmarkHistory(b *testing.B, view string) {
	const ticks = 200_000
	dir := b.TempDir()
	open := func() (*Coordinator, *journal.Journal) {
		j, err := journal.Open(journal.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		c, err := Open(Options{Journal: j, RetainHistory: time.Millisecond})
		if err != nil {
			b.Fatal(err)
		}
		return c, j
	}
	c, j := open()
	cl := connect(b, c)
	cl.must("CREATE TABLE t (id bigint NOT NULL, k bigint NOT NULL) WITH (RETAIN HISTORY FOR '10 days')")
	if view != "" {
		cl.must(view)
	}
	id := c.Catalog().Find([]string{"t"}, []string{"public"}).ID
	c.Close()
	last := j.State().Last
	for i := range ticks {
		rows := arrangement.NewBuilder()
		rows.Add(repr.AppendFixed8(repr.AppendFixed8(nil, repr.KindInt8, int64(i)), repr.KindInt8, int64(i%1000)), 1)
		last++
		_, err := j.Append(&journal.Record{Time: last, Changes: []journal.Change{{Collection: id, Rows: rows.Seal()}}})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		before := cpu(b)
		c, j = open()
		cl := connect(b, c)
		cl.must("SELECT count(*) FROM t")
		if view != "" {
			cl.must("SELECT count(*) FROM v")
		}
		b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/ticks, "cpu-ns/tick")
		c.Close()
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
